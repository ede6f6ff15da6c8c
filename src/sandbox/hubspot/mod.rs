//! A simulator of HubSpot's CRM v3 API over real HTTP.
//!
//! It follows the vendor's guides, and where they are silent the official Node client's generated
//! types have the shapes. What neither says is taken in the way that is hardest on a client:
//!
//! - property values are strings, numbers and null are refused;
//! - a filter on a property that the kind does not have finds nothing and is no error; `NEQ`,
//!   `NOT_IN` and `NOT_CONTAINS_TOKEN` find records without a value too;
//! - a batch may not name one record twice, not even to read it, and answers in another order;
//! - a search counts against the limit of 10 seconds as well as against its own;
//! - when a contact leaves its primary company, none of its others becomes the primary one;
//! - the address of an erased contact is refused for good, with 400;
//! - merged records are in no list; a `DELETE` of an archived record is 204, of an unknown one 404.

mod api;
mod index;
mod limits;
mod merge;
mod portal;
mod record;
mod schema;
mod search;
mod state;
mod table;
mod time;
mod value;
mod write;

pub use limits::Limits;
pub use portal::{Portal, Row, Seed};
pub use schema::{Kind, Property, ValueType};
pub use state::Refused;
pub use value::Invalid;

use super::Backstage;
use super::server::Server;
use state::State;
use std::io;
use std::time::Duration;

/// Under which id the survivor of a merge lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MergedId {
    /// Its own.
    #[default]
    Kept,
    /// A new one; both former ids lead to it.
    New,
}

/// How the portal is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// The private app's token.
    pub token: String,
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// What `search_jitter` is drawn from.
    pub seed: u64,
    /// How many calls it takes.
    pub limits: Limits,
    /// Until search sees a change; whole milliseconds.
    pub search_lag: Duration,
    /// Added to the lag, a different part of it for each change.
    pub search_jitter: Duration,
    /// Identity of the account.
    pub portal_id: u64,
    /// Name of the account's zone.
    pub time_zone: String,
    /// The zone's distance from UTC; the daily quota begins anew at its midnight.
    pub utc_offset_minutes: i32,
    /// What a merge does to the survivor's id.
    pub merged_id: MergedId,
    /// Whether changing a contact's company moves its modified time.
    pub links_move_modified: bool,
    /// Whether batches answer in another order than they were asked, as the vendor is free to.
    pub shuffled_batches: bool,
    /// Its clock, faults and request log.
    pub backstage: Backstage,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            token: "pat-sandbox".to_owned(),
            port: 0,
            seed: 0,
            limits: Limits::Off,
            search_lag: Duration::ZERO,
            search_jitter: Duration::ZERO,
            portal_id: 62_515,
            time_zone: "Europe/Berlin".to_owned(),
            utc_offset_minutes: 60,
            merged_id: MergedId::Kept,
            links_move_modified: false,
            shuffled_batches: true,
            backstage: Backstage::default(),
        }
    }
}

/// A running simulator; dropping it closes the port.
#[derive(Debug)]
pub struct HubspotSim {
    server: Server,
    portal: Portal,
    backstage: Backstage,
}

impl HubspotSim {
    /// Starts an empty portal.
    ///
    /// # Errors
    ///
    /// The port is taken.
    pub async fn start(options: Options) -> io::Result<Self> {
        let portal = Portal::new(State::new(&options), options.backstage.clock.clone());
        let router = api::router(portal.clone());
        let backstage = options.backstage;
        let server = Server::start(router, options.port, backstage.clone(), api::refusal).await?;
        Ok(Self {
            server,
            portal,
            backstage,
        })
    }

    /// `http://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The portal itself, past HTTP.
    #[must_use]
    pub const fn portal(&self) -> &Portal {
        &self.portal
    }

    /// Its clock, faults and request log.
    #[must_use]
    pub const fn backstage(&self) -> &Backstage {
        &self.backstage
    }

    /// Closes the port and waits for calls in flight.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

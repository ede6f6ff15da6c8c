//! A simulator of Freshdesk's API v2: one account with contacts, companies, tickets,
//! fields and agents.
//!
//! It answers what the API reference and recordings of real accounts say, at its nastiest.

mod account;
mod admission;
mod api;
mod budget;
mod companies;
mod company_service;
mod contacts;
mod fields;
mod form;
mod list;
mod merge;
mod options;
mod people;
mod ranked;
mod record;
mod reply;
mod route;
mod search;
mod service;
mod tickets;

pub use fields::{CustomField, FieldType, Schema};
pub use options::{Limits, Options, Quirks, UpdatedSince};
pub use people::{CompanySeed, ContactSeed, Refused};
pub use record::{Company, Contact, Standing};
pub use tickets::{
    Action, Automation, Conversation, Event, Rating, Stats, Status, Ticket, TicketLimits,
    TicketOptions, TicketSeed, TicketStanding,
};

use super::Backstage;
use super::server::Server;
use account::Account;
use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use reply::Reply;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A running account; dropping it closes the port.
#[derive(Debug)]
pub struct FreshdeskSim {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: Options,
    account: Mutex<Account>,
}

impl Shared {
    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FreshdeskSim {
    /// Starts an empty account.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn start(options: Options) -> io::Result<Self> {
        let (port, backstage) = (options.port, options.backstage.clone());
        let account = Mutex::new(Account::new(&options));
        let shared = Arc::new(Shared { options, account });
        let router = Router::new()
            .fallback(api::serve)
            .with_state(Arc::clone(&shared));
        let server = Server::start(router, port, backstage, refusal).await?;
        Ok(Self { server, shared })
    }

    /// `http://127.0.0.1:PORT`: what stands for `https://ACCOUNT.freshdesk.com`.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The key of the account's agent.
    #[must_use]
    pub fn api_key(&self) -> &str {
        &self.shared.options.api_key
    }

    /// Its clock, its faults, its log.
    #[must_use]
    pub fn backstage(&self) -> &Backstage {
        &self.shared.options.backstage
    }

    /// Stops listening and lets calls in flight finish.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

/// How Freshdesk and what stands in front of it refuse: 429 without a body, 5xx with a page of HTML.
fn refusal(status: StatusCode, retry_after: Option<u32>) -> Response {
    if status == StatusCode::TOO_MANY_REQUESTS {
        return api::too_many(retry_after.unwrap_or(30)).into_response();
    }
    let mut reply = Reply::empty(status);
    if status == StatusCode::INTERNAL_SERVER_ERROR {
        let message = "An unexpected error occurred";
        reply = Reply::coded(status, "internal_error", message);
    }
    reply.into_response()
}

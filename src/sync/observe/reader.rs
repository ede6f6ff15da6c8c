//! Going through a feed page by page, beside the one who takes the pages in.

use super::keys as keys_of;
use crate::clock::monotonic;
use crate::mapping::Mapping;
use crate::model::{Kind, Side, Version};
use crate::remote::lane::in_lane;
use crate::remote::{
    self, Connector, Cursor, ErrorKind, Feed, Lane, Page, PageRequest, RemoteError,
};
use crate::store::{Ingest, PassKind, Running, Sighting, Unread};
use chrono::{DateTime, Utc};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// A listing that took longer than this is followed by a look for changes, in milliseconds.
const LISTING_AGES: i64 = 60_000;

/// One pass that is to be made.
#[derive(Debug)]
pub(super) struct Pass {
    pub(super) side: Side,
    pub(super) kind: Kind,
    pub(super) feed: PassKind,
    pub(super) since: Option<i64>,
    pub(super) resume: Option<Running>,
    /// Whether what a listing meets is remembered, so that what it does not show can be asked for.
    /// The very first one has nobody to miss.
    pub(super) tick_off: bool,
    /// Whether whoever such a listing passes over is missed by nobody.
    pub(super) first: bool,
    /// After a listing that took its time: from when on changes are read at once, so that nothing
    /// is decided on what its first pages showed long ago.
    pub(super) catch_up: Option<i64>,
    /// When it is left for the next cycle to go on with.
    pub(super) until: Option<Instant>,
    pub(super) lane: Lane,
}

impl Pass {
    /// What has changed, from the beginning.
    pub(super) const fn of_changes(side: Side, kind: Kind) -> Self {
        Self {
            side,
            kind,
            feed: PassKind::Changes,
            since: None,
            resume: None,
            tick_off: false,
            first: false,
            catch_up: None,
            until: None,
            lane: Lane::People,
        }
    }
}

/// What a reader hands to the writer.
pub(super) enum Read {
    Page(ReadPage),
    Failed(Side, Kind, PassKind, RemoteError),
}

/// A page, and how far it brings its pass.
pub(super) struct ReadPage {
    pub(super) side: Side,
    pub(super) kind: Kind,
    pub(super) feed: PassKind,
    pub(super) tick_off: bool,
    pub(super) since: Option<i64>,
    pub(super) started_at: i64,
    /// When it was answered, by the server's clock, in milliseconds.
    pub(super) answered_at: i64,
    pub(super) sightings: Vec<Sighting>,
    pub(super) unread: Vec<Unread>,
    pub(super) next: Option<String>,
}

impl ReadPage {
    pub(super) fn ingest<'a>(&'a self, fields: &'a [String], now: DateTime<Utc>) -> Ingest<'a> {
        Ingest {
            side: self.side,
            kind: self.kind,
            feed: self.feed,
            sightings: &self.sightings,
            unread: &self.unread,
            fields,
            started_at: self.started_at,
            since: self.since,
            next: self.next.as_deref(),
            tick_off: self.tick_off,
            now,
        }
    }
}

/// Goes through the passes of one kind on one side, in order, until one fails.
pub(super) async fn read_all(
    connector: Arc<dyn Connector>,
    mapping: Mapping,
    passes: Vec<Pass>,
    pages: mpsc::Sender<Read>,
) {
    for pass in passes {
        let (side, kind, feed) = (pass.side, pass.kind, pass.feed);
        let (resumed, catch_up) = (pass.resume.is_some(), pass.catch_up);
        let connector = connector.as_ref();
        let lane = pass.lane;
        let mut result = in_lane(lane, read(connector, &mapping, pass, &pages)).await;
        // What has changed since a pass was interrupted may stand on the pages that were read before.
        let aged = |took| resumed || feed == PassKind::All && took > LISTING_AGES;
        if let (PassKind::All | PassKind::Changes, Ok(Some((started_at, ended_at)))) =
            (feed, &result)
            && aged(ended_at - started_at)
        {
            let overlap = i64::try_from(connector.caps().overlap.as_millis()).unwrap_or(0);
            let changes = Pass {
                since: catch_up.or(Some(started_at - overlap)),
                ..Pass::of_changes(side, kind)
            };
            result = read(connector, &mapping, changes, &pages).await;
        }
        if let Err(error) = result {
            // The receiver is gone only when the engine itself failed, and says so.
            let _ = pages.send(Read::Failed(side, kind, feed, error)).await;
            return;
        }
    }
}

/// Goes through one pass; returns when it began and when it ended, by the server's clock, or nothing
/// where it is left for the next cycle.
async fn read(
    connector: &dyn Connector,
    mapping: &Mapping,
    pass: Pass,
    pages: &mpsc::Sender<Read>,
) -> Result<Option<(i64, i64)>, RemoteError> {
    let fields = mapping.reads(pass.side);
    let resumed = pass.resume.is_some();
    let mut goes_on = resumed;
    let (mut cursor, mut started_at, since) = match pass.resume {
        Some(running) => (
            Some(Cursor(running.cursor)),
            Some(running.started_at),
            running.since,
        ),
        None => (None, None, pass.since),
    };
    let time = since.map(|millis| Version(millis).time());
    let feed = match pass.feed {
        PassKind::All if pass.first => Feed::All,
        PassKind::All => Feed::Again,
        PassKind::Changes => Feed::Changes(time.unwrap_or_default()),
        PassKind::Trash => Feed::Trash(time),
    };
    let request = PageRequest {
        kind: pass.kind,
        feed,
        fields: &fields,
    };
    loop {
        let page: Page = match connector.page(&request, cursor.as_ref()).await {
            // The server may not know any more where we were: asked for that, it would refuse each cycle anew.
            Err(error) if goes_on && matches!(error.kind, ErrorKind::Rejected(_)) => {
                (cursor, started_at, goes_on) = (None, None, false);
                continue;
            }
            page => page?,
        };
        goes_on = false;
        if page.next == cursor && cursor.is_some() {
            return Err(stuck(pass.side, resumed));
        }
        let now = page.server_time.timestamp_millis();
        let started_at = *started_at.get_or_insert(now);
        let sightings = page
            .records
            .into_iter()
            .map(|observed| {
                let keys = keys_of(mapping, pass.side, &observed);
                Sighting::new(observed, keys).written()
            })
            .collect();
        let unread = page.unread.into_iter();
        let unread = unread.map(|it| set_apart(mapping, pass.side, it)).collect();
        let next = page.next.clone().map(|cursor| cursor.0);
        let read = Read::Page(ReadPage {
            side: pass.side,
            kind: pass.kind,
            feed: pass.feed,
            tick_off: pass.tick_off,
            since,
            started_at,
            answered_at: now,
            sightings,
            unread,
            next,
        });
        if pages.send(read).await.is_err() || page.next.is_none() {
            return Ok(Some((started_at, now)));
        }
        if pass.until.is_some_and(|until| monotonic() >= until) {
            return Ok(None);
        }
        cursor = page.next;
    }
}

/// A record that could not be read, for the state.
fn set_apart(mapping: &Mapping, side: Side, unread: remote::Unread) -> Unread {
    let shown = &unread.shown.image;
    let scope = mapping.scope.of(side).as_ref();
    let keys = mapping.keys.iter().map(|key| key.name(side));
    let mut decides = keys.chain(scope.map(|scope| scope.field.as_str()));
    let keyed = decides.all(|field| shown.get(field).is_some());
    let keys = keys_of(mapping, side, &unread.shown);
    Unread {
        keyed,
        error: unread.error.to_string(),
        sighting: Sighting::new(unread.shown, keys),
    }
}

/// A cursor that leads to itself would be read for ever.
fn stuck(side: Side, resumed: bool) -> RemoteError {
    RemoteError {
        side,
        call: "next page".to_owned(),
        kind: ErrorKind::Garbled,
        detail: format!("the cursor leads to itself (resumed: {resumed})"),
        request_id: None,
    }
}

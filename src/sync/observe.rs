//! Reading what changed on both sides, into the state.
//!
//! Four readers (two sides, two kinds) run concurrently and hand their pages to the one writer.
//! Each goes through its feed page by page; the mark moves with the last page and never before.

use super::{CycleError, Engine, Progress, Trouble};
use crate::clock::monotonic;
use crate::mapping::Mapping;
use crate::model::{Kind, Observed, Presence, Side, Version};
use crate::remote::lane::in_lane;
use crate::remote::{
    Caps, Connector, Cursor, ErrorKind, Feed, Lane, Page, PageRequest, RemoteError,
};
use crate::store::{Ingest, PassKind, PassState, Running, Sighting};
use chrono::{DateTime, TimeDelta, Utc};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How many pages of one reader may wait for the writer.
const PAGES_WAITING: usize = 2;
/// How many pages are taken in together at the most.
const PAGES_TOGETHER: usize = 8;
/// A listing that nobody went on with for longer than this begins anew: its pages have shifted.
const LISTING_KEEPS: TimeDelta = TimeDelta::hours(6);
/// How often the trash is looked into, where changes do not show it, in milliseconds.
const TRASH_EVERY: i64 = 3_600_000;
/// A listing that took longer than this is followed by a look for changes, in milliseconds.
const LISTING_AGES: i64 = 60_000;
/// The part of a cycle's time that a listing takes which is spread over many.
pub const LISTING_PART: u32 = 4;
/// How many records missing from a listing are asked for in one go.
const CONFIRM_CHUNK: i64 = 500;

/// The proof that a listing of everything came to its own end. Only this module can make one, and
/// only with one may anything be concluded from what was *not* seen.
#[derive(Debug)]
pub struct CompleteListing {
    side: Side,
    kind: Kind,
    /// Whether it is known what it has met; if not, it was the first and has nobody to miss.
    ticked_off: bool,
}

impl CompleteListing {
    /// Whether it says something about `kind` that is more than a first impression.
    pub(super) fn audits(&self, kind: Kind) -> bool {
        self.kind == kind && self.ticked_off
    }
}

/// What observing brought.
#[derive(Debug, Default)]
pub struct Observation {
    /// Records that were read, by side.
    pub read: crate::model::Pair<u64>,
    /// Records that are new or different.
    pub changed: crate::model::Pair<u64>,
    /// Feeds that could not be read to their end.
    pub troubles: Vec<Trouble>,
    /// Listings that came to their end.
    pub(super) complete: Vec<CompleteListing>,
}

/// One pass that is to be made.
#[derive(Debug)]
struct Pass {
    side: Side,
    kind: Kind,
    feed: PassKind,
    since: Option<i64>,
    resume: Option<Running>,
    /// Whether what a listing meets is remembered, so that what it does not show can be asked for.
    /// The very first one has nobody to miss.
    tick_off: bool,
    /// After a listing that took its time: from when on changes are read at once, so that nothing
    /// is decided on what its first pages showed long ago.
    catch_up: Option<i64>,
    /// When it is left for the next cycle to go on with.
    until: Option<Instant>,
    lane: Lane,
}

/// What a reader hands to the writer.
enum Read {
    Page(ReadPage),
    Failed(Side, Kind, PassKind, RemoteError),
}

/// A page, and how far it brings its pass.
struct ReadPage {
    side: Side,
    kind: Kind,
    feed: PassKind,
    tick_off: bool,
    since: Option<i64>,
    started_at: i64,
    sightings: Vec<Sighting>,
    next: Option<String>,
}

impl ReadPage {
    fn ingest<'a>(&'a self, fields: &'a [String]) -> Ingest<'a> {
        Ingest {
            side: self.side,
            kind: self.kind,
            feed: self.feed,
            sightings: &self.sightings,
            fields,
            started_at: self.started_at,
            since: self.since,
            next: self.next.as_deref(),
            tick_off: self.tick_off,
        }
    }
}

impl Engine {
    /// Reads what changed; everything where `reconcile` says so or nothing was read before.
    ///
    /// # Errors
    ///
    /// Where the state fails. A system that fails is a trouble in the observation.
    pub(super) async fn observe(&mut self, reconcile: bool) -> Result<Observation, CycleError> {
        let mut readers = JoinSet::new();
        let (pages, mut inbox) = mpsc::channel(PAGES_WAITING * 4);
        for side in Side::BOTH {
            for at in 0..self.mappings.len() {
                let passes = self.passes(side, at, reconcile).await?;
                let Some(mapping) = self.mappings.get(at).cloned() else {
                    continue;
                };
                let connector = Arc::clone(self.connectors.of(side));
                readers.spawn(read_all(connector, mapping, passes, pages.clone()));
            }
        }
        drop(pages);
        let mut observation = Observation::default();
        let mut reads = Vec::new();
        while inbox.recv_many(&mut reads, PAGES_TOGETHER).await > 0 {
            self.take_in(std::mem::take(&mut reads), &mut observation)
                .await?;
        }
        while readers.join_next().await.is_some() {}
        for listing in std::mem::take(&mut observation.complete) {
            let asked = self.confirm_missing(&listing, &mut observation);
            let believed = in_lane(Lane::Reconcile, asked).await?;
            let CompleteListing { side, kind, .. } = listing;
            self.store.judge_listing(side, kind, believed).await?;
            if believed {
                observation.complete.push(listing);
            }
        }
        Ok(observation)
    }

    /// When a listing that is spread over many cycles is left for the next one.
    fn listing_until(&self) -> Option<Instant> {
        self.slice.map(|slice| monotonic() + slice / LISTING_PART)
    }

    /// What has to be read of one kind on one side.
    async fn passes(
        &mut self,
        side: Side,
        at: usize,
        reconcile: bool,
    ) -> Result<Vec<Pass>, CycleError> {
        let Some(kind) = self.mappings.get(at).map(|mapping| mapping.kind) else {
            return Ok(Vec::new());
        };
        let caps = self.connectors.of(side).caps().clone();
        let now = self.clock.now();
        let all = self.store.pass(side, kind, PassKind::All).await?;
        let changes = self.store.pass(side, kind, PassKind::Changes).await?;
        let resume = all.running.clone().filter(|running| {
            let worked_at = changes.mark.unwrap_or(0).max(running.started_at);
            now - Version(worked_at).time() < LISTING_KEEPS
        });
        let since = changes
            .mark
            .map(|mark| reach(mark, now, caps.overlap, caps.overlap_hourly));
        let first = all.mark.is_none();
        let listing = reconcile || first || resume.is_some();
        let mut passes = Vec::new();
        // What changed is read beside a listing too: one may take many cycles, and one that ends too early
        // shows nobody whom it leaves out.
        if !first {
            passes.push(Pass {
                side,
                kind,
                feed: PassKind::Changes,
                since,
                resume: changes.running,
                tick_off: listing,
                catch_up: None,
                until: None,
                lane: Lane::People,
            });
        }
        if listing {
            if resume.is_none() {
                self.store.begin_listing(side, kind).await?;
            }
            // With another mapping everything is read as if for the first time, but somebody is known;
            // whether the pages before an interruption were ticked off is not.
            let known = resume.is_none() && self.store.unseen_count(side, kind).await?.0 > 0;
            passes.push(Pass {
                side,
                kind,
                feed: PassKind::All,
                since: None,
                resume,
                tick_off: !first || known,
                catch_up: since,
                until: if first || self.store.is_distrusted() {
                    None
                } else {
                    self.listing_until()
                },
                lane: if first {
                    Lane::FirstSync
                } else {
                    Lane::Reconcile
                },
            });
        }
        if all.mark.is_some() && !caps.trash_in_changes {
            let trash: PassState = self.store.pass(side, kind, PassKind::Trash).await?;
            let due = trash
                .mark
                .or(all.mark)
                .is_none_or(|mark| now.timestamp_millis() - mark >= TRASH_EVERY);
            if reconcile || due {
                let since = trash.mark.or(all.mark);
                passes.push(Pass {
                    side,
                    kind,
                    feed: PassKind::Trash,
                    since: since.map(|mark| reach(mark, now, caps.overlap, caps.overlap_hourly)),
                    resume: trash.running,
                    tick_off: false,
                    catch_up: None,
                    until: None,
                    lane: Lane::People,
                });
            }
        }
        Ok(passes)
    }

    /// Takes in what is waiting, in one transaction: the state's busiest leaves are then written once
    /// for many pages.
    async fn take_in(
        &mut self,
        reads: Vec<Read>,
        observation: &mut Observation,
    ) -> Result<(), CycleError> {
        let mut pages = Vec::with_capacity(reads.len());
        for read in reads {
            match read {
                Read::Page(page) => pages.push(page),
                Read::Failed(side, kind, feed, error) => observation.troubles.push(Trouble {
                    side,
                    // A trash that cannot be read hides deletions, not edits: the rest goes on.
                    kind: (feed != PassKind::Trash).then_some(kind),
                    error,
                }),
            }
        }
        let fields: Vec<Vec<String>> = pages
            .iter()
            .map(|page| self.fields(page.kind, page.side))
            .collect();
        let ingests: Vec<Ingest<'_>> = pages
            .iter()
            .zip(&fields)
            .map(|(page, fields)| page.ingest(fields))
            .collect();
        let brought = self.store.observe(&ingests).await?;
        for (page, brought) in pages.iter().zip(brought) {
            let read = page.sightings.len() as u64;
            *observation.read.of_mut(page.side) += read;
            *observation.changed.of_mut(page.side) += brought.changed;
            self.progress.read(page.side, read);
            if page.feed == PassKind::All && page.next.is_none() {
                observation.complete.push(CompleteListing {
                    side: page.side,
                    kind: page.kind,
                    ticked_off: page.tick_off,
                });
            }
        }
        Ok(())
    }

    /// Asks for each record that a complete listing did not show; only the record's own answer says
    /// that it is gone. Returns whether the listing is believed.
    async fn confirm_missing(
        &mut self,
        listing: &CompleteListing,
        observation: &mut Observation,
    ) -> Result<bool, CycleError> {
        let CompleteListing {
            side,
            kind,
            ticked_off,
        } = *listing;
        if !ticked_off {
            self.store.believe_listing(side, kind).await?;
            return Ok(true);
        }
        let (known, unseen) = self.store.unseen_count(side, kind).await?;
        let shrunk = unseen > 20 && unseen > known / 2;
        if self
            .doubt_listing(side, kind, known, unseen, shrunk)
            .await?
        {
            observation.troubles.push(Trouble {
                side,
                kind: Some(kind),
                error: RemoteError {
                    side,
                    call: format!("list of all {kind} records"),
                    kind: ErrorKind::Garbled,
                    detail: format!(
                        "shows none of {unseen} out of {known} records that were there before: not believed, nothing is concluded from it"
                    ),
                    request_id: None,
                },
            });
            return Ok(false);
        }
        let mut after = 0;
        loop {
            let missing = self.store.unseen(side, kind, after, CONFIRM_CHUNK).await?;
            let Some((last, _)) = missing.last() else {
                self.listing_is_done_with(side, kind).await?;
                return self.weigh_listing(side, kind, observation).await;
            };
            after = *last;
            if let Err(error) = self.confirm(side, kind, &missing).await? {
                observation.troubles.push(Trouble {
                    side,
                    kind: Some(kind),
                    error,
                });
                return Ok(false);
            }
            let rows: Vec<i64> = missing.iter().map(|(row, _)| *row).collect();
            self.store.vanished(side, kind, &rows).await?;
        }
    }

    /// Believes a listing that has shown all who are there. One that has passed over some of them may
    /// have passed over others whom nobody knows yet, and over their changes: these are read as if
    /// there had been no listing. Returns whether it is believed.
    async fn weigh_listing(
        &mut self,
        side: Side,
        kind: Kind,
        observation: &mut Observation,
    ) -> Result<bool, CycleError> {
        let (_, passed_over) = self.store.unseen_count(side, kind).await?;
        if passed_over == 0 {
            self.store.believe_listing(side, kind).await?;
            return Ok(true);
        }
        tracing::warn!(event = "listing_incomplete", %side, %kind, passed_over,
            "a list of all records did not show some that are there; what changed is read as well");
        let Some(mapping) = self.mapping(kind).cloned() else {
            return Ok(false);
        };
        let connector = Arc::clone(self.connectors.of(side));
        let now = self.clock.now();
        let Caps {
            overlap,
            overlap_hourly,
            ..
        } = *connector.caps();
        let changes = self.store.pass(side, kind, PassKind::Changes).await?;
        let reach = |mark| reach(mark, now, overlap, overlap_hourly);
        let pass = Pass {
            side,
            kind,
            feed: PassKind::Changes,
            since: changes.mark.map(reach),
            resume: None,
            tick_off: false,
            catch_up: None,
            until: None,
            lane: Lane::People,
        };
        let (pages, mut inbox) = mpsc::channel(PAGES_WAITING);
        let reader = read_all(connector, mapping, vec![pass], pages);
        let writer = async {
            let mut reads = Vec::new();
            while inbox.recv_many(&mut reads, PAGES_TOGETHER).await > 0 {
                self.take_in(std::mem::take(&mut reads), observation)
                    .await?;
            }
            Ok(false)
        };
        tokio::join!(reader, writer).1
    }

    /// Observed records with the keys under which they can be found.
    pub(super) fn sightings(
        &self,
        kind: Kind,
        side: Side,
        observed: Vec<Observed>,
    ) -> Vec<Sighting> {
        observed
            .into_iter()
            .map(|observed| {
                let mapping = self.mapping(kind);
                let keys = mapping.map(|mapping| keys(mapping, side, &observed));
                Sighting::new(observed, keys.unwrap_or_default())
            })
            .collect()
    }
}

/// From when on a pass asks for changes: the start of the last complete one, minus the overlap; once
/// in every hour minus a longer one, for what surfaces late.
fn reach(mark: i64, now: DateTime<Utc>, overlap: Duration, hourly: Duration) -> i64 {
    const HOUR: i64 = 3_600_000;
    let first_of_the_hour = now.timestamp_millis() / HOUR != mark / HOUR;
    let back = if first_of_the_hour { hourly } else { overlap };
    mark - i64::try_from(back.as_millis()).unwrap_or(i64::MAX / 2)
}

/// The match keys of a record that takes part.
pub(super) fn keys(mapping: &Mapping, side: Side, observed: &Observed) -> Vec<(usize, String)> {
    if observed.presence != Presence::Live || mapping.in_scope(side, &observed.image) != Some(true)
    {
        return Vec::new();
    }
    mapping
        .keys
        .iter()
        .enumerate()
        .flat_map(|(number, key)| {
            key.values(side, &observed.image)
                .into_iter()
                .map(move |value| (number, value))
        })
        .collect()
}

/// Goes through the passes of one kind on one side, in order, until one fails.
async fn read_all(
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
                side,
                kind,
                feed: PassKind::Changes,
                since: catch_up.or(Some(started_at - overlap)),
                resume: None,
                tick_off: false,
                catch_up: None,
                until: None,
                lane: Lane::People,
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
        PassKind::All => Feed::All,
        PassKind::Changes => Feed::Changes(time.unwrap_or_default()),
        PassKind::Trash => Feed::Trash(time),
    };
    let request = PageRequest {
        kind: pass.kind,
        feed,
        fields: &fields,
    };
    loop {
        let page: Page = connector.page(&request, cursor.as_ref()).await?;
        if page.next == cursor && cursor.is_some() {
            return Err(stuck(pass.side, resumed));
        }
        let now = page.server_time.timestamp_millis();
        let started_at = *started_at.get_or_insert(now);
        let sightings = page
            .records
            .into_iter()
            .map(|observed| {
                let keys = keys(mapping, pass.side, &observed);
                Sighting::new(observed, keys).written()
            })
            .collect();
        let next = page.next.clone().map(|cursor| cursor.0);
        let read = Read::Page(ReadPage {
            side: pass.side,
            kind: pass.kind,
            feed: pass.feed,
            tick_off: pass.tick_off,
            since,
            started_at,
            sightings,
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

impl Progress {
    fn read(&self, side: Side, records: u64) {
        self.read
            .of(side)
            .fetch_add(records, std::sync::atomic::Ordering::Relaxed);
    }
}

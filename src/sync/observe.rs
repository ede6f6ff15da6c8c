//! Reading what changed on both sides, into the state.
//!
//! Four readers (two sides, two kinds) run concurrently and hand their pages to the one writer.
//! Each goes through its feed page by page; the mark moves with the last page and never before.

mod listing;
mod reader;
mod unread;

use super::{CycleError, Engine, Progress, Trouble};
use crate::clock::monotonic;
use crate::mapping::Mapping;
use crate::model::{Image, Kind, Observed, Presence, RecordId, Side, Version};
use crate::remote::{Caps, ErrorKind, Lane};
use crate::store::{Ingest, PassKind, PassState, Sighting};
use chrono::{DateTime, TimeDelta, Utc};
pub(super) use listing::CompleteListing;
use reader::{Pass, Read, ReadPage, read_all};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How many pages of one reader may wait for the writer.
const PAGES_WAITING: usize = 2;
/// How many pages are taken in together at the most.
const PAGES_TOGETHER: usize = 8;
/// A listing that nobody went on with for longer than this begins anew: its pages have shifted.
const LISTING_KEEPS: TimeDelta = TimeDelta::hours(6);
/// The same for the first one, beside which nothing else is read that says when somebody went on: all
/// of a large account, at the pace of a small plan.
const FIRST_LISTING_KEEPS: TimeDelta = TimeDelta::days(3);
/// How often the trash is looked into, where changes do not show it, in milliseconds.
const TRASH_EVERY: i64 = 3_600_000;
/// The part of a cycle's time that a listing takes which is spread over many.
pub const LISTING_PART: u32 = 4;
/// What observing brought.
#[derive(Debug, Default)]
pub struct Observation {
    /// Records that were read, by side.
    pub read: crate::model::Pair<u64>,
    /// Records that are new or different.
    pub changed: crate::model::Pair<u64>,
    /// When each side last answered, by its own clock, in milliseconds; nothing where it did not.
    pub(super) heard: crate::model::Pair<Option<i64>>,
    /// Feeds that could not be read to their end.
    pub troubles: Vec<Trouble>,
    /// Kinds of which a listing is not believed until a person says so: nothing is concluded from it.
    pub(super) doubted: BTreeSet<Kind>,
    /// Listings that came to their end.
    pub(super) complete: Vec<CompleteListing>,
    /// Whether a first listing is left for the next cycle to go on with.
    pub(super) unfinished: bool,
}

impl Engine {
    /// Reads what changed; everything where `reconcile` says so or nothing was read before.
    ///
    /// # Errors
    ///
    /// Where the state fails. A system that fails is a trouble in the observation.
    pub(super) async fn observe(&mut self, reconcile: bool) -> Result<Observation, CycleError> {
        self.looked_at = self.clock.now();
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
        self.read_unread(&observation).await?;
        observation.unfinished = self.lists_at_first().await?;
        self.conclude_listings(&mut observation).await?;
        Ok(observation)
    }

    /// Whether a kind is still being read for the first time.
    async fn lists_at_first(&mut self) -> Result<bool, CycleError> {
        for side in Side::BOTH {
            for kind in Kind::BOTH {
                let all = self.store.pass(side, kind, PassKind::All).await?;
                if all.mark.is_none() && all.running.is_some() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// When a listing is left for the next cycle, so that what does not need it gets its turn. A first one
    /// has all of a cycle's time: nothing is planned of its kind before it has ended.
    fn listing_until(&self, first: bool) -> Option<Instant> {
        // On an old copy nothing at all is done before everything is read.
        let slice = self.slice.filter(|_| !self.store.is_distrusted())?;
        let part = if first { 1 } else { LISTING_PART };
        Some(monotonic() + slice / part)
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
        let now = self.now_at(side);
        let all = self.store.pass(side, kind, PassKind::All).await?;
        let changes = self.store.pass(side, kind, PassKind::Changes).await?;
        let first = all.mark.is_none();
        let keeps = if first {
            FIRST_LISTING_KEEPS
        } else {
            LISTING_KEEPS
        };
        let resume = all.running.clone().filter(|running| {
            let worked_at = changes.mark.unwrap_or(0).max(running.started_at);
            now - Version(worked_at).time() < keeps
        });
        let since = changes.mark.map(|mark| reach(mark, now, &caps));
        let is_young = |mark| {
            let age = now.signed_duration_since(Version(mark).time());
            self.young.is_some_and(|young| age.abs() < young)
        };
        // An old copy of the state knows nothing that is young.
        let read_lately = !self.store.is_distrusted()
            && all.mark.is_some_and(is_young)
            && !self.store.wants_listing(side, kind).await?;
        // Where cycles have an end, a listing is not done with before all who are missing from it were asked for.
        let asking = self.store.asking(side, kind).await?.is_some();
        let begins = reconcile && !read_lately && !(asking && self.slice.is_some());
        let listing = begins || first || resume.is_some();
        let mut passes = Vec::new();
        // What changed is read beside a listing too: one may take many cycles, and one that ends too early
        // shows nobody whom it leaves out.
        if !first {
            passes.push(Pass {
                since,
                resume: changes.running,
                tick_off: listing || asking,
                ..Pass::of_changes(side, kind)
            });
        }
        if listing {
            if resume.is_none() {
                self.store.begin_listing(side, kind).await?;
            }
            // With another mapping everything is read as if for the first time, but somebody is known; one
            // that goes on is ticked off where its first pages were.
            let (known, unseen) = self.store.unseen_count(side, kind).await?;
            let known = known > if resume.is_some() { unseen } else { 0 };
            passes.push(Pass {
                side,
                kind,
                feed: PassKind::All,
                since: None,
                resume,
                tick_off: !first || known,
                first,
                catch_up: since,
                until: self.listing_until(first),
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
                    feed: PassKind::Trash,
                    since: since.map(|mark| reach(mark, now, &caps)),
                    resume: trash.running,
                    ..Pass::of_changes(side, kind)
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
                    kind: blinds(feed, error.kind).then_some(kind),
                    error,
                }),
            }
        }
        let fields: Vec<Vec<String>> = pages
            .iter()
            .map(|page| self.fields(page.kind, page.side))
            .collect();
        // No look at the clock of its own: how many pages are taken in together is chance.
        let now = self.looked_at;
        let ingests: Vec<Ingest<'_>> = pages
            .iter()
            .zip(&fields)
            .map(|(page, fields)| page.ingest(fields, now))
            .collect();
        let brought = self.store.observe(&ingests).await?;
        // A trash that there is none of is answered by the connector itself, and so by our own clock.
        for page in pages.iter().filter(|page| page.feed != PassKind::Trash) {
            let heard = observation.heard.of_mut(page.side);
            *heard = (*heard).max(Some(page.answered_at));
        }
        for page in pages.iter().filter(|page| page.feed == PassKind::Changes) {
            // A pass that goes on where an earlier cycle left off began then.
            if page.started_at == page.answered_at {
                *self.skew.of_mut(page.side) = self.looked_at - Version(page.started_at).time();
            }
        }
        for (page, brought) in pages.iter().zip(brought) {
            say_unread(page, &brought.unread);
            let read = (page.sightings.len() + page.unread.len()) as u64;
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

/// Says once of each record that it cannot be read.
fn say_unread(page: &ReadPage, new: &[RecordId]) {
    let (side, kind) = (page.side, page.kind);
    for id in new {
        let it = page.unread.iter();
        let error = it.filter(|it| it.sighting.observed.id == *id);
        let error = error.map(|it| it.error.as_str()).next();
        tracing::warn!(event = "record_unreadable", %side, %kind, %id, error,
            "a record cannot be read by itself: what lists show of it is taken in, and it is read again");
    }
}

/// Whether nothing can be decided of a kind while such a feed fails so. A trash that cannot be read hides
/// deletions, not edits; and a listing that has to wait hides nothing, since what has changed was read before it.
fn blinds(feed: PassKind, error: ErrorKind) -> bool {
    match feed {
        PassKind::Trash => false,
        PassKind::All => !matches!(error, ErrorKind::Paused(_)),
        PassKind::Changes => true,
    }
}

/// From when on a pass asks for changes: the start of the last complete one, minus the overlap; once
/// in every hour minus a longer one, for what surfaces late.
fn reach(mark: i64, now: DateTime<Utc>, caps: &Caps) -> i64 {
    const HOUR: i64 = 3_600_000;
    let first_of_the_hour = now.timestamp_millis() / HOUR != mark / HOUR;
    let back = if first_of_the_hour {
        caps.overlap_hourly
    } else {
        caps.overlap
    };
    mark - i64::try_from(back.as_millis()).unwrap_or(i64::MAX / 2)
}

/// The match keys of a record that takes part.
pub(super) fn keys(mapping: &Mapping, side: Side, observed: &Observed) -> Vec<(usize, String)> {
    if observed.presence != Presence::Live || mapping.in_scope(side, &observed.image) != Some(true)
    {
        return Vec::new();
    }
    key_values(mapping, side, &observed.image)
}

/// The match keys that `image` of `side` shows, as `(which key, normalised value)`.
pub(super) fn key_values(mapping: &Mapping, side: Side, image: &Image) -> Vec<(usize, String)> {
    mapping
        .keys
        .iter()
        .enumerate()
        .flat_map(|(number, key)| {
            key.values(side, image)
                .into_iter()
                .map(move |value| (number, value))
        })
        .collect()
}

impl Progress {
    fn read(&self, side: Side, records: u64) {
        self.read
            .of(side)
            .fetch_add(records, std::sync::atomic::Ordering::Relaxed);
    }
}

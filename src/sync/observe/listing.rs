//! What a listing of everything proves: who is missing from it is asked for, and one that leaves people
//! out is not believed.

use super::reader::{Pass, Read, read_all};
use super::{Observation, PAGES_TOGETHER, PAGES_WAITING, blinds, reach};
use crate::clock::monotonic;
use crate::model::{Kind, Observed, RecordId, Side};
use crate::remote::lane::in_lane;
use crate::remote::{ErrorKind, Lane, RemoteError};
use crate::store::{PassKind, Worth};
use crate::sync::{CycleError, Engine, Trouble};
use std::sync::Arc;
use tokio::sync::mpsc;

/// After so many records in a row that cannot be read it is not the records.
const FEW: usize = 5;

/// Who of a batch was not found, and who could not be read.
type Asked = (Vec<i64>, Vec<(i64, RemoteError)>);

/// The proof that a listing of everything came to its own end. Only reading can make one, and
/// only with one may anything be concluded from what was *not* seen.
#[derive(Debug)]
pub(in crate::sync) struct CompleteListing {
    pub(super) side: Side,
    pub(super) kind: Kind,
    /// Whether it is known what it has met; if not, it was the first and has nobody to miss.
    pub(super) ticked_off: bool,
}

impl CompleteListing {
    /// Whether it says something about `kind` that is more than a first impression.
    pub(in crate::sync) fn audits(&self, kind: Kind) -> bool {
        self.kind == kind && self.ticked_off
    }
}

impl Engine {
    /// Concludes what can be concluded from listings that have ended, and keeps those that are believed.
    pub(super) async fn conclude_listings(
        &mut self,
        observation: &mut Observation,
    ) -> Result<(), CycleError> {
        for listing in std::mem::take(&mut observation.complete) {
            let CompleteListing { side, kind, .. } = listing;
            // Whoever is missing from another is asked for below, be it one of this cycle or of an earlier.
            if !listing.ticked_off {
                self.store.believe_listing(side, kind).await?;
                self.store.judge_listing(side, kind, Worth::Proof).await?;
                observation.complete.push(listing);
            }
        }
        for side in Side::BOTH {
            for kind in Kind::BOTH {
                let asked = self.ask_for_missing(side, kind, observation);
                let Some(worth) = in_lane(Lane::Reconcile, asked).await? else {
                    continue;
                };
                self.store.judge_listing(side, kind, worth).await?;
                if worth == Worth::Proof {
                    observation.complete.push(CompleteListing {
                        side,
                        kind,
                        ticked_off: true,
                    });
                }
            }
        }
        Ok(())
    }

    /// Asks for each record that a complete listing did not show; only the record's own answer says
    /// that it is gone. Where many are missing that takes many cycles. Returns what the listing is
    /// worth; `None` where there is none, or where it goes on in the next cycle.
    async fn ask_for_missing(
        &mut self,
        side: Side,
        kind: Kind,
        observation: &mut Observation,
    ) -> Result<Option<Worth>, CycleError> {
        let mut troubles = observation.troubles.iter().filter(|it| it.side == side);
        let ails = troubles.any(|it| it.kind == Some(kind) || it.error.kind.is_down());
        let asking = self.store.asking(side, kind).await?;
        let (Some(mut asking), Some(_)) = (asking, self.mapping(kind).filter(|_| !ails)) else {
            return Ok(None);
        };
        if asking.after == 0 && self.is_doubtful(side, kind, observation).await? {
            self.store.stop_asking(side, kind).await?;
            return Ok(Some(Worth::Doubted));
        }
        let batch = self.connectors.of(side).caps().fetch_batch.max(1);
        let batch = i64::try_from(batch).unwrap_or(i64::MAX);
        let until = self.listing_until(false);
        loop {
            let missing = self.store.unseen(side, kind, asking.after, batch).await?;
            let Some((last, _)) = missing.last() else {
                break;
            };
            let (gone, unread) = match self.ask_most(side, kind, &missing).await? {
                Ok(answer) => answer,
                Err(error) => {
                    return self.cannot_ask((side, kind), error, observation).await;
                }
            };
            asking.after = *last;
            asking.unread += unread.len() as u64;
            for (row, error) in unread {
                let id = missing.iter().find(|(of, _)| *of == row);
                let id = id.map_or("", |(_, id)| id.0.as_str());
                tracing::warn!(event = "record_unreadable", %side, %kind, %id, %error,
                    "a record that a list of all did not show cannot be read; it is left as it is");
            }
            let rows: Vec<i64> = missing.iter().map(|(row, _)| *row).collect();
            self.store.asked((side, kind), asking, &rows, &gone).await?;
            if until.is_some_and(|until| monotonic() >= until) {
                return Ok(None);
            }
        }
        self.store.conclude_missing(side, kind).await?;
        self.listing_is_done_with(side, kind).await?;
        self.weigh_listing(side, kind, asking.unread, observation)
            .await
            .map(Some)
    }

    /// Whether a listing that has ended leaves out so many that nothing is concluded from it.
    async fn is_doubtful(
        &mut self,
        side: Side,
        kind: Kind,
        observation: &mut Observation,
    ) -> Result<bool, CycleError> {
        let (known, unseen) = self.store.unseen_count(side, kind).await?;
        let shrunk = unseen > 20 && unseen > known / 2;
        let doubtful = self
            .doubt_listing(side, kind, known, unseen, shrunk)
            .await?;
        if doubtful {
            // It waits for a person, who may say that it is right: no system has failed.
            observation.doubted.insert(kind);
        }
        Ok(doubtful)
    }

    /// Goes on in a later cycle where a system is away and will be back; what fails otherwise would fail in each,
    /// and waits for the next listing.
    async fn cannot_ask(
        &mut self,
        (side, kind): (Side, Kind),
        error: RemoteError,
        observation: &mut Observation,
    ) -> Result<Option<Worth>, CycleError> {
        let passes = error.kind.is_down() || matches!(error.kind, ErrorKind::Paused(_));
        observation.troubles.push(Trouble {
            side,
            kind: blinds(PassKind::All, error.kind).then_some(kind),
            error,
        });
        if passes {
            return Ok(None);
        }
        self.store.stop_asking(side, kind).await?;
        Ok(Some(Worth::Doubted))
    }

    /// Reads these records singly and remembers what they are now. One that cannot be read is left as it
    /// is and holds up no other; returns those, by their handles.
    pub(in crate::sync) async fn confirm_most(
        &mut self,
        side: Side,
        kind: Kind,
        records: &[(i64, RecordId)],
    ) -> Result<Result<Vec<(i64, RemoteError)>, RemoteError>, CycleError> {
        let batch = self.connectors.of(side).caps().fetch_batch.max(1);
        let mut unread = Vec::new();
        for chunk in records.chunks(batch) {
            let (lost, more) = match self.ask_most(side, kind, chunk).await? {
                Ok(answer) => answer,
                Err(error) => return Ok(Err(error)),
            };
            let lost: Vec<_> = lost.into_iter().map(|row| (row, None)).collect();
            self.store.gone(&lost).await?;
            unread.extend(more);
        }
        Ok(Ok(unread))
    }

    /// Asks for one batch of records. One that cannot be read is left as it is and holds up no other;
    /// returns those who were not found, and those who could not be read.
    async fn ask_most(
        &mut self,
        side: Side,
        kind: Kind,
        batch: &[(i64, RecordId)],
    ) -> Result<Result<Asked, RemoteError>, CycleError> {
        match self.ask(side, kind, batch).await? {
            Ok(lost) => return Ok(Ok((lost, Vec::new()))),
            Err(error) if !error.kind.may_be_one_records() => return Ok(Err(error)),
            Err(_) => {}
        }
        let (mut lost, mut unread, mut in_a_row) = (Vec::new(), Vec::new(), 0);
        for one in batch {
            match self.ask(side, kind, std::slice::from_ref(one)).await? {
                Ok(more) => {
                    lost.extend(more);
                    in_a_row = 0;
                }
                Err(error) => {
                    in_a_row += 1;
                    if in_a_row > FEW || !error.kind.may_be_one_records() {
                        return Ok(Err(error));
                    }
                    unread.push((one.0, error));
                }
            }
        }
        Ok(Ok((lost, unread)))
    }

    /// Believes a listing that has shown all who are there. One that has passed over some of them may
    /// have passed over others whom nobody knows yet, and over their changes: these are read as if
    /// there had been no listing. Of those that could not be read nobody knows whether they are there:
    /// they say nothing against it, but it is no proof of anything either.
    async fn weigh_listing(
        &mut self,
        side: Side,
        kind: Kind,
        unread: u64,
        observation: &mut Observation,
    ) -> Result<Worth, CycleError> {
        let (_, unseen) = self.store.unseen_count(side, kind).await?;
        let passed_over = unseen.saturating_sub(unread);
        if passed_over == 0 {
            self.store.believe_listing(side, kind).await?;
            let worth = if unread == 0 {
                Worth::Proof
            } else {
                Worth::Unproven
            };
            return Ok(worth);
        }
        tracing::warn!(event = "listing_incomplete", %side, %kind, passed_over,
            "a list of all records did not show some that are there; what changed is read as well");
        let changes = self.store.pass(side, kind, PassKind::Changes).await?;
        let now = self.now_at(side);
        let caps = self.connectors.of(side).caps();
        let since = changes.mark.map(|mark| reach(mark, now, caps));
        self.reread(side, kind, since, observation).await?;
        Ok(Worth::Doubted)
    }

    /// Reads what has changed since a time by the server's clock, in milliseconds, beside what the cycle
    /// has read. A system that fails is a trouble in the observation.
    pub(in crate::sync) async fn reread(
        &mut self,
        side: Side,
        kind: Kind,
        since: Option<i64>,
        observation: &mut Observation,
    ) -> Result<(), CycleError> {
        let Some(mapping) = self.mapping(kind).cloned() else {
            return Ok(());
        };
        let connector = Arc::clone(self.connectors.of(side));
        let pass = Pass {
            since,
            ..Pass::of_changes(side, kind)
        };
        let (pages, mut inbox) = mpsc::channel(PAGES_WAITING);
        let reader = read_all(connector, mapping, vec![pass], pages);
        let writer = async {
            let mut reads = Vec::new();
            while inbox.recv_many(&mut reads, PAGES_TOGETHER).await > 0 {
                self.take_in(std::mem::take(&mut reads), observation)
                    .await?;
            }
            Ok(())
        };
        tokio::join!(reader, writer).1
    }

    /// Who lies in the trash and was changed since a time by the server's clock, in milliseconds. It is
    /// handed out and not taken in: the state has no use for most who were deleted before it knew them.
    pub(in crate::sync) async fn trashed(
        &self,
        side: Side,
        kind: Kind,
        since: i64,
    ) -> Result<Vec<Observed>, RemoteError> {
        let Some(mapping) = self.mapping(kind).cloned() else {
            return Ok(Vec::new());
        };
        let connector = Arc::clone(self.connectors.of(side));
        let pass = Pass {
            feed: PassKind::Trash,
            since: Some(since),
            ..Pass::of_changes(side, kind)
        };
        let (pages, mut inbox) = mpsc::channel(PAGES_WAITING);
        let reader = read_all(connector, mapping, vec![pass], pages);
        let taker = async {
            let mut trashed = Vec::new();
            while let Some(read) = inbox.recv().await {
                match read {
                    Read::Page(page) => {
                        let seen = page.sightings.into_iter().map(|it| it.observed);
                        // Not every system sifts its trash.
                        trashed.extend(seen.filter(|it| it.version.0 >= since));
                    }
                    Read::Failed(_, _, _, error) => return Err(error),
                }
            }
            Ok(trashed)
        };
        tokio::join!(reader, taker).1
    }
}

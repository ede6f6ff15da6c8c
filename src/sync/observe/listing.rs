//! What a listing of everything proves: who is missing from it is asked for, and one that leaves people
//! out is not believed.

use super::reader::{Pass, Read, read_all};
use super::{Observation, PAGES_TOGETHER, PAGES_WAITING, reach};
use crate::model::{Kind, Observed, RecordId, Side};
use crate::remote::{ErrorKind, RemoteError};
use crate::store::PassKind;
use crate::sync::{CycleError, Engine, Trouble};
use std::sync::Arc;
use tokio::sync::mpsc;

/// How many records missing from a listing are asked for in one go.
const CONFIRM_CHUNK: i64 = 500;

/// After so many records in a row that cannot be read it is not the records.
const FEW: usize = 5;

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
    /// Asks for each record that a complete listing did not show; only the record's own answer says
    /// that it is gone. Returns whether the listing is believed.
    pub(super) async fn confirm_missing(
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
        let (mut after, mut unread) = (0, 0);
        loop {
            let missing = self.store.unseen(side, kind, after, CONFIRM_CHUNK).await?;
            let Some((last, _)) = missing.last() else {
                self.listing_is_done_with(side, kind).await?;
                return self.weigh_listing(side, kind, unread, observation).await;
            };
            after = *last;
            match self.confirm_most(side, kind, &missing).await? {
                Ok(more) => {
                    unread += more.len() as u64;
                    for (row, error) in more {
                        let id = missing.iter().find(|(of, _)| *of == row);
                        let id = id.map_or("", |(_, id)| id.0.as_str());
                        tracing::warn!(event = "record_unreadable", %side, %kind, %id, %error,
                            "a record that a list of all did not show cannot be read; it is left as it is");
                    }
                }
                Err(error) => {
                    observation.troubles.push(Trouble {
                        side,
                        kind: Some(kind),
                        error,
                    });
                    return Ok(false);
                }
            }
            let rows: Vec<i64> = missing.iter().map(|(row, _)| *row).collect();
            self.store.vanished(side, kind, &rows).await?;
        }
    }

    /// Asks for these records. One that cannot be read is left as it is and holds up no other; returns
    /// those, by their handles.
    pub(in crate::sync) async fn confirm_most(
        &mut self,
        side: Side,
        kind: Kind,
        records: &[(i64, RecordId)],
    ) -> Result<Result<Vec<(i64, RemoteError)>, RemoteError>, CycleError> {
        let batch = self.connectors.of(side).caps().fetch_batch.max(1);
        let mut unread = Vec::new();
        for chunk in records.chunks(batch) {
            match self.confirm(side, kind, chunk).await? {
                Ok(()) => continue,
                Err(error) if !error.kind.may_be_one_records() => return Ok(Err(error)),
                Err(_) => {}
            }
            let mut in_a_row = 0;
            for one in chunk {
                let Err(error) = self.confirm(side, kind, std::slice::from_ref(one)).await? else {
                    in_a_row = 0;
                    continue;
                };
                in_a_row += 1;
                if in_a_row > FEW || !error.kind.may_be_one_records() {
                    return Ok(Err(error));
                }
                unread.push((one.0, error));
            }
        }
        Ok(Ok(unread))
    }

    /// Believes a listing that has shown all who are there. One that has passed over some of them may
    /// have passed over others whom nobody knows yet, and over their changes: these are read as if
    /// there had been no listing. Of those that could not be read nobody knows whether they are there:
    /// they say nothing against it, but it is no proof of anything either. Returns whether it is one.
    async fn weigh_listing(
        &mut self,
        side: Side,
        kind: Kind,
        unread: u64,
        observation: &mut Observation,
    ) -> Result<bool, CycleError> {
        let (_, unseen) = self.store.unseen_count(side, kind).await?;
        let passed_over = unseen.saturating_sub(unread);
        if passed_over == 0 {
            self.store.believe_listing(side, kind).await?;
            return Ok(unread == 0);
        }
        tracing::warn!(event = "listing_incomplete", %side, %kind, passed_over,
            "a list of all records did not show some that are there; what changed is read as well");
        let changes = self.store.pass(side, kind, PassKind::Changes).await?;
        let now = self.clock.now();
        let caps = self.connectors.of(side).caps();
        let since = changes.mark.map(|mark| reach(mark, now, caps));
        self.reread(side, kind, since, observation).await?;
        Ok(false)
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

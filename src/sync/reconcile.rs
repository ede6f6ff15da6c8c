//! One kind of record, from the state to the systems: plans in chunks, and has each carried out.

use super::decide::{self, Decided, Job, LooseDecided};
use super::{CycleError, Engine, Tally, Trouble};
use crate::mapping::Mapping;
use crate::model::{COMPANY, Kind, LinkId, Pair, RecordId, Side};
use crate::plan::{Verdict, identify};
use crate::store::{LooseRow, PairRow, Verb};
use std::collections::HashMap;
use std::sync::atomic::Ordering;

/// How many pairs or records are planned, and written, in one go.
const CHUNK: i64 = 512;

/// How often a record may be planned in one cycle: its creation, then what the server made of it.
const ROUNDS: u32 = 3;

/// What came of reading records once more before they are changed.
enum Looked {
    /// Nothing has to be read.
    NoNeed,
    /// All were read; what is to be done is planned anew.
    Fresh,
    /// They cannot be read, and wait.
    Failed,
}

impl Engine {
    pub(super) async fn reconcile(
        &mut self,
        mapping: &Mapping,
        tally: &mut Tally,
    ) -> Result<(), CycleError> {
        for _ in 0..ROUNDS {
            let loose = self.reconcile_loose(mapping, tally).await?;
            let pairs = self.reconcile_pairs(mapping, tally).await?;
            if !loose && !pairs {
                break;
            }
        }
        Ok(())
    }

    /// Plans every unlinked record that has to be planned, once. Returns whether there was any.
    async fn reconcile_loose(
        &mut self,
        mapping: &Mapping,
        tally: &mut Tally,
    ) -> Result<bool, CycleError> {
        let (kind, mut after) = (mapping.kind, 0);
        self.store.pass_over_absent(kind).await?;
        loop {
            let rows = self.store.loose(kind, after, CHUNK).await?;
            let Some(last) = rows.last() else {
                return Ok(after > 0);
            };
            if self.stop.is_cancelled() || Side::BOTH.iter().any(|side| tally.is_down(*side)) {
                return Ok(false);
            }
            let before = after;
            after = last.row;
            let (mut decided, mut linked) = self.plan_loose(mapping, rows).await?;
            match self.look_again(kind, &decided, tally).await? {
                Looked::NoNeed => {}
                Looked::Fresh => {
                    let rows = self.store.loose(kind, before, CHUNK).await?;
                    (decided, linked) = self.plan_loose(mapping, rows).await?;
                }
                Looked::Failed => return Ok(false),
            }
            tally.linked += linked;
            self.carry_out(decided, tally).await?;
        }
    }

    /// What unlinked records lead to, and how many pairs are found among them.
    async fn plan_loose(
        &mut self,
        mapping: &Mapping,
        mut rows: Vec<LooseRow>,
    ) -> Result<(Decided, u64), CycleError> {
        let kind = mapping.kind;
        let ids: Vec<i64> = rows.iter().map(|row| row.row).collect();
        let index = self.store.index(kind, &rows).await?;
        let verdicts: Vec<Verdict> = ids.iter().map(|row| identify(&index, *row)).collect();
        if kind == Kind::Contact {
            let new = rows.iter_mut().zip(&verdicts);
            let new = new.filter(|(_, verdict)| **verdict == Verdict::New);
            self.companies_of(new.map(|(row, _)| row).collect()).await?;
        }
        let failed = self.store.failed(&ids, self.clock.now()).await?;
        let LooseDecided {
            mut decided, same, ..
        } = decide::loose(mapping, rows.iter().zip(verdicts), &failed);
        let linked = same.len() as u64;
        self.join(mapping, rows, same, &mut decided).await?;
        Ok((decided, linked))
    }

    /// Links what was found to be the same, and merges it at once.
    async fn join(
        &mut self,
        mapping: &Mapping,
        rows: Vec<LooseRow>,
        same: Vec<(i64, i64, String)>,
        decided: &mut Decided,
    ) -> Result<(), CycleError> {
        if same.is_empty() {
            return Ok(());
        }
        let mut known: HashMap<i64, LooseRow> =
            rows.into_iter().map(|row| (row.row, row)).collect();
        let others: Vec<i64> = same
            .iter()
            .flat_map(|(crm, desk, _)| [*crm, *desk])
            .filter(|row| !known.contains_key(row))
            .collect();
        for row in self.store.records(&others).await? {
            known.insert(row.row, row);
        }
        let mut pairs = Vec::with_capacity(same.len());
        for (crm, desk, found) in same {
            let (Some(crm), Some(desk)) = (known.remove(&crm), known.remove(&desk)) else {
                continue;
            };
            let pair = decide::new_pair(self.store.number_link(), crm, desk);
            decided
                .adoption
                .links
                .push(decide::new_link(mapping.kind, &pair, found));
            pairs.push(pair);
        }
        if mapping.kind == Kind::Contact {
            let states = pairs.iter_mut().map(|pair| &mut pair.state).collect();
            self.store.companies(states).await?;
        }
        let undoable = self.undoable(mapping.kind);
        let merged = decide::pairs(mapping, pairs, &decide::Failed::new(), undoable);
        decided.absorb(merged);
        Ok(())
    }

    /// Plans every linked pair that has to be planned, once. Returns whether there was any.
    async fn reconcile_pairs(
        &mut self,
        mapping: &Mapping,
        tally: &mut Tally,
    ) -> Result<bool, CycleError> {
        let (kind, mut after) = (mapping.kind, LinkId(0));
        loop {
            let rows = self.store.pairs(kind, after, CHUNK).await?;
            let Some(last) = rows.last() else {
                return Ok(after > LinkId(0));
            };
            if self.stop.is_cancelled() || Side::BOTH.iter().any(|side| tally.is_down(*side)) {
                return Ok(false);
            }
            let before = after;
            after = last.state.link;
            let mut decided = self.plan_pairs(mapping, rows, tally).await?;
            match self.look_again(kind, &decided, tally).await? {
                Looked::NoNeed => {}
                Looked::Fresh => {
                    let rows = self.store.pairs(kind, before, CHUNK).await?;
                    decided = self.plan_pairs(mapping, rows, tally).await?;
                }
                Looked::Failed => return Ok(false),
            }
            self.carry_out(decided, tally).await?;
        }
    }

    async fn plan_pairs(
        &mut self,
        mapping: &Mapping,
        rows: Vec<PairRow>,
        tally: &mut Tally,
    ) -> Result<Decided, CycleError> {
        let ids: Vec<i64> = rows
            .iter()
            .flat_map(|row| [row.rows.crm, row.rows.desk])
            .collect();
        let failed = self.store.failed(&ids, self.clock.now()).await?;
        let (mut rows, relinked) = self.successors(mapping, rows).await?;
        if mapping.kind == Kind::Contact {
            self.forgive_lost_companies(&mut rows, tally).await?;
        }
        let undoable = self.undoable(mapping.kind);
        let mut decided = decide::pairs(mapping, rows, &failed, undoable);
        decided.absorb(relinked);
        Ok(decided)
    }

    /// Reads what is about to be changed once more where changes are found by a search that lags:
    /// an edit of the last minutes is not shown by it yet, and would be overwritten unseen. Many
    /// records are one call there.
    async fn look_again(
        &mut self,
        kind: Kind,
        decided: &Decided,
        tally: &mut Tally,
    ) -> Result<Looked, CycleError> {
        let mut looked = Looked::NoNeed;
        for side in Side::BOTH {
            if self.connectors.of(side).caps().lookup_lag.is_zero() {
                continue;
            }
            let targets: Vec<(i64, RecordId)> = decided
                .jobs
                .iter()
                .filter(|job| job.side == side && job.verb == Verb::Update)
                .map(|job| (job.row, job.pair.state.ids.of(side).clone()))
                .collect();
            if targets.is_empty() {
                continue;
            }
            looked = Looked::Fresh;
            if let Err(error) = self.confirm(side, kind, &targets).await? {
                tally.trouble(Trouble {
                    side,
                    kind: Some(kind),
                    error,
                });
                return Ok(Looked::Failed);
            }
        }
        Ok(looked)
    }

    async fn carry_out(&mut self, decided: Decided, tally: &mut Tally) -> Result<(), CycleError> {
        let Decided { mut adoption, jobs } = decided;
        adoption.intents = jobs.iter().map(Job::intent).collect();
        self.progress
            .decided
            .fetch_add(jobs.len(), Ordering::Relaxed);
        let (numbers, news) = self
            .store
            .adopt(tally.cycle, self.clock.now(), &adoption)
            .await?;
        for notice in news {
            tracing::warn!(
                event = "not_written",
                record = notice.row,
                field = notice.field,
                reason = notice.reason,
                "a value cannot cross over; the record's other fields go on"
            );
        }
        self.execute(jobs, &numbers, tally).await
    }

    async fn companies_of(&mut self, rows: Vec<&mut LooseRow>) -> Result<(), CycleError> {
        for side in Side::BOTH {
            let named = rows.iter().filter(|row| row.side == side);
            let named = named.filter_map(|row| row.image.get(COMPANY)?.as_text());
            self.store.look_across(side, named).await?;
        }
        for row in rows {
            let company = row.image.get(COMPANY).and_then(|id| id.as_text());
            let across = company.and_then(|id| self.store.across(row.side, id));
            *row.companies.of_mut(row.side.other()) = across.cloned();
        }
        Ok(())
    }

    pub(super) fn undoable(&self, kind: Kind) -> Pair<bool> {
        let of = |side: Side| (self.connectors.of(side).caps().soft_delete)(kind);
        Pair {
            crm: of(Side::Crm),
            desk: of(Side::Desk),
        }
    }
}

impl Decided {
    /// Takes over everything of `other`.
    fn absorb(&mut self, other: Self) {
        let (mine, theirs) = (&mut self.adoption, other.adoption);
        mine.links.extend(theirs.links);
        mine.dropped.extend(theirs.dropped);
        mine.bases.extend(theirs.bases);
        mine.planned.extend(theirs.planned);
        mine.standings.extend(theirs.standings);
        mine.holds.extend(theirs.holds);
        mine.notices.extend(theirs.notices);
        mine.waiting.extend(theirs.waiting);
        mine.settled.extend(theirs.settled);
        self.jobs.extend(other.jobs);
    }
}

//! One kind of record, from the state to the systems: plans in chunks, and has each carried out.

use super::again::{Looked, Seen};
use super::decide::{self, Decided, Job, LooseDecided};
use super::flap::Lately;
use super::guard::Gate;
use super::{CycleError, Engine, Tally};
use crate::clock::monotonic;
use crate::mapping::Mapping;
use crate::model::{COMPANY, Kind, LinkId, Pair, Side};
use crate::plan::{Verdict, identify};
use crate::remote::Lane;
use crate::remote::lane::in_lane;
use crate::store::{LooseRow, PairRow, Said};
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How many pairs or records are planned, and written, in one go.
pub(super) const CHUNK: i64 = 512;

/// From this many records on that wait to be planned, they are not somebody's edits any more.
const MANY: i64 = 1000;
/// A slice has time for so many chunks, at the least.
const SLICE_PART: f64 = 2.0;

/// How often a record may be planned in one cycle: its creation, then what the server made of it.
const ROUNDS: u32 = 3;

impl Engine {
    pub(super) async fn reconcile(
        &mut self,
        mapping: &Mapping,
        tally: &mut Tally,
    ) -> Result<(), CycleError> {
        let mut gate = self.gate(mapping.kind).await?;
        let mut weighed = self.slice.is_some();
        if weighed {
            self.weigh_kind(mapping, &mut gate, tally).await?;
            // What people changed does not wait for all that is to be made.
            self.reconcile_pairs(mapping, &mut gate, tally).await?;
        }
        for _ in 0..ROUNDS {
            if !std::mem::take(&mut weighed) {
                self.weigh_kind(mapping, &mut gate, tally).await?;
            }
            let loose = self.reconcile_loose(mapping, &mut gate, tally).await?;
            let pairs = self.reconcile_pairs(mapping, &mut gate, tally).await?;
            if !loose && !pairs {
                break;
            }
        }
        self.close(&mut gate, tally).await
    }

    /// Whether nothing more can be written in this cycle.
    fn is_over(&self, tally: &Tally) -> bool {
        self.stop.is_cancelled() || Side::BOTH.iter().any(|side| tally.is_down(*side))
    }

    /// Whether the rest of a kind is left to the next cycle, after a chunk that was full or not. One
    /// chunk is always made, so that every cycle gets on.
    fn leaves_the_rest(&self, full: bool, tally: &mut Tally) -> bool {
        let leaves = full && self.is_slice_over();
        tally.unfinished |= leaves;
        leaves
    }

    /// How many pairs or records are planned, and written, in one go at first: where cycles have an end,
    /// no more than a part of one has the calls for.
    fn chunk(&self) -> i64 {
        let Some(slice) = self.slice else {
            return CHUNK;
        };
        let affordable = Side::BOTH.into_iter().filter_map(|side| {
            let connector = self.connectors.of(side);
            let spending = connector.spending();
            let windows = slice.as_secs_f64() / SLICE_PART / spending.window.as_secs_f64();
            #[expect(
                clippy::cast_precision_loss,
                reason = "a batch has some hundred records"
            )]
            let batch = connector.caps().update_batch as f64;
            Some(spending.allowed? * windows * batch)
        });
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "between 16 and some hundred"
        )]
        let rows = affordable.fold(CHUNK as f64, f64::min).max(16.0) as i64;
        rows
    }

    /// The next chunk after one of `rows` that took so long. What it wrote to the system with the smaller
    /// budget is not known beforehand; where that is little, more rows fill the batches of the other.
    fn next_chunk(&self, rows: i64, took: Duration) -> i64 {
        let Some(slice) = self.slice else {
            return rows;
        };
        let part = slice.div_f64(SLICE_PART);
        let first = self.chunk();
        if took > part {
            return first;
        }
        // No more than one batch of either: the next rows may all be for the slower one, and nobody looks
        // around before they are through.
        let caps = self.connectors.as_ref().map(|it| it.caps().update_batch);
        let batch = i64::try_from(caps.crm.max(caps.desk)).unwrap_or(CHUNK);
        let most = first.max(batch.min(CHUNK));
        if took < part / 2 {
            (rows * 2).min(most)
        } else {
            rows
        }
    }

    /// The lane for what is written now. What people change comes in tens; what comes in thousands
    /// is a first sync, an import or another mapping.
    async fn lane(&mut self, kind: Kind, linked: bool) -> Result<Lane, CycleError> {
        let many = self.store.waits_for_planning(kind, linked, MANY).await? >= MANY;
        Ok(if many { Lane::FirstSync } else { Lane::People })
    }

    /// Plans every unlinked record that has to be planned, once. Returns whether there was any.
    async fn reconcile_loose(
        &mut self,
        mapping: &Mapping,
        gate: &mut Gate,
        tally: &mut Tally,
    ) -> Result<bool, CycleError> {
        let (kind, mut after) = (mapping.kind, 0);
        self.store.pass_over_absent(kind).await?;
        let (lane, mut chunk) = (self.lane(kind, false).await?, self.chunk());
        loop {
            let rows = self.store.loose(kind, after, chunk).await?;
            let Some(last) = rows.last() else {
                return Ok(after > 0);
            };
            if self.is_over(tally) {
                return Ok(false);
            }
            let before = after;
            after = last.row;
            let said = self.said_of(gate, &rows).await?;
            let full = rows.len() as u64 == chunk.unsigned_abs();
            let (mut decided, mut linked) = self.plan_and_join(mapping, rows, &said).await?;
            let mut seen = Seen::new();
            loop {
                match self.look_again(kind, &decided, &mut seen, tally).await? {
                    Looked::NoNeed => break,
                    Looked::Fresh => {
                        let rows = self.store.loose(kind, before, chunk).await?;
                        (decided, linked) = self.plan_and_join(mapping, rows, &said).await?;
                    }
                    Looked::Failed => return Ok(false),
                }
            }
            tally.linked += linked;
            let decided = self.sift(gate, &said, decided).await?;
            let (begun, writes) = (monotonic(), !decided.jobs.is_empty());
            let customers = in_lane(lane, self.carry_out(decided, tally)).await?;
            let took = begun.elapsed();
            Box::pin(self.tickets_between(&customers, tally)).await?;
            if self.leaves_the_rest(full, tally) {
                return Ok(false);
            }
            // What was only linked says nothing of how long writes take.
            if writes {
                chunk = self.next_chunk(chunk, took);
            }
        }
    }

    /// What unlinked records lead to, and how many pairs are found among them.
    async fn plan_and_join(
        &mut self,
        mapping: &Mapping,
        mut rows: Vec<LooseRow>,
        said: &Said,
    ) -> Result<(Decided, u64), CycleError> {
        let LooseDecided {
            mut decided, same, ..
        } = self.plan_loose(mapping, &mut rows, said).await?;
        let linked = same.len() as u64;
        self.join(mapping, rows, same, &mut decided).await?;
        Ok((decided, linked))
    }

    /// Decides records without a counterpart.
    pub(super) async fn plan_loose(
        &mut self,
        mapping: &Mapping,
        rows: &mut [LooseRow],
        said: &Said,
    ) -> Result<LooseDecided, CycleError> {
        let ids: Vec<i64> = rows.iter().map(|row| row.row).collect();
        let index = self.store.index(mapping.kind, rows).await?;
        let verdicts: Vec<Verdict> = ids.iter().map(|row| identify(&index, *row)).collect();
        if mapping.kind == Kind::Contact {
            let new = rows.iter_mut().zip(&verdicts);
            let new = new.filter(|(_, verdict)| **verdict == Verdict::New);
            self.companies_of(new.map(|(row, _)| row).collect()).await?;
        }
        let failed = self.store.failed(&ids, self.clock.now()).await?;
        let rows = rows.iter().zip(verdicts);
        let mut loose = decide::loose(mapping, rows, &failed, said);
        loose.decided.failed = failed;
        Ok(loose)
    }

    /// Links what was found to be the same, and merges it at once.
    async fn join(
        &mut self,
        mapping: &Mapping,
        rows: Vec<LooseRow>,
        same: Vec<(i64, i64, String)>,
        decided: &mut Decided,
    ) -> Result<(), CycleError> {
        let number = |engine: &mut Self| engine.store.number_link();
        let mut pairs = Vec::with_capacity(same.len());
        for (pair, found) in self.new_pairs(mapping.kind, rows, same, number).await? {
            let links = &mut decided.adoption.links;
            links.push(decide::new_link(mapping.kind, &pair, found));
            pairs.push(pair);
        }
        if pairs.is_empty() {
            return Ok(());
        }
        let undoable = self.undoable(mapping.kind);
        let none = decide::Failed::new();
        let merged = decide::pairs(mapping, pairs, &none, undoable, &Said::default());
        decided.absorb(merged);
        Ok(())
    }

    /// Records that were found to be the same as pairs that agree on nothing yet, each with how it was
    /// found.
    pub(super) async fn new_pairs(
        &mut self,
        kind: Kind,
        rows: Vec<LooseRow>,
        same: Vec<(i64, i64, String)>,
        mut number: impl FnMut(&mut Self) -> LinkId,
    ) -> Result<Vec<(PairRow, String)>, CycleError> {
        if same.is_empty() {
            return Ok(Vec::new());
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
            if let (Some(crm), Some(desk)) = (known.remove(&crm), known.remove(&desk)) {
                pairs.push((decide::new_pair(number(self), crm, desk), found));
            }
        }
        if kind == Kind::Contact {
            let states = pairs.iter_mut().map(|(pair, _)| &mut pair.state).collect();
            self.store.companies(states).await?;
        }
        Ok(pairs)
    }

    /// Plans every linked pair that has to be planned, once. Returns whether there was any.
    async fn reconcile_pairs(
        &mut self,
        mapping: &Mapping,
        gate: &mut Gate,
        tally: &mut Tally,
    ) -> Result<bool, CycleError> {
        let (kind, mut after) = (mapping.kind, LinkId(0));
        let (lane, mut chunk) = (self.lane(kind, true).await?, self.chunk());
        loop {
            let rows = self.store.pairs(kind, after, chunk).await?;
            let Some(last) = rows.last() else {
                return Ok(after > LinkId(0));
            };
            if self.is_over(tally) {
                return Ok(false);
            }
            let full = rows.len() as u64 == chunk.unsigned_abs();
            let before = after;
            after = last.state.link;
            let (mut decided, mut said) =
                self.plan_pairs(mapping, gate, rows, (true, tally)).await?;
            let mut seen = Seen::new();
            loop {
                match self.look_again(kind, &decided, &mut seen, tally).await? {
                    Looked::NoNeed => break,
                    Looked::Fresh => {
                        let rows = self.store.pairs(kind, before, chunk).await?;
                        (decided, said) =
                            self.plan_pairs(mapping, gate, rows, (true, tally)).await?;
                    }
                    Looked::Failed => return Ok(false),
                }
            }
            let decided = self.sift(gate, &said, decided).await?;
            let (begun, writes) = (monotonic(), !decided.jobs.is_empty());
            let customers = in_lane(lane, self.carry_out(decided, tally)).await?;
            let took = begun.elapsed();
            Box::pin(self.tickets_between(&customers, tally)).await?;
            if self.leaves_the_rest(full, tally) {
                return Ok(false);
            }
            // What was only linked says nothing of how long writes take.
            if writes {
                chunk = self.next_chunk(chunk, took);
            }
        }
    }

    /// Decides linked pairs; with what people have said about them. `fights` says whether fields that
    /// are fought over are looked for, which costs reading: they weigh next to nothing.
    pub(super) async fn plan_pairs(
        &mut self,
        mapping: &Mapping,
        gate: &Gate,
        rows: Vec<PairRow>,
        (fights, tally): (bool, &mut Tally),
    ) -> Result<(Decided, Said), CycleError> {
        let ids: Vec<i64> = rows
            .iter()
            .flat_map(|row| [row.rows.crm, row.rows.desk])
            .collect();
        let failed = self.store.failed(&ids, self.clock.now()).await?;
        let said = if gate.busy {
            self.store.said(&ids).await?
        } else {
            Said::default()
        };
        let (mut rows, relinked) = self.successors(mapping, rows).await?;
        if mapping.kind == Kind::Contact {
            self.forgive_lost_companies(mapping, &mut rows, tally)
                .await?;
        }
        let undoable = self.undoable(mapping.kind);
        let judged = decide::judge(mapping, rows, undoable);
        let lately = if fights {
            self.lately(&judged).await?
        } else {
            Lately::default()
        };
        let known = (&said, &lately);
        let mut decided = decide::judged_pairs(mapping, judged, &failed, undoable, known);
        decided.absorb(relinked);
        decided.failed = failed;
        Ok((decided, said))
    }

    /// Takes over what was decided and sends it. Returns the customers in the CRM who were linked by it.
    async fn carry_out(
        &mut self,
        decided: Decided,
        tally: &mut Tally,
    ) -> Result<Vec<i64>, CycleError> {
        let Decided {
            mut adoption,
            mut jobs,
            failed,
        } = decided;
        decide::part(&mut jobs, &failed);
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
        self.execute(jobs, &numbers, tally).await?;
        let linked = adoption.links.iter().map(|link| link.rows.crm);
        Ok(linked.collect())
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
        // What an old copy of the state takes for a deletion is a person's to judge.
        let trusted = !self.store.is_distrusted();
        let of = |side: Side| trusted && (self.connectors.of(side).caps().soft_delete)(kind);
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
        mine.parted.extend(theirs.parted);
        mine.relinked.extend(theirs.relinked);
        mine.bases.extend(theirs.bases);
        mine.planned.extend(theirs.planned);
        mine.standings.extend(theirs.standings);
        mine.shadowing.extend(theirs.shadowing);
        mine.holds.extend(theirs.holds);
        mine.vain.extend(theirs.vain);
        mine.notices.extend(theirs.notices);
        mine.waiting.extend(theirs.waiting);
        mine.settled.extend(theirs.settled);
        self.jobs.extend(other.jobs);
    }
}

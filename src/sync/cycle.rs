//! One cycle, from observing to writing.

use super::decide::{self, Decided, Job, LooseDecided};
use super::observe::Observation;
use super::{CycleOutcome, CycleReport, Engine, Tally, Trouble};
use crate::mapping::Mapping;
use crate::model::{COMPANY, Kind, LinkId, Pair, Presence, RecordId, Side};
use crate::plan::{PairState, Verdict, identify};
use crate::store::{Fate, LooseRow, PairRow, PassKind, StoreError, Verb};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::Ordering;

/// How many pairs or records are planned, and written, in one go.
const CHUNK: i64 = 512;
/// How often a record may be planned in one cycle: its creation, then what the server made of it.
const ROUNDS: u32 = 3;

/// Why a cycle could not go on at all. What a *system* does wrong is in the report instead.
#[derive(Debug, thiserror::Error)]
pub enum CycleError {
    /// The state failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Engine {
    /// Goes from observing to writing, once. With `reconcile` everything is read.
    ///
    /// # Errors
    ///
    /// Where the state fails. Whatever a system does is in the report.
    pub async fn cycle(&mut self, reconcile: bool) -> Result<CycleReport, CycleError> {
        let started_at = self.clock.now();
        let before = self.calls();
        let mut tally = Tally {
            cycle: self.store.next_cycle().await?,
            ..Tally::default()
        };
        let observation = self.observe(reconcile).await?;
        for trouble in &observation.troubles {
            tally.trouble(trouble.clone());
        }
        self.inquire(&mut tally).await?;
        self.store.wake(started_at).await?;
        if reconcile {
            self.audit().await?;
        }
        let mappings = self.mappings.clone();
        for mapping in &mappings {
            if self.sees(mapping.kind, &tally).await? {
                self.reconcile(mapping, &mut tally).await?;
            }
        }
        let report = self
            .report(reconcile, started_at, &before, &observation, tally)
            .await?;
        let text = serde_json::to_string(&report).map_err(StoreError::from)?;
        self.store
            .cycle_ended(
                report.id,
                started_at,
                report.finished_at,
                &text,
                report.eventful(),
            )
            .await?;
        if report.eventful() {
            self.store.rest().await?;
        }
        Ok(report)
    }

    /// Whether both sides of a kind are known well enough to decide anything: each was read
    /// completely once, and what changed was read in this cycle. On anything less, an edit that was
    /// not read yet would be overwritten, and a record that was not seen yet made twice.
    async fn sees(&mut self, kind: Kind, tally: &Tally) -> Result<bool, CycleError> {
        let down = Side::BOTH.iter().any(|side| tally.is_down(*side));
        if down || tally.blind(kind) || self.stop.is_cancelled() {
            return Ok(false);
        }
        for side in Side::BOTH {
            if self
                .store
                .pass(side, kind, PassKind::All)
                .await?
                .mark
                .is_none()
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Goes through all linked pairs and marks those that do not agree for planning, whether or not
    /// anything was read of them. Returns how many records that are.
    ///
    /// # Errors
    ///
    /// Where the state fails.
    pub async fn audit(&mut self) -> Result<u64, CycleError> {
        let mut found = 0;
        for kind in Kind::BOTH {
            found += self.store.audit(kind).await?;
        }
        Ok(found)
    }

    async fn reconcile(&mut self, mapping: &Mapping, tally: &mut Tally) -> Result<(), CycleError> {
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
            let mut rows = self.store.loose(kind, after, CHUNK).await?;
            let Some(last) = rows.last() else {
                return Ok(after > 0);
            };
            if self.stop.is_cancelled() || Side::BOTH.iter().any(|side| tally.is_down(*side)) {
                return Ok(false);
            }
            after = last.row;
            let ids: Vec<i64> = rows.iter().map(|row| row.row).collect();
            let index = self.store.index(&ids).await?;
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
            tally.linked += same.len() as u64;
            self.join(mapping, rows, same, &mut decided).await?;
            self.carry_out(decided, tally).await?;
        }
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

    /// A linked record that vanished may have been merged into another: where exactly one unlinked
    /// record of its side has its keys, or its side says which one it became, that one takes its
    /// place.
    async fn successors(
        &mut self,
        mapping: &Mapping,
        rows: Vec<PairRow>,
    ) -> Result<(Vec<PairRow>, Decided), CycleError> {
        let mut relinked = Decided::default();
        let mut taken = HashSet::new();
        let (mut gone, mut rest): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|row| gone_side(row).is_some());
        // What has the keys comes before what a merge says, whatever the order of the pairs.
        for by_keys in [true, false] {
            for row in std::mem::take(&mut gone) {
                let heir = match gone_side(&row) {
                    Some(side) if by_keys => self
                        .heir_by_keys(mapping, side, &row)
                        .await?
                        .map(|heir| (side, heir)),
                    Some(side) => self
                        .heir_by_merge(mapping, side, &row)
                        .await?
                        .map(|heir| (side, heir)),
                    None => None,
                };
                match heir {
                    Some((side, heir)) if taken.insert(heir) => {
                        self.relink(mapping.kind, side, &row, heir, &mut relinked);
                    }
                    _ => gone.push(row),
                }
            }
        }
        rest.extend(gone);
        Ok((rest, relinked))
    }

    async fn heir_by_keys(
        &mut self,
        mapping: &Mapping,
        side: Side,
        row: &PairRow,
    ) -> Result<Option<i64>, CycleError> {
        let image = row.state.images.of(side);
        let keys: Vec<(usize, String)> = mapping
            .keys
            .iter()
            .enumerate()
            .flat_map(|(number, key)| {
                key.values(side, image)
                    .into_iter()
                    .map(move |value| (number, value))
            })
            .collect();
        Ok(self.store.successor(side, mapping.kind, &keys).await?)
    }

    /// The record that a merge left, unless it has a counterpart, or the keys of somebody else's.
    async fn heir_by_merge(
        &mut self,
        mapping: &Mapping,
        side: Side,
        row: &PairRow,
    ) -> Result<Option<i64>, CycleError> {
        let Some(Fate::MovedTo(id)) = row.fates.of(side) else {
            return Ok(None);
        };
        let Some((heir, None)) = self.store.known(side, mapping.kind, id).await? else {
            return Ok(None);
        };
        let index = self.store.index(&[heir]).await?;
        Ok(matches!(identify(&index, heir), Verdict::New).then_some(heir))
    }

    fn relink(&mut self, kind: Kind, side: Side, row: &PairRow, heir: i64, relinked: &mut Decided) {
        let mut rows = row.rows;
        *rows.of_mut(side) = heir;
        let adoption = &mut relinked.adoption;
        adoption.dropped.push(row.state.link);
        // Whatever waited for a person about the one that is gone is settled by this.
        adoption.planned.push(*row.rows.of(side));
        adoption.links.push(crate::store::NewLink {
            link: self.store.number_link(),
            kind,
            rows,
            found: format!("took the place of {} in {side}", row.state.ids.of(side)),
        });
    }

    /// A contact that is without its company because the *company* was deleted was changed by
    /// nobody: what its side says of the company is left out of account. Otherwise one deleted
    /// company would take all its contacts out of their company on the other side as well.
    async fn forgive_lost_companies(
        &mut self,
        rows: &mut [PairRow],
        tally: &mut Tally,
    ) -> Result<(), CycleError> {
        for side in Side::BOTH {
            let mut lost: BTreeMap<RecordId, bool> = BTreeMap::new();
            for row in rows.iter() {
                lost.extend(company_left(&row.state, side).map(|id| (id, false)));
            }
            for (id, gone) in &mut lost {
                let Some((row, _)) = self.store.known(side, Kind::Company, id).await? else {
                    continue;
                };
                if self.store.presence(row).await? == Presence::Live
                    && let Err(error) = self
                        .confirm(side, Kind::Company, &[(row, id.clone())])
                        .await?
                {
                    tally.trouble(Trouble {
                        side,
                        kind: None,
                        error,
                    });
                    *gone = true;
                    continue;
                }
                *gone = self.store.presence(row).await? != Presence::Live;
            }
            for row in rows.iter_mut() {
                let is_lost = company_left(&row.state, side)
                    .is_some_and(|id| lost.get(&id).copied().unwrap_or(false));
                if is_lost {
                    row.state.images.of_mut(side).0.remove(COMPANY);
                }
            }
        }
        Ok(())
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
        let mut named: Vec<(&str, String)> = rows
            .iter()
            .filter_map(|row| {
                let id = row.image.get(COMPANY)?.as_text()?;
                Some((row.side.word(), id.to_owned()))
            })
            .collect();
        named.sort_unstable();
        named.dedup();
        let counterparts = self.store.counterparts(&named).await?;
        for row in rows {
            let company = row.image.get(COMPANY).and_then(|id| id.as_text());
            let across = company.and_then(|id| counterparts.get(&(row.side, id.to_owned())));
            *row.companies.of_mut(row.side.other()) = across.map(|(_, id)| id.clone());
        }
        Ok(())
    }

    fn undoable(&self, kind: Kind) -> Pair<bool> {
        let of = |side: Side| (self.connectors.of(side).caps().soft_delete)(kind);
        Pair {
            crm: of(Side::Crm),
            desk: of(Side::Desk),
        }
    }

    fn calls(&self) -> Pair<BTreeMap<&'static str, u64>> {
        Pair {
            crm: self.connectors.crm.calls(),
            desk: self.connectors.desk.calls(),
        }
    }

    async fn report(
        &mut self,
        reconcile: bool,
        started_at: DateTime<Utc>,
        before: &Pair<BTreeMap<&'static str, u64>>,
        observation: &Observation,
        tally: Tally,
    ) -> Result<CycleReport, CycleError> {
        let mut endpoints = self.calls();
        for side in Side::BOTH {
            for (endpoint, calls) in endpoints.of_mut(side) {
                *calls -= before
                    .of(side)
                    .get(endpoint)
                    .copied()
                    .unwrap_or(0)
                    .min(*calls);
            }
            endpoints.of_mut(side).retain(|_, calls| *calls > 0);
        }
        let outcome = if self.stop.is_cancelled() {
            CycleOutcome::Stopped
        } else if tally.troubles.is_empty() {
            CycleOutcome::Done
        } else {
            CycleOutcome::Incomplete
        };
        Ok(CycleReport {
            id: tally.cycle,
            started_at,
            finished_at: self.clock.now(),
            outcome,
            reconcile,
            read: observation.read,
            changed: observation.changed,
            linked: tally.linked,
            created: tally.created,
            updated: tally.updated,
            deleted: tally.deleted,
            held: self.store.held().await?,
            failed: tally.failed + tally.refused,
            calls: Pair {
                crm: endpoints.crm.values().sum(),
                desk: endpoints.desk.values().sum(),
            },
            endpoints,
            troubles: tally
                .troubles
                .iter()
                .map(|it| it.error.to_string())
                .collect(),
            errors: tally.troubles.iter().map(|it| it.error.clone()).collect(),
            unread: observation
                .troubles
                .iter()
                .map(|it| it.error.clone())
                .collect(),
        })
    }
}

/// What came of reading records once more before they are changed.
enum Looked {
    /// Nothing has to be read.
    NoNeed,
    /// All were read; what is to be done is planned anew.
    Fresh,
    /// They cannot be read, and wait.
    Failed,
}

/// The side on which one record of a pair is gone while the other is there.
fn gone_side(row: &PairRow) -> Option<Side> {
    let gone = |side: &Side| *row.state.presence.of(*side) != Presence::Live;
    match (gone(&Side::Crm), gone(&Side::Desk)) {
        (true, false) => Some(Side::Crm),
        (false, true) => Some(Side::Desk),
        _ => None,
    }
}

/// The company that a contact was in when both sides last agreed, where its side now shows none.
fn company_left(state: &PairState, side: Side) -> Option<RecordId> {
    if !state.images.of(side).get(COMPANY)?.is_empty() {
        return None;
    }
    let before = state.bases.of(side).get(COMPANY)?.as_text()?;
    Some(RecordId::from(before))
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

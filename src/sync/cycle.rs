//! One cycle, from observing to writing.

use super::observe::Observation;
use super::{CycleOutcome, CycleReport, Engine, Tally, spending};
use crate::clock::monotonic;
use crate::model::{Kind, Pair, Side};
use crate::remote::Spending;
use crate::store::{CycleEnd, PassKind, StoreError};
use chrono::{DateTime, Utc};

/// A cycle that reads more records than this gives back the state's memory at its end. After others the
/// statements stay prepared: making them ready anew takes longer than running them.
const MANY: u64 = 1_000;

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
        self.recall_spending().await?;
        let before = self.spending();
        let mut tally = Tally {
            cycle: self.store.next_cycle().await?,
            ..Tally::default()
        };
        let wary = self.is_wary().await?;
        // Whoever has said that a listing is right does not have to wait for the next one.
        let reconcile = reconcile || wary || self.listing_is_approved().await?;
        let observation = Box::pin(self.observe(reconcile)).await?;
        tally.unfinished = observation.unfinished;
        tally.doubted.clone_from(&observation.doubted);
        for trouble in &observation.troubles {
            tally.trouble(trouble.clone());
        }
        self.inquire(observation.heard, &mut tally).await?;
        // Before anything is marked for another try: that its pause is over is no news of a record, and would
        // pass for some that the person who answered was not shown.
        self.store.take_answers(self.first_is_approved).await?;
        self.store.wake(started_at).await?;
        if reconcile {
            self.audit().await?;
        }
        if !wary || self.has_read_everything(&observation, &tally).await? {
            Box::pin(self.act(reconcile, &mut tally)).await?;
            if wary {
                self.end_wary(&tally).await?;
            }
            self.certify(&observation.complete).await?;
        }
        self.say_what_waits().await?;
        self.conclude(reconcile, started_at, &before, &observation, tally)
            .await
    }

    /// The end of a run that began with `before` spent: its report, which is remembered.
    pub(super) async fn conclude(
        &mut self,
        reconcile: bool,
        started_at: DateTime<Utc>,
        before: &Pair<Spending>,
        observation: &Observation,
        tally: Tally,
    ) -> Result<CycleReport, CycleError> {
        let after = self.spending();
        let spent = spending::spent(before, &after);
        let mut report = self
            .report(reconcile, started_at, observation, tally)
            .await?;
        report.endpoints = spending::endpoints(&spent);
        report.calls = report.endpoints.as_ref().map(|calls| calls.values().sum());
        report.budget = spending::budget_use(before, &after);
        let text = serde_json::to_string(&report).map_err(StoreError::from)?;
        let ended = CycleEnd {
            id: report.id,
            started_at,
            finished_at: report.finished_at,
            report: &text,
            eventful: report.eventful(&self.troubles),
            spent: &spent,
            today: spending::today(&after),
        };
        self.store.cycle_ended(&ended).await?;
        self.troubles = report.troubles();
        if let Some(keep) = self.keep {
            self.store.prune(report.finished_at, keep).await?;
        }
        if report.read.crm + report.read.desk > MANY || report.unfinished {
            self.store.rest().await?;
        }
        Ok(report)
    }

    /// Decides and writes, on what was read.
    async fn act(&mut self, reconcile: bool, tally: &mut Tally) -> Result<(), CycleError> {
        // The tickets of customers whose standing changed go before everything else that is written.
        Box::pin(self.tickets_first(tally)).await?;
        self.until = self.slice.map(|slice| monotonic() + slice);
        let mappings = self.mappings.clone();
        for mapping in &mappings {
            if self.sees(mapping.kind, tally).await? {
                Box::pin(self.reconcile(mapping, tally)).await?;
            }
        }
        // Customers who only now have a counterpart.
        Box::pin(self.tickets_last(tally)).await?;
        self.support(reconcile, tally).await
    }

    /// Whether both sides of a kind are known well enough to decide anything: each was read
    /// completely once, and what changed was read in this cycle. On anything less, an edit that was
    /// not read yet would be overwritten, and a record that was not seen yet made twice.
    pub(super) async fn sees(&mut self, kind: Kind, tally: &Tally) -> Result<bool, CycleError> {
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

    async fn report(
        &mut self,
        reconcile: bool,
        started_at: DateTime<Utc>,
        observation: &Observation,
        tally: Tally,
    ) -> Result<CycleReport, CycleError> {
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
            tickets: tally.tickets,
            held: self.store.held().await?,
            failed: tally.failed + tally.refused,
            in_doubt: self.store.doubtful_writes().await?,
            summed_up: tally.summed_up,
            calls: Pair::default(),
            endpoints: Pair::default(),
            budget: Pair::default(),
            unfinished: tally.unfinished,
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
            mute: Pair {
                crm: self.is_mute(Side::Crm, observation),
                desk: self.is_mute(Side::Desk, observation),
            },
        })
    }

    /// Whether no kind could be read on `side`, whatever it said to that. Where one of several could, the
    /// others alone wait.
    fn is_mute(&self, side: Side, observation: &Observation) -> bool {
        let failed = |kind: Kind| {
            let mut troubles = observation.troubles.iter();
            troubles.any(|it| (it.side, it.kind) == (side, Some(kind)))
        };
        let mut kinds = self.mappings.iter().map(|mapping| mapping.kind);
        kinds.all(failed)
    }
}

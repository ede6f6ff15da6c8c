//! `[support_summary]`: what a customer's tickets come to, written into the CRM.
//!
//! ```text
//!  read ──► sum up (pure) ──► weigh ──► look once more ──► write
//!  (tickets)                  (guards)  (the CRM's record)
//! ```

mod gate;
mod read;
mod write;

use super::{CycleError, Engine, Tally};
use crate::mapping::{SupportFact, SupportSummary};
use crate::model::{Kind, Side};
use crate::plan::Class;
use crate::remote::{ErrorKind, Outcome};
use crate::store::SupportRow;
use gate::Gate;
use std::collections::{BTreeMap, BTreeSet};
use write::{News, planned};

/// How many summaries are worked out in one go.
const CHUNK: i64 = 500;
/// How often deleted tickets and ratings are looked for, in milliseconds.
const EVERY: i64 = 3_600_000;

/// How the batches of a kind fare in one cycle.
#[derive(Debug, Default)]
struct Course {
    /// Batches in a row of which nothing was written.
    failed: usize,
    /// Whether any was answered otherwise.
    answered: bool,
    /// Whether the others would fare no better.
    ends: bool,
    /// Summaries that were to be written, and have to be tried again.
    unsent: usize,
    /// Customers of whom the CRM has not shown what stands in a field.
    unread: usize,
}

impl Course {
    fn take(&mut self, outcomes: &[Outcome]) {
        let error = |outcome: &Outcome| match outcome {
            Outcome::Failed(error) => Some(error.kind),
            _ => None,
        };
        let errors: Vec<ErrorKind> = outcomes.iter().filter_map(error).collect();
        if errors.len() < outcomes.len() {
            (self.failed, self.answered) = (0, true);
            return;
        }
        // A system that is down is told by the cycle, and stopping is no failure.
        let failed = |kind: &&ErrorKind| !kind.is_down() && **kind != ErrorKind::Stopped;
        let Some(kind) = errors.iter().find(failed) else {
            return;
        };
        self.failed += 1;
        // One batch may hold a record that the server stumbles over.
        self.ends = *kind == ErrorKind::Forbidden || kind.bars_its_sort() || self.failed >= 2;
    }

    /// Whether nothing was written that should have been.
    const fn is_in_vain(&self) -> bool {
        self.failed > 0 || (self.unread > 0 && !self.answered)
    }
}

impl Engine {
    /// From now on tickets are summed up like this, or not at all.
    pub fn sum_up(&mut self, summary: Option<SupportSummary>) {
        self.summary = summary;
        self.summaries_weighed = false;
    }

    /// Whether satisfaction is asked for.
    fn rates(&self) -> bool {
        let rates = |summary: &SupportSummary| {
            let asks = |kind| summary.of(kind).contains_key(&SupportFact::Satisfaction);
            Kind::BOTH.into_iter().any(asks)
        };
        self.summary.as_ref().is_some_and(rates)
    }

    /// Writes the summaries that have changed.
    ///
    /// # Errors
    ///
    /// Where the state fails. What a system says is counted in `tally`.
    pub(super) async fn support(
        &mut self,
        reconcile: bool,
        tally: &mut Tally,
    ) -> Result<(), CycleError> {
        let Some(summary) = self.summary.clone() else {
            return Ok(());
        };
        let down = Side::BOTH.into_iter().any(|side| tally.is_down(side));
        if down || self.stop.is_cancelled() {
            return Ok(());
        }
        match self.read_all_tickets().await? {
            Ok(true) => {}
            // A summary is of all tickets: part of them would be told as if it were all.
            Ok(false) => {
                tally.unfinished |= !self.stop.is_cancelled();
                return Ok(());
            }
            Err(error) => {
                tally.troubled(error);
                return Ok(());
            }
        }
        if let Err(error) = self.read_aside(reconcile).await? {
            tally.troubled(error);
        }
        if !std::mem::replace(&mut self.summaries_weighed, true) {
            self.weigh_anew(&summary).await?;
        }
        if reconcile {
            self.store.support_ages().await?;
        }
        for kind in Kind::BOTH {
            let waits = self.unsummed.waits(&kind, self.clock.now());
            // What stands in a field has to be read before it is written for the first time.
            if !summary.of(kind).is_empty() && !waits && self.sees(kind, tally).await? {
                self.sum_up_all(kind, summary.of(kind), tally).await?;
            }
        }
        Ok(())
    }

    /// What waits is weighed anew, for other fields may be meant by now. Of a kind of which nothing is asked for any
    /// more nothing waits.
    async fn weigh_anew(&mut self, summary: &SupportSummary) -> Result<(), CycleError> {
        self.store.support_unweighed().await?;
        for kind in Kind::BOTH {
            if !summary.of(kind).is_empty() {
                continue;
            }
            for class in Class::OF_SUMMARIES {
                let drop = self.store.drop_class_hold(kind.word(), class.word(), None);
                drop.await?;
            }
        }
        Ok(())
    }

    /// Writes the summaries of `kind` that have changed, as far as no guard holds them. Where nothing can be
    /// written, the next try waits.
    async fn sum_up_all(
        &mut self,
        kind: Kind,
        wanted: &BTreeMap<SupportFact, String>,
        tally: &mut Tally,
    ) -> Result<(), CycleError> {
        let gate = self.summary_gate(kind, wanted).await?;
        let mut course = Course::default();
        let ended = self
            .sum_up_behind(&gate, kind, wanted, &mut course, tally)
            .await?;
        self.summaries_answered(&gate, kind, ended && course.unsent == 0)
            .await?;
        if course.is_in_vain() {
            if course.unread > 0 {
                tracing::warn!(event = "summary_unread", %kind, customers = course.unread,
                    "support summaries wait: the CRM has not shown what stands in their fields");
            }
            let now = self.clock.now();
            self.unsummed.failed(kind, &self.failures, now);
        }
        Ok(())
    }

    /// Goes through the summaries of `kind` that the gate lets through. Returns whether it came to their end.
    async fn sum_up_behind(
        &mut self,
        gate: &Gate,
        kind: Kind,
        wanted: &BTreeMap<SupportFact, String>,
        course: &mut Course,
        tally: &mut Tally,
    ) -> Result<bool, CycleError> {
        let batch = self.connectors.crm.caps().update_batch.max(1);
        let mut after = String::new();
        loop {
            // After a failure a batch is enough to see whether it is over.
            let limit = match self.unsummed.failures(&kind) {
                0 => CHUNK,
                _ => i64::try_from(batch).unwrap_or(CHUNK),
            };
            let (now, which) = (self.clock.now(), gate.passing());
            let due = self.store.support_due(kind, which, now, &after, limit);
            let rows = due.await?;
            let Some(last) = rows.last().map(|row| row.ids.desk.0.clone()) else {
                return Ok(true);
            };
            if course.ends || self.stop.is_cancelled() || tally.is_down(Side::Crm) {
                return Ok(false);
            }
            let Some(rows) = self
                .look_at_summaries((gate, kind, wanted), rows, &after, course, tally)
                .await?
            else {
                return Ok(false);
            };
            after = last;
            let news = planned(gate, wanted, rows);
            self.write_summaries(gate, (kind, wanted), news, course, tally)
                .await?;
            if course.answered {
                self.unsummed.over(&kind);
            }
        }
    }

    /// These rows with what the CRM shows by now, where changes are found by a search that lags: an edit of the
    /// last minutes would be overwritten unseen. `None` where it cannot be read.
    async fn look_at_summaries(
        &mut self,
        (gate, kind, wanted): (&Gate, Kind, &BTreeMap<SupportFact, String>),
        rows: Vec<SupportRow>,
        after: &str,
        course: &mut Course,
        tally: &mut Tally,
    ) -> Result<Option<Vec<SupportRow>>, CycleError> {
        if self.connectors.crm.caps().lookup_lag.is_zero() {
            return Ok(Some(rows));
        }
        let met: BTreeSet<i64> = rows.iter().map(|row| row.row).collect();
        let limit = i64::try_from(rows.len()).unwrap_or(CHUNK);
        let news = planned(gate, wanted, rows.clone());
        let sent = news.iter().filter(|it| !it.changes.is_empty());
        let targets: Vec<_> = sent
            .map(|it: &News| (it.row.row, it.row.ids.crm.clone()))
            .collect();
        if targets.is_empty() {
            return Ok(Some(rows));
        }
        if let Err(error) = self.confirm(Side::Crm, kind, &targets).await? {
            (course.failed, course.ends) = (course.failed + 1, true);
            course.unsent += targets.len();
            tally.troubled(error);
            return Ok(None);
        }
        let (now, which) = (self.clock.now(), gate.passing());
        let due = self.store.support_due(kind, which, now, after, limit);
        let mut rows = due.await?;
        rows.retain(|row| met.contains(&row.row));
        Ok(Some(rows))
    }
}

//! One cycle, from observing to writing.

use super::observe::Observation;
use super::{CycleOutcome, CycleReport, Engine, Tally};
use crate::model::{Kind, Pair, Side};
use crate::store::{PassKind, StoreError};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

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
        // The tickets of customers whose standing changed go before everything else that is written.
        self.tickets(&mut tally).await?;
        let unread = self.store.begun_count().await?;
        let mappings = self.mappings.clone();
        for mapping in &mappings {
            if self.sees(mapping.kind, &tally).await? {
                self.reconcile(mapping, &mut tally).await?;
            }
        }
        if self.store.begun_count().await? > unread {
            // Customers who only now have a counterpart.
            self.tickets(&mut tally).await?;
        }
        self.support(reconcile, &mut tally).await?;
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

    pub(super) fn calls(&self) -> Pair<BTreeMap<&'static str, u64>> {
        Pair {
            crm: self.connectors.crm.calls(),
            desk: self.connectors.desk.calls(),
        }
    }

    pub(super) async fn report(
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
            tickets: tally.tickets,
            held: self.store.held().await?,
            failed: tally.failed + tally.refused,
            summed_up: tally.summed_up,
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

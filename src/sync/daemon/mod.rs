//! The daemon: a cycle every `schedule.poll`, until it is told to stop.
//!
//! One loop does everything, signals and signs of life included: where it hangs, the service manager
//! hears nothing more and starts the process again.

mod attend;
mod health;
mod pulse;
mod reload;
mod schedule;
mod start;

pub use attend::Reread;

use super::{BudgetUse, CycleError, CycleReport, Engine};
use crate::clock::{Clock, monotonic};
use crate::config::Config;
use crate::connect::ConnectError;
use crate::model::Side;
use crate::remote::RemoteError;
use crate::store::{Store, StoreError};
use crate::supervise::{Signal, Supervisor};
use attend::Attendant;
use chrono::{DateTime, Utc};
use futures_util::Stream;
use health::Health;
use pulse::Pulse;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Why the daemon ends by itself. A signal is no error.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The state failed, or belongs to other accounts.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The systems cannot be talked to at all.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// At the start, a system refused in a way that no waiting mends.
    #[error("{}", .0.first().map_or_else(String::new, ToString::to_string))]
    Refused(Vec<RemoteError>),
}

impl From<CycleError> for DaemonError {
    fn from(error: CycleError) -> Self {
        match error {
            CycleError::Store(error) => Self::Store(error),
        }
    }
}

/// What the daemon is given.
#[derive(Debug)]
pub struct Setup<S> {
    /// What `sync.toml` says.
    pub config: Config,
    /// The state, open and locked.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who is told how it is.
    pub supervisor: Supervisor,
    /// What it is asked to do from outside.
    pub signals: S,
    /// Reads `sync.toml` again.
    pub reread: Reread,
}

/// The daemon between two cycles.
struct Daemon<S> {
    config: Config,
    engine: Engine,
    attendant: Attendant<S>,
    health: Health,
    /// When everything was last asked to be read, so that a failing listing is not begun anew in
    /// every cycle.
    reconciled: Option<DateTime<Utc>>,
}

/// Works until a signal ends it.
///
/// # Errors
///
/// [`DaemonError`]; nothing that passes by itself is among them.
pub async fn run<S>(setup: Setup<S>) -> Result<(), DaemonError>
where
    S: Stream<Item = Signal> + Unpin,
{
    let stop = CancellationToken::new();
    let mut attendant = Attendant::new(setup.signals, setup.supervisor, setup.reread, stop);
    let begun = start::begin(setup.config, setup.store, setup.clock, &mut attendant).await;
    let result = match begun {
        Ok(Some((config, engine))) => {
            let daemon = Daemon {
                health: Health::default(),
                reconciled: None,
                config,
                engine,
                attendant,
            };
            daemon.turn().await
        }
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    if result.is_ok() {
        tracing::info!(event = "stopped", "stopped as asked");
    }
    result
}

impl<S: Stream<Item = Signal> + Unpin> Daemon<S> {
    async fn turn(mut self) -> Result<(), DaemonError> {
        while !self.attendant.is_stopped() {
            if let Some(config) = self.attendant.reloaded() {
                self.reload(config).await?;
                continue;
            }
            let begun = monotonic();
            let Some(report) = self.cycle().await? else {
                break;
            };
            let failures = self.health.note(&report);
            let poll = self.config.schedule.poll;
            let wait = schedule::wait(poll, failures, begun.elapsed(), report.unfinished);
            self.tell(&report, wait).await?;
            self.attendant.sleep(wait).await;
        }
        // Where a cycle had to be given up, what was in flight is looked at when we begin again.
        Ok(self.engine.store.close().await?)
    }

    /// One cycle; `None` where it had to be given up.
    async fn cycle(&mut self) -> Result<Option<CycleReport>, DaemonError> {
        let reconcile = !self.health.is_any_down() && self.reconcile_is_due().await?;
        if reconcile {
            self.reconciled = Some(self.engine.clock.now());
        }
        self.engine.young = Some(self.young());
        let mut pulse = Pulse::new(&self.engine);
        let cycle = self.engine.cycle(reconcile);
        let report = self.attendant.during(cycle, || pulse.beats()).await;
        Ok(report.transpose()?)
    }

    /// The one line that a cycle leaves in the log, and what `systemctl status` shows.
    async fn tell(&mut self, report: &CycleReport, wait: Duration) -> Result<(), DaemonError> {
        let lag = self.lag().await?;
        let seconds = (report.finished_at - report.started_at).as_seconds_f64();
        let outcome = report.outcome.word();
        // Said only where there is something to say: most cycles have to do with no ticket.
        let some = |number: u64| (number > 0).then_some(number);
        let tickets = &report.tickets;
        tracing::info!(
            event = "cycle",
            id = report.id,
            outcome,
            reconcile = report.reconcile,
            read = report.read.crm + report.read.desk,
            changed = report.changed.crm + report.changed.desk,
            linked = report.linked,
            created = report.created,
            updated = report.updated,
            deleted = report.deleted,
            held = report.held,
            failed = report.failed,
            standings_begun = some(tickets.begun),
            standings_ended = some(tickets.ended),
            tickets_raised = some(tickets.raised),
            tickets_restored = some(tickets.restored),
            tickets_parked = some(tickets.parked),
            tickets_yielded = some(tickets.yielded),
            tickets_fought = some(tickets.fought),
            notes = some(tickets.noted),
            summed_up = some(report.summed_up),
            calls_crm = report.calls.crm,
            calls_freshdesk = report.calls.desk,
            left_crm = whole(report.budget.crm.left),
            left_freshdesk = whole(report.budget.desk.left),
            waited_crm = waited(&report.budget.crm),
            waited_freshdesk = waited(&report.budget.desk),
            refused_for_rate = some(report.budget.crm.refused + report.budget.desk.refused),
            unfinished = report.unfinished.then_some(true),
            seconds,
            lag,
            next = wait.as_secs(),
            "cycle finished"
        );
        let written = report.created + report.updated + report.deleted;
        let written = written + tickets.raised + tickets.restored + tickets.noted;
        self.attendant.supervisor.status(&format!(
            "cycle {} {outcome}: {written} written, {} held, {} failed; next in {} s",
            report.id,
            report.held,
            report.failed + tickets.parked,
            wait.as_secs()
        ));
        Ok(())
    }
}

/// Calls as people count them.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "calls left are neither negative nor many"
)]
fn whole(calls: Option<f64>) -> Option<u64> {
    calls.map(|calls| calls as u64)
}

/// Seconds that calls have waited for their turns, where that is worth a word.
fn waited(budget: &BudgetUse) -> Option<f64> {
    (budget.waited >= 0.1).then(|| (budget.waited * 10.0).round() / 10.0)
}

/// Every kind that is kept in step, on both sides.
fn feeds(engine: &Engine) -> Vec<(Side, crate::model::Kind)> {
    let kinds = engine.mappings.iter().map(|mapping| mapping.kind);
    kinds
        .flat_map(|kind| Side::BOTH.map(|side| (side, kind)))
        .collect()
}

//! The engine: one cycle goes from observing to writing, once.
//!
//! ```text
//!  observe ──► decide (pure) ──► adopt ──► execute ──► finish
//!  (systems     (plan/)          (state)   (systems)   (state)
//!   → state)
//! ```
//!
//! What is intended is no memory: it is derived from the state again in every cycle. Only a write
//! whose outcome is not known survives, in the outbox, and is looked at before anything else.

pub mod afford;
pub mod apply;
pub mod daemon;
pub mod decide;
pub mod execute;
pub mod observe;
pub mod preflight;
pub mod rehearsal;
pub mod revert;
pub mod vocabulary;

mod again;
mod confirm;
mod cycle;
mod drift;
mod flap;
mod guard;
mod heirs;
mod inquire;
mod reconcile;
mod report;
mod spending;
mod support;
mod survey;
mod tickets;
mod waits;
mod wary;

pub use cycle::CycleError;
pub use drift::{Certificate, Drifted};
pub use report::{BudgetUse, CycleOutcome, CycleReport, Tally, Trouble};
pub use tickets::TicketTally;

use crate::clock::{Clock, monotonic};
use crate::mapping::{Mapping, SupportSummary};
use crate::model::{Kind, Pair, RecordId, Side};
use crate::remote::Connector;
use crate::remote::retry::RetryPolicy;
use crate::store::Store;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Everything that a cycle needs.
#[derive(Debug)]
pub struct Engine {
    /// What we remember.
    pub store: Store,
    /// The two systems.
    pub connectors: Pair<Arc<dyn Connector>>,
    /// What the admins want, companies first.
    pub mappings: Vec<Mapping>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Ends a cycle before its next step.
    pub stop: CancellationToken,
    /// The longest that a cycle works through what there is to do before it ends, so that the next one
    /// looks around again; without it, a cycle goes on to the end.
    pub slice: Option<Duration>,
    /// How young a reading of everything has to be so that a reconcile run does not begin it anew; without it,
    /// each begins all of them. One that is asked for again, since a part of it did not come to its end, would
    /// else read the rest over and over, and forget what it had found.
    pub young: Option<TimeDelta>,
    /// When the slice of the cycle at hand is over.
    until: Option<Instant>,
    /// How long bulk jobs of the helpdesk are waited for within a cycle, look by look.
    pub job_looks: Vec<Duration>,
    /// How far the cycle is, for those who watch.
    pub progress: Arc<Progress>,
    /// The pauses of a record that a system refuses.
    pub refusals: RetryPolicy,
    /// What a standing does to tickets.
    rules: tickets::Rules,
    /// What is told to the CRM about tickets.
    summary: Option<SupportSummary>,
    /// Whether what waits of summaries was weighed for the fields that are asked for since the last change of them.
    summaries_weighed: bool,
    /// How long the journal is kept; `None`: for ever.
    keep: Option<Duration>,
    /// The pauses of a record whose write failed in passing.
    pub failures: RetryPolicy,
    /// Tickets on which no note could be posted, and until when none is tried.
    unnoted: waits::Waits<RecordId>,
    /// Kinds of which no summary could be written, and until when none is tried.
    unsummed: waits::Waits<Kind>,
    /// What is done about too many changes.
    guarding: guard::Guarding,
    /// Whether a first sync may do as much as it wants.
    first_is_approved: bool,
    /// What went wrong in the last cycle, in words.
    troubles: BTreeSet<String>,
    /// How far our clock is ahead of each server's, as its last answers showed; less than nothing where it is
    /// behind.
    skew: Pair<TimeDelta>,
    /// When, by our clock, this cycle began to read.
    looked_at: DateTime<Utc>,
    /// Whether the budgets know what earlier processes have sent on this day.
    recalled: bool,
}

/// How far a cycle is.
#[derive(Debug, Default)]
pub struct Progress {
    /// Records read, by side.
    pub read: Pair<AtomicU64>,
    /// Writes answered.
    pub written: AtomicUsize,
    /// Writes decided.
    pub decided: AtomicUsize,
}

impl Progress {
    fn wrote(&self, writes: usize) {
        self.written
            .fetch_add(writes, std::sync::atomic::Ordering::Relaxed);
    }
}

impl Engine {
    /// An engine that has not turned yet.
    #[must_use]
    pub fn new(
        store: Store,
        connectors: Pair<Arc<dyn Connector>>,
        mappings: Vec<Mapping>,
        clock: Arc<dyn Clock>,
        stop: CancellationToken,
    ) -> Self {
        Self {
            store,
            connectors,
            mappings,
            clock,
            stop,
            slice: None,
            young: None,
            until: None,
            job_looks: tickets::JOB_LOOKS.to_vec(),
            progress: Arc::default(),
            rules: tickets::Rules::default(),
            summary: None,
            summaries_weighed: false,
            keep: None,
            unnoted: waits::Waits::default(),
            unsummed: waits::Waits::default(),
            guarding: guard::Guarding::Off,
            first_is_approved: false,
            troubles: BTreeSet::new(),
            skew: Pair::default(),
            looked_at: DateTime::default(),
            recalled: false,
            refusals: RetryPolicy {
                first: Duration::from_mins(10),
                longest: Duration::from_hours(24),
                jitter: 0.2,
                attempts: u32::MAX,
            },
            failures: RetryPolicy {
                first: Duration::from_secs(30),
                longest: Duration::from_hours(1),
                jitter: 0.2,
                attempts: u32::MAX,
            },
        }
    }

    /// From now on the journal and the reports of cycles are kept for this long.
    pub fn keep(&mut self, keep: Duration) {
        self.keep = Some(keep);
    }

    /// Whether the cycle is to end and leave the rest to the next one.
    fn is_slice_over(&self) -> bool {
        self.until.is_some_and(|until| monotonic() >= until)
    }

    /// What a server's clock shows now, as far as we know: what is compared with its times.
    fn now_at(&self, side: Side) -> DateTime<Utc> {
        self.clock.now() - *self.skew.of(side)
    }

    /// How far our clock is ahead of a server's.
    fn ahead(&self, side: Side) -> TimeDelta {
        (*self.skew.of(side)).max(TimeDelta::zero())
    }

    fn mapping(&self, kind: Kind) -> Option<&Mapping> {
        self.mappings.iter().find(|mapping| mapping.kind == kind)
    }

    /// Every field of `kind` that is read on `side`.
    fn fields(&self, kind: Kind, side: Side) -> Vec<String> {
        self.mapping(kind)
            .map(|mapping| mapping.reads(side))
            .unwrap_or_default()
    }
}

//! How the two systems are: what is wrong is said once, and once when it is over.

use crate::clock::monotonic;
use crate::model::{Pair, Side};
use crate::remote::{ErrorKind, RemoteError};
use crate::sync::{CycleOutcome, CycleReport};
use std::collections::BTreeSet;
use tokio::time::Instant;

/// What is known of the systems' health.
#[derive(Debug, Default)]
pub(super) struct Health {
    down: Pair<Option<Down>>,
    /// Troubles of working systems that were said already.
    said: BTreeSet<String>,
}

/// A system that does not work.
#[derive(Debug, Clone, Copy)]
struct Down {
    since: Instant,
    failures: u32,
}

impl Health {
    /// Takes in how a cycle went. Returns how many cycles in a row some system was down in.
    pub(super) fn note(&mut self, report: &CycleReport) -> u32 {
        if report.outcome == CycleOutcome::Stopped {
            return 0;
        }
        for side in Side::BOTH {
            match fatal(report, side) {
                Some(error) => self.fell(side, error, detail(report, error)),
                None => self.rose(side),
            }
        }
        self.troubles(report);
        Side::BOTH
            .into_iter()
            .filter_map(|side| Some(self.down.of(side).as_ref()?.failures))
            .max()
            .unwrap_or(0)
    }

    /// Whether a system did not work in the last cycle.
    pub(super) const fn is_any_down(&self) -> bool {
        self.down.crm.is_some() || self.down.desk.is_some()
    }

    fn fell(&mut self, side: Side, error: &RemoteError, detail: Option<&str>) {
        let down = self.down.of_mut(side);
        if let Some(down) = down {
            down.failures = down.failures.saturating_add(1);
            return;
        }
        *down = Some(Down {
            since: monotonic(),
            failures: 1,
        });
        tracing::error!(event = "system_down", %side, call = error.call, why = %error.kind, detail,
            request = error.request_id, "{side} does not work; it is tried again at growing intervals");
    }

    fn rose(&mut self, side: Side) {
        if let Some(down) = self.down.of_mut(side).take() {
            let seconds = down.since.elapsed().as_secs();
            tracing::info!(event = "system_back", %side, seconds, "{side} works again");
        }
    }

    /// What went wrong with systems that work otherwise: rights that are missing, calls that fail.
    fn troubles(&mut self, report: &CycleReport) {
        let mut current = BTreeSet::new();
        for error in &report.errors {
            if self.down.of(error.side).is_some() || error.kind == ErrorKind::Stopped {
                continue;
            }
            let name = format!("{} {} {:?}", error.side, error.call, error.kind);
            if !self.said.contains(&name) {
                say(error, detail(report, error));
            }
            current.insert(name);
        }
        self.said = current;
    }
}

fn say(error: &RemoteError, detail: Option<&str>) {
    let event = if error.kind == ErrorKind::Forbidden {
        "right_missing"
    } else {
        "trouble"
    };
    tracing::warn!(event, side = %error.side, call = error.call, why = %error.kind, detail,
        request = error.request_id, "what depends on this call waits; the rest goes on");
}

/// What the server said about a list. About a write it may have said a customer's values, which are
/// not for the log.
fn detail<'a>(report: &CycleReport, error: &'a RemoteError) -> Option<&'a str> {
    let unread = report.unread.iter().any(|unread| same(unread, error));
    (unread && !error.detail.is_empty()).then_some(error.detail.as_str())
}

fn same(one: &RemoteError, other: &RemoteError) -> bool {
    (one.side, &one.call, one.kind) == (other.side, &other.call, other.kind)
}

/// Why `side` counts as down: it is of no use to anybody, or none of its records can be read. A single
/// write that fails is neither, nor is one of several lists.
fn fatal(report: &CycleReport, side: Side) -> Option<&RemoteError> {
    let of = |errors: &'_ Vec<RemoteError>, test: fn(ErrorKind) -> bool| {
        errors
            .iter()
            .position(|error| error.side == side && test(error.kind))
    };
    let closed = ErrorKind::is_down;
    let mute = |kind| {
        matches!(
            kind,
            ErrorKind::NoAnswer | ErrorKind::Fault(_) | ErrorKind::Garbled
        )
    };
    of(&report.errors, closed)
        .and_then(|at| report.errors.get(at))
        .or_else(|| {
            let unread = of(&report.unread, mute).filter(|_| *report.mute.of(side));
            unread.and_then(|at| report.unread.get(at))
        })
}

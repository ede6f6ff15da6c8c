//! The one place that reads the time.

use chrono::{DateTime, Utc};
use std::fmt::Debug;
use std::sync::OnceLock;
use std::time::Instant;

/// Where the engine gets the time from.
pub trait Clock: Send + Sync + Debug {
    /// The time of day, for what is written down and for what is due.
    fn now(&self) -> DateTime<Utc>;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// By how many milliseconds the machine's clock has gone ahead of a steady one since this was first asked: it was
/// set since, or the machine was asleep.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the place")]
pub fn jumped() -> i64 {
    static FIRST: OnceLock<(DateTime<Utc>, Instant)> = OnceLock::new();
    let (shown, steady) = (Utc::now(), Instant::now());
    let (first_shown, first_steady) = FIRST.get_or_init(|| (shown, steady));
    let passed = i64::try_from((steady - *first_steady).as_millis()).unwrap_or(i64::MAX);
    let went = (shown - *first_shown).num_milliseconds();
    went.saturating_sub(passed)
}

/// A clock for durations: never jumps, and stands still in tests that pause the runtime's time.
#[must_use]
pub fn monotonic() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

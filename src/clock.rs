//! The one place that reads the time.

use chrono::{DateTime, Utc};
use std::fmt::Debug;

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

/// A clock for durations: never jumps, and stands still in tests that pause the runtime's time.
#[must_use]
pub fn monotonic() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

//! Time as the governor takes it: a number that comes in, and what to make of one that jumps.

use std::time::Duration;

/// A point in time: milliseconds since the Unix epoch.
///
/// It is to come from a clock that runs steadily and was set by the time of day once. One that jumps
/// does no lasting harm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

impl Moment {
    /// `millis` after the epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The moment `wait` from this one, rounded up to a whole millisecond.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        let millis = wait.as_nanos().div_ceil(1_000_000);
        Self(
            self.0
                .saturating_add(i64::try_from(millis).unwrap_or(i64::MAX)),
        )
    }

    /// How long after `earlier` this is; zero if it is before it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }
}

/// Time that passed, by a clock that may be set back: then none did.
#[derive(Debug, Clone, Default)]
pub(super) struct Passed {
    last: Option<Moment>,
    in_all: Duration,
}

impl Passed {
    /// Time since the first reading, and whether the clock went back since the last.
    pub(super) fn read(&mut self, now: Moment) -> (Duration, bool) {
        let last = self.last.replace(now).unwrap_or(now);
        self.in_all = self.in_all.saturating_add(now.since(last));
        (self.in_all, now < last)
    }
}

//! The simulators' own time: the machine's, shifted or hastened, or moved by hand.

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A clock with a resolution of one millisecond; clones show and move the same time.
#[derive(Debug, Clone, Default)]
pub struct SimClock(Arc<Mutex<Mode>>);

#[derive(Debug, Clone, Copy)]
enum Mode {
    Running {
        ahead: TimeDelta,
    },
    Standing {
        at: DateTime<Utc>,
    },
    /// From both at once, this many times as fast as the machine's.
    Fast {
        from: DateTime<Utc>,
        times: i32,
    },
}

impl Default for Mode {
    fn default() -> Self {
        Self::Running {
            ahead: TimeDelta::zero(),
        }
    }
}

impl SimClock {
    /// Runs with the machine's clock.
    #[must_use]
    pub fn real() -> Self {
        Self::default()
    }

    /// Stands at `at` until it is moved.
    #[must_use]
    pub fn manual(at: DateTime<Utc>) -> Self {
        let clock = Self::default();
        clock.set(at);
        clock
    }

    /// Runs `times` times as fast as the machine's clock, from now on: an hour's limits in a minute.
    #[must_use]
    pub fn fast(times: i32) -> Self {
        let clock = Self::default();
        *clock.mode() = Mode::Fast {
            from: machine(),
            times,
        };
        clock
    }

    /// The simulator's time, cut to milliseconds.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        match *self.mode() {
            Mode::Running { ahead } => machine() + ahead,
            Mode::Standing { at } => at,
            Mode::Fast { from, times } => from + (machine() - from) * times,
        }
        .trunc_subsecs(3)
    }

    /// How many of the machine's seconds pass, rounded up, while `seconds` do here.
    #[must_use]
    pub fn of_the_machine(&self, seconds: u32) -> u32 {
        let times = match *self.mode() {
            Mode::Fast { times, .. } => times.unsigned_abs().max(1),
            Mode::Running { .. } | Mode::Standing { .. } => 1,
        };
        seconds.div_ceil(times)
    }

    /// Stops the clock at `at`; it stands from now on.
    pub fn set(&self, at: DateTime<Utc>) {
        *self.mode() = Mode::Standing { at };
    }

    /// Moves the clock by `by`, forward or back, whether it runs or stands.
    pub fn advance(&self, by: TimeDelta) {
        match &mut *self.mode() {
            Mode::Running { ahead } => *ahead += by,
            Mode::Standing { at } => *at += by,
            Mode::Fast { from, times } => *from -= by / (*times - 1).max(1),
        }
    }

    fn mode(&self) -> MutexGuard<'_, Mode> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the simulators have a clock of their own"
)]
fn machine() -> DateTime<Utc> {
    Utc::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_moved_by_a_test_moves_for_the_simulator_that_holds_a_clone() {
        let start = DateTime::from_timestamp(1_700_000_000, 123_456_789).unwrap();
        let test = SimClock::manual(start);
        let simulator = test.clone();
        assert_eq!(simulator.now().timestamp_subsec_nanos(), 123_000_000);
        test.advance(TimeDelta::seconds(61));
        assert_eq!(simulator.now().timestamp(), 1_700_000_061);
    }

    #[test]
    fn a_fast_clock_runs_ahead_and_can_be_set_forward() {
        let fast = SimClock::fast(60);
        let before = fast.now();
        fast.advance(TimeDelta::hours(1));
        let jump = fast.now() - before;
        assert!(jump >= TimeDelta::minutes(59), "{jump}");
        let seconds = |clock: &SimClock| [1, 60, 61].map(|it| clock.of_the_machine(it));
        assert_eq!(seconds(&fast), [1, 1, 2]);
        assert_eq!(seconds(&SimClock::real()), [1, 60, 61]);
    }

    #[test]
    fn a_running_clock_can_be_an_hour_ahead() {
        let (real, ahead) = (SimClock::real(), SimClock::real());
        ahead.advance(TimeDelta::hours(1));
        assert!(ahead.now() - real.now() >= TimeDelta::minutes(59));
    }
}

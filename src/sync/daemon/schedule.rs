//! When the next cycle is, and when everything is read.

use super::{Daemon, DaemonError, feeds};
use crate::model::Version;
use crate::remote::retry::RetryPolicy;
use crate::store::PassKind;
use chrono::TimeDelta;
use std::time::Duration;

/// The longest wait for a system that is down.
const LONGEST: Duration = Duration::from_mins(15);
/// How soon a reading of everything that did not come to its end may be asked for again.
const AGAIN: TimeDelta = TimeDelta::hours(1);

/// How long until the next cycle, after one that took `took`; none after one that left work. After
/// `failures` cycles in a row with a system down, the waits grow.
pub(super) fn wait(poll: Duration, failures: u32, took: Duration, unfinished: bool) -> Duration {
    if failures == 0 {
        if unfinished {
            return Duration::ZERO;
        }
        return poll.saturating_sub(took);
    }
    let policy = RetryPolicy {
        first: poll,
        longest: LONGEST.max(poll),
        jitter: 0.2,
        attempts: u32::MAX,
    };
    // From 2^16 on nothing grows any more.
    policy.wait(failures.min(16)).unwrap_or(LONGEST)
}

impl<S> Daemon<S> {
    /// Whether everything has to be read: measured from the last time that it was, which the state
    /// remembers over restarts.
    pub(super) async fn reconcile_is_due(&mut self) -> Result<bool, DaemonError> {
        let every = TimeDelta::from_std(self.config.schedule.reconcile).unwrap_or(TimeDelta::MAX);
        let now = self.engine.clock.now();
        let asked_lately = |at| now.signed_duration_since(at) < every.min(AGAIN);
        if self.reconciled.is_some_and(asked_lately) {
            return Ok(false);
        }
        for (side, kind) in feeds(&self.engine) {
            let pass = self.engine.store.pass(side, kind, PassKind::All).await?;
            if let Some(mark) = pass.mark
                && now.signed_duration_since(Version(mark).time()) >= every
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Seconds since the oldest reading of changes began; `None` before the first.
    pub(super) async fn lag(&mut self) -> Result<Option<i64>, DaemonError> {
        let now = self.engine.clock.now();
        let mut lag = None;
        for (side, kind) in feeds(&self.engine) {
            let pass = self
                .engine
                .store
                .pass(side, kind, PassKind::Changes)
                .await?;
            let age = pass
                .mark
                .map(|mark| (now - Version(mark).time()).num_seconds().max(0));
            lag = lag.max(age);
        }
        Ok(lag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_cycle_does_not_shift_the_rhythm_and_a_dead_system_is_not_hammered() {
        let poll = Duration::from_mins(1);
        let took = Duration::from_secs(20);
        assert_eq!(wait(poll, 0, took, false), Duration::from_secs(40));
        assert_eq!(wait(poll, 0, poll * 2, false), Duration::ZERO);
        assert_eq!(wait(poll, 0, took, true), Duration::ZERO);
        assert!(wait(poll, 1, took, true) >= poll.mul_f64(0.8));
        assert!(wait(poll, 1, took, false) >= poll.mul_f64(0.8));
        assert!(wait(poll, 3, took, false) > wait(poll, 1, took, false));
        assert!(wait(poll, 5000, took, false) <= LONGEST.mul_f64(1.2));
        let rare = Duration::from_hours(1);
        assert!(wait(rare, 5000, took, false) >= rare.mul_f64(0.8));
    }
}

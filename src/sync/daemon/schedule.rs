//! When the next cycle is, and when everything is read.

use super::{Daemon, DaemonError, feeds};
use crate::model::Version;
use crate::remote::retry::RetryPolicy;
use crate::store::PassKind;
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use std::time::Duration;

/// The longest wait for a system that is down.
const LONGEST: Duration = Duration::from_mins(15);
/// How much earlier than `schedule.reconcile` says a reading may begin that begins at a time of day.
const SLACK: TimeDelta = TimeDelta::hours(12);
/// Longer than any interval that means anything.
const MOST: TimeDelta = TimeDelta::days(3650);
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

/// How young a reading belongs, `now`, to the run that is asked for again, and not to the one before. Readings of
/// one run end hours apart where an account has few calls, and all of them fall due together the next time.
/// None that is due is young.
pub(super) fn young(now: DateTime<Utc>, every: TimeDelta, at: Option<NaiveTime>) -> TimeDelta {
    let every = every.min(MOST);
    at.map_or(every * 3 / 4, |at| {
        now - came_round(now, at) + (every - SLACK).max(TimeDelta::zero())
    })
}

/// When this time of day last came round.
fn came_round(now: DateTime<Utc>, at: NaiveTime) -> DateTime<Utc> {
    let today = now.date_naive().and_time(at).and_utc();
    if today <= now {
        today
    } else {
        today - TimeDelta::days(1)
    }
}

/// Whether everything has to be read again, `every` so often after it was read at `mark`; with a time
/// of day, not before that has come round on the day on which it falls due.
fn is_due(
    mark: DateTime<Utc>,
    now: DateTime<Utc>,
    every: TimeDelta,
    at: Option<NaiveTime>,
) -> bool {
    let Some(at) = at else {
        return now.signed_duration_since(mark) >= every;
    };
    let last = came_round(now, at);
    // A reading that began at its time and took its time is not late by that the next day.
    mark < last && last.signed_duration_since(mark) >= every.min(MOST) - SLACK
}

impl<S> Daemon<S> {
    /// How young a reading of everything has to be so that a run that begins now does not begin it anew.
    pub(super) fn young(&self) -> TimeDelta {
        let schedule = &self.config.schedule;
        let every = TimeDelta::from_std(schedule.reconcile).unwrap_or(MOST);
        young(self.engine.clock.now(), every, schedule.reconcile_at)
    }

    /// Whether everything has to be read: measured from the last time that it was, which the state
    /// remembers over restarts.
    pub(super) async fn reconcile_is_due(&mut self) -> Result<bool, DaemonError> {
        let every = TimeDelta::from_std(self.config.schedule.reconcile).unwrap_or(TimeDelta::MAX);
        let now = self.engine.clock.now();
        // A clock that was ahead for a while, and was set back, must not put it off for as long.
        let asked_lately = |at| now.signed_duration_since(at).abs() < every.min(AGAIN);
        if self.reconciled.is_some_and(asked_lately) {
            return Ok(false);
        }
        for (side, kind) in feeds(&self.engine) {
            let pass = self.engine.store.pass(side, kind, PassKind::All).await?;
            let at = self.config.schedule.reconcile_at;
            if let Some(mark) = pass.mark
                && is_due(Version(mark).time(), now, every, at)
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
    fn a_reading_at_night_begins_at_night_whenever_the_last_one_was() {
        let at = |text: &str| -> DateTime<Utc> { text.parse().unwrap() };
        let (day, night) = (TimeDelta::hours(24), NaiveTime::from_hms_opt(2, 30, 0));
        let due = |mark: &str, now: &str| is_due(at(mark), at(now), day, night);
        // Installed at noon: the first one is in the night that follows.
        assert!(!due("2026-03-02T12:00:00Z", "2026-03-02T23:59:00Z"));
        assert!(due("2026-03-02T12:00:00Z", "2026-03-03T02:30:00Z"));
        // It began a little late; the next one is on time.
        assert!(!due("2026-03-03T02:31:00Z", "2026-03-04T02:29:00Z"));
        assert!(due("2026-03-03T02:31:00Z", "2026-03-04T02:30:00Z"));
        // The machine slept through it.
        assert!(due("2026-03-03T02:31:00Z", "2026-03-04T09:00:00Z"));
        assert!(is_due(
            at("2026-03-02T12:00:00Z"),
            at("2026-03-03T12:00:00Z"),
            day,
            None
        ));
        assert!(!is_due(
            at("2026-03-02T12:00:00Z"),
            at("2026-03-03T11:59:00Z"),
            day,
            None
        ));
    }

    #[test]
    fn a_reading_that_is_due_is_not_put_off_as_one_that_was_made_lately() {
        let noon: DateTime<Utc> = "2026-03-02T12:00:00Z".parse().unwrap();
        let night = NaiveTime::from_hms_opt(2, 30, 0);
        for (hours, at) in [(24, None), (24, night), (6, night), (72, night), (72, None)] {
            let every = TimeDelta::hours(hours);
            let mut due = 0;
            for (mark, now) in (0..200_i64).flat_map(|mark| (mark..400).map(move |now| (mark, now)))
            {
                let half_hours = |number| noon + TimeDelta::minutes(30 * number);
                let (mark, now) = (half_hours(mark), half_hours(now));
                if is_due(mark, now, every, at) {
                    due += 1;
                    assert!(
                        now - mark >= young(now, every, at),
                        "{hours} {at:?}: {mark} {now}"
                    );
                }
            }
            assert!(due > 0);
        }
        // One that was made tonight is no other's, where the rest of the run failed and is asked for again.
        let at = |text: &str| -> DateTime<Utc> { text.parse().unwrap() };
        let age = at("2026-03-03T09:00:00Z") - at("2026-03-03T02:31:00Z");
        assert!(age < young(at("2026-03-03T09:00:00Z"), TimeDelta::hours(24), night));
    }

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

//! Pauses of what failed, for as long as the process lives: a restart tries once more.

use super::execute::pause;
use crate::remote::retry::RetryPolicy;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;

/// How long a pause is remembered once it is over: what is not tried again by then is not wanted any more.
const KEPT: TimeDelta = TimeDelta::days(1);

/// What waits for its next try, the longer the more often it has failed.
#[derive(Debug)]
pub(super) struct Waits<K> {
    of: BTreeMap<K, Wait>,
}

#[derive(Debug)]
struct Wait {
    failures: u32,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl<K> Default for Waits<K> {
    fn default() -> Self {
        let of = BTreeMap::new();
        Self { of }
    }
}

impl<K: Ord> Waits<K> {
    /// Whether it is too early for another try. A clock that was set back ends the pause.
    pub(super) fn waits(&self, key: &K, now: DateTime<Utc>) -> bool {
        let wait = self.of.get(key);
        wait.is_some_and(|it| (it.since..it.until).contains(&now))
    }

    /// How often in a row it has failed.
    pub(super) fn failures(&self, key: &K) -> u32 {
        self.of.get(key).map_or(0, |it| it.failures)
    }

    /// It has failed once more.
    pub(super) fn failed(&mut self, key: K, policy: &RetryPolicy, now: DateTime<Utc>) {
        let failures = self.failures(&key).saturating_add(1);
        let wait = Wait {
            failures,
            since: now,
            until: now + pause(policy, failures),
        };
        self.of.insert(key, wait);
    }

    /// It has succeeded.
    pub(super) fn over(&mut self, key: &K) {
        self.of.remove(key);
    }

    /// Forgets what nobody has tried again.
    pub(super) fn tidy(&mut self, now: DateTime<Utc>) {
        self.of.retain(|_, it| now < it.until + KEPT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_fails_again_and_again_is_tried_rarer_and_at_once_after_a_success() {
        let policy = RetryPolicy {
            first: Duration::from_mins(1),
            longest: Duration::from_hours(1),
            jitter: 0.0,
            attempts: u32::MAX,
        };
        let (mut waits, start) = (Waits::default(), DateTime::UNIX_EPOCH);
        let minutes = TimeDelta::minutes;
        waits.failed("it", &policy, start);
        assert!(waits.waits(&"it", start) && !waits.waits(&"other", start));
        assert!(!waits.waits(&"it", start + minutes(1)));
        waits.failed("it", &policy, start + minutes(1));
        assert!(waits.waits(&"it", start + minutes(2)));
        assert!(!waits.waits(&"it", start), "the clock was set back");
        waits.tidy(start + minutes(3));
        assert_eq!(waits.failures(&"it"), 2);
        waits.over(&"it");
        assert!(!waits.waits(&"it", start + minutes(2)));
        waits.failed("it", &policy, start);
        waits.tidy(start + TimeDelta::days(2));
        assert_eq!(waits.failures(&"it"), 0);
    }
}

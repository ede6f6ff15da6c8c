//! A quota that comes back at the account's midnight.

use super::lanes::Lane;
use super::limits::Daily;
use super::moment::Moment;
use std::time::Duration;

const DAY: i64 = 24 * 60 * 60 * 1000;
/// How long a refusal counts that comes on a day without any other answer: the zone may be wrong.
const DOUBTFUL: Duration = Duration::from_hours(1);
/// The part of the quota that the first sync and the reconcile run leave to the others.
const KEPT_FOR_PEOPLE: f64 = 0.02;

/// Our calls of a day, as far as they are to be known after a restart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Today {
    /// What they cost; at least 0.
    pub calls: f64,
    /// The account's midnight.
    pub until: Moment,
}

/// The use of a daily quota.
#[derive(Debug, Clone)]
pub(super) struct Day {
    quota: Option<f64>,
    offset: i64,
    /// The day that everything below is about.
    number: i64,
    left: Option<f64>,
    sent: f64,
    answered: bool,
    /// The server says that it is spent: until when that is believed.
    spent: Option<Moment>,
}

impl Day {
    pub(super) fn new(daily: Daily) -> Self {
        Self {
            quota: daily.calls,
            offset: i64::from(daily.offset_minutes) * 60 * 1000,
            number: i64::MIN,
            left: None,
            sent: 0.0,
            answered: false,
            spent: None,
        }
    }

    pub(super) const fn quota(&self) -> Option<f64> {
        self.quota
    }

    pub(super) fn lies_east(&mut self, minutes: i32) {
        self.offset = i64::from(minutes) * 60 * 1000;
    }

    /// Calls left today; nothing where nothing is known of a quota.
    pub(super) fn left(&mut self, now: Moment) -> Option<f64> {
        self.turn(now);
        self.left.or(self.quota)
    }

    fn local(&self, now: Moment) -> i64 {
        now.as_millis().saturating_add(self.offset)
    }

    fn midnight(&self, now: Moment) -> Moment {
        let to_go = DAY - self.local(now).rem_euclid(DAY);
        now.after(Duration::from_millis(u64::try_from(to_go).unwrap_or(0)))
    }

    /// Another day, before or after, knows nothing of this one.
    fn turn(&mut self, now: Moment) {
        let number = self.local(now).div_euclid(DAY);
        if number != self.number {
            self.number = number;
            self.left = None;
            self.sent = 0.0;
            self.answered = false;
            self.spent = None;
        }
    }

    /// Until when a call of `lane` has to wait, if it has.
    pub(super) fn closed(
        &mut self,
        lane: Lane,
        share: f64,
        reserve: f64,
        now: Moment,
    ) -> Option<Moment> {
        self.turn(now);
        if let Some(until) = self.spent.filter(|until| now < *until) {
            return Some(until.min(self.midnight(now)));
        }
        self.spent = None;
        let quota = self.quota?;
        let low = matches!(lane, Lane::FirstSync | Lane::Reconcile);
        let kept = quota * if low { KEPT_FOR_PEOPLE } else { 0.0 };
        let over = self.sent + kept >= quota * share;
        let out = self.left.is_some_and(|left| left <= quota * reserve + kept);
        (over || out).then(|| self.midnight(now))
    }

    pub(super) fn take(&mut self, cost: u32, now: Moment) {
        self.turn(now);
        self.sent += f64::from(cost);
        self.left = self.left.map(|left| left - f64::from(cost));
    }

    pub(super) fn today(&mut self, now: Moment) -> Today {
        self.turn(now);
        Today {
            calls: self.sent,
            until: self.midnight(now),
        }
    }

    /// Counts what an earlier process has sent. What is said of another day counts for nothing.
    pub(super) fn carry(&mut self, earlier: Today, now: Moment) {
        self.turn(now);
        if earlier.until == self.midnight(now) && earlier.calls > 0.0 {
            self.sent += earlier.calls;
        }
    }

    /// The server's numbers; `in_flight` of our calls may not be in them yet.
    pub(super) fn see(
        &mut self,
        quota: Option<f64>,
        left: Option<f64>,
        in_flight: u32,
        now: Moment,
    ) {
        self.turn(now);
        self.answered = true;
        self.quota = quota.or(self.quota);
        if let Some(left) = left {
            self.left = Some(left - f64::from(in_flight));
        }
    }

    pub(super) fn refused(&mut self, now: Moment) {
        self.turn(now);
        let midnight = self.midnight(now);
        self.spent = Some(if self.answered {
            midnight
        } else {
            midnight.min(now.after(DOUBTFUL))
        });
    }
}

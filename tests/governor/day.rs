//! A second count of a daily quota.

use deskbridge::remote::governor::{Daily, Headers, Lane, Moment, Portion, Reading};
use proptest::prelude::*;

const DAY: i64 = 24 * 60 * 60 * 1000;

/// The account's day.
#[derive(Debug)]
pub(crate) struct Day {
    offset: i64,
    number: i64,
    quota: Option<f64>,
    sent: f64,
    /// What the server said is left, less what went since.
    left: Option<f64>,
}

impl Day {
    pub(crate) fn new(daily: Daily) -> Self {
        Self {
            offset: i64::from(daily.offset_minutes) * 60_000,
            number: i64::MIN,
            quota: daily.calls,
            sent: 0.0,
            left: None,
        }
    }

    fn turn(&mut self, now: Moment) {
        let number = (now.as_millis() + self.offset).div_euclid(DAY);
        if number != self.number {
            self.number = number;
            self.sent = 0.0;
            self.left = None;
        }
    }

    pub(crate) fn see(&mut self, headers: &Headers, now: Moment) {
        self.turn(now);
        if let Reading::Number(quota) = headers.day_limit
            && quota > 0.0
        {
            self.quota = Some(quota);
        }
        if let Reading::Number(left) = headers.day_remaining {
            self.left = Some(left);
        }
    }

    /// One more call may go: there is something left, and what first syncs and reconcile runs leave to people.
    pub(crate) fn check(
        &mut self,
        lane: Lane,
        portion: Portion,
        now: Moment,
    ) -> Result<(), TestCaseError> {
        self.turn(now);
        let Some(quota) = self.quota else {
            return Ok(());
        };
        let low = matches!(lane, Lane::FirstSync | Lane::Reconcile);
        let kept = if low { quota * 0.02 } else { 0.0 };
        let ours = quota * portion.share;
        prop_assert!(self.sent + kept < ours, "{} of {ours} of a day", self.sent);
        let left = self.left.unwrap_or(f64::MAX);
        let theirs = quota * portion.reserve;
        prop_assert!(
            left > theirs + kept,
            "{left} left of a day, {theirs} of it not ours"
        );
        Ok(())
    }

    pub(crate) fn take(&mut self, cost: u32) {
        self.sent += f64::from(cost);
        self.left = self.left.map(|left| left - f64::from(cost));
    }
}

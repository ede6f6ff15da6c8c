//! A second count of a daily quota, and what becomes of it where the clock or the zone is wrong.

use crate::ALL;
use crate::account::Account;
use crate::book::Book;
use deskbridge::remote::governor::{
    Class, Daily, Decision, Governor, Headers, Lane, Limits, Moment, Portion, Reading, Refusal,
    Scope, Today, Warning, Why,
};
use proptest::prelude::*;
use std::time::Duration;

const DAY: i64 = 24 * 60 * 60 * 1000;
const HOUR: i64 = 60 * 60 * 1000;

/// The account's day.
#[derive(Debug)]
pub(crate) struct Day {
    offset: i64,
    number: i64,
    quota: Option<f64>,
    sent: f64,
    /// What the server said is left, less what went since.
    left: Option<f64>,
    /// Until when that is believed: for an hour, where it was said near the day's begin.
    believed: i64,
}

impl Day {
    pub(crate) fn new(daily: Daily) -> Self {
        Self {
            offset: i64::from(daily.offset_minutes.unwrap()) * 60_000,
            number: i64::MIN,
            quota: daily.calls,
            sent: 0.0,
            left: None,
            believed: i64::MIN,
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
            let of_day = (now.as_millis() + self.offset).rem_euclid(DAY);
            let young = of_day < HOUR;
            self.believed = now.as_millis() + if young { HOUR } else { DAY };
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
        let believed = now.as_millis() < self.believed;
        let left = self.left.filter(|_| believed).unwrap_or(f64::MAX);
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

const QUOTA: u32 = 100;
/// A noon of UTC.
const NOON: i64 = 1_700_006_400_000 - 1_700_006_400_000 % DAY + DAY / 2;

fn answer() -> Headers {
    Headers {
        day_limit: Reading::Number(f64::from(QUOTA)),
        ..Headers::default()
    }
}

/// At noon, of an account so many minutes east.
fn account(minutes: i32) -> Book {
    let mut book = Book::new(Account::Hubspot(190.0, minutes), ALL);
    book.now = Moment::from_millis(NOON);
    book
}

fn pass(book: &mut Book, millis: i64) {
    book.now = Moment::from_millis(book.now.as_millis() + millis);
}

/// The machine's clock is so much ahead of the time that passed.
fn clock_is_ahead(book: &mut Book, by: i64) {
    let shown = Moment::from_millis(book.now.as_millis() + by);
    book.governor.clock_shows(shown, book.now);
}

/// Calls that go until the day is spent, and how long it stays so.
fn spend(book: &mut Book) -> (u32, Duration) {
    let mut sent = 0;
    let mut turn = book.governor.turn(Lane::Vip, Class::OTHER, 1);
    loop {
        match book.governor.ask(turn, book.now) {
            Decision::Go(permit) => {
                sent += 1;
                book.governor.answered(permit, &answer(), book.now);
                turn = book.governor.turn(Lane::Vip, Class::OTHER, 1);
            }
            Decision::Wait(again, until) => {
                turn = again;
                book.now = until;
            }
            Decision::Closed { turn, until, why } => {
                assert_eq!(why, Why::DaySpent);
                book.governor.leave(turn);
                return (sent, until.since(book.now));
            }
        }
    }
}

/// One call is refused for the day's quota; how long nothing goes then.
fn refused(book: &mut Book) -> Duration {
    book.go_and(Class::OTHER, |governor, permit, now| {
        let refusal = Refusal {
            scope: Some(Scope::Day),
            ..Refusal::default()
        };
        governor.refused(permit, refusal, now);
    });
    let (sent, wait) = spend(book);
    assert!(sent == 0, "{sent} calls after a refusal");
    wait
}

#[test]
fn a_machine_that_slept_over_the_accounts_midnight_has_the_new_days_calls() {
    let mut book = account(60);
    assert_eq!(spend(&mut book).0, QUOTA);
    // It slept until nine in the morning; no time passed by what counts it.
    clock_is_ahead(&mut book, 21 * HOUR);
    let (sent, wait) = spend(&mut book);
    assert_eq!(sent, QUOTA);
    assert!(wait <= Duration::from_hours(14), "{wait:?}");
    clock_is_ahead(&mut book, 45 * HOUR);
    assert_eq!(spend(&mut book).0, QUOTA);
    assert_eq!(book.governor.warnings(), [Warning::ClockJumped], "once");
}

#[test]
fn a_machine_that_slept_for_an_hour_has_no_second_quota() {
    let mut book = account(60);
    spend(&mut book);
    clock_is_ahead(&mut book, HOUR);
    let (sent, wait) = spend(&mut book);
    assert_eq!(sent, 0);
    // Eleven hours to midnight, less one that it slept.
    assert!(wait <= Duration::from_hours(10), "{wait:?}");
}

#[test]
fn a_clock_that_is_set_back_over_midnight_gives_no_quota_back_and_stops_nobody_for_longer_than_a_day()
 {
    let mut book = account(60);
    spend(&mut book);
    clock_is_ahead(&mut book, -20 * HOUR);
    let (sent, wait) = spend(&mut book);
    assert_eq!(sent, 0, "the same day");
    assert!(wait <= Duration::from_hours(24), "{wait:?}");
    clock_is_ahead(&mut book, 0);
    assert_eq!(spend(&mut book).0, 0, "it is right again");
    pass(&mut book, 12 * HOUR);
    assert_eq!(spend(&mut book).0, QUOTA, "tomorrow");
    let warnings = book.governor.warnings();
    assert_eq!(warnings, [Warning::ClockWentBack, Warning::ClockJumped]);
}

#[test]
fn a_clock_that_was_a_month_ahead_does_not_stop_us_for_a_month() {
    let mut book = account(60);
    spend(&mut book);
    clock_is_ahead(&mut book, 30 * DAY);
    spend(&mut book);
    clock_is_ahead(&mut book, 0);
    let (sent, wait) = spend(&mut book);
    assert_eq!(sent, 0, "not a third time");
    assert!(wait <= Duration::from_hours(11), "{wait:?}");
    pass(&mut book, 12 * HOUR);
    assert_eq!(spend(&mut book).0, QUOTA, "tomorrow");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_clock_that_is_wrong_and_set_right_again_and_again_gives_a_days_quota_twice_at_the_most(
        off in -400..400_i64,
        times in 1..8_usize,
        minutes in -720..840_i32,
    ) {
        let mut book = account(minutes);
        let (mut all, _) = spend(&mut book);
        for _ in 0..times {
            for by in [off, 0] {
                clock_is_ahead(&mut book, by * HOUR);
                let (sent, wait) = spend(&mut book);
                all += sent;
                prop_assert!(wait <= Duration::from_hours(24), "{wait:?}");
            }
        }
        prop_assert!(all <= 2 * QUOTA, "{all} calls of a day");
        pass(&mut book, DAY);
        prop_assert_eq!(spend(&mut book).0, QUOTA);
    }
}

#[test]
fn where_the_zone_is_not_known_a_spent_day_is_asked_about_each_hour() {
    let mut book = account(0);
    let daily = Daily {
        calls: None,
        offset_minutes: None,
    };
    let limits = Limits {
        daily: Some(daily),
        ..Limits::of(190.0, Duration::from_secs(10))
    };
    book.governor = Governor::new(&limits, ALL);
    book.go_and(Class::OTHER, |governor, permit, now| {
        governor.answered(permit, &answer(), now);
    });
    assert!(refused(&mut book) <= Duration::from_hours(1));
}

/// In summer the account is two hours east. We think that it still is.
#[test]
fn when_clocks_go_back_the_hour_before_the_accounts_midnight_costs_no_day() {
    for zone_is_read in [true, false] {
        let mut book = account(120);
        assert_eq!(spend(&mut book).0, QUOTA);
        pass(&mut book, 10 * HOUR + HOUR / 6);
        if zone_is_read {
            book.governor.lies_east(60);
            let (sent, wait) = spend(&mut book);
            assert_eq!(sent, 0, "the day is not over");
            assert!(wait <= Duration::from_mins(50), "{wait:?}");
        } else {
            for _ in 0..3 {
                book.go_and(Class::OTHER, |governor, permit, now| {
                    governor.answered(permit, &answer(), now);
                });
            }
            let wait = refused(&mut book);
            assert!(wait <= Duration::from_hours(1), "{wait:?}");
        }
        pass(&mut book, HOUR);
        assert!(spend(&mut book).0 >= QUOTA - 4, "a new day");
    }
}

#[test]
fn a_zone_that_is_read_too_late_takes_back_the_day_that_began_too_early() {
    let mut book = account(120);
    spend(&mut book);
    pass(&mut book, 10 * HOUR + HOUR / 6);
    book.go_and(Class::OTHER, |governor, permit, now| {
        governor.answered(permit, &answer(), now);
    });
    book.governor.lies_east(60);
    assert_eq!(spend(&mut book).0, 0);
    pass(&mut book, HOUR);
    assert_eq!(spend(&mut book).0, QUOTA);
}

#[test]
fn what_the_server_says_is_left_an_hour_before_its_midnight_is_not_taken_for_the_new_day() {
    let mut book = account(120);
    pass(&mut book, 10 * HOUR + HOUR / 6);
    book.go_and(Class::OTHER, |governor, permit, now| {
        let nothing = Headers {
            day_remaining: Reading::Number(0.0),
            ..answer()
        };
        governor.answered(permit, &nothing, now);
    });
    let (sent, wait) = spend(&mut book);
    assert_eq!(sent, 0);
    assert!(wait <= Duration::from_hours(1), "{wait:?}");
    pass(&mut book, HOUR);
    assert!(spend(&mut book).0 > 0);
}

#[test]
fn a_restart_after_the_zones_clocks_were_set_still_counts_the_days_calls() {
    let mut book = account(60);
    let earlier = Today {
        calls: 60.0,
        // Midnight two hours east.
        until: Moment::from_millis(NOON + 10 * HOUR),
    };
    book.governor.carry(earlier, book.now);
    assert_eq!(spend(&mut book).0, QUOTA - 60);
    let mut other = account(60);
    let yesterday = Today {
        until: Moment::from_millis(NOON - 14 * HOUR),
        ..earlier
    };
    other.governor.carry(yesterday, other.now);
    assert_eq!(spend(&mut other).0, QUOTA);
}

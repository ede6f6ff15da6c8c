//! A quota that comes back at the account's midnight.
//!
//! It goes by the time of day, which may be set, and by a zone that may not be known: what one of both makes
//! of a midnight is doubted, and what a server says of a day near one is believed for an hour only.

use super::lanes::Lane;
use super::limits::Daily;
use super::moment::Moment;
use std::cmp::Ordering;
use std::time::Duration;

const DAY: i64 = 24 * 60 * 60 * 1000;
/// How long the server's word on a day counts where it may be about another day than ours, and how far a
/// midnight may be off: clocks of zones are set by an hour.
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

/// What happened on one day.
#[derive(Debug, Clone, Copy)]
struct Book {
    number: i64,
    sent: f64,
    /// What the server said was left, less what was sent since; and when it said so.
    left: Option<(f64, Moment)>,
    /// The server took a call.
    answered: bool,
    /// The clock was set on this day.
    set: bool,
    /// The server says that it is spent: until when that is believed.
    spent: Option<Moment>,
}

impl Book {
    const fn of(number: i64) -> Self {
        Self {
            number,
            sent: 0.0,
            left: None,
            answered: false,
            set: false,
            spent: None,
        }
    }

    /// Of one day that was taken for two, by a clock that was wrong.
    fn with(self, later: Self) -> Self {
        Self {
            number: self.number,
            sent: self.sent + later.sent,
            left: later.left.or(self.left),
            answered: self.answered || later.answered,
            set: true,
            spent: later.spent.or(self.spent),
        }
    }
}

/// The use of a daily quota.
#[derive(Debug, Clone)]
pub(super) struct Day {
    quota: Option<f64>,
    /// Nothing until the account's zone is known.
    offset: Option<i64>,
    book: Book,
    /// The day before.
    former: Option<Book>,
    /// The clock was set back from this day.
    returned: Option<i64>,
}

impl Day {
    pub(super) fn new(daily: Daily) -> Self {
        Self {
            quota: daily.calls,
            offset: daily.offset_minutes.map(millis),
            book: Book::of(i64::MIN),
            former: None,
            returned: None,
        }
    }

    pub(super) const fn quota(&self) -> Option<f64> {
        self.quota
    }

    pub(super) fn lies_east(&mut self, minutes: i32) {
        self.offset = Some(millis(minutes));
    }

    /// Calls left today; nothing where nothing is known of a quota.
    pub(super) fn left(&mut self, now: Moment) -> Option<f64> {
        self.turn(now);
        self.book.left.map(|(left, _)| left).or(self.quota)
    }

    fn local(&self, now: Moment) -> i64 {
        now.as_millis().saturating_add(self.offset.unwrap_or(0))
    }

    fn midnight(&self, now: Moment) -> Moment {
        let to_go = DAY - self.local(now).rem_euclid(DAY);
        now.after(Duration::from_millis(u64::try_from(to_go).unwrap_or(0)))
    }

    /// Time passed.
    fn turn(&mut self, now: Moment) {
        let number = self.local(now).div_euclid(DAY);
        match number.cmp(&self.book.number) {
            Ordering::Equal => {}
            Ordering::Less => self.turn_back(number),
            Ordering::Greater => {
                self.former = Some(std::mem::replace(&mut self.book, Book::of(number)));
                self.returned = None;
            }
        }
    }

    /// No day gives back what was spent by beginning twice.
    fn turn_back(&mut self, number: i64) {
        self.returned = self.returned.max(Some(self.book.number));
        let former = self.former.take().filter(|it| it.number == number);
        self.book = match former {
            Some(former) => former.with(self.book),
            None => Book {
                number,
                set: true,
                ..self.book
            },
        };
    }

    /// The clock showed `before`, and now shows `after`: it was set, or the machine was asleep.
    pub(super) fn jump(&mut self, before: Moment, after: Moment) {
        self.turn(before);
        let number = self.local(after).div_euclid(DAY);
        if number > self.book.number && self.returned.is_some_and(|last| number <= last) {
            // It is set right again, after it was set back.
            self.book.number = number;
        }
        self.turn(after);
        self.book.set = true;
    }

    /// Until when that counts which the server says `now` of this day.
    fn believed(&self, now: Moment) -> Moment {
        let midnight = self.midnight(now);
        let young =
            self.local(now).rem_euclid(DAY) < i64::try_from(DOUBTFUL.as_millis()).unwrap_or(0);
        if young || self.book.set || self.offset.is_none() {
            midnight.min(now.after(DOUBTFUL))
        } else {
            midnight
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
        let midnight = self.midnight(now);
        if let Some(until) = self.book.spent.filter(|until| now < *until) {
            return Some(until.min(midnight));
        }
        self.book.spent = None;
        let quota = self.quota?;
        let low = matches!(lane, Lane::FirstSync | Lane::Reconcile);
        let kept = quota * if low { KEPT_FOR_PEOPLE } else { 0.0 };
        if self.book.sent + kept >= quota * share {
            return Some(midnight);
        }
        let (left, said) = self.book.left?;
        if left > quota * reserve + kept {
            return None;
        }
        let until = self.believed(said);
        if now < until {
            return Some(until.min(midnight));
        }
        self.book.left = None;
        None
    }

    pub(super) fn take(&mut self, cost: u32, now: Moment) {
        self.turn(now);
        let cost = f64::from(cost);
        self.book.sent += cost;
        self.book.left = self.book.left.map(|(left, said)| (left - cost, said));
    }

    pub(super) fn today(&mut self, now: Moment) -> Today {
        self.turn(now);
        Today {
            calls: self.book.sent,
            until: self.midnight(now),
        }
    }

    /// Counts what an earlier process has sent. What is said of another day counts for nothing; the midnight
    /// of the same one may have moved with the zone's clocks.
    pub(super) fn carry(&mut self, earlier: Today, now: Moment) {
        self.turn(now);
        let (one, other) = (earlier.until, self.midnight(now));
        let apart = one.since(other).max(other.since(one));
        if apart < Duration::from_hours(12) && earlier.calls > 0.0 {
            self.book.sent += earlier.calls;
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
        self.book.answered = true;
        self.quota = quota.or(self.quota);
        if let Some(left) = left {
            self.book.left = Some((left - f64::from(in_flight), now));
        }
    }

    pub(super) fn refused(&mut self, now: Moment) {
        self.turn(now);
        let until = self.believed(now);
        self.book.spent = Some(if self.book.answered {
            until
        } else {
            // The zone may be wrong.
            until.min(now.after(DOUBTFUL))
        });
    }
}

fn millis(minutes: i32) -> i64 {
    i64::from(minutes) * 60 * 1000
}

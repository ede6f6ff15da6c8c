//! The one that says when a call to a system may go out: pure, time comes in and a decision goes out.
//!
//! It holds one account's limits and keeps within them by its own count in every window, wherever the
//! server's windows begin and whether they slide. It follows what the headers say, leaves alone what is
//! not ours, and shares what is ours between [lanes](Lane).
//!
//! A call is a [`Turn`] until it may go, and a [`Permit`] until its outcome is known:
//! [`Governor::turn`], [`Governor::ask`] until it says [`Decision::Go`], then one of
//! [`Governor::answered`], [`Governor::refused`] and [`Governor::failed`].

mod day;
mod headers;
mod lanes;
mod limits;
mod meter;
mod moment;
mod others;
mod queue;
mod report;
mod resets;
mod settle;

pub use day::Today;
pub use headers::{Headers, Reading, Refusal, Scope};
pub use lanes::Lane;
pub use limits::{ByTotal, Class, Daily, Limits, Rate};
pub use moment::Moment;
pub use report::{Snapshot, Warning};

use day::Day;
use lanes::Claims;
use meter::{LONGEST_WAIT, Meter, Outcome, Settled};
use moment::Passed;
use others::Others;
use resets::Resets;
use std::collections::BTreeMap;
use std::time::Duration;

/// No call takes longer than this: a permit that nobody gave back counts as failed then.
const LONGEST_CALL: Duration = Duration::from_mins(2);
/// The part of a limit that we use whatever others take: only an answer says when they stop.
const LEAST: f64 = 0.02;
/// What the machine's clock has to be off by, in milliseconds, until days follow it: two clocks cannot be read at once.
const LEAST_JUMP: i64 = 10_000;
/// The shortest wait; a shorter one would be a busy loop.
const SHORTEST_WAIT: Duration = Duration::from_millis(5);

/// What is ours of an account.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Portion {
    /// Our part of every limit, above 0 and at most 1.
    pub share: f64,
    /// The part of the account's limit that stays free for bursts of others, from 0 and below 1.
    /// VIPs may use most of it.
    pub reserve: f64,
    /// The most calls in a window that the configuration allows.
    pub ceiling: Option<f64>,
}

impl Portion {
    /// With values out of range taken into it.
    fn sane(self) -> Self {
        let sane = |part: f64, least: f64, most: f64| {
            if part.is_nan() {
                most
            } else {
                part.clamp(least, most)
            }
        };
        Self {
            share: sane(self.share, 0.01, 1.0),
            reserve: sane(self.reserve, 0.0, 0.99),
            ceiling: self.ceiling.filter(|it| *it > 0.0),
        }
    }
}

/// A call that has not gone out yet.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a turn is asked with until it goes, or left"]
pub struct Turn {
    id: u64,
    lane: Lane,
    class: Class,
    cost: u32,
}

/// One call may go out, now.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a permit counts as in flight until its outcome is told"]
pub struct Permit {
    id: u64,
}

/// Whether a call may go out.
#[derive(Debug)]
#[must_use]
pub enum Decision {
    /// Send it.
    Go(Permit),
    /// Ask again at that time, at most some seconds from now.
    Wait(Turn, Moment),
    /// The server wants no such call before that time.
    Closed {
        /// To ask with again.
        turn: Turn,
        /// At most 24 hours from now.
        until: Moment,
        /// What closed it.
        why: Why,
    },
}

/// Why no call goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The account's limit was reached.
    Refused,
    /// The limit of this class of calls was reached.
    ClassRefused(Class),
    /// The day's quota is spent.
    DaySpent,
}

#[derive(Debug, Clone, Copy)]
struct Flight {
    class: Class,
    cost: u32,
    sent: Duration,
}

/// The budget of one account at one system.
#[derive(Debug, Clone)]
pub struct Governor {
    portion: Portion,
    classes_by_total: Option<ByTotal>,
    passed: Passed,
    next: u64,
    /// The first is the account's, the others are those of classes.
    total: Meter,
    classes: Vec<Meter>,
    day: Option<Day>,
    /// The time of day, less the time that comes in: milliseconds.
    ahead: i64,
    others: Others,
    resets: Resets,
    claims: Claims,
    flights: BTreeMap<u64, Flight>,
    /// What a call of a class was last said to cost.
    costs: BTreeMap<Class, u32>,
    /// Whether an answer has named the account's limit.
    limit_is_said: bool,
    ours_ever: f64,
    last_seen: Option<(Duration, f64)>,
    /// When the call was sent whose answer showed the most of others.
    seen_of: Option<Duration>,
    refusals_in_a_row: u32,
    report: report::Report,
}

impl Governor {
    /// Nothing sent, nothing known but `limits`. Values of `portion` out of range are taken into it.
    #[must_use]
    pub fn new(limits: &Limits, portion: Portion) -> Self {
        let classes = limits.classes.iter();
        Self {
            portion: portion.sane(),
            classes_by_total: limits.classes_by_total,
            passed: Passed::default(),
            next: 0,
            total: Meter::new(None, limits.calls, limits.per),
            classes: classes
                .map(|(class, rate)| Meter::new(Some(*class), Some(rate.calls), rate.per))
                .collect(),
            day: limits.daily.map(Day::new),
            ahead: 0,
            others: Others::default(),
            resets: Resets::default(),
            claims: Claims::default(),
            flights: BTreeMap::new(),
            costs: BTreeMap::new(),
            limit_is_said: false,
            ours_ever: 0.0,
            last_seen: None,
            seen_of: None,
            refusals_in_a_row: 0,
            report: report::Report::default(),
        }
    }

    /// From now on with other limits, where no answer has named them, and with another part of them.
    /// What was sent, and what was learned from it, stays.
    pub fn change(&mut self, limits: &Limits, portion: Portion) {
        self.portion = portion.sane();
        if !self.limit_is_said {
            self.total.limit = limits.calls;
        }
    }

    /// The account's calls in a day, where they are known.
    #[must_use]
    pub fn quota_a_day(&self) -> Option<f64> {
        self.day.as_ref().and_then(Day::quota)
    }

    /// Our calls of this day; nothing where there is no daily quota.
    pub fn today(&mut self, now: Moment) -> Option<Today> {
        let time = self.time_of_day(now);
        self.day.as_mut().map(|day| day.today(time))
    }

    /// Counts the calls that an earlier process has sent on this day.
    pub fn carry(&mut self, earlier: Today, now: Moment) {
        let time = self.time_of_day(now);
        if let Some(day) = &mut self.day {
            day.carry(earlier, time);
        }
    }

    /// At `now` the machine's clock shows `shown`. It differs from a time that never jumps where the clock was
    /// set or the machine was asleep; days go by the former.
    pub fn clock_shows(&mut self, shown: Moment, now: Moment) {
        let ahead = shown.as_millis().saturating_sub(now.as_millis());
        let jump = ahead.saturating_sub(self.ahead);
        if jump.saturating_abs() < LEAST_JUMP {
            return;
        }
        let before = self.time_of_day(now);
        self.ahead = ahead;
        if let Some(day) = &mut self.day {
            day.jump(before, shown);
            self.report.warn(if jump < 0 {
                Warning::ClockWentBack
            } else {
                Warning::ClockJumped
            });
        }
    }

    fn time_of_day(&self, now: Moment) -> Moment {
        Moment::from_millis(now.as_millis().saturating_add(self.ahead))
    }

    /// The account's midnight is this many minutes earlier than that of UTC.
    pub fn lies_east(&mut self, minutes: i32) {
        if let Some(day) = &mut self.day {
            day.lies_east(minutes);
        }
    }

    /// A place in the queue for a call that is expected to cost `cost`.
    pub fn turn(&mut self, lane: Lane, class: Class, cost: u32) -> Turn {
        self.next += 1;
        Turn {
            id: self.next,
            lane,
            class,
            cost: cost.max(1),
        }
    }

    /// Gives up a place in the queue. One that is dropped instead is kept for some seconds.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "nobody is to ask with it again"
    )]
    pub fn leave(&mut self, turn: Turn) {
        self.claims.remove(turn.id);
    }

    /// Whether the call may go out now.
    pub fn ask(&mut self, mut turn: Turn, now: Moment) -> Decision {
        let at = self.advance(now);
        self.meter_of(turn.class);
        turn.cost = turn
            .cost
            .max(self.costs.get(&turn.class).copied().unwrap_or(1));
        if let Some((until, why)) = self.closed(&turn, at, now) {
            self.claims.remove(turn.id);
            return Decision::Closed { turn, until, why };
        }
        let wait = self.wait(&turn, at);
        if wait.is_zero() {
            return Decision::Go(self.grant(&turn, at, now));
        }
        let wait = wait.clamp(SHORTEST_WAIT, LONGEST_WAIT);
        let until = now.after(wait);
        self.claims
            .put(turn.id, turn.lane, turn.class, turn.cost, at + wait);
        Decision::Wait(turn, until)
    }

    fn grant(&mut self, turn: &Turn, at: Duration, now: Moment) -> Permit {
        for meter in self.meters(turn.class) {
            meter.take(turn.cost);
        }
        let time = self.time_of_day(now);
        if let Some(day) = &mut self.day {
            day.take(turn.cost, time);
        }
        self.ours_ever += f64::from(turn.cost);
        self.claims.granted(turn.id, turn.lane, turn.cost);
        let flight = Flight {
            class: turn.class,
            cost: turn.cost,
            sent: at,
        };
        self.flights.insert(turn.id, flight);
        Permit { id: turn.id }
    }

    /// Everything that time alone changes.
    fn advance(&mut self, now: Moment) -> Duration {
        let (at, went_back) = self.passed.read(now);
        if went_back {
            self.report.warn(Warning::ClockWentBack);
        }
        let lost = |it: &Flight| at >= it.sent + LONGEST_CALL;
        let lost: Vec<u64> = self
            .flights
            .iter()
            .filter(|(_, it)| lost(it))
            .map(|(id, _)| *id)
            .collect();
        for id in lost {
            self.settle(id, None, Outcome::Lost, at);
        }
        self.claims.expire(at);
        let allowed = self.allowed(Lane::People, at);
        let pace = match self.left(Lane::People, at) {
            Some(left) => Some(left.pace()),
            None => self.sliding_pace(allowed, at),
        };
        self.total.advance(allowed, pace, at);
        let portion = self.portion;
        for meter in &mut self.classes {
            meter.advance(of_class(portion, meter), None, at);
        }
        at
    }

    /// The pace where others take a noticeable part of a window that slides.
    fn sliding_pace(&self, allowed: Option<f64>, at: Duration) -> Option<f64> {
        let allowed = self.total.capped(allowed)?;
        let window = self.total.window();
        let theirs = self.others.expected(window, at);
        let shared = theirs > (self.total.limit? * LEAST).max(2.0);
        let slides = !self.others.resets(window, at);
        self.total.catching_up(allowed).filter(|_| shared && slides)
    }

    /// Our calls in a window of the account; nothing where no limit is known.
    fn allowed(&self, lane: Lane, at: Duration) -> Option<f64> {
        let ceiling = self.portion.ceiling;
        let Some(limit) = self.total.limit else {
            return ceiling;
        };
        if self.left(lane, at).is_some() {
            // What others take is looked at window by window.
            let reserve = limit * self.portion.reserve * part_of_reserve(lane);
            let ours = (limit * self.portion.share).min(limit - reserve);
            return Some(ours.min(ceiling.unwrap_or(ours)).max(1.0));
        }
        let window = self.total.window();
        let theirs = self.others.expected(window, at);
        let spread = self.others.spread(theirs, window, at);
        let reserve = (limit * self.portion.reserve).max(spread);
        let reserve = reserve * part_of_reserve(lane);
        let left = (limit - reserve - theirs).max(limit * LEAST);
        let ours = left.min(limit * self.portion.share);
        Some(ours.min(ceiling.unwrap_or(ours)).max(1.0))
    }

    /// What is left for us of a window that is reset as a whole; nothing where none is known, or nobody
    /// takes part of it: then an even pace is better for single calls.
    fn left(&self, lane: Lane, at: Duration) -> Option<Left> {
        let limit = self.total.limit?;
        if !self.resets.are_shared((limit * LEAST).max(2.0)) {
            return None;
        }
        let length = self.total.length();
        let span = self.resets.span(length, at)?;
        let ours = self.total.ours_later(span.earliest);
        let (seen, used) = match self.resets.shown(span, length) {
            Some((sent, used)) => (sent, used + self.total.ours_later(sent)),
            None => (span.earliest, ours),
        };
        // One call of a VIP's does not wait for what others may want later.
        let until = if lane == Lane::Vip { at } else { span.until };
        let theirs = self.resets.demand(span, seen..until, length);
        let reserve = (limit * self.portion.reserve).max(theirs.spread) * part_of_reserve(lane);
        let least = (limit * LEAST).max(1.0) - ours;
        let left = (limit - used - theirs.expected - reserve).max(least);
        Some(Left {
            calls: left.min(limit * self.portion.share - ours).max(0.0),
            ours,
            rest: span.until.saturating_sub(at),
        })
    }

    fn meters(&mut self, class: Class) -> impl Iterator<Item = &mut Meter> {
        let classes = self.classes.iter_mut();
        std::iter::once(&mut self.total).chain(classes.filter(move |it| it.covers(class)))
    }

    /// A class without a limit of its own has a meter as well: refusals may teach it one.
    fn meter_of(&mut self, class: Class) {
        if !self.classes.iter().any(|meter| meter.covers(class)) {
            let length = self.total.length();
            self.classes.push(Meter::new(Some(class), None, length));
        }
    }
}

/// What is left for us of a window that is reset as a whole.
#[derive(Debug, Clone, Copy)]
struct Left {
    /// Calls until its end.
    calls: f64,
    /// Calls of ours that may be in it already.
    ours: f64,
    /// How long it surely lasts.
    rest: Duration,
}

impl Left {
    /// Calls a second that use it up evenly.
    fn pace(self) -> f64 {
        self.calls / self.rest.as_secs_f64().max(SHORTEST_WAIT.as_secs_f64())
    }
}

/// The part of the reserve that a lane leaves to others.
fn part_of_reserve(lane: Lane) -> f64 {
    if lane == Lane::Vip { 0.25 } else { 1.0 }
}

/// Our calls in a window of a class.
fn of_class(portion: Portion, meter: &Meter) -> Option<f64> {
    let part = portion.share.min(1.0 - portion.reserve);
    meter.limit.map(|limit| (limit * part).max(1.0))
}

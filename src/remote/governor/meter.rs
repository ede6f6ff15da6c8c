//! One limit: what was sent in its window, and when there is room for more.

use super::limits::Class;
use std::collections::VecDeque;
use std::time::Duration;

/// The longest that a call waits before it asks again; what it waits for may come sooner.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// Rounding of times to milliseconds, on either side.
const GRAIN: Duration = Duration::from_millis(2);
/// The fastest that a clock is slewed is 500 millionths; the server's window may be longer by that.
const SLEW: u32 = 2000;
/// The part that a limit widens by after each window without a refusal.
const WIDEN: f64 = 0.05;

/// The same, where nothing shows the limit.
const WIDEN_BLINDLY: f64 = 0.25;
/// The most of a window that is caught up with at once, and within which part of it. More would leave single
/// calls nothing when others take more all of a sudden.
const CATCH_UP: f64 = 0.02;
const CATCH_UP_WITHIN: u32 = 6;
/// The part of the latest answer in how long one takes on average.
const LATEST: f64 = 0.05;
/// How far back the pace of a system goes whose limit nothing shows.
const LATELY: Duration = Duration::from_secs(10);

/// A call of which the outcome is known.
#[derive(Debug, Clone, Copy)]
struct Entry {
    sent: Duration,
    settled: Duration,
    cost: u32,
    /// What all entries before it cost.
    before: u64,
    /// Whether the server counted it for sure.
    certain: bool,
}

/// Calls in a window of fixed length, wherever it begins.
///
/// A call counts from when it may be sent until a window's length after its answer: the server
/// counted it at a time in between that only the server knows.
#[derive(Debug, Clone)]
pub(super) struct Meter {
    /// Nothing for the whole account.
    pub(super) class: Option<Class>,
    /// Calls in a window that the server allows to all.
    pub(super) limit: Option<f64>,
    length: Duration,
    /// Our own, lower limit after refusals.
    pub(super) narrowed: Option<f64>,
    narrowed_at: Duration,
    widened_at: Duration,
    pub(super) closed_until: Option<Duration>,
    log: VecDeque<Entry>,
    /// How many of the log's entries have left the window.
    gone: usize,
    settled: u32,
    /// Cost of all entries that there ever were.
    ever: u64,
    in_flight: u32,
    /// Calls that an even pace would have us send by now; negative after a burst.
    credit: f64,
    paced_at: Duration,
    /// That pace, in calls a second, where it is not that of a whole window.
    other_pace: Option<f64>,
    /// How long an answer takes, with a margin, in seconds.
    latency: f64,
    /// The same on average.
    mean_latency: f64,
}

/// What a call may do in a meter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Our calls in a window; nothing for no limit.
    pub(super) allowed: Option<f64>,
    /// Cost of the calls that go first.
    pub(super) ahead: u32,
    /// Cost of the call.
    pub(super) cost: u32,
    /// How far the call may run ahead of an even pace, as a part of what the window has left, so
    /// that it is not used up long before it ends; nothing for any distance.
    pub(super) overdraft: Option<f64>,
}

impl Meter {
    pub(super) fn new(class: Option<Class>, limit: Option<f64>, length: Duration) -> Self {
        Self {
            class,
            limit,
            length,
            narrowed: None,
            narrowed_at: Duration::ZERO,
            widened_at: Duration::ZERO,
            closed_until: None,
            log: VecDeque::new(),
            gone: 0,
            settled: 0,
            ever: 0,
            in_flight: 0,
            credit: 1.0,
            paced_at: Duration::ZERO,
            other_pace: None,
            latency: 0.0,
            mean_latency: 0.0,
        }
    }

    pub(super) fn covers(&self, class: Class) -> bool {
        self.class.is_none_or(|own| own == class)
    }

    /// How long a call counts after its answer.
    pub(super) fn window(&self) -> Duration {
        self.length + self.length / SLEW + GRAIN
    }

    pub(super) const fn length(&self) -> Duration {
        self.length
    }

    /// Cost of the calls that may count now.
    pub(super) fn used(&self) -> u32 {
        self.settled + self.in_flight
    }

    /// `limit` after refusals.
    pub(super) fn capped(&self, allowed: Option<f64>) -> Option<f64> {
        match (allowed, self.narrowed) {
            (Some(allowed), Some(narrowed)) => Some(allowed.min(narrowed)),
            (one, other) => one.or(other),
        }
    }

    /// Brings everything that time changes up to `now`. `allowed` as in [`Room`]; `pace` in calls a second
    /// where it is not that of a whole window.
    pub(super) fn advance(&mut self, allowed: Option<f64>, pace: Option<f64>, now: Duration) {
        let window = self.window();
        while let Some(entry) = self
            .log
            .get(self.gone)
            .filter(|it| it.settled + window <= now)
        {
            self.settled -= entry.cost;
            self.gone += 1;
        }
        // What left the window is of use for a while to those who read `Remaining`.
        while self.gone > 0
            && self
                .log
                .front()
                .is_some_and(|it| it.settled + window * 2 <= now)
        {
            self.log.pop_front();
            self.gone -= 1;
        }
        self.closed_until = self.closed_until.filter(|until| now < *until);
        self.widen(allowed, now);
        let passed = now.saturating_sub(self.paced_at).as_secs_f64();
        self.paced_at = now;
        // What has left the window is owed no more: after a limit has fallen it would be paid back for hours.
        self.credit = self.credit.max(self.lowest_credit());
        if let Some(allowed) = self.capped(allowed) {
            self.other_pace = pace;
            let pace = pace.unwrap_or_else(|| self.pace(allowed));
            self.credit = (self.credit + passed * pace).min(at_once(allowed));
        }
    }

    /// The pace where others take part of a window that slides: what they take goes up and down, and an even
    /// pace would never catch up with what they leave.
    /// Nothing for a small window: there, what is caught up with is missing when others take the next call.
    pub(super) fn catching_up(&self, allowed: f64) -> Option<f64> {
        let most = Some(allowed * CATCH_UP).filter(|most| *most >= 1.0)?;
        let behind = (allowed - f64::from(self.used())).clamp(0.0, most);
        let within = (self.length / CATCH_UP_WITHIN).as_secs_f64();
        let pace = allowed / (self.window().as_secs_f64() + self.latency);
        Some(pace + behind / within)
    }

    /// Calls a second that fill the window evenly, and just do not overfill it: a call is in it until a
    /// window's length after its answer.
    pub(super) fn pace(&self, allowed: f64) -> f64 {
        allowed / (self.window().as_secs_f64() + self.mean_latency)
    }

    fn widen(&mut self, allowed: Option<f64>, now: Duration) {
        let Some(narrowed) = self.narrowed else {
            return;
        };
        if now < self.widened_at + self.length || self.closed_until.is_some() {
            return;
        }
        self.widened_at = now;
        let step = allowed.map_or(narrowed * WIDEN_BLINDLY, |allowed| allowed * WIDEN);
        let wider = narrowed + step.max(1.0);
        // Without a limit to return to, a million calls are none.
        let full = allowed.unwrap_or(1_000_000.0);
        self.narrowed = (wider < full).then_some(wider);
    }

    /// A call that was sent at `sent` was refused: fewer from now on, by `factor`. Calls that were on
    /// their way already when the last such lesson was learned teach nothing new.
    pub(super) fn narrow(
        &mut self,
        factor: f64,
        allowed: Option<f64>,
        sent: Duration,
        now: Duration,
    ) {
        self.widened_at = now;
        if self.narrowed.is_some() && sent <= self.narrowed_at {
            return;
        }
        self.narrowed_at = now;
        let used = f64::from(self.used().max(1));
        // What was used is the best guess at a limit, but a window that others filled says little.
        let before = if let Some(known) = self.capped(allowed) {
            used.clamp(known / 2.0, known)
        } else {
            let lately = self.lately(now);
            // Nothing was counted against a limit until now: what was sent is no debt, or nothing would go
            // for as long as it takes to pay it back.
            self.gone = self.log.len();
            self.settled = 0;
            self.credit = 0.0;
            lately
        };
        self.narrowed = Some((before * factor).max(1.0));
    }

    /// Calls in a window at the pace of the busiest of the last seconds: of a limit that nothing
    /// shows, not even the window is known.
    fn lately(&self, now: Duration) -> f64 {
        let since = now.saturating_sub(LATELY);
        let recent = self.log.iter().rev().take_while(|it| it.sent >= since);
        let recent: Vec<(Duration, u32)> = recent.map(|it| (it.sent, it.cost)).collect();
        let second = Duration::from_secs(1);
        let within = |end: Duration| {
            let calls = recent
                .iter()
                .filter(|(sent, _)| *sent <= end && *sent + second > end);
            calls.map(|(_, cost)| cost).sum::<u32>()
        };
        let busiest = recent.iter().map(|(sent, _)| within(*sent)).max();
        // The one that was refused was one too many.
        let calls = busiest.unwrap_or(0).max(self.in_flight);
        f64::from(calls.saturating_sub(1).max(1)) * self.length.as_secs_f64()
    }

    pub(super) fn close(&mut self, until: Duration) {
        self.closed_until = Some(self.closed_until.map_or(until, |before| before.max(until)));
    }

    /// How long until there is room; zero if there is.
    pub(super) fn wait(&self, room: Room, now: Duration) -> Duration {
        let Some(allowed) = self.capped(room.allowed) else {
            return Duration::ZERO;
        };
        // Of a limit that is a guess, not even the window is known: there is nothing to run ahead of.
        let ahead = if room.allowed.is_none() { 0.0 } else { 1.0 };
        let room = Room {
            overdraft: room.overdraft.map(|it| it * ahead),
            ..room
        };
        self.wait_for_window(room, allowed, now)
            .max(self.wait_for_pace(room, allowed))
    }

    fn wait_for_window(&self, room: Room, allowed: f64, now: Duration) -> Duration {
        let others = self.used() + room.ahead;
        // A call that costs more than all that is allowed goes alone.
        if others == 0 {
            return Duration::ZERO;
        }
        let mut over = f64::from(others) + f64::from(room.cost) - allowed - 1e-6;
        if over <= 0.0 {
            return Duration::ZERO;
        }
        for entry in self.log.iter().skip(self.gone) {
            over -= f64::from(entry.cost);
            if over <= 0.0 {
                return (entry.settled + self.window()).saturating_sub(now);
            }
        }
        LONGEST_WAIT
    }

    fn wait_for_pace(&self, room: Room, allowed: f64) -> Duration {
        let left = (allowed - f64::from(self.used() + room.ahead)).max(0.0);
        let pace = self.other_pace.unwrap_or_else(|| self.pace(allowed));
        self.wait_for_credit(room, at_once(allowed), left, pace)
    }

    /// How long until an even `pace` has room for the call, with `left` calls of the window; nothing in
    /// advance of it is more than `most`.
    pub(super) fn wait_for_credit(&self, room: Room, most: f64, left: f64, pace: f64) -> Duration {
        let Some(overdraft) = room.overdraft else {
            return Duration::ZERO;
        };
        let needed = f64::from(room.cost).min(most) + f64::from(room.ahead) - overdraft * left;
        let short = needed - self.credit - 1e-6;
        if short <= 0.0 {
            return Duration::ZERO;
        }
        Duration::try_from_secs_f64(short / pace).unwrap_or(LONGEST_WAIT)
    }

    pub(super) fn take(&mut self, cost: u32) {
        self.in_flight += cost;
        // A call that went ahead of the pace is made up for within a window.
        self.credit = (self.credit - f64::from(cost)).max(self.lowest_credit());
    }

    /// No more is owed to an even pace than the window holds.
    fn lowest_credit(&self) -> f64 {
        -f64::from(self.used()).max(1.0)
    }

    /// The outcome of a call of `planned` cost is known.
    pub(super) fn settle(&mut self, call: Settled, now: Duration) {
        self.in_flight = self.in_flight.saturating_sub(call.planned);
        self.settled += call.cost;
        self.credit -= f64::from(call.cost) - f64::from(call.planned);
        self.log.push_back(Entry {
            sent: call.sent,
            settled: now,
            cost: call.cost,
            before: self.ever,
            certain: call.outcome == Outcome::Counted,
        });
        self.ever += u64::from(call.cost);
        if call.outcome != Outcome::Lost {
            let took = now.saturating_sub(call.sent).as_secs_f64();
            // Follows a rise quickly and a fall slowly.
            let weight = if took > self.latency { 0.2 } else { 0.02 };
            self.latency += (took - self.latency) * weight;
            self.mean_latency += (took - self.mean_latency) * LATEST;
        }
    }

    /// The most of our calls that the server can have counted in the window that ended when it
    /// took a call that was sent at `sent`.
    pub(super) fn ours_at_most(&self, sent: Duration) -> f64 {
        self.ours_later(sent.saturating_sub(self.length))
    }

    /// Our calls that the server may have taken later than one that was sent at `sent`.
    pub(super) fn ours_later(&self, sent: Duration) -> f64 {
        let first = self.log.partition_point(|it| it.settled < sent);
        let later = self.log.get(first).map_or(0, |it| self.ever - it.before);
        let later = u32::try_from(later).unwrap_or(u32::MAX);
        f64::from(self.in_flight.saturating_add(later))
    }

    /// Our calls that a sliding window must have held when it took a call that was sent at `sent` and
    /// answered at `now`.
    pub(super) fn ours_if_sliding(&self, sent: Duration, now: Duration) -> f64 {
        let begin = (now + GRAIN).saturating_sub(self.length / (SLEW + 1) * SLEW);
        let entries = self.log.iter().rev().take_while(|it| it.settled >= begin);
        let held = entries.filter(|it| it.certain && it.settled <= sent && it.sent > begin);
        f64::from(held.map(|it| it.cost).sum::<u32>())
    }
}

/// The most calls at once that an even pace saves up: of what leaves the window at once, a single call
/// waits long.
pub(super) fn at_once(allowed: f64) -> f64 {
    (allowed / 60.0).max(1.0)
}

/// A call whose outcome is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settled {
    pub(super) sent: Duration,
    pub(super) planned: u32,
    pub(super) cost: u32,
    pub(super) outcome: Outcome,
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The server answered and counted it.
    Counted,
    /// The server answered that it is one too many; whether it counts nobody knows.
    Refused,
    /// No answer came.
    Lost,
}

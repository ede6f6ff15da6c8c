//! When a call's turn is, among those that wait and within every limit.

use super::lanes::Wanted;
use super::meter::{LONGEST_WAIT, Room, at_once};
use super::{Class, Duration, Governor, Lane, Left, Moment, SHORTEST_WAIT, Turn, Why, of_class};

/// The shortest wait of one that waits for others.
const SHORTEST_REPEAT: Duration = Duration::from_millis(50);

impl Governor {
    /// Until when no such call goes, and why.
    pub(super) fn closed(
        &mut self,
        turn: &Turn,
        at: Duration,
        now: Moment,
    ) -> Option<(Moment, Why)> {
        let (share, reserve) = (self.portion.share, self.portion.reserve);
        let time = self.time_of_day(now);
        let day = self.day.as_mut();
        if let Some(until) = day.and_then(|day| day.closed(turn.lane, share, reserve, time)) {
            return Some((now.after(until.since(time)), Why::DaySpent));
        }
        let left = |until: Duration| now.after(until.saturating_sub(at).max(SHORTEST_WAIT));
        if let Some(until) = self.total.closed_until {
            return Some((left(until), Why::Refused));
        }
        let own = self.classes.iter().find(|it| it.covers(turn.class))?;
        Some((left(own.closed_until?), Why::ClassRefused(turn.class)))
    }

    /// How long until the call may go; zero if it may now.
    pub(super) fn wait(&self, turn: &Turn, at: Duration) -> Duration {
        let open = |(lane, class, cost): &Wanted| {
            let room = Room {
                allowed: None,
                ahead: 0,
                cost: *cost,
                overdraft: Some(overdraft(*lane)),
            };
            self.class_wait(*class, room, at).is_zero()
        };
        let open: Vec<_> = self.claims.wanted().into_iter().filter(open).collect();
        let ahead = self.claims.ahead((turn.id, turn.lane, turn.class), &open);
        // A lane that is kept from its floor goes by the limit alone, as those do that keep it from it.
        let pace = (!ahead.pressing).then_some(overdraft(turn.lane));
        let room = Room {
            allowed: self.allowed(turn.lane, at),
            ahead: ahead.total,
            cost: turn.cost,
            overdraft: pace,
        };
        let of_class = Room {
            ahead: ahead.of_class,
            ..room
        };
        let class = self.class_wait(turn.class, of_class, at);
        let wait = self.total_wait(turn.lane, room, at).max(class);
        if wait.is_zero() || ahead.pressing {
            return wait;
        }
        // The lane's floor may bring its turn sooner than those ahead let one think.
        let pace = self
            .total
            .capped(room.allowed)
            .map(|allowed| self.total.pace(allowed));
        let turn = pace.map(|pace| self.claims.others_until_turn(turn.lane) / pace);
        let turn = turn.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        wait.min(turn.unwrap_or(LONGEST_WAIT).max(SHORTEST_REPEAT))
    }

    /// How long until the account has room.
    fn total_wait(&self, lane: Lane, room: Room, at: Duration) -> Duration {
        let Some(left) = self.left(lane, at) else {
            return self.total.wait(room, at);
        };
        let limit = Room {
            overdraft: None,
            ..room
        };
        self.total
            .wait(limit, at)
            .max(self.wait_in_window(left, room))
    }

    /// How long until what is left of a window that is reset has room.
    fn wait_in_window(&self, left: Left, room: Room) -> Duration {
        let wanted = f64::from(room.ahead + room.cost);
        // A call that costs more than all that is allowed goes alone.
        if left.calls + 1e-6 < wanted && self.total.used() + room.ahead > 0 {
            // What is kept for others is set free little by little.
            return (left.rest / 8).clamp(SHORTEST_REPEAT, LONGEST_WAIT);
        }
        let most = at_once(left.ours + left.calls);
        self.total
            .wait_for_credit(room, most, left.calls, left.pace())
    }

    /// How long until the class has room, whatever the account has.
    fn class_wait(&self, class: Class, room: Room, at: Duration) -> Duration {
        let Some(meter) = self.classes.iter().find(|meter| meter.covers(class)) else {
            return Duration::ZERO;
        };
        if let Some(until) = meter.closed_until {
            return until.saturating_sub(at).max(SHORTEST_WAIT);
        }
        let allowed = of_class(self.portion, meter);
        meter.wait(Room { allowed, ..room }, at)
    }
}

/// How far a lane may run ahead of an even pace, as a part of what the window has left.
const fn overdraft(lane: Lane) -> f64 {
    match lane {
        Lane::Vip => 0.5,
        Lane::People => 0.25,
        Lane::FirstSync | Lane::Reconcile => 0.05,
    }
}

//! What the outcome of a call teaches.

use super::meter::Outcome;
use super::others::Sighting;
use super::{
    Class, Duration, Flight, Governor, Headers, Meter, Moment, Permit, Reading, Refusal, Scope,
    Settled, Warning, of_class,
};

/// The longest that a refusal keeps anything closed, whatever it asks for, but for a day's quota.
const LONGEST_CLOSURE: Duration = Duration::from_mins(15);
/// The wait after the first refusal that names none; it doubles up to the next.
const FIRST_CLOSURE: Duration = Duration::from_secs(5);
const LONGEST_GUESS: Duration = Duration::from_mins(1);
/// What a refusal leaves of a limit that headers show, and of one that nothing shows.
const NARROW_SHOWN: f64 = 0.9;
const NARROW_HIDDEN: f64 = 0.75;
/// The highest cost of one call that is believed.
const DEAREST: f64 = 100.0;

impl Governor {
    /// The server answered, with whatever status but the one for a refusal.
    #[expect(clippy::needless_pass_by_value, reason = "an outcome is told once")]
    pub fn answered(&mut self, permit: Permit, headers: &Headers, now: Moment) {
        let at = self.advance(now);
        let cost = self.cost(headers);
        self.refusals_in_a_row = 0;
        self.learn_limit(headers);
        let time = self.time_of_day(now);
        if let Some(day) = &mut self.day {
            let flying = self.flights.iter().filter(|(id, _)| **id != permit.id);
            let flying = flying.map(|(_, it)| it.cost).sum();
            let (quota, left) = (headers.day_limit.positive(), headers.day_remaining.number());
            day.see(quota, left, flying, time);
        }
        if let Some(flight) = self.settle(permit.id, cost, Outcome::Counted, at) {
            if let Some(cost) = cost {
                self.costs.insert(flight.class, cost);
            }
            self.look_around(headers, flight.sent, at);
        }
    }

    /// The server refused the call for rate.
    #[expect(clippy::needless_pass_by_value, reason = "an outcome is told once")]
    pub fn refused(&mut self, permit: Permit, refusal: Refusal, now: Moment) {
        let at = self.advance(now);
        self.learn_limit(&refusal.headers);
        let Some(flight) = self.settle(permit.id, None, Outcome::Refused, at) else {
            return;
        };
        let scope = refusal
            .scope
            .unwrap_or_else(|| self.scope(&refusal.headers, flight.class, at));
        let time = self.time_of_day(now);
        if scope == Scope::Day
            && let Some(day) = &mut self.day
        {
            day.refused(time);
            return;
        }
        let wait = self.closure(refusal.retry_after);
        self.refusals_in_a_row = self.refusals_in_a_row.saturating_add(1);
        if scope == Scope::Class {
            let portion = self.portion;
            if let Some(meter) = self.class_meter(flight.class) {
                let allowed = of_class(portion, meter);
                meter.narrow(NARROW_HIDDEN, allowed, flight.sent, at);
                meter.close(at + wait);
            }
        } else {
            // What others take is counted apart.
            let limit = self.total.limit.map(|limit| limit * self.portion.share);
            let ceiling = self.portion.ceiling;
            let allowed = limit.map_or(ceiling, |it| Some(it.min(ceiling.unwrap_or(it))));
            self.total.narrow(NARROW_SHOWN, allowed, flight.sent, at);
            self.total.close(at + wait);
        }
    }

    /// No answer came. The server may have counted the call.
    #[expect(clippy::needless_pass_by_value, reason = "an outcome is told once")]
    pub fn failed(&mut self, permit: Permit, now: Moment) {
        let at = self.advance(now);
        self.settle(permit.id, None, Outcome::Lost, at);
    }

    /// Closes the books on a call. Nothing where that was done already, for it took too long.
    pub(super) fn settle(
        &mut self,
        id: u64,
        cost: Option<u32>,
        outcome: Outcome,
        at: Duration,
    ) -> Option<Flight> {
        let flight = self.flights.remove(&id)?;
        let call = Settled {
            sent: flight.sent,
            planned: flight.cost,
            cost: cost.unwrap_or(flight.cost),
            outcome,
        };
        self.ours_ever += f64::from(call.cost) - f64::from(call.planned);
        for meter in self.meters(flight.class) {
            meter.settle(call, at);
        }
        Some(flight)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and the highest cost believed"
    )]
    fn cost(&mut self, headers: &Headers) -> Option<u32> {
        match headers.cost {
            Reading::Absent => None,
            reading => {
                let said = reading.number().filter(|cost| *cost <= DEAREST);
                if said.is_none() {
                    self.report.warn(Warning::Cost);
                }
                said.map(|cost| cost.ceil().max(1.0) as u32)
            }
        }
    }

    fn learn_limit(&mut self, headers: &Headers) {
        let Some(limit) = headers.limit.positive() else {
            if headers.limit != Reading::Absent {
                self.report.warn(Warning::Limit);
            }
            return;
        };
        self.limit_is_said = true;
        if self.total.limit == Some(limit) {
            return;
        }
        self.total.limit = Some(limit);
        let Some(by_total) = self.classes_by_total else {
            return;
        };
        let limits = by_total(limit);
        for meter in &mut self.classes {
            let own = limits.iter().find(|(class, _)| meter.covers(*class));
            meter.limit = own.map(|(_, rate)| rate.calls);
        }
        for (class, rate) in limits {
            if self.class_meter(class).is_none() {
                self.classes
                    .push(Meter::new(Some(class), Some(rate.calls), rate.per));
            }
        }
    }

    /// Takes `Remaining` for what it says of others.
    fn look_around(&mut self, headers: &Headers, sent: Duration, at: Duration) {
        let Some(remaining) = headers.remaining.number() else {
            if headers.remaining != Reading::Absent {
                self.report.warn(Warning::Remaining);
            }
            return;
        };
        let Some(limit) = headers.limit.positive().or(self.total.limit) else {
            return;
        };
        // An answer that was overtaken tells of times past.
        if self.seen_of.is_some_and(|newest| sent < newest) {
            return;
        }
        self.seen_of = Some(sent);
        self.last_seen = Some((at, remaining));
        let seen = Sighting {
            used: (limit - remaining).max(0.0),
            ours_at_most: self.total.ours_at_most(sent),
            ours_if_sliding: self.total.ours_if_sliding(sent, at),
            ours_ever: self.ours_ever,
            ours_later: self.total.ours_later(sent),
        };
        let forgot = self.others.see(seen, self.total.window(), at);
        let length = self.total.length();
        self.resets.see((sent, seen.used), forgot, length, at);
        let span = self.resets.span(length, at);
        if let Some(span) = span.filter(|span| forgot || sent >= span.since) {
            // All that was sent in it before this call, and the call itself.
            let ours = self.total.ours_later(span.earliest) - seen.ours_later + 1.0;
            let theirs = (seen.used - ours).max(0.0);
            self.resets.saw(span, sent, (seen.used, theirs), length);
        }
    }

    /// What a refusal was about that does not say it.
    fn scope(&self, headers: &Headers, class: Class, at: Duration) -> Scope {
        // One class after the other is refused: it is not about classes.
        let closed = |meter: &Meter| !meter.covers(class) && meter.closed_until.is_some();
        if self.classes.iter().any(closed) {
            return Scope::Total;
        }
        let seen = self
            .last_seen
            .filter(|(when, _)| *when + self.total.window() > at);
        let remaining = headers.remaining.number().or(seen.map(|(_, left)| left));
        let limit = self.total.limit;
        if let (Some(remaining), Some(limit)) = (remaining, limit) {
            let flying: u32 = self.flights.values().map(|it| it.cost).sum();
            let margin = limit * 0.02 + f64::from(flying) + 1.0;
            return if remaining > margin {
                Scope::Class
            } else {
                Scope::Total
            };
        }
        // Nothing is said: the limit that we are nearer to.
        let mut own = self.classes.iter().filter(|it| it.covers(class));
        let near = own.any(|it| {
            it.limit
                .is_some_and(|limit| f64::from(it.used()) >= limit / 2.0)
        });
        if near { Scope::Class } else { Scope::Total }
    }

    fn closure(&mut self, named: Option<Duration>) -> Duration {
        if let Some(named) = named {
            if named > LONGEST_CLOSURE {
                self.report.warn(Warning::RetryAfter);
            }
            return named.clamp(Duration::from_millis(100), LONGEST_CLOSURE);
        }
        let doublings = self.refusals_in_a_row.min(8);
        (FIRST_CLOSURE * 2_u32.pow(doublings)).min(LONGEST_GUESS)
    }

    fn class_meter(&mut self, class: Class) -> Option<&mut Meter> {
        self.classes.iter_mut().find(|meter| meter.covers(class))
    }
}

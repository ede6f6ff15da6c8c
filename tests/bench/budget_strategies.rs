//! Ways to spend a budget: the governor, and two that are usual without one.

use crate::server::{SECOND, Verdict};
use deskbridge::remote::governor::{
    Class, Decision, Governor, Headers, Lane, Moment, Permit, Reading, Refusal, Turn,
};
use std::time::Duration;

/// A call that one strategy knows.
#[derive(Debug)]
pub(crate) enum Ticket {
    New(Lane, Class),
    Turn(Turn),
    Permit(Permit),
    Plain,
}

/// Whether a call goes.
pub(crate) enum Answer {
    Go(Ticket),
    /// Microseconds to wait.
    Wait(Ticket, u64),
}

/// A client's clock: when the world's shows `.0`, it is set forward, or back, by `.1` milliseconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clock(pub(crate) Vec<(u64, i64)>);

impl Clock {
    fn read(&self, now: u64) -> Moment {
        let jumped: i64 = self
            .0
            .iter()
            .filter(|(at, _)| *at <= now)
            .map(|(_, by)| by)
            .sum();
        Moment::from_millis(1_700_000_000_000 + i64::try_from(now / 1000).unwrap() + jumped)
    }
}

pub(crate) enum Strategy {
    Governed(Box<Governor>, Clock),
    /// Sends at once; sleeps for as long as the last refusal said.
    SleepOnRefusal {
        until: u64,
    },
    /// Sends at an even pace, and sleeps as well.
    FixedPace {
        every: u64,
        next: u64,
        until: u64,
    },
}

impl Strategy {
    pub(crate) fn ask(&mut self, ticket: Ticket, now: u64) -> Answer {
        match self {
            Self::Governed(governor, clock) => {
                let at = clock.read(now);
                let turn = match ticket {
                    Ticket::New(lane, class) => governor.turn(lane, class, 1),
                    Ticket::Turn(turn) => turn,
                    Ticket::Permit(_) | Ticket::Plain => unreachable!(),
                };
                let micros = |until: Moment| u64::try_from(until.since(at).as_micros()).unwrap();
                match governor.ask(turn, at) {
                    Decision::Go(permit) => Answer::Go(Ticket::Permit(permit)),
                    Decision::Wait(turn, until) | Decision::Closed { turn, until, .. } => {
                        Answer::Wait(Ticket::Turn(turn), micros(until))
                    }
                }
            }
            Self::SleepOnRefusal { until } if now < *until => Answer::Wait(ticket, *until - now),
            Self::SleepOnRefusal { .. } => Answer::Go(Ticket::Plain),
            Self::FixedPace { every, next, until } => {
                let due = (*next).max(*until);
                if now < due {
                    return Answer::Wait(ticket, due - now);
                }
                *next = now + *every;
                Answer::Go(Ticket::Plain)
            }
        }
    }

    pub(crate) fn told(&mut self, ticket: Ticket, verdict: Verdict, now: u64) {
        match (self, verdict) {
            (Self::Governed(governor, clock), verdict) => {
                let Ticket::Permit(permit) = ticket else {
                    unreachable!()
                };
                let at = clock.read(now);
                match verdict {
                    Verdict::Taken(limit, left) => {
                        governor.answered(permit, &headers(limit, left), at);
                    }
                    Verdict::Refused(limit, left, wait) => {
                        let refusal = Refusal {
                            retry_after: Some(Duration::from_secs(wait)),
                            scope: None,
                            headers: headers(limit, left),
                        };
                        governor.refused(permit, refusal, at);
                    }
                }
            }
            (
                Self::SleepOnRefusal { until } | Self::FixedPace { until, .. },
                Verdict::Refused(_, _, wait),
            ) => *until = (*until).max(now + wait * SECOND),
            (_, Verdict::Taken(..)) => {}
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "calls are few")]
fn headers(limit: u64, left: u64) -> Headers {
    Headers {
        limit: Reading::Number(limit as f64),
        remaining: Reading::Number(left as f64),
        ..Headers::default()
    }
}

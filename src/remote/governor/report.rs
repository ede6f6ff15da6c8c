//! What the governor tells people: warnings, counts, and how long things will take.

use super::{Class, Governor, Lane, Moment, of_class};
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

/// Something that the server or the clock should not do. Told once each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Warning {
    /// The limit's header is no number above zero.
    Limit,
    /// The header with the calls left is no number.
    Remaining,
    /// The header with a call's cost is no number, or far too high.
    Cost,
    /// The server asks for a longer wait than we grant.
    RetryAfter,
    /// The clock was set back.
    ClockWentBack,
    /// The clock was set forward, or the machine was asleep.
    ClockJumped,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Limit => "the header with the account's limit makes no sense and is ignored",
            Self::Remaining => "the header with the calls left makes no sense and is ignored",
            Self::Cost => "the header with the cost of a call makes no sense and is ignored",
            Self::RetryAfter => {
                "the server asks us to wait for longer than 15 minutes; we try then"
            }
            Self::ClockWentBack => "the clock was set back",
            Self::ClockJumped => {
                "the clock was set forward, or the machine was asleep; the day's quota goes by the new time"
            }
        })
    }
}

/// How the budget stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The account's calls in a window; nothing where unknown.
    pub limit: Option<f64>,
    /// Of which we allow ourselves now.
    pub allowed: Option<f64>,
    /// The window.
    pub window: Duration,
    /// Our calls that count in it.
    pub used: u32,
    /// What others seem to take in it.
    pub others: f64,
    /// Classes that refusals have narrowed, with calls in a window.
    pub narrowed: Vec<(Class, f64)>,
    /// Until when nothing goes out after a refusal.
    pub closed_until: Option<Moment>,
    /// Calls that wait.
    pub waiting: usize,
    /// Calls left of the day's quota; nothing where there is none or it is not known.
    pub left_today: Option<f64>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Report {
    warned: BTreeSet<Warning>,
    untold: Vec<Warning>,
}

impl Report {
    pub(super) fn warn(&mut self, warning: Warning) {
        if self.warned.insert(warning) {
            self.untold.push(warning);
        }
    }
}

impl Governor {
    /// Warnings that nobody took yet.
    pub fn warnings(&mut self) -> Vec<Warning> {
        std::mem::take(&mut self.report.untold)
    }

    /// How the budget stands.
    pub fn snapshot(&mut self, now: Moment) -> Snapshot {
        let at = self.advance(now);
        let narrowed = self
            .classes
            .iter()
            .filter_map(|it| Some((it.class?, it.narrowed?)));
        let closed = self.total.closed_until;
        let time = self.time_of_day(now);
        Snapshot {
            limit: self.total.limit,
            allowed: self.total.capped(self.ours_in_all(at)),
            window: self.total.length(),
            used: self.total.used(),
            others: self.others.expected(self.total.window(), at),
            narrowed: narrowed.collect(),
            closed_until: closed.map(|until| now.after(until.saturating_sub(at))),
            waiting: self.claims.len(),
            left_today: self.day.as_mut().and_then(|day| day.left(time)),
        }
    }

    /// Our calls in a window as it looks now.
    fn ours_in_all(&self, at: Duration) -> Option<f64> {
        let allowed = self.allowed(Lane::People, at);
        match self.left(Lane::People, at) {
            Some(left) => allowed.map(|it| it.min((left.ours + left.calls).max(1.0))),
            None => allowed,
        }
    }

    /// How long so many calls of these classes take at today's limits, at what calls of theirs were
    /// last said to cost, without others; nothing where no limit is known for any of them.
    #[must_use]
    pub fn forecast(&self, calls: &[(Class, f64)]) -> Option<Duration> {
        let portion = self.portion;
        let calls: Vec<(Class, f64)> = calls
            .iter()
            .map(|(class, calls)| {
                (
                    *class,
                    calls * f64::from(self.costs.get(class).copied().unwrap_or(1)),
                )
            })
            .collect();
        let limit = self
            .total
            .limit
            .map(|limit| limit * portion.share.min(1.0 - portion.reserve));
        let all: f64 = calls.iter().map(|(_, calls)| calls).sum();
        let windows = |calls: f64, allowed: Option<f64>, length: Duration| {
            Some(calls / allowed? * length.as_secs_f64())
        };
        let ceiling = portion.ceiling;
        let limit = limit.map_or(ceiling, |it| Some(it.min(ceiling.unwrap_or(it))));
        let total = windows(all, limit, self.total.length());
        let classes = calls.iter().filter_map(|(class, calls)| {
            let meter = self.classes.iter().find(|it| it.covers(*class))?;
            windows(
                *calls,
                meter.capped(of_class(portion, meter)),
                meter.length(),
            )
        });
        let longest = classes.chain(total).reduce(f64::max)?;
        Duration::try_from_secs_f64(longest).ok()
    }
}

//! One system's governor at work: a call waits here for its turn, and what came of it is told.
//!
//! No call goes out without an [`Admission`], and only [`Budget::admit`] makes one.

use super::governor::{
    Class, Decision, Governor, Headers, Lane, Limits, Moment, Permit, Portion, Reading, Refusal,
    Scope, Today, Turn, Why,
};
use super::lane;
use crate::clock::{Clock as _, SystemClock, jumped, monotonic};
use crate::model::Side;
use reqwest::header::HeaderMap;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The longest that one call waits for a system or a class that is closed. Whoever wants it can do
/// something else meanwhile.
const PATIENCE: Duration = Duration::from_mins(2);

/// What a vendor allows, and how its answers speak of it.
#[derive(Debug, Clone)]
pub struct Tariff {
    /// Until headers say otherwise.
    pub limits: Limits,
    /// What of it is ours.
    pub portion: Portion,
    /// The class of which a call of this endpoint uses up the limit.
    pub class: fn(&'static str) -> Class,
    /// What an answer's headers say.
    pub headers: fn(&HeaderMap) -> Headers,
    /// What a refusal is about, where its body says so.
    pub scope: fn(&[u8]) -> Option<Scope>,
}

/// What one header says of an allowance.
pub(super) fn reading(headers: &HeaderMap, name: &str) -> Reading {
    let value = headers.get(name);
    Reading::parse(value.map(|value| value.to_str().unwrap_or_default()))
}

/// Calls of one endpoint in one lane, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// Calls that went out.
    pub calls: u64,
    /// Those of them that were refused for rate.
    pub refused: u64,
}

/// How a system's budget was spent and what is left of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Spending {
    /// By endpoint and lane, since the start.
    pub by: BTreeMap<(&'static str, Lane), Spent>,
    /// How long calls have waited for their turns, all together, since the start.
    pub waited: Duration,
    /// What we allow ourselves in a window; nothing where no limit is known.
    pub allowed: Option<f64>,
    /// Of which this is left now.
    pub left: Option<f64>,
    /// The window.
    pub window: Duration,
    /// What others seem to take in a window.
    pub others: f64,
    /// Of the day's quota, this is left; nothing where there is none or it is not known.
    pub left_today: Option<f64>,
    /// Our calls of this day; nothing where there is no daily quota.
    pub today: Option<Today>,
    /// What we allow ourselves of a whole day's quota; nothing where there is none or it is not known.
    pub allowed_in_a_day: Option<f64>,
}

/// What was sent and learned so far, for another client of the same account to go on from.
#[derive(Debug, Clone)]
pub struct Ledger {
    governor: Governor,
    begun: Begin,
}

/// The time of day at a moment of the clock that never jumps.
#[derive(Debug, Clone, Copy)]
struct Begin {
    shown: Moment,
    at: Instant,
    /// As [`jumped`] said then.
    jumped: i64,
}

/// Why a call is not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    /// We are to stop.
    Stopped,
    /// It would have to wait for too long, for that reason.
    Closed(Duration, Why),
}

#[derive(Debug)]
struct State {
    governor: Governor,
    by: BTreeMap<(&'static str, Lane), Spent>,
    waited: Duration,
    /// The quota was said to be spent until then.
    told: Option<Moment>,
    begun: Begin,
}

impl State {
    /// The time of a clock that never jumps. The governor gets to know what the machine's own clock shows.
    fn now(&mut self) -> Moment {
        let Begin { shown, at, .. } = self.begun;
        let now = shown.after(monotonic().saturating_duration_since(at));
        let since = jumped().saturating_sub(self.begun.jumped);
        let shows = Moment::from_millis(now.as_millis().saturating_add(since));
        self.governor.clock_shows(shows, now);
        now
    }
}

/// The budget of one account.
#[derive(Debug)]
pub(super) struct Budget {
    side: Side,
    tariff: Tariff,
    state: Mutex<State>,
}

impl Budget {
    pub(super) fn new(side: Side, tariff: Tariff) -> Self {
        let governor = Governor::new(&tariff.limits, tariff.portion);
        let time = SystemClock.now().timestamp_millis();
        Self {
            side,
            tariff,
            state: Mutex::new(State {
                governor,
                by: BTreeMap::new(),
                waited: Duration::ZERO,
                told: None,
                begun: Begin {
                    shown: Moment::from_millis(time),
                    at: monotonic(),
                    jumped: jumped(),
                },
            }),
        }
    }

    /// What another client of the account has to know of the calls so far.
    pub(super) fn ledger(&self) -> Ledger {
        let state = self.lock();
        Ledger {
            governor: state.governor.clone(),
            begun: state.begun,
        }
    }

    /// Goes on from what another client has sent, with the limits and the share of this one.
    pub(super) fn follow(&self, former: Ledger) {
        let Ledger {
            mut governor,
            begun,
        } = former;
        governor.change(&self.tariff.limits, self.tariff.portion);
        let mut state = self.lock();
        state.governor = governor;
        state.begun = begun;
    }

    /// Counts the calls that an earlier process has sent on this day.
    pub(super) fn carry(&self, earlier: Today) {
        let mut state = self.lock();
        let now = state.now();
        state.governor.carry(earlier, now);
    }

    /// The data behind this lock is whole after any panic: the governor's steps are, and so are counts.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a call of `endpoint` that costs `cost` may go out.
    pub(super) async fn admit(
        &self,
        endpoint: &'static str,
        cost: u32,
        stop: &CancellationToken,
    ) -> Result<Admission<'_>, Denied> {
        let lane = lane::current();
        let class = (self.tariff.class)(endpoint);
        let begun = monotonic();
        let mut queued = Queued {
            budget: self,
            turn: Some(self.lock().governor.turn(lane, class, cost)),
        };
        loop {
            if stop.is_cancelled() {
                return Err(Denied::Stopped);
            }
            let wait = match queued.ask() {
                Some(Ok(permit)) => {
                    let mut state = self.lock();
                    state.by.entry((endpoint, lane)).or_default().calls += 1;
                    state.waited += begun.elapsed();
                    return Ok(Admission {
                        budget: self,
                        permit: Some(permit),
                        place: (endpoint, lane),
                    });
                }
                Some(Err((wait, Some(why)))) if begun.elapsed() + wait > PATIENCE => {
                    self.tell_closed(wait, why);
                    return Err(Denied::Closed(wait, why));
                }
                Some(Err((wait, _))) => wait,
                // The turn is only ever taken out to be asked with, and put back.
                None => return Err(Denied::Stopped),
            };
            tokio::select! {
                () = stop.cancelled() => return Err(Denied::Stopped),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Says once for each time that the day's quota is spent.
    fn tell_closed(&self, wait: Duration, why: Why) {
        if why != Why::DaySpent {
            return;
        }
        let mut state = self.lock();
        let now = state.now();
        if state.told.is_none_or(|until| until < now) {
            state.told = Some(now.after(wait));
            tracing::warn!(event = "quota_spent", side = %self.side, minutes = wait.as_secs() / 60,
                "the day's calls are used up; {} is left alone until they come back", self.side);
        }
    }

    fn tell_warnings(&self, state: &mut State) {
        for warning in state.governor.warnings() {
            tracing::warn!(event = "budget", side = %self.side, "{warning}");
        }
    }

    /// The account's midnight is this many minutes earlier than that of UTC.
    pub(super) fn lies_east(&self, minutes: i32) {
        self.lock().governor.lies_east(minutes);
    }

    /// How it was spent, and what is left.
    pub(super) fn spending(&self) -> Spending {
        let mut state = self.lock();
        let now = state.now();
        let snapshot = state.governor.snapshot(now);
        Spending {
            by: state.by.clone(),
            waited: state.waited,
            allowed: snapshot.allowed,
            left: snapshot
                .allowed
                .map(|allowed| (allowed - f64::from(snapshot.used)).max(0.0)),
            window: snapshot.window,
            others: snapshot.others,
            left_today: snapshot.left_today,
            today: state.governor.today(now),
            allowed_in_a_day: state.governor.quota_a_day().map(|quota| {
                let portion = self.tariff.portion;
                quota * portion.share.min(1.0 - portion.reserve)
            }),
        }
    }

    /// How long so many calls take at the limits that are known; nothing where none is.
    pub(super) fn forecast(&self, calls: &BTreeMap<&'static str, u64>) -> Option<Duration> {
        let mut classes: BTreeMap<Class, f64> = BTreeMap::new();
        for (endpoint, calls) in calls {
            #[expect(clippy::cast_precision_loss, reason = "no plan has 2^52 calls")]
            let calls = *calls as f64;
            *classes.entry((self.tariff.class)(endpoint)).or_default() += calls;
        }
        let classes: Vec<(Class, f64)> = classes.into_iter().collect();
        self.lock().governor.forecast(&classes)
    }
}

/// A call that waits for its turn.
struct Queued<'a> {
    budget: &'a Budget,
    turn: Option<Turn>,
}

impl Queued<'_> {
    /// A permit, or how long to wait, and why where it is closed.
    fn ask(&mut self) -> Option<Result<Permit, (Duration, Option<Why>)>> {
        let turn = self.turn.take()?;
        let mut state = self.budget.lock();
        let now = state.now();
        let (turn, until, why) = match state.governor.ask(turn, now) {
            Decision::Go(permit) => return Some(Ok(permit)),
            Decision::Wait(turn, until) => (turn, until, None),
            Decision::Closed { turn, until, why } => (turn, until, Some(why)),
        };
        self.budget.tell_warnings(&mut state);
        self.turn = Some(turn);
        Some(Err((until.since(now), why)))
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        if let Some(turn) = self.turn.take() {
            self.budget.lock().governor.leave(turn);
        }
    }
}

/// One call may go out. Dropped without an outcome, it counts as one that got no answer.
#[derive(Debug)]
#[must_use = "an admission that is dropped counts as a lost call"]
pub(super) struct Admission<'a> {
    budget: &'a Budget,
    permit: Option<Permit>,
    place: (&'static str, Lane),
}

impl Admission<'_> {
    /// The server answered, with whatever status but the one for a refusal.
    pub(super) fn answered(mut self, headers: &HeaderMap) {
        if let Some(permit) = self.permit.take() {
            let budget = self.budget;
            let headers = (budget.tariff.headers)(headers);
            let mut state = budget.lock();
            let now = state.now();
            state.governor.answered(permit, &headers, now);
            budget.tell_warnings(&mut state);
        }
    }

    /// The server refused it for rate.
    pub(super) fn refused(
        mut self,
        retry_after: Option<Duration>,
        headers: &HeaderMap,
        body: &[u8],
    ) {
        if let Some(permit) = self.permit.take() {
            let budget = self.budget;
            let refusal = Refusal {
                retry_after,
                scope: (budget.tariff.scope)(body),
                headers: (budget.tariff.headers)(headers),
            };
            let mut state = budget.lock();
            let now = state.now();
            state.governor.refused(permit, refusal, now);
            state.by.entry(self.place).or_default().refused += 1;
            budget.tell_warnings(&mut state);
        }
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            let mut state = self.budget.lock();
            let now = state.now();
            state.governor.failed(permit, now);
        }
    }
}

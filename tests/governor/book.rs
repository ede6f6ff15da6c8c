//! A second count of what the governor lets go, and hands that drive it.

use crate::account::Account;
use crate::day::Day;
use crate::steps::Step;
use deskbridge::remote::governor::{
    Class, Decision, Governor, Headers, Lane, Moment, Permit, Portion, Reading, Turn, Why,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

/// Nobody waits for an answer for longer.
const LOST: i64 = 2 * 60_000;

/// A call that went.
#[derive(Debug, Clone, Copy)]
struct Call {
    class: Class,
    cost: u32,
    /// When it went, and when its outcome was known, by the time that passed.
    went: i64,
    settled: Option<i64>,
}

/// A call that waits, and until when.
#[derive(Debug)]
struct Waiting {
    until: Moment,
    turn: Turn,
    lane: Lane,
    class: Class,
    cost: u32,
}

/// The governor and what it let go.
pub(crate) struct Book {
    pub(crate) governor: Governor,
    pub(crate) now: Moment,
    pub(crate) account: Account,
    pub(crate) portion: Portion,
    limit: f64,
    day: Option<Day>,
    /// What a call of a class was last said to cost.
    costs: BTreeMap<Class, u32>,
    passed: i64,
    calls: Vec<Call>,
    flying: Vec<(usize, Permit)>,
    waiting: Vec<Waiting>,
}

impl Book {
    pub(crate) fn new(account: Account, portion: Portion) -> Self {
        let limits = account.limits();
        Self {
            governor: Governor::new(&limits, portion),
            now: Moment::from_millis(1_700_000_000_000),
            account,
            portion,
            limit: limits.calls.unwrap_or(f64::MAX),
            day: limits.daily.map(Day::new),
            costs: BTreeMap::new(),
            passed: 0,
            calls: Vec::new(),
            flying: Vec::new(),
            waiting: Vec::new(),
        }
    }

    pub(crate) fn clone_without_queue(&self) -> Self {
        let mut copy = Self::new(self.account, self.portion);
        copy.governor = self.governor.clone();
        copy.now = self.now;
        copy
    }

    pub(crate) fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Want(lane, class, cost, many) => {
                for _ in 0..many {
                    let turn = self.governor.turn(lane, class, cost);
                    let until = self.now;
                    self.ask(Waiting {
                        until,
                        turn,
                        lane,
                        class,
                        cost,
                    })?;
                }
            }
            Step::Pass(millis) => self.pass(millis)?,
            Step::Jump(millis) => {
                self.now = Moment::from_millis(self.now.as_millis() + millis);
                self.passed += millis.max(0);
                self.governor.snapshot(self.now);
                for waiting in &mut self.waiting {
                    waiting.until = self.now;
                }
            }
            Step::Answer(which, headers) => {
                if let Some((call, permit)) = self.take(which) {
                    self.governor.answered(permit, &headers, self.now);
                    self.learn(&headers);
                    self.learn_cost(call, &headers);
                    if let Some(day) = &mut self.day {
                        day.see(&headers, self.now);
                    }
                }
            }
            Step::Refuse(which, refusal) => {
                if let Some((_, permit)) = self.take(which) {
                    self.governor.refused(permit, refusal, self.now);
                    self.learn(&refusal.headers);
                }
            }
            Step::Fail(which) => {
                if let Some((_, permit)) = self.take(which) {
                    self.governor.failed(permit, self.now);
                }
            }
        }
        Ok(())
    }

    fn learn(&mut self, headers: &Headers) {
        if let Reading::Number(limit) = headers.limit
            && limit > 0.0
        {
            self.limit = limit;
        }
    }

    /// What the call cost, and what the next of its class will.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and 100"
    )]
    fn learn_cost(&mut self, call: usize, headers: &Headers) {
        let call = &mut self.calls[call];
        let Reading::Number(cost @ 0.0..=100.0) = headers.cost else {
            return;
        };
        if self.passed < call.went + LOST {
            call.cost = cost.ceil().max(1.0) as u32;
            self.costs.insert(call.class, call.cost);
        }
    }

    fn take(&mut self, which: usize) -> Option<(usize, Permit)> {
        let which = which.checked_rem(self.flying.len())?;
        let (call, permit) = self.flying.swap_remove(which);
        self.calls[call].settled = Some(self.passed);
        Some((call, permit))
    }

    fn pass(&mut self, millis: i64) -> Result<(), TestCaseError> {
        let end = self.passed + millis;
        while self.passed < end {
            let next = (self.passed / 250 + 1) * 250;
            self.forward(next.min(end) - self.passed);
            for waiting in std::mem::take(&mut self.waiting) {
                if waiting.until <= self.now {
                    self.ask(waiting)?;
                } else {
                    self.waiting.push(waiting);
                }
            }
        }
        Ok(())
    }

    fn forward(&mut self, millis: i64) {
        self.passed += millis;
        self.now = Moment::from_millis(self.now.as_millis() + millis);
    }

    fn ask(&mut self, waiting: Waiting) -> Result<(), TestCaseError> {
        let (lane, class) = (waiting.lane, waiting.class);
        let said = self.costs.get(&class).copied().unwrap_or(1);
        let cost = waiting.cost.max(said);
        let (until, turn, longest) = match self.governor.ask(waiting.turn, self.now) {
            Decision::Go(permit) => {
                self.calls.push(Call {
                    class,
                    cost,
                    went: self.passed,
                    settled: None,
                });
                self.flying.push((self.calls.len() - 1, permit));
                if let Some(day) = &mut self.day {
                    day.check(lane, self.portion, self.now)?;
                    day.take(cost);
                }
                return self.check(lane, class, cost);
            }
            Decision::Wait(turn, until) => (until, turn, Duration::from_secs(2)),
            Decision::Closed { turn, until, why } => {
                let longest = if why == Why::DaySpent {
                    Duration::from_hours(24)
                } else {
                    Duration::from_mins(15)
                };
                (until, turn, longest)
            }
        };
        let wait = until.since(self.now);
        prop_assert!(wait > Duration::ZERO && wait <= longest, "{wait:?}");
        self.waiting.push(Waiting {
            until,
            turn,
            cost,
            ..waiting
        });
        Ok(())
    }

    /// What calls of the class, or of all, may cost in the window that ends now, wherever in between they arrived.
    fn cost(&self, class: Option<Class>, window: Duration) -> u32 {
        let window = i64::try_from(window.as_millis()).unwrap();
        let counts = |call: &&Call| {
            let lost = call.went + LOST;
            call.settled.unwrap_or(lost).min(lost) + window > self.passed
        };
        let calls = self.calls.iter().filter(counts);
        let calls = calls.filter(|it| class.is_none_or(|class| it.class == class));
        calls.map(|it| it.cost).sum()
    }

    /// Of a window that holds `limit`, this is the lane's: others keep the reserve, but VIPs most of it; and whatever
    /// others seem to take, some calls go.
    pub(crate) fn ours(&self, lane: Lane, limit: f64) -> f64 {
        let part = if lane == Lane::Vip { 0.25 } else { 1.0 };
        let most = (limit * (1.0 - self.portion.reserve * part)).max(limit * 0.02);
        let most = most.min(limit * self.portion.share);
        most.min(self.portion.ceiling.unwrap_or(f64::MAX)).max(1.0)
    }

    /// The same of what a class may have by itself.
    pub(crate) fn ours_of_class(&self, limit: f64) -> f64 {
        let part = self.portion.share.min(1.0 - self.portion.reserve);
        (limit * part).max(1.0)
    }

    /// The windows that end now hold no more than allowed. A call that costs more than that goes alone.
    fn check(&self, lane: Lane, class: Class, cost: u32) -> Result<(), TestCaseError> {
        let all = self.cost(None, self.account.limits().per);
        let most = self.ours(lane, self.limit);
        prop_assert!(
            all == cost || f64::from(all) <= most + 1e-3,
            "{all} of {most} for {lane:?}"
        );
        if let Some(rate) = self.account.class(class, self.limit) {
            let own = self.cost(Some(class), rate.per);
            let most = self.ours_of_class(rate.calls);
            prop_assert!(
                own == cost || f64::from(own) <= most + 1e-3,
                "{own} of {most} {class:?}"
            );
        }
        Ok(())
    }

    /// Every call in flight is answered.
    pub(crate) fn finish_all(&mut self) {
        while let Some((_, permit)) = self.take(0) {
            self.governor
                .answered(permit, &Headers::default(), self.now);
        }
        for waiting in std::mem::take(&mut self.waiting) {
            self.governor.leave(waiting.turn);
        }
    }

    /// How long one call waits, and how often it asks.
    pub(crate) fn until_it_goes(&mut self, lane: Lane, class: Class) -> (Duration, u64) {
        let (mut waited, mut asked) = (Duration::ZERO, 0);
        let mut turn = self.governor.turn(lane, class, 1);
        loop {
            asked += 1;
            let until;
            (turn, until) = match self.governor.ask(turn, self.now) {
                Decision::Go(permit) => {
                    self.governor
                        .answered(permit, &Headers::default(), self.now);
                    return (waited, asked);
                }
                Decision::Wait(turn, until) | Decision::Closed { turn, until, .. } => (turn, until),
            };
            waited += until.since(self.now);
            assert!(
                waited < Duration::from_hours(48) && asked < 1_000_000,
                "never"
            );
            self.now = until;
        }
    }

    /// Waits until a call goes, and tells its outcome.
    pub(crate) fn go_and(
        &mut self,
        class: Class,
        outcome: impl FnOnce(&mut Governor, Permit, Moment),
    ) {
        let mut turn = self.governor.turn(Lane::Vip, class, 1);
        loop {
            match self.governor.ask(turn, self.now) {
                Decision::Go(permit) => {
                    outcome(&mut self.governor, permit, self.now);
                    return;
                }
                Decision::Wait(again, until)
                | Decision::Closed {
                    turn: again, until, ..
                } => {
                    turn = again;
                    self.now = until;
                }
            }
        }
    }

    /// Calls of the class that go, summed up by second, when one waits at any time and answers come at once.
    pub(crate) fn greedy(&mut self, class: Class, millis: i64) -> Vec<f64> {
        let (mut sent, mut sums) = (0.0, Vec::new());
        let mut turn = Some(self.governor.turn(Lane::FirstSync, class, 1));
        for step in 0..millis / 20 {
            self.forward(20);
            while let Some(asking) = turn.take() {
                match self.governor.ask(asking, self.now) {
                    Decision::Go(permit) => {
                        sent += 1.0;
                        self.governor
                            .answered(permit, &Headers::default(), self.now);
                        turn = Some(self.governor.turn(Lane::FirstSync, class, 1));
                    }
                    Decision::Wait(again, _) | Decision::Closed { turn: again, .. } => {
                        turn = Some(again);
                        break;
                    }
                }
            }
            if step % 50 == 49 {
                sums.push(sent);
            }
        }
        sums
    }

    /// Calls of the class that go in each second, where so many are wanted in it and answers come at once.
    pub(crate) fn wanted(&mut self, class: Class, a_second: i64, seconds: usize) -> Vec<f64> {
        let mut went = Vec::new();
        let mut waiting: Vec<Turn> = Vec::new();
        for _ in 0..seconds {
            let mut sent = 0.0;
            for _ in 0..a_second {
                self.forward(1000 / a_second);
                if waiting.len() < 4 {
                    waiting.push(self.governor.turn(Lane::People, class, 1));
                }
                for turn in std::mem::take(&mut waiting) {
                    match self.governor.ask(turn, self.now) {
                        Decision::Go(permit) => {
                            sent += 1.0;
                            self.governor
                                .answered(permit, &Headers::default(), self.now);
                        }
                        Decision::Wait(turn, _) | Decision::Closed { turn, .. } => {
                            waiting.push(turn);
                        }
                    }
                }
            }
            went.push(sent);
        }
        for turn in waiting {
            self.governor.leave(turn);
        }
        went
    }

    /// Calls of the class that went, by lane, with so many callers each that ask again after every answer.
    pub(crate) fn contest(
        &mut self,
        class: Class,
        callers: [usize; 4],
        latency: i64,
        millis: i64,
    ) -> [f64; 4] {
        let mut went = [0.0; 4];
        let mut flying: Vec<(i64, Lane, Permit)> = Vec::new();
        let mut waiting: Vec<(Moment, Lane, Turn)> = Vec::new();
        for lane in Lane::ALL {
            for _ in 0..callers[lane as usize] {
                waiting.push((self.now, lane, self.governor.turn(lane, class, 1)));
            }
        }
        for at in (0..millis).step_by(10) {
            self.forward(10);
            let (done, still): (Vec<_>, _) = flying.into_iter().partition(|it| it.0 <= at);
            flying = still;
            for (_, lane, permit) in done {
                self.governor
                    .answered(permit, &Headers::default(), self.now);
                waiting.push((self.now, lane, self.governor.turn(lane, class, 1)));
            }
            for (until, lane, turn) in std::mem::take(&mut waiting) {
                if until > self.now {
                    waiting.push((until, lane, turn));
                    continue;
                }
                match self.governor.ask(turn, self.now) {
                    Decision::Go(permit) => {
                        went[lane as usize] += 1.0;
                        flying.push((at + latency, lane, permit));
                    }
                    Decision::Wait(turn, until) | Decision::Closed { turn, until, .. } => {
                        waiting.push((until, lane, turn));
                    }
                }
            }
        }
        went
    }
}

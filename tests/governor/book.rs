//! A second count of what the governor lets go, and hands that drive it.

use super::steps::Step;
use deskbridge::remote::freshdesk::CONTACTS_LIST;
use deskbridge::remote::governor::{
    Class, Decision, Governor, Headers, Lane, Moment, Permit, Portion, Reading, Turn,
};
use proptest::prelude::*;
use std::time::Duration;

const MINUTE: i64 = 60_000;

/// A call that went.
#[derive(Debug, Clone, Copy)]
struct Call {
    class: Class,
    cost: u32,
    /// When it went, and when its outcome was known, by the time that passed.
    went: i64,
    settled: Option<i64>,
}

/// The governor and what it let go.
pub(crate) struct Book {
    pub(crate) governor: Governor,
    pub(crate) now: Moment,
    portion: Portion,
    limit: f64,
    passed: i64,
    calls: Vec<Call>,
    flying: Vec<(usize, Permit)>,
    waiting: Vec<(Moment, Turn, Class, u32)>,
}

impl Book {
    pub(crate) fn new(governor: Governor, portion: Portion) -> Self {
        let limit = governor
            .clone()
            .snapshot(Moment::from_millis(0))
            .limit
            .unwrap();
        Self {
            governor,
            now: Moment::from_millis(1_700_000_000_000),
            portion,
            limit,
            passed: 0,
            calls: Vec::new(),
            flying: Vec::new(),
            waiting: Vec::new(),
        }
    }

    pub(crate) fn clone_without_queue(&self) -> Self {
        let mut copy = Self::new(self.governor.clone(), self.portion);
        copy.now = self.now;
        copy
    }

    pub(crate) fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Want(lane, class, cost, many) => {
                for _ in 0..many {
                    let turn = self.governor.turn(lane, class, cost);
                    self.ask(turn, class, cost)?;
                }
            }
            Step::Pass(millis) => self.pass(millis)?,
            Step::Jump(millis) => {
                self.now = Moment::from_millis(self.now.as_millis() + millis);
                self.passed += millis.max(0);
                self.governor.snapshot(self.now);
                for waiting in &mut self.waiting {
                    waiting.0 = self.now;
                }
            }
            Step::Answer(which, headers) => {
                if let Some(permit) = self.take(which) {
                    self.governor.answered(permit, &headers, self.now);
                    self.learn(&headers);
                }
            }
            Step::Refuse(which, refusal) => {
                if let Some(permit) = self.take(which) {
                    self.governor.refused(permit, refusal, self.now);
                    self.learn(&refusal.headers);
                }
            }
            Step::Fail(which) => {
                if let Some(permit) = self.take(which) {
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

    fn take(&mut self, which: usize) -> Option<Permit> {
        let which = which.checked_rem(self.flying.len())?;
        let (call, permit) = self.flying.swap_remove(which);
        self.calls[call].settled = Some(self.passed);
        Some(permit)
    }

    fn pass(&mut self, millis: i64) -> Result<(), TestCaseError> {
        let end = self.passed + millis;
        while self.passed < end {
            let next = (self.passed / 250 + 1) * 250;
            self.forward(next.min(end) - self.passed);
            for (until, turn, class, cost) in std::mem::take(&mut self.waiting) {
                if until <= self.now {
                    self.ask(turn, class, cost)?;
                } else {
                    self.waiting.push((until, turn, class, cost));
                }
            }
        }
        Ok(())
    }

    fn forward(&mut self, millis: i64) {
        self.passed += millis;
        self.now = Moment::from_millis(self.now.as_millis() + millis);
    }

    fn ask(&mut self, turn: Turn, class: Class, cost: u32) -> Result<(), TestCaseError> {
        match self.governor.ask(turn, self.now) {
            Decision::Go(permit) => {
                self.calls.push(Call {
                    class,
                    cost,
                    went: self.passed,
                    settled: None,
                });
                self.flying.push((self.calls.len() - 1, permit));
                self.check(class, cost)?;
            }
            Decision::Wait(turn, until) => {
                let wait = until.since(self.now);
                prop_assert!(wait > Duration::ZERO && wait <= Duration::from_secs(2));
                self.waiting.push((until, turn, class, cost));
            }
            Decision::Closed { turn, until, .. } => {
                let wait = until.since(self.now);
                prop_assert!(wait > Duration::ZERO && wait <= Duration::from_mins(15));
                self.waiting.push((until, turn, class, cost));
            }
        }
        Ok(())
    }

    /// The window that ends now holds no more than allowed, wherever in between the calls arrived.
    fn check(&self, class: Class, cost: u32) -> Result<(), TestCaseError> {
        let counts = |call: &&Call| {
            // Nobody waits for an answer for longer than two minutes.
            let lost = call.went + 2 * MINUTE;
            call.settled.unwrap_or(lost).min(lost) + MINUTE > self.passed
        };
        let cost_of =
            |calls: &mut dyn Iterator<Item = &Call>| -> u32 { calls.map(|it| it.cost).sum() };
        let all = cost_of(&mut self.calls.iter().filter(counts));
        let (share, reserve) = (self.portion.share, self.portion.reserve);
        let ceiling = self.portion.ceiling.unwrap_or(f64::MAX);
        // VIPs leave a quarter of the reserve free; and whatever others seem to take, some calls go.
        let least = self.limit * 0.02;
        let most = (self.limit * (1.0 - reserve / 4.0))
            .max(least)
            .min(self.limit * share);
        let most = most.min(ceiling).max(1.0);
        prop_assert!(
            all == cost || f64::from(all) <= most + 1e-3,
            "{all} of {most}"
        );
        let own = cost_of(
            &mut self
                .calls
                .iter()
                .filter(counts)
                .filter(|it| it.class == class),
        );
        if class == CONTACTS_LIST {
            let most = (own_limit(self.limit) * share).max(1.0);
            prop_assert!(
                own == cost || f64::from(own) <= most + 1e-3,
                "{own} of {most} lists"
            );
        }
        Ok(())
    }

    /// Every call in flight is answered.
    pub(crate) fn finish_all(&mut self) {
        while let Some(permit) = self.take(0) {
            self.governor
                .answered(permit, &Headers::default(), self.now);
        }
        for (_, turn, ..) in std::mem::take(&mut self.waiting) {
            self.governor.leave(turn);
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

    /// Calls that go, summed up by second, when one waits at any time and answers come at once.
    pub(crate) fn greedy(&mut self, millis: i64) -> Vec<f64> {
        let (mut sent, mut sums) = (0.0, Vec::new());
        let mut turn = Some(self.governor.turn(Lane::FirstSync, Class::OTHER, 1));
        for step in 0..millis / 20 {
            self.forward(20);
            while let Some(asking) = turn.take() {
                match self.governor.ask(asking, self.now) {
                    Decision::Go(permit) => {
                        sent += 1.0;
                        self.governor
                            .answered(permit, &Headers::default(), self.now);
                        turn = Some(self.governor.turn(Lane::FirstSync, Class::OTHER, 1));
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

    /// Calls that went, by lane, with so many callers each that ask again after every answer.
    pub(crate) fn contest(&mut self, callers: [usize; 4], latency: i64, millis: i64) -> [f64; 4] {
        let mut went = [0.0; 4];
        let mut flying: Vec<(i64, Lane, Permit)> = Vec::new();
        let mut waiting: Vec<(Moment, Lane, Turn)> = Vec::new();
        for lane in Lane::ALL {
            for _ in 0..callers[lane as usize] {
                waiting.push((self.now, lane, self.governor.turn(lane, Class::OTHER, 1)));
            }
        }
        for at in (0..millis).step_by(10) {
            self.forward(10);
            let (done, still): (Vec<_>, _) = flying.into_iter().partition(|it| it.0 <= at);
            flying = still;
            for (_, lane, permit) in done {
                self.governor
                    .answered(permit, &Headers::default(), self.now);
                waiting.push((self.now, lane, self.governor.turn(lane, Class::OTHER, 1)));
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

/// The limit for lists of contacts of an account with `total` calls a minute, by the vendor's table.
fn own_limit(total: f64) -> f64 {
    match total {
        ..=50.0 => f64::MAX,
        ..200.0 => (total / 10.0).floor().max(1.0),
        ..400.0 => 20.0,
        ..700.0 => 100.0,
        ..1000.0 => 200.0,
        _ => 300.0,
    }
}

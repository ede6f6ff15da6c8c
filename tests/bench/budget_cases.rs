//! Accounts on the simulated clock, and what share of their calls somebody gets.

use crate::server::{Refill, SECOND, Server};
use crate::strategies::{Clock, Strategy};
use crate::world::{Neighbour, Outcome, Scene, World};
use deskbridge::remote::freshdesk::{CONTACTS_LIST, Plan};
use deskbridge::remote::governor::{Class, Governor, Lane, Limits, Portion};
use std::time::Duration;

/// The part of the limit that stays free where there are neighbours.
const RESERVE: f64 = 0.03;

/// One account, and what happens on it.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) limits: Limits,
    pub(crate) reserve: f64,
    pub(crate) clock: Clock,
    pub(crate) scene: Scene,
    limit: u64,
}

/// What somebody got of an account's calls; parts of 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    /// Of what others left.
    pub(crate) of_left: f64,
    /// The same, less the reserve.
    pub(crate) beyond: f64,
    pub(crate) refused: f64,
    pub(crate) theirs_refused: f64,
    /// What of theirs is refused without us.
    pub(crate) theirs_alone: f64,
}

/// Four hours of a first sync, a ticket of a VIP every 20 seconds.
fn scene(refill: Refill, limit: u64) -> Scene {
    Scene {
        server: Server::new(refill, 60 * SECOND, limit, 0),
        neighbour: Neighbour::Nobody,
        backlog: vec![(Lane::FirstSync, Class::OTHER, 16)],
        calls: None,
        vip_every: Some(20),
        limits: Vec::new(),
        lasts: 4 * 3600,
        latency: (80, 400),
    }
}

impl Case {
    pub(crate) fn new(name: &str, refill: Refill, plan: Plan) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole and small"
        )]
        let limit = plan.calls_per_minute() as u64;
        Self {
            name: format!("{refill:?} {plan:?} {name}"),
            limit,
            limits: plan.limits(),
            reserve: 0.0,
            clock: Clock::default(),
            scene: scene(refill, limit),
        }
    }

    /// Beside a neighbour who takes a part of the account at random, so many calls at once.
    #[expect(clippy::cast_precision_loss, reason = "calls are few")]
    pub(crate) fn busy(name: &str, refill: Refill, plan: Plan, burst: u32, part: f64) -> Self {
        let mut case = Self::new(name, refill, plan);
        case.scene.neighbour = Neighbour::Takes(case.limit as f64 * part, burst);
        case.reserve = RESERVE;
        case
    }

    /// HubSpot's calls in ten seconds.
    pub(crate) fn ten_seconds(refill: Refill) -> Self {
        let mut burst = Self::new("ten seconds' window of 190", refill, Plan::Pro);
        burst.limit = 190;
        burst.limits = Limits::of(190.0, Duration::from_secs(10));
        burst.scene.server = Server::new(refill, 10 * SECOND, 190, 0);
        burst
    }

    pub(crate) fn governed(&self) -> Outcome {
        let portion = Portion {
            share: 1.0,
            reserve: self.reserve,
            ceiling: None,
        };
        let governor = Governor::new(&self.limits, portion);
        self.play(Strategy::Governed(Box::new(governor), self.clock.clone()))
    }

    /// A client that sends at once, and sleeps when it is refused.
    pub(crate) fn sleeping(&self) -> Outcome {
        self.play(Strategy::SleepOnRefusal { until: 0 })
    }

    /// A client that sends at the limit's even pace, and sleeps as well.
    pub(crate) fn paced(&self) -> Outcome {
        self.play(Strategy::FixedPace {
            every: u64::try_from(self.limits.per.as_micros()).unwrap() / self.limit,
            next: 0,
            until: 0,
        })
    }

    fn play(&self, strategy: Strategy) -> Outcome {
        World::run(self.scene.clone(), strategy)
    }

    #[expect(clippy::cast_precision_loss, reason = "calls are few")]
    pub(crate) fn figures(&self, out: &Outcome) -> Figures {
        let windows = out.ended as f64 / self.limits.per.as_micros() as f64;
        let all = self.allowed(windows);
        let left = all - out.theirs as f64;
        let part = |part: u64, of: f64| part as f64 / of.max(1.0);
        let theirs = (out.theirs + out.theirs_refused) as f64;
        Figures {
            of_left: part(out.taken, left),
            beyond: part(out.taken, left - all * self.reserve),
            refused: part(out.refused, (out.refused + out.taken) as f64),
            theirs_refused: part(out.theirs_refused, theirs),
            theirs_alone: part(out.theirs_refused_alone, theirs),
        }
    }

    /// The calls that the account had in so many windows.
    #[expect(clippy::cast_precision_loss, reason = "calls are few")]
    fn allowed(&self, windows: f64) -> f64 {
        let length = self.limits.per.as_secs_f64();
        let (mut all, mut at, mut limit) = (0.0, 0.0, self.limit as f64);
        for (since, next) in &self.scene.limits {
            let since = *since as f64 / length;
            all += (since - at) * limit;
            (at, limit) = (since, *next as f64);
        }
        all + (windows - at) * limit
    }
}

/// Everything that the benchmark shows.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for refill in [Refill::Fixed, Refill::Sliding] {
        for plan in [Plan::Trial, Plan::Growth, Plan::Pro, Plan::Enterprise] {
            cases.push(Case::new("quiet", refill, plan));
            cases.push(Case::busy("half taken", refill, plan, 1, 0.5));
        }
        cases.push(Case::busy("half taken in tens", refill, Plan::Pro, 10, 0.5));
        cases.push(Case::busy("a tenth taken", refill, Plan::Pro, 1, 0.1));
        cases.push(Case::busy("nine tenths taken", refill, Plan::Pro, 1, 0.9));
        cases.extend(others(refill));
    }
    cases
}

fn others(refill: Refill) -> Vec<Case> {
    let mut comes = Case::new("half taken in hours 2 and 4", refill, Plan::Pro);
    comes.scene.neighbour = Neighbour::TakesBetween(200.0, 3600, 7200);
    comes.reserve = RESERVE;

    let mut changes = Case::new("limit 400 > 200 > 700 > 50", refill, Plan::Pro);
    changes.scene.limits = vec![(3600, 200), (7200, 700), (10800, 50)];

    let mut hidden = Case::new("lists at half their limit", refill, Plan::Pro);
    hidden
        .scene
        .server
        .set_class("contacts.list", 60 * SECOND, 50);
    hidden
        .scene
        .backlog
        .push((Lane::Reconcile, CONTACTS_LIST, 4));

    let mut skewed = Case::new("clock 300 ppm fast, jumps", refill, Plan::Pro);
    skewed.scene.server = Server::new(refill, 60 * SECOND, 400, 300);
    skewed.clock = Clock(vec![
        (5_000 * SECOND, 3_600_000),
        (9_000 * SECOND, -7_200_000),
        (12_000 * SECOND, 45_000),
    ]);

    let mut lanes = Case::new("four lanes at once", refill, Plan::Pro);
    lanes.scene.backlog = vec![
        (Lane::FirstSync, Class::OTHER, 8),
        (Lane::People, Class::OTHER, 2),
        (Lane::Reconcile, CONTACTS_LIST, 2),
    ];

    let mut sync = Case::new("first sync of 20,000", refill, Plan::Pro);
    sync.scene.vip_every = None;
    sync.scene.calls = Some(20_001);

    let mut large = Case::new("first sync of 100,000", refill, Plan::Pro);
    large.scene.calls = Some(100_001);
    large.scene.lasts = 5 * 3600;

    let burst = Case::ten_seconds(refill);
    vec![comes, changes, hidden, skewed, lanes, sync, large, burst]
}

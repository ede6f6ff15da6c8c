//! How an account's calls are spent, on a simulated clock: by the governor, by one that sleeps when it is
//! refused, and by one with a fixed pace.
//!
//! Then the whole engine, over HTTP against the simulators with their time hastened. `cargo bench --bench
//! budget` runs everything; further words pick the scenes whose names hold them.

#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]
#![expect(clippy::indexing_slicing, reason = "a benchmark may panic")]
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

#[path = "budget_edits.rs"]
mod edits;
#[path = "budget_engine.rs"]
mod engine;
#[path = "budget_first_sync.rs"]
mod first_sync;
#[path = "budget_hastened.rs"]
mod hastened;
#[path = "budget_server.rs"]
mod server;
#[path = "budget_strategies.rs"]
mod strategies;
#[path = "budget_world.rs"]
mod world;

use deskbridge::remote::freshdesk::{CONTACTS_LIST, Plan};
use deskbridge::remote::governor::{Class, Governor, Lane, Limits, Portion};
use server::{Refill, SECOND, Server};
use std::time::Duration;
use strategies::{Clock, Strategy};
use world::{Neighbour, Outcome, Scene, World};

/// The part of the limit that stays free where there are neighbours.
const RESERVE: f64 = 0.03;

struct Case {
    name: String,
    limit: u64,
    limits: Limits,
    reserve: f64,
    clock: Clock,
    scene: Scene,
}

fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|it| it != "--bench")
        .collect();
    println!(
        "{:<44} {:<9} {:>7} {:>7} {:>7} {:>8} {:>8} {:>8} {:>14} {:>14}",
        "scene",
        "strategy",
        "taken",
        "of left",
        "beyond",
        "refused",
        "others'",
        "alone",
        "VIP p50/max s",
        "first p50/max"
    );
    for case in cases() {
        if wanted.is_empty() || wanted.iter().any(|it| case.name.contains(it.as_str())) {
            for strategy in ["governor", "sleep", "pace"] {
                run(&case, strategy);
            }
        }
    }
    engine::run(&wanted);
}

fn run(case: &Case, name: &str) {
    let portion = Portion {
        share: 1.0,
        reserve: case.reserve,
        ceiling: None,
    };
    let strategy = match name {
        "governor" => {
            let governor = Governor::new(&case.limits, portion);
            Strategy::Governed(Box::new(governor), case.clock.clone())
        }
        "sleep" => Strategy::SleepOnRefusal { until: 0 },
        _ => Strategy::FixedPace {
            every: u64::try_from(case.limits.per.as_micros()).unwrap() / case.limit,
            next: 0,
            until: 0,
        },
    };
    let outcome = World::run(case.scene.clone(), strategy);
    print(case, name, &outcome);
}

#[expect(clippy::cast_precision_loss, reason = "calls are few")]
fn print(case: &Case, name: &str, out: &Outcome) {
    let windows = out.ended as f64 / case.limits.per.as_micros() as f64;
    let all = allowed(case, windows);
    let left = all - out.theirs as f64;
    let above = left - all * case.reserve;
    let percent = |part: f64, of: f64| format!("{:.2}%", 100.0 * part / of.max(1.0));
    let taken = out.taken as f64;
    println!(
        "{:<44} {:<9} {:>7} {:>7} {:>7} {:>8} {:>8} {:>8} {:>14} {:>14}",
        case.name,
        name,
        out.taken,
        percent(taken, left),
        percent(taken, above),
        percent(out.refused as f64, (out.refused + out.taken) as f64),
        percent(
            out.theirs_refused as f64,
            (out.theirs + out.theirs_refused) as f64
        ),
        percent(
            out.theirs_refused_alone as f64,
            (out.theirs + out.theirs_refused) as f64
        ),
        waits(out, Lane::Vip),
        waits(out, Lane::FirstSync),
    );
}

/// The calls that the account had in so many windows.
#[expect(clippy::cast_precision_loss, reason = "calls are few")]
fn allowed(case: &Case, windows: f64) -> f64 {
    let length = case.limits.per.as_secs_f64();
    let (mut all, mut at, mut limit) = (0.0, 0.0, case.limit as f64);
    for (since, next) in &case.scene.limits {
        let since = *since as f64 / length;
        all += (since - at) * limit;
        (at, limit) = (since, *next as f64);
    }
    all + (windows - at) * limit
}

#[expect(clippy::cast_precision_loss, reason = "minutes")]
fn waits(out: &Outcome, lane: Lane) -> String {
    let Some(waits) = out.waits.get(&lane) else {
        return String::new();
    };
    let mut waits = waits.clone();
    waits.sort_unstable();
    let at = |index: usize| waits[index] as f64 / 1000.0;
    format!("{:.2}/{:.2}", at(waits.len() / 2), at(waits.len() - 1))
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

fn case(name: &str, refill: Refill, plan: Plan) -> Case {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and small"
    )]
    let limit = plan.calls_per_minute() as u64;
    Case {
        name: format!("{refill:?} {plan:?} {name}"),
        limit,
        limits: plan.limits(),
        reserve: 0.0,
        clock: Clock::default(),
        scene: scene(refill, limit),
    }
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for refill in [Refill::Fixed, Refill::Sliding] {
        for plan in [Plan::Trial, Plan::Growth, Plan::Pro, Plan::Enterprise] {
            cases.push(case("quiet", refill, plan));
            cases.push(busy("half taken", refill, plan, 1, 0.5));
        }
        cases.push(busy("half taken in tens", refill, Plan::Pro, 10, 0.5));
        cases.push(busy("a tenth taken", refill, Plan::Pro, 1, 0.1));
        cases.push(busy("nine tenths taken", refill, Plan::Pro, 1, 0.9));
        cases.extend(others(refill));
    }
    cases
}

#[expect(clippy::cast_precision_loss, reason = "calls are few")]
fn busy(name: &str, refill: Refill, plan: Plan, burst: u32, part: f64) -> Case {
    let mut case = case(name, refill, plan);
    case.scene.neighbour = Neighbour::Takes(case.limit as f64 * part, burst);
    case.reserve = RESERVE;
    case
}

fn others(refill: Refill) -> Vec<Case> {
    let mut comes = case("half taken in hours 2 and 4", refill, Plan::Pro);
    comes.scene.neighbour = Neighbour::TakesBetween(200.0, 3600, 7200);
    comes.reserve = RESERVE;

    let mut changes = case("limit 400 > 200 > 700 > 50", refill, Plan::Pro);
    changes.scene.limits = vec![(3600, 200), (7200, 700), (10800, 50)];

    let mut hidden = case("lists at half their limit", refill, Plan::Pro);
    hidden
        .scene
        .server
        .set_class("contacts.list", 60 * SECOND, 50);
    hidden
        .scene
        .backlog
        .push((Lane::Reconcile, CONTACTS_LIST, 4));

    let mut skewed = case("clock 300 ppm fast, jumps", refill, Plan::Pro);
    skewed.scene.server = Server::new(refill, 60 * SECOND, 400, 300);
    skewed.clock = Clock(vec![
        (5_000 * SECOND, 3_600_000),
        (9_000 * SECOND, -7_200_000),
        (12_000 * SECOND, 45_000),
    ]);

    let mut lanes = case("four lanes at once", refill, Plan::Pro);
    lanes.scene.backlog = vec![
        (Lane::FirstSync, Class::OTHER, 8),
        (Lane::People, Class::OTHER, 2),
        (Lane::Reconcile, CONTACTS_LIST, 2),
    ];

    let mut sync = case("first sync of 20,000", refill, Plan::Pro);
    sync.scene.vip_every = None;
    sync.scene.calls = Some(20_001);

    let mut large = case("first sync of 100,000", refill, Plan::Pro);
    large.scene.calls = Some(100_001);

    let mut burst = case("ten seconds' window of 190", refill, Plan::Pro);
    burst.limit = 190;
    burst.limits = Limits::of(190.0, Duration::from_secs(10));
    burst.scene.server = Server::new(refill, 10 * SECOND, 190, 0);
    vec![comes, changes, hidden, skewed, lanes, sync, large, burst]
}

//! One first sync by the whole engine, turned as the daemon turns it, and what it did to the account.

use crate::edits::{Editors, Latencies, Population};
use crate::hastened::{MINUTE, POLL, TIMES, engine, limits_of, simulators};
use chrono::TimeDelta;
use deskbridge::clock::monotonic;
use deskbridge::remote::freshdesk::Plan;
use deskbridge::sandbox::freshdesk::FreshdeskSim;
use deskbridge::sync::{CycleOutcome, Engine};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What happens on an account.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) plan: Plan,
    pub(crate) population: Population,
    /// Calls a minute that somebody else makes, on average.
    pub(crate) neighbour: f64,
    /// Other plans' limits, each from a minute on.
    pub(crate) limits: Vec<(u32, Plan)>,
    /// The contacts' list has another limit than the plan says.
    pub(crate) lists: Option<u32>,
    /// How far our clock is ahead of both systems'.
    pub(crate) ahead: TimeDelta,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Our calls until the first sync was over, and those of them that were refused.
    pub(crate) calls: u64,
    pub(crate) refused: u64,
    /// How long that took, in the simulators' minutes.
    pub(crate) minutes: f64,
    /// Calls of others until then, and those of them that were refused.
    pub(crate) theirs: u64,
    pub(crate) theirs_refused: u64,
    pub(crate) latencies: Latencies,
}

pub(crate) async fn play(scene: Scene) -> Outcome {
    let (crm, desk) = simulators(&scene).await;
    let editors = Editors::populate(&crm, &desk, scene.population);
    // Others have been there for a while.
    let start = monotonic() + MINUTE / TIMES;
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&scene, &crm, &desk, dir.path()).await;
    let (filled, arrived) = (CancellationToken::new(), CancellationToken::new());
    let edits = async {
        tokio::time::sleep_until(start).await;
        let latencies = editors.edit(&filled).await;
        arrived.cancel();
        latencies
    };
    let (mut out, latencies, others, ()) = tokio::join!(
        turn(engine, scene.population.missing, &filled, &arrived, start),
        edits,
        neighbour(&desk, scene.neighbour, &filled, start),
        change_limits(&desk, &scene, &filled, start),
    );
    (out.theirs, out.theirs_refused) = others;
    out.latencies = latencies;
    out
}

/// Cycle after cycle, as the daemon has them: the next begins at once where one has left work, else when it is due.
async fn turn(
    mut engine: Engine,
    missing: usize,
    filled: &CancellationToken,
    arrived: &CancellationToken,
    start: Instant,
) -> Outcome {
    let (mut out, mut created) = (Outcome::default(), 0);
    tokio::time::sleep_until(start).await;
    while !arrived.is_cancelled() {
        let begun = monotonic();
        let report = engine.cycle(false).await.unwrap();
        assert_ne!(report.outcome, CycleOutcome::Stopped, "{report:?}");
        if !filled.is_cancelled() {
            created += report.created;
            out.calls += report.calls.desk;
            out.refused += report.budget.desk.refused;
        }
        if created >= missing as u64 && !report.unfinished && !filled.is_cancelled() {
            out.minutes = (start.elapsed() * TIMES).as_secs_f64() / MINUTE.as_secs_f64();
            filled.cancel();
        }
        if !report.unfinished {
            let wait = (POLL / TIMES).saturating_sub(begun.elapsed());
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = arrived.cancelled() => {}
            }
        }
    }
    out
}

/// Somebody else who makes `per_minute` calls at random, from before the `start` on; how many were taken after it,
/// and how many refused.
async fn neighbour(
    desk: &FreshdeskSim,
    per_minute: f64,
    until: &CancellationToken,
    start: Instant,
) -> (u64, u64) {
    let mut random = StdRng::seed_from_u64(7);
    let (mut taken, mut refused, mut next) = (0, 0, monotonic());
    while per_minute > 0.0 && !until.is_cancelled() {
        let mean = MINUTE.as_secs_f64() / per_minute / f64::from(TIMES);
        let wait = -random.random_range(f64::MIN_POSITIVE..1.0).ln() * mean;
        next += Duration::from_secs_f64(wait);
        tokio::time::sleep_until(next).await;
        match (desk.call_of_another(), next >= start) {
            (true, true) => taken += 1,
            (false, true) => refused += 1,
            (_, false) => {}
        }
    }
    (taken, refused)
}

async fn change_limits(
    desk: &FreshdeskSim,
    scene: &Scene,
    until: &CancellationToken,
    start: Instant,
) {
    for (minute, plan) in &scene.limits {
        let at = start + MINUTE / TIMES * *minute;
        tokio::select! {
            () = tokio::time::sleep_until(at) => desk.set_limits(limits_of(*plan, scene.lists)),
            () = until.cancelled() => return,
        }
    }
}

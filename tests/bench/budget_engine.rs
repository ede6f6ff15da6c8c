//! The whole engine spending an account's calls: first syncs on accounts of every plan, with and without others,
//! and what they did to the account and to people's edits.

use crate::edits::Population;
use crate::first_sync::{Outcome, Scene, play};
use chrono::TimeDelta;
use deskbridge::remote::freshdesk::Plan;
use futures_util::StreamExt as _;
use tokio::runtime::Handle;

/// The part of the limit that the connector leaves free where it may have all of it.
const RESERVE: f64 = 0.03;

/// All scenes whose names hold one of `wanted`.
pub(crate) fn run(wanted: &[String]) {
    println!(
        "\n{:<36} {:>6} {:>8} {:>8} {:>8} {:>8} {:>8} {:>14} {:>14}",
        "whole engine, first sync",
        "calls",
        "minutes",
        "of left",
        "beyond",
        "refused",
        "others'",
        "VIP p50/max s",
        "edit p50/max s"
    );
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let played = scenes().into_iter().filter(|scene| {
        let named = format!("engine {}", scene.name);
        wanted.is_empty() || wanted.iter().any(|it| named.contains(it.as_str()))
    });
    let played = played.map(|scene| async {
        let (runtime, mine) = (Handle::current(), scene.clone());
        let outcome = tokio::task::spawn_blocking(move || runtime.block_on(play(mine)));
        (scene, outcome.await.unwrap())
    });
    let mut outcomes = futures_util::stream::iter(played).buffered(scenes().len());
    runtime.block_on(async {
        while let Some((scene, outcome)) = outcomes.next().await {
            print(&scene, &outcome);
        }
    });
}

/// About ten minutes each, but for the large one, of fifty; they are played at once, for each of them mostly waits.
fn scenes() -> Vec<Scene> {
    let quiet = [
        scene("trial", Plan::Trial, 450),
        scene("growth", Plan::Growth, 1_800),
        scene("pro", Plan::Pro, 3_600),
        scene("enterprise", Plan::Enterprise, 6_000),
        scene("pro, 20,000 contacts", Plan::Pro, 20_000),
    ];
    let busy = [
        half_taken("growth, half taken", Plan::Growth, 900),
        half_taken("pro, half taken", Plan::Pro, 1_800),
        half_taken("enterprise, half taken", Plan::Enterprise, 3_200),
    ];
    let mut changes = scene("pro, limit 400 > 200 > 700", Plan::Pro, 4_200);
    changes.limits = vec![(3, Plan::Growth), (7, Plan::Enterprise)];
    let mut hidden = scene("pro, lists at 25 instead of 100", Plan::Pro, 2_400);
    hidden.lists = Some(25);
    hidden.population.known = 5_000;
    let mut skewed = scene("pro, our clock 7 minutes ahead", Plan::Pro, 3_600);
    skewed.ahead = TimeDelta::minutes(7);
    // What the edits' latencies are measured against.
    let nothing = scene("pro, nothing to create", Plan::Pro, 0);
    let others = [changes, hidden, skewed, nothing];
    quiet.into_iter().chain(busy).chain(others).collect()
}

fn scene(name: &'static str, plan: Plan, missing: usize) -> Scene {
    Scene {
        name,
        plan,
        population: Population { missing, known: 0 },
        neighbour: 0.0,
        limits: Vec::new(),
        lists: None,
        ahead: TimeDelta::zero(),
    }
}

fn half_taken(name: &'static str, plan: Plan, missing: usize) -> Scene {
    Scene {
        neighbour: plan.calls_per_minute() / 2.0,
        ..scene(name, plan, missing)
    }
}

#[expect(clippy::cast_precision_loss, reason = "some thousand calls")]
fn print(scene: &Scene, out: &Outcome) {
    let percent = |part: f64, of: f64| format!("{:.2}%", 100.0 * part / of.max(1.0));
    let all = allowed(scene, out.minutes);
    let left = all - out.theirs as f64;
    let taken = (out.calls - out.refused) as f64;
    // Where there is nothing to create, nothing is to be used up.
    let used = |of: f64| match scene.population.missing {
        0 => "-".to_owned(),
        _ => percent(taken, of),
    };
    println!(
        "{:<36} {:>6} {:>8.2} {:>8} {:>8} {:>8} {:>8} {:>14} {:>14}",
        scene.name,
        out.calls,
        out.minutes,
        used(left),
        used(left - all * RESERVE),
        percent(out.refused as f64, out.calls as f64),
        percent(
            out.theirs_refused as f64,
            (out.theirs + out.theirs_refused) as f64
        ),
        waits(&out.latencies.vips),
        waits(&out.latencies.titles),
    );
    if scene.population.missing > 0 && scene.neighbour == 0.0 && scene.limits.is_empty() {
        println!("    {}", least(scene, out));
    }
}

/// What took how long beside the least that it can take.
#[expect(clippy::cast_precision_loss, reason = "some thousand calls")]
fn least(scene: &Scene, out: &Outcome) -> String {
    let limit = scene.plan.calls_per_minute();
    let ours = limit * (1.0 - RESERVE);
    let calls = out.calls as f64;
    let ratio = |limit: f64| out.minutes * limit / calls.max(1.0);
    format!(
        "{} records, {calls} calls, {limit} a minute, {ours} of them ours: {:.2} min at the least; it took {:.2}, \
         {:.4} times that ({:.4} times the calls by the account's limit)",
        scene.population.missing,
        calls / ours,
        out.minutes,
        ratio(ours),
        ratio(limit),
    )
}

/// The calls that the account had in so many minutes.
fn allowed(scene: &Scene, minutes: f64) -> f64 {
    let (mut all, mut at, mut limit) = (0.0, 0.0, scene.plan.calls_per_minute());
    for (since, next) in &scene.limits {
        let since = f64::from(*since).min(minutes);
        all += (since - at) * limit;
        (at, limit) = (since, next.calls_per_minute());
    }
    all + (minutes - at) * limit
}

fn waits(waits: &[TimeDelta]) -> String {
    let mut waits = waits.to_vec();
    waits.sort_unstable();
    let seconds = |wait: Option<&TimeDelta>| wait.map_or(f64::NAN, |it| it.as_seconds_f64());
    let (middle, longest) = (waits.get(waits.len() / 2), waits.last());
    format!("{:.1}/{:.1}", seconds(middle), seconds(longest))
}

//! How an account's calls are spent, on a simulated clock: by the governor, by one that sleeps when it is
//! refused, and by one with a fixed pace.
//!
//! Then the whole engine, over HTTP against the simulators with their time hastened. `cargo bench --bench
//! budget` runs everything; further words pick the scenes whose names hold them. What must be reached on the
//! simulated clock is asserted by tests/governor.

#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]
#![expect(clippy::indexing_slicing, reason = "a benchmark may panic")]
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

#[path = "budget_cases.rs"]
mod cases;
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
#[path = "../world/wiring.rs"]
mod wiring;
#[path = "budget_world.rs"]
mod world;

use cases::{Case, cases};
use deskbridge::remote::governor::Lane;
use world::Outcome;

fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|it| it != "--bench")
        .collect();
    println!(
        "{:<44} {:<9} {:>7} {:>7} {:>7} {:>8} {:>8} {:>8}   waits, p50/max s",
        "scene", "strategy", "taken", "of left", "beyond", "refused", "others'", "alone",
    );
    for case in cases() {
        if wanted.is_empty() || wanted.iter().any(|it| case.name.contains(it.as_str())) {
            print(&case, "governor", &case.governed());
            print(&case, "sleep", &case.sleeping());
            print(&case, "pace", &case.paced());
        }
    }
    engine::run(&wanted);
}

fn print(case: &Case, name: &str, out: &Outcome) {
    let figures = case.figures(out);
    let percent = |part: f64| format!("{:.2}%", 100.0 * part);
    println!(
        "{:<44} {:<9} {:>7} {:>7} {:>7} {:>8} {:>8} {:>8}   {}",
        case.name,
        name,
        out.taken,
        percent(figures.of_left),
        percent(figures.beyond),
        percent(figures.refused),
        percent(figures.theirs_refused),
        percent(figures.theirs_alone),
        waits(out),
    );
}

/// How long each lane's calls waited, of the lanes that had any.
#[expect(clippy::cast_precision_loss, reason = "minutes")]
fn waits(out: &Outcome) -> String {
    let lanes = out.waits.iter().map(|(lane, waits)| {
        let mut waits = waits.clone();
        waits.sort_unstable();
        let at = |index: usize| waits[index] as f64 / 1000.0;
        let (middle, longest) = (at(waits.len() / 2), at(waits.len() - 1));
        format!("{} {middle:.2}/{longest:.2}", name(*lane))
    });
    lanes.collect::<Vec<_>>().join("  ")
}

const fn name(lane: Lane) -> &'static str {
    match lane {
        Lane::Vip => "VIP",
        Lane::People => "people",
        Lane::FirstSync => "first sync",
        Lane::Reconcile => "reconcile",
    }
}

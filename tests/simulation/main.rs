//! The whole engine between two systems in memory, life after life, each from one seed: people edit at
//! any time, everything fails, processes die. In the end both sides agree, nobody is there twice, and no
//! edit is lost without a trace.
//!
//! `DESKBRIDGE_SEEDS=200000 cargo test --test simulation` runs that many, from `DESKBRIDGE_FIRST` on;
//! `DESKBRIDGE_SEED=7` runs one, and with `DESKBRIDGE_STORY=/tmp/story` writes down what happened in it. With
//! `DESKBRIDGE_WILD=1` also happens what no machine repeats: disks that are full and answers that are given
//! while pages are on their way, and deaths wherever the process waits.
#![cfg(feature = "sandbox")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::indexing_slicing, reason = "a test may panic")]

#[path = "../systems/mod.rs"]
mod systems;

mod answers;
mod befall;
mod clients;
mod ends;
mod found;
mod judge;
mod life;
mod lock;
mod people;
mod pinned;
mod setting;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many lives `cargo test` itself goes through.
const SEEDS: u64 = 60;
/// Every so many lives, one is lived twice, and is the same one the second time.
const TWICE: u64 = 10;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Whether the same seed is the same life on every machine.
fn is_steady(seed: u64) -> bool {
    seed.is_multiple_of(TWICE) || number("DESKBRIDGE_WILD").is_none()
}

/// One life; what it came to as a number.
fn live(seed: u64) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(life::life(seed))
}

/// What went wrong in a life, if anything.
fn failure(seed: u64) -> Option<String> {
    let twice = seed.is_multiple_of(TWICE);
    let lived = catch_unwind(AssertUnwindSafe(|| {
        let first = live(seed);
        if twice {
            assert_eq!(
                first,
                live(seed),
                "seed {seed}: another life the second time"
            );
        }
    }));
    let panic = lived.err()?;
    let said = panic.downcast_ref::<String>().cloned();
    let said = said.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
    Some(format!(
        "{}\n  again: DESKBRIDGE_SEED={seed} cargo test --test simulation",
        said.unwrap_or_else(|| "it panicked".to_owned())
    ))
}

#[test]
fn whatever_befalls_it_both_sides_agree_in_the_end_and_no_edit_is_lost_without_a_trace() {
    let first = number("DESKBRIDGE_SEED").or_else(|| number("DESKBRIDGE_FIRST"));
    let first = first.unwrap_or(0);
    let seeds = match number("DESKBRIDGE_SEED") {
        Some(_) => 1,
        None => number("DESKBRIDGE_SEEDS").unwrap_or(SEEDS),
    };
    let (next, failed) = (AtomicU64::new(first), Mutex::new(Vec::new()));
    let (next_seed, failed_lives) = (&next, &failed);
    std::thread::scope(|scope| {
        for core in pinned::cores() {
            scope.spawn(move || {
                core.take();
                loop {
                    let seed = next_seed.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + seeds {
                        break;
                    }
                    let failure = failure(seed);
                    failed_lives.lock().unwrap().extend(failure);
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    let many = failed.len();
    assert!(
        failed.is_empty(),
        "{many} of {seeds}:\n{}",
        failed.join("\n")
    );
}

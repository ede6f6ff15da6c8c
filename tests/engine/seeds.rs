//! Lives that a seed decides: several at a time, and what went wrong in any is told.

use deskbridge::sandbox::Backstage;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::faults::Faults;
use futures_util::StreamExt as _;

/// The seed that `DESKBRIDGE_SEED` names, or as many as `DESKBRIDGE_SOAK` says.
fn seeds() -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    match number("DESKBRIDGE_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("DESKBRIDGE_SOAK").unwrap_or(10)).collect(),
    }
}

/// Lives the life of each seed, so many at once, and fails if one of them did.
pub(super) async fn live_all<L>(at_once: usize, life: fn(u64) -> L)
where
    L: Future<Output = ()> + 'static,
{
    let tasks = futures_util::stream::iter(seeds())
        .map(|seed| async move {
            let error = tokio::task::spawn_local(life(seed)).await.err()?;
            let panic = error.into_panic();
            let said = panic.downcast_ref::<String>().cloned();
            Some(said.unwrap_or_else(|| format!("seed {seed}")))
        })
        .buffer_unordered(at_once)
        .filter_map(|it| async { it })
        .collect();
    let failed: Vec<String> = tokio::task::LocalSet::new().run_until(tasks).await;
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// A system's backstage with this clock, whose faults the seed decides: others than those of a system
/// with another `salt`, 0 or 1.
pub(super) fn backstage(clock: &SimClock, seed: u64, salt: u64) -> Backstage {
    Backstage {
        clock: clock.clone(),
        faults: Faults::seeded(seed * 2 + salt),
        ..Backstage::default()
    }
}

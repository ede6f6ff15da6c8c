//! One cycle of an engine that may die in it.

use super::faults::Moment;
use super::{Died, Systems};
use deskbridge::model::Side;
use deskbridge::sync::{CycleError, CycleReport, Engine};
use futures_util::FutureExt as _;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::task::Poll;

/// A cycle; `None` where the process died in it.
pub async fn cycle(
    systems: &Systems,
    engine: &mut Engine,
    reconcile: bool,
) -> Option<Result<CycleReport, CycleError>> {
    let began = {
        let mut state = systems.state();
        state.cycle += 1;
        state.busy = true;
        state.gate.shut();
        let number = state.cycle;
        state.tell(|| format!("cycle {number} begins, reconcile {reconcile}"));
        state.now + state.skew
    };
    let mut work = pin!(AssertUnwindSafe(engine.cycle(reconcile)).catch_unwind());
    let work = poll_fn(|context| {
        if last_poll(systems) {
            return Poll::Ready(None);
        }
        let ended = work.as_mut().poll(context);
        systems.release();
        ended.map(Some)
    });
    let ended = tokio::select! {
        biased;
        () = systems.dead.notified() => None,
        ended = work => ended,
    };
    let mut state = systems.state();
    state.busy = false;
    let whole = matches!(ended, Some(Ok(Ok(_))));
    for side in Side::BOTH {
        state.accounts.of_mut(side).cycle_over(whole);
    }
    state.tickets.cycle_over(whole, began);
    match ended? {
        Ok(report) => {
            state.tell(|| "it ends".to_owned());
            Some(report)
        }
        Err(panic) if panic.is::<Died>() => None,
        Err(panic) => {
            drop(state);
            std::panic::resume_unwind(panic)
        }
    }
}

/// Counts the engine's turns, and says whether it dies at this one.
fn last_poll(systems: &Systems) -> bool {
    let mut state = systems.state();
    state.polls += 1;
    let dies = state.faults.death == Some(Moment::Poll(state.polls));
    if dies {
        state.faults.death = None;
        state.tell(|| "dies where it waits".to_owned());
    }
    dies
}

//! In which lane the calls of the work at hand go.
//!
//! A lane belongs to why something is done, which the engine knows and a connector does not; it goes
//! with the task, as a tracing span does, so that no signature between the two has to carry it.

use super::governor::Lane;

tokio::task_local! {
    static LANE: Lane;
}

/// Does `work` with all its calls in `lane`. What it spawns has to be put into a lane by itself.
pub async fn in_lane<T>(lane: Lane, work: impl Future<Output = T>) -> T {
    LANE.scope(lane, work).await
}

/// The lane of the work at hand: that of people's changes where nothing else was said.
#[must_use]
pub fn current() -> Lane {
    LANE.try_with(|lane| *lane).unwrap_or(Lane::People)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_inside_other_work_goes_in_its_own_lane_and_the_rest_stays() {
        let inside = in_lane(Lane::Reconcile, async {
            let nested = in_lane(Lane::Vip, async { current() }).await;
            (nested, current())
        });
        assert_eq!(inside.await, (Lane::Vip, Lane::Reconcile));
        assert_eq!(current(), Lane::People);
    }
}

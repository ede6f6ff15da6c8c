//! Another program that has the state locked while a cycle works.

use crate::systems::Systems;
use crate::systems::place::Place;
use crate::systems::run::cycle;
use deskbridge::sync::{CycleError, CycleReport, Engine};
use rand::Rng as _;
use rand::rngs::StdRng;
use std::time::Duration;

/// Time that passes only when nobody can do anything: the runtime's clock stands still otherwise.
const NAP: Duration = Duration::from_millis(1);
/// How long the engine waits for somebody who never lets go.
const SHORT: Duration = Duration::from_millis(3);
const LONG: Duration = Duration::from_secs(10);

/// Waits until this call.
pub(crate) async fn nap_until(systems: &Systems, call: u64) {
    while systems.state().calls < call {
        tokio::time::sleep(NAP).await;
    }
}

/// When, and for how long.
#[derive(Debug)]
pub(crate) struct Lock {
    /// At this call.
    pub(crate) from: u64,
    /// For so many naps; `None`: until the cycle is over.
    pub(crate) naps: Option<u32>,
}

impl Lock {
    pub(crate) fn new(random: &mut StdRng, systems: &Systems) -> Self {
        let calls = systems.state().calls;
        Self {
            from: calls + random.random_range(0..30),
            naps: random.random_bool(0.5).then(|| random.random_range(1..5)),
        }
    }

    /// A cycle beside which this happens.
    pub(crate) async fn cycle(
        &self,
        systems: &Systems,
        place: &Place,
        engine: &mut Engine,
        reconcile: bool,
    ) -> Option<Result<CycleReport, CycleError>> {
        let patience = if self.naps.is_some() { LONG } else { SHORT };
        engine.store.patience(patience).await.unwrap();
        let held = if self.from == 0 {
            Some(place.lock().await)
        } else {
            None
        };
        let lock = async {
            nap_until(systems, self.from).await;
            let held = match held {
                Some(held) => held,
                None => place.lock().await,
            };
            if self.from > 0 {
                systems.state().tell(|| "the state is locked".to_owned());
            }
            if let Some(naps) = self.naps {
                for _ in 0..naps {
                    tokio::time::sleep(NAP).await;
                }
                let _ = sqlx::Connection::close(held).await;
            } else {
                std::future::pending::<()>().await;
            }
            std::future::pending::<()>().await;
        };
        let lived = tokio::select! {
            biased;
            lived = cycle(systems, engine, reconcile) => lived,
            () = lock => None,
        };
        if matches!(lived, Some(Ok(_))) {
            engine.store.patience(LONG).await.unwrap();
        }
        lived
    }
}

//! What befalls an engine between two cycles.

use crate::life::Life;
use crate::systems::faults::happens;
use deskbridge::model::{Kind, Side};
use deskbridge::store::PassKind;
use deskbridge::sync::Engine;
use rand::Rng as _;

impl Life {
    /// What happens to the engine's surroundings between two cycles.
    pub(crate) async fn befall(&mut self, mut engine: Engine) -> Engine {
        let mishaps = self.setting.mishaps;
        if happens(&mut self.random, mishaps.skew) {
            let mut skew = [0, 0, 3_600_000, -3_600_000, 72_000_000, -600_000];
            if !self.people.lock().unwrap().forgets {
                // A create without a key whose answer is lost is told from older records by the
                // time, with a minute of grace.
                skew = skew.map(|it: i64| it.clamp(-50_000, 50_000));
            }
            self.systems.state().skew = skew[self.random.random_range(0..skew.len())];
        }
        if happens(&mut self.random, mishaps.reload) {
            let toml = if self.random.random_bool(0.5) {
                self.setting.other_toml()
            } else {
                self.setting.toml()
            };
            self.reload(&mut engine, toml).await;
        }
        if happens(&mut self.random, mishaps.copy) {
            self.place.close(engine).await;
            self.swap_states().await;
            engine = self.place.engine(&self.systems).await;
        }
        // A first listing is believed, whatever it shows: there is nothing to measure it by.
        let listed = listed(&mut engine).await;
        let mut state = self.systems.state();
        (state.faults.lies, state.faults.hush) = if listed { (0.1, 0.02) } else { (0.0, 0.0) };
        drop(state);
        engine
    }

    pub(crate) async fn reload(&mut self, engine: &mut Engine, toml: String) {
        self.place.toml = toml;
        let config = self.place.config();
        engine.mappings = config.mappings().cloned().collect();
        engine
            .store
            .mapped_by(&config.digest(), config.mappings())
            .await
            .unwrap();
        self.systems.state().tell(|| "another mapping".to_owned());
    }

    /// Puts a copy of the state aside, or the one that was put aside in its place.
    async fn swap_states(&mut self) {
        let (state, aside) = (self.place.state(), self.place.path("aside.db"));
        if aside.exists() {
            self.journals.extend(self.place.journal().await);
            self.place.closed().await;
            std::fs::rename(aside, state).unwrap();
            // Searches show by then what was made after that state.
            let lag = self.setting.traits.crm.index_lag;
            self.systems.state().now += lag;
            self.systems.state().tell(|| "an older state".to_owned());
        } else {
            std::fs::copy(state, aside).unwrap();
        }
    }
}

/// Whether everything was listed once.
async fn listed(engine: &mut Engine) -> bool {
    for side in Side::BOTH {
        for kind in Kind::BOTH {
            let pass = engine.store.pass(side, kind, PassKind::All).await.unwrap();
            if pass.mark.is_none() {
                return false;
            }
        }
    }
    true
}

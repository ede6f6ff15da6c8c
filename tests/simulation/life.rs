//! One life: what happens in which order.

use crate::judge;
use crate::people::People;
use crate::systems::Systems;
use crate::systems::faults::{Faults, Moment, happens};
use crate::systems::place::{MAPPING, Place, Row};
use crate::systems::run::cycle;
use crate::systems::traits::{Order, Rewrite, Traits};
use deskbridge::model::Pair;
use deskbridge::sync::Engine;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::sync::{Arc, Mutex};

const CYCLES: u32 = 10;
/// Where the disk is full.
const FULL: [(&str, &str); 5] = [
    ("journal", "INSERT"),
    ("journal", "UPDATE"),
    ("link", "INSERT"),
    ("record", "INSERT"),
    ("record", "UPDATE"),
];
/// How many of these are met only when everything is read. The others can end a cycle while pages are
/// still being asked for, and how far those are then depends on the machine.
const FULL_LATER: usize = 3;

/// What distinguishes one life from another, beside chance.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) seed: u64,
    pub(crate) conflict: &'static str,
    pub(crate) delete: &'static str,
    /// What befalls the state itself.
    mishaps: Mishaps,
    pub(crate) traits: Pair<Traits>,
}

/// What befalls the state, and the engine's surroundings, as likelihoods a cycle.
#[derive(Debug, Clone, Copy)]
struct Mishaps {
    full: f64,
    reload: f64,
    copy: f64,
    skew: f64,
}

/// A life under way.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) setting: Setting,
    pub(crate) systems: Systems,
    pub(crate) place: Place,
    pub(crate) people: Arc<Mutex<People>>,
    /// Journals of states that were put aside.
    pub(crate) journals: Vec<Row>,

    random: StdRng,
}

impl Setting {
    fn new(seed: u64, random: &mut StdRng) -> Self {
        let rewrites = [Rewrite::Nothing, Rewrite::Trims, Rewrite::TrimsAndLowers];
        let mut crm = if random.random_bool(0.6) {
            Traits::searching()
        } else {
            Traits::own()
        };
        let mut desk = Traits::desk();
        crm.rewrite = rewrites[random.random_range(0..3)];
        desk.rewrite = rewrites[random.random_range(0..3)];
        desk.names_holder = random.random_bool(0.5);
        for traits in [&mut crm, &mut desk] {
            if random.random_bool(0.5) {
                traits.order = [Order::Id, Order::Time][random.random_range(0..2)];
            }
        }
        Self {
            seed,
            conflict: ["newest", "crm", "freshdesk", "hold"][random.random_range(0..4)],
            delete: ["hold", "propagate", "ignore"][random.random_range(0..3)],
            mishaps: Mishaps {
                full: [0.0, 0.1][random.random_range(0..2)],
                reload: [0.0, 0.15][random.random_range(0..2)],
                copy: [0.0, 0.2][usize::from(random.random_bool(0.3))],
                skew: [0.0, 0.15][random.random_range(0..2)],
            },
            traits: Pair { crm, desk },
        }
    }

    fn toml(&self) -> String {
        MAPPING
            .replace("{CONFLICT}", self.conflict)
            .replace("{DELETE}", self.delete)
    }

    /// Another mapping for a while: other policies, and a field less.
    fn other_toml() -> String {
        let phone = "[[contacts.field]]\ncrm       = \"phone\"\nfreshdesk = \"phone\"\n";
        assert!(MAPPING.contains(phone), "the field has another form");
        MAPPING
            .replace(phone, "")
            .replace("{CONFLICT}", "freshdesk")
            .replace("{DELETE}", "hold")
    }
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let setting = Setting::new(seed, &mut random);
        let systems = Systems::new(seed, setting.traits.clone());
        let place = Place::new(setting.toml());
        let twins = setting.traits.crm.index_lag == 0;
        let people = Arc::new(Mutex::new(People::new(
            twins,
            setting.mishaps.copy > 0.0,
            random.random_bool(0.5),
        )));
        Self {
            setting,
            systems,
            place,
            people,
            journals: Vec::new(),
            random,
        }
    }

    /// The pairs that are there before the engine is.
    fn begin(&self) {
        let mut people = self.people.lock().unwrap();
        let mut state = self.systems.state();
        for _ in 0..3 {
            people.found(&mut state);
            people.hire_in_both(&mut state);
        }
        let people = Arc::clone(&self.people);
        state.people = Some(Box::new(move |state| people.lock().unwrap().act(state)));
    }

    fn trouble() -> Faults {
        Faults {
            rate: 0.02,
            lies: 0.0,
            refusals: 0.02,
            repeats: 0.1,
            bustle: 0.08,
            ..Faults::default()
        }
    }

    pub(crate) fn fail(&self, what: &str) -> ! {
        if let Some(story) = &self.systems.state().story {
            for line in story {
                eprintln!("{line}");
            }
        }
        let Setting {
            seed,
            conflict,
            delete,
            mishaps,
            ..
        } = &self.setting;
        let people = self.people.lock().unwrap();
        panic!(
            "seed {seed} (conflict {conflict}, delete {delete}, {mishaps:?}, {people:?}): {what}"
        );
    }

    /// Time passes; people do something.
    fn pause(&mut self) {
        let millis = self.random.random_range(10_000..400_000);
        let deeds = self.random.random_range(0..5);
        let mut state = self.systems.state();
        state.now += millis;
        for _ in 0..deeds {
            let step = self.random.random_range(0..5_000);
            state.now += step;
            state.live();
        }
    }

    /// A cycle, and another engine where this one died of it.
    async fn turn(&mut self, mut engine: Engine) -> Engine {
        let reconcile = happens(&mut self.random, 0.15);
        if happens(&mut self.random, 0.25) {
            let mut state = self.systems.state();
            let (calls, looks) = (state.calls, state.looks);
            state.faults.death = Some(match self.random.random_range(0..3) {
                0 => Moment::Before(calls + self.random.random_range(1..30)),
                1 => Moment::After(calls + self.random.random_range(1..30)),
                _ => Moment::Look(looks + self.random.random_range(1..12)),
            });
        }
        let full = happens(&mut self.random, self.setting.mishaps.full);
        if full {
            let same = self.setting.seed.is_multiple_of(crate::TWICE);
            let many = if same { FULL_LATER } else { FULL.len() };
            let (table, change) = FULL[self.random.random_range(0..many)];
            self.place.fill(table, change).await;
        }
        let lived = cycle(&self.systems, &mut engine, reconcile).await;
        self.systems.state().faults.death = None;
        if !matches!(lived, Some(Ok(_))) {
            drop(engine);
            self.place.closed().await;
            if full {
                self.place.empty().await;
            }
        } else if full {
            self.place.empty().await;
            return engine;
        } else {
            return engine;
        }
        match lived {
            Some(Err(error)) if !full => self.fail(&format!("the state failed: {error}")),
            _ => self.place.engine(&self.systems).await,
        }
    }

    /// What happens to the engine's surroundings between two cycles.
    async fn befall(&mut self, mut engine: Engine) -> Engine {
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
                Setting::other_toml()
            } else {
                self.setting.toml()
            };
            self.reload(&mut engine, toml).await;
        }
        if happens(&mut self.random, mishaps.copy) {
            drop(engine);
            self.place.closed().await;
            self.swap_states().await;
            engine = self.place.engine(&self.systems).await;
        }
        // A first listing is believed, whatever it shows: there is nothing to measure it by.
        let listed = self
            .place
            .texts("SELECT side FROM pass WHERE feed = 'all' AND mark IS NOT NULL")
            .await;
        self.systems.state().faults.lies = if listed.len() == 4 { 0.1 } else { 0.0 };
        engine
    }

    async fn reload(&mut self, engine: &mut Engine, toml: String) {
        self.place.toml = toml;
        let config = self.place.config();
        engine.mappings = config.mappings().cloned().collect();
        engine.store.mapped_by(&config.digest()).await.unwrap();
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

    /// Cycles without faults, until nothing is left to do; then one that reads everything.
    async fn calm_down(&mut self, engine: &mut Engine) {
        {
            let mut state = self.systems.state();
            state.faults = Faults::default();
            state.skew = 0;
        }
        let toml = self.setting.toml();
        self.reload(engine, toml).await;
        let (mut last, mut calm) = (None, 0);
        for _ in 0..14 {
            // Whatever was to be tried again is due.
            self.systems.state().now += 25 * 3_600_000;
            let before = self.systems.state().witness.writes.len();
            let report = match cycle(&self.systems, engine, calm == 1).await {
                Some(Ok(report)) => report,
                other => self.fail(&format!("a quiet cycle: {other:?}")),
            };
            let writes = self.systems.state().witness.writes.len() - before;
            let changes = report.created + report.updated + report.deleted + report.linked;
            let quiet = changes == 0
                && report.troubles.is_empty()
                && (writes == 0 || only_refused(&self.place).await);
            calm = if quiet { calm + 1 } else { 0 };
            // One, one that reads everything, and one after that.
            if calm == 3 {
                return;
            }
            last = Some(report);
        }
        let parked = self.place.report().await.parked(1000).await.unwrap();
        self.fail(&format!("no end: {last:?}, parked {parked:#?}"));
    }
}

/// Whether all that is written again and again is what a system refuses for good, and it is listed.
async fn only_refused(place: &Place) -> bool {
    let parked = place.report().await.parked(1000).await.unwrap();
    !parked.is_empty() && parked.iter().all(|it| it.state == "refused")
}

/// Lives the life of this seed, and returns its trace.
pub(crate) async fn life(seed: u64) -> u64 {
    let mut life = Life::new(seed);
    life.begin();
    let mut engine = life.place.engine(&life.systems).await;
    life.systems.state().faults = Life::trouble();
    for _ in 0..CYCLES {
        life.pause();
        engine = life.befall(engine).await;
        engine = life.turn(engine).await;
    }
    life.calm_down(&mut engine).await;
    judge::judge(&life).await;
    drop(engine);
    if let Some(story) = &life.systems.state().story {
        let path = std::env::var("DESKBRIDGE_STORY").unwrap();
        std::fs::write(
            format!(
                "{path}.{:?}",
                std::time::SystemTime::UNIX_EPOCH
                    .elapsed()
                    .unwrap()
                    .as_nanos()
            ),
            story.join("\n"),
        )
        .unwrap();
    }
    life.systems.state().trace()
}

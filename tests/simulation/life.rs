//! One life: what happens in which order.

use crate::judge;
use crate::lock::{Lock, nap_until};
use crate::people::People;
use crate::setting::{LOW, Setting};
use crate::systems::Systems;
use crate::systems::faults::{Faults, Moment, happens};
use crate::systems::place::{Place, Row};
use crate::systems::run::cycle;
use deskbridge::sync::{CycleError, CycleReport, Engine};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

const CYCLES: u32 = 10;
/// How often a cycle waits, more or less.
const POLLS: u64 = 150;
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

/// A life under way.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) setting: Setting,
    pub(crate) systems: Systems,
    pub(crate) place: Place,
    pub(crate) people: Arc<Mutex<People>>,
    /// Journals of states that were put aside.
    pub(crate) journals: Vec<Row>,

    /// Who got what a person discarded: they may differ.
    pub(crate) discarded: BTreeSet<String>,
    pub(crate) random: StdRng,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let setting = Setting::new(seed, &mut random);
        let systems = Systems::new(seed, setting.traits.clone());
        systems.state().traced = seed.is_multiple_of(crate::TWICE);
        let mut place = Place::new(setting.toml());
        place.guards = setting.guarded.then_some(LOW);
        let mut people = People::new();
        people.twins = setting.traits.crm.index_lag == 0;
        people.forgets = setting.mishaps.copy > 0.0;
        people.ends = random.random_bool(0.5);
        people.tickets = setting.tickets.is_some();
        Self {
            setting,
            systems,
            place,
            people: Arc::new(Mutex::new(people)),
            journals: Vec::new(),
            discarded: BTreeSet::new(),
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

    fn trouble(&self) -> Faults {
        Faults {
            rate: self.setting.mishaps.storm,
            lies: 0.0,
            refusals: 0.02,
            skips: 0.1,
            repeats: 0.1,
            bustle: 0.08,
            ..Faults::default()
        }
    }

    pub(crate) fn fail(&self, what: &str) -> ! {
        self.tell_story();
        let people = self.people.lock().unwrap();
        panic!("{}, {people:?}: {what}", self.setting.told());
    }

    /// Writes down what happened, where somebody wants to read it.
    fn tell_story(&self) {
        if let (Some(story), Ok(path)) = (
            &self.systems.state().story,
            std::env::var("DESKBRIDGE_STORY"),
        ) {
            let path = format!("{path}.{}", self.setting.seed);
            std::fs::write(&path, story.join("\n")).unwrap();
            // What the state was like in the end.
            for part in ["", "-wal"] {
                let from = self.place.path(&format!("state.db{part}"));
                let _ = std::fs::copy(from, format!("{path}.db{part}"));
            }
        }
    }

    /// Time passes; people do something.
    fn pause(&mut self) {
        let millis = self.random.random_range(10_000..400_000);
        let deeds = self
            .random
            .random_range(0..if self.setting.tickets.is_some() { 8 } else { 5 });
        let mut state = self.systems.state();
        state.now += millis;
        state.arrive();
        for _ in 0..deeds {
            let step = self.random.random_range(0..5_000);
            state.now += step;
            state.live();
        }
    }

    /// Where the process dies in the next cycle, if it does. In a wild life that may be wherever it waits.
    fn doom(&mut self) {
        if !happens(&mut self.random, 0.25) {
            return;
        }
        let wild = !crate::is_steady(self.setting.seed);
        let mut state = self.systems.state();
        let (calls, looks, polls) = (state.calls, state.looks, state.polls);
        state.faults.death = Some(match self.random.random_range(0..3 + 3 * u32::from(wild)) {
            0 => Moment::Before(calls + self.random.random_range(1..30)),
            1 => Moment::After(calls + self.random.random_range(1..30)),
            2 => Moment::Look(looks + self.random.random_range(1..12)),
            _ => Moment::Poll(polls + self.random.random_range(1..POLLS)),
        });
    }

    /// A cycle in the middle of which somebody answers what is held.
    async fn answered_cycle(
        &mut self,
        engine: &mut Engine,
        reconcile: bool,
    ) -> Option<Result<CycleReport, CycleError>> {
        let systems = self.systems.clone();
        let from = systems.state().calls + self.random.random_range(0..30);
        let answer = async {
            nap_until(&systems, from).await;
            self.answer().await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            lived = cycle(&systems, engine, reconcile) => lived,
            () = answer => None,
        }
    }

    /// A cycle, and another engine where this one died of it.
    async fn turn(&mut self, mut engine: Engine) -> Engine {
        let reconcile = happens(&mut self.random, 0.15);
        self.doom();
        let same = crate::is_steady(self.setting.seed);
        let full = happens(&mut self.random, self.setting.mishaps.full);
        if full {
            let many = if same { FULL_LATER } else { FULL.len() };
            let (table, change) = FULL[self.random.random_range(0..many)];
            self.place.fill(table, change).await;
        }
        let busy = happens(&mut self.random, self.setting.mishaps.busy) && !full;
        let lived = if busy {
            let mut lock = Lock::new(&mut self.random, &self.systems);
            lock.from *= u64::from(!same);
            lock.cycle(&self.systems, &self.place, &mut engine, reconcile)
                .await
        } else if self.setting.answers && !same && happens(&mut self.random, 0.3) {
            self.answered_cycle(&mut engine, reconcile).await
        } else {
            cycle(&self.systems, &mut engine, reconcile).await
        };
        self.systems.state().faults.death = None;
        let alive = matches!(lived, Some(Ok(_)));
        if let (Some(Err(error)), false) = (&lived, full || busy) {
            self.fail(&format!("the state failed: {error}"));
        }
        if alive {
            if full {
                self.place.empty().await;
            }
            return engine;
        }
        self.place.close(engine).await;
        if full {
            self.place.empty().await;
        }
        self.place.engine(&self.systems).await
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
        for _ in 0..20 {
            // Whatever was to be tried again is due.
            self.systems.state().now += 25 * 3_600_000;
            let waiting = self.approve_all().await;
            let before = self.systems.state().witness.count();
            let report = match cycle(&self.systems, engine, calm == 1).await {
                Some(Ok(report)) => report,
                other => self.fail(&format!("a quiet cycle: {other:?}")),
            };
            let writes = self.systems.state().witness.count() - before;
            let changes = report.created + report.updated + report.deleted + report.linked;
            // What is approved of a record that is refused for good is asked again with its next try.
            let quiet = changes == 0
                && report.troubles.is_empty()
                && (writes == 0 && waiting == 0 || only_refused(&self.place).await);
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
    life.systems.state().faults = life.trouble();
    for _ in 0..CYCLES {
        life.pause();
        engine = life.befall(engine).await;
        life.answer().await;
        engine = life.turn(engine).await;
    }
    life.calm_down(&mut engine).await;
    judge::judge(&life).await;
    life.place.close(engine).await;
    life.tell_story();
    life.systems.state().trace()
}

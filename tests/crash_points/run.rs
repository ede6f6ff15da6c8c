//! A scene, played without a disturbance and then with a death at each of its steps.

use crate::systems::account::Account;
use crate::systems::faults::{Failure, Faults, Moment};
use crate::systems::filed::Tickets;
use crate::systems::place::{MAPPING, Place};
use crate::systems::run::cycle;
use crate::systems::traits::Traits;
use crate::systems::{State, Systems};
use deskbridge::model::{COMPANY, Kind, Pair, Side};
use deskbridge::sync::Engine;

/// At how many of the places where the engine waits it dies, beside its calls; all of them with
/// `DESKBRIDGE_EVERY=1`.
const WAITS: u64 = 4;
/// It dies at one in so many of the calls, before and after them; at all of them with
/// `DESKBRIDGE_CALLS=1`.
const PART: usize = 3;
const MINUTE: i64 = 60_000;
const DAY: i64 = 25 * 60 * MINUTE;

type Act = fn(&mut State);

/// What is there, and what then happens.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    toml: String,
    /// The mapping that replaces it before the cycle in which the engine dies.
    then: Option<String>,
    traits: Pair<Traits>,
    before: Act,
    /// Whether both sides are in step before it begins.
    synced: bool,
    act: Act,
    /// What becomes of the first write of a cycle before the one in which the engine dies.
    lost: Option<Failure>,
    reconcile: bool,
}

impl Scene {
    pub(crate) fn new(before: Act, act: Act) -> Self {
        Self {
            toml: policies("newest", "hold"),
            then: None,
            traits: Pair {
                crm: Traits::searching(),
                desk: Traits::desk(),
            },
            before,
            synced: true,
            act,
            lost: None,
            reconcile: false,
        }
    }

    /// Nothing was synced yet.
    pub(crate) fn first(before: Act) -> Self {
        Self {
            synced: false,
            ..Self::new(before, |_| ())
        }
    }

    pub(crate) fn policies(self, conflict: &str, delete: &str) -> Self {
        let toml = policies(conflict, delete);
        Self { toml, ..self }
    }

    pub(crate) fn with(self, more: &str) -> Self {
        let toml = self.toml + more;
        Self { toml, ..self }
    }

    pub(crate) fn then(self, toml: String) -> Self {
        let then = Some(toml);
        Self { then, ..self }
    }

    /// The CRM is one whose searches do not lag.
    pub(crate) fn own(mut self) -> Self {
        self.traits.crm = Traits::own();
        self
    }

    pub(crate) fn traits(mut self, change: fn(&mut Pair<Traits>)) -> Self {
        change(&mut self.traits);
        self
    }

    pub(crate) fn lost(self, failure: Failure) -> Self {
        let lost = Some(failure);
        Self { lost, ..self }
    }

    pub(crate) fn reconcile(self) -> Self {
        Self {
            reconcile: true,
            ..self
        }
    }
}

/// The mapping with these policies.
pub(crate) fn policies(conflict: &str, delete: &str) -> String {
    MAPPING
        .replace("{CONFLICT}", conflict)
        .replace("{DELETE}", delete)
}

/// Everything before the scene.
struct Curtain {
    accounts: Pair<Account>,
    tickets: Tickets,
    now: i64,
    state: Option<Vec<u8>>,
}

/// How many steps a cycle takes.
#[derive(Debug, Clone, Copy, Default)]
struct Steps {
    calls: u64,
    looks: u64,
    polls: u64,
}

fn steps(systems: &Systems) -> Steps {
    let state = systems.state();
    Steps {
        calls: state.calls,
        looks: state.looks,
        polls: state.polls,
    }
}

/// Plays the scene with a death at each step; the end has to be the same.
pub(crate) fn survives(scene: &Scene) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let curtain = curtain(scene).await;
        let (wanted, steps) = play(scene, &curtain, None).await;
        for moment in moments(steps) {
            let (end, _) = play(scene, &curtain, Some(moment)).await;
            assert_eq!(end, wanted, "died {moment:?} of {steps:?}");
        }
    });
}

fn moments(steps: Steps) -> Vec<Moment> {
    let every = std::env::var_os("DESKBRIDGE_EVERY").is_some();
    let stride = if every { 1 } else { steps.polls / WAITS + 1 };
    let stride = usize::try_from(stride).unwrap_or(1);
    let calls = (1..=steps.calls).flat_map(|at| [Moment::Before(at), Moment::After(at)]);
    let steps_of_any_weight = calls.chain((1..=steps.looks).map(Moment::Look));
    let all = every || std::env::var_os("DESKBRIDGE_CALLS").is_some();
    steps_of_any_weight
        .step_by(if all { 1 } else { PART })
        .chain((1..=steps.polls).step_by(stride).map(Moment::Poll))
        .collect()
}

async fn curtain(scene: &Scene) -> Curtain {
    let systems = Systems::new(1, scene.traits.clone());
    let place = Place::new(scene.toml.clone());
    (scene.before)(&mut systems.state());
    let mut state = None;
    if scene.synced {
        let mut engine = place.engine(&systems).await;
        calm_down(&systems, &place, &mut engine).await;
        drop(engine);
        place.closed().await;
        state = Some(std::fs::read(place.state()).unwrap());
    }
    let world = systems.state();
    Curtain {
        accounts: world.accounts.clone(),
        tickets: world.tickets.clone(),
        now: world.now,
        state,
    }
}

/// Plays the scene, with a death at `moment` of its cycle. Returns how it ends, and the steps that the
/// cycle took.
async fn play(scene: &Scene, curtain: &Curtain, moment: Option<Moment>) -> (Vec<String>, Steps) {
    let systems = Systems::new(1, scene.traits.clone());
    let mut place = Place::new(scene.toml.clone());
    {
        let mut state = systems.state();
        state.accounts = curtain.accounts.clone();
        state.tickets = curtain.tickets.clone();
        state.now = curtain.now + 5 * MINUTE;
        (scene.act)(&mut state);
        state.now += 10 * MINUTE;
    }
    if let Some(bytes) = &curtain.state {
        std::fs::write(place.state(), bytes).unwrap();
    }
    let mut engine = place.engine(&systems).await;
    if let Some(lost) = scene.lost {
        systems.state().faults.once = Some(lost);
        cycle(&systems, &mut engine, false).await.unwrap().unwrap();
        systems.state().now += 10 * MINUTE;
    }
    if let Some(toml) = &scene.then {
        place.toml.clone_from(toml);
        drop(engine);
        place.closed().await;
        engine = place.engine(&systems).await;
    }
    let before = steps(&systems);
    systems.state().faults.death = moment.map(|moment| absolute(moment, before));
    let ended = cycle(&systems, &mut engine, scene.reconcile).await;
    let after = steps(&systems);
    systems.state().faults = Faults::default();
    if let Some(ended) = ended {
        ended.unwrap();
    } else {
        drop(engine);
        place.closed().await;
        systems.state().now += 5_000;
        engine = place.engine(&systems).await;
        let again = cycle(&systems, &mut engine, scene.reconcile).await;
        again.unwrap().unwrap();
    }
    calm_down(&systems, &place, &mut engine).await;
    let steps = Steps {
        calls: after.calls - before.calls,
        looks: after.looks - before.looks,
        polls: after.polls - before.polls,
    };
    (end(&systems, &place).await, steps)
}

fn absolute(moment: Moment, from: Steps) -> Moment {
    match moment {
        Moment::Before(at) => Moment::Before(from.calls + at),
        Moment::After(at) => Moment::After(from.calls + at),
        Moment::Look(at) => Moment::Look(from.looks + at),
        Moment::Poll(at) => Moment::Poll(from.polls + at),
    }
}

/// Cycles until one writes nothing, then one that reads everything, and one that writes nothing.
async fn calm_down(systems: &Systems, place: &Place, engine: &mut Engine) {
    let mut calm = 0;
    for _ in 0..12 {
        systems.state().now += if calm == 0 { 2 * MINUTE } else { DAY };
        let before = systems.state().written;
        let report = cycle(systems, engine, calm == 1).await.unwrap().unwrap();
        let written = systems.state().written - before;
        let changes = report.created + report.updated + report.deleted + report.linked;
        let parked = place.report().await.parked(10).await.unwrap();
        let refused = !parked.is_empty() && parked.iter().all(|it| it.state == "refused");
        let quiet = changes == 0
            && report.troubles.is_empty()
            && (written == 0 || refused)
            && (parked.is_empty() || refused);
        calm = if quiet { calm + 1 } else { 0 };
        if calm == 3 {
            return;
        }
    }
    panic!("no end");
}

/// What both systems show, and what waits for a person.
async fn end(systems: &Systems, place: &Place) -> Vec<String> {
    let mut end = Vec::new();
    {
        let state = systems.state();
        for side in Side::BOTH {
            let account = state.accounts.of(side);
            for kind in Kind::BOTH {
                for record in account.of(kind).values() {
                    let mut fields = record.fields.clone();
                    let company = fields.remove(COMPANY);
                    let company = company.and_then(|id| {
                        let id: u64 = id.as_text()?.parse().ok()?;
                        Some(account.companies.get(&id)?.text("name").to_owned())
                    });
                    let standing = record.is_live();
                    end.push(format!("{side} {kind} {standing} {fields:?} {company:?}"));
                }
            }
        }
        for filed in state.tickets.all.values() {
            let (image, presence) = (&filed.ticket.image, filed.ticket.presence);
            end.push(format!(
                "ticket {} {presence:?} {image:?} {:?}",
                filed.ticket.id, filed.notes
            ));
        }
    }
    let holds = place.report().await.holds(0, 1000).await.unwrap();
    end.extend(holds.into_iter().map(|it| {
        let who = it.crm_id.or(it.freshdesk_id);
        format!("hold {} {} {who:?} {}", it.kind, it.class, it.fields)
    }));
    let parked = place.report().await.parked(1000).await.unwrap();
    end.extend(
        parked
            .into_iter()
            .map(|it| format!("parked {} {}", it.action, it.id)),
    );
    let open = "SELECT 'open: ' || fields FROM journal WHERE outcome IS NULL";
    end.extend(place.texts(open).await);
    end.sort();
    end
}

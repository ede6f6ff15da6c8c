//! Both simulators in hastened time, and the engine between them with its real connectors over HTTP.
//!
//! What is hastened: the simulators' clock, and with it the minute of their limits, the lag of their searches and
//! the people who edit; the engine's clock, and with it the pauses after failures; the windows that the governor
//! is told of; a cycle's slice and `schedule.poll`, a minute of the simulators' as of the daemon's; and
//! `Retry-After`, which can only say whole seconds of the machine's, each of them [`TIMES`] of the simulators'.
//! What is not: our own work and the loopback's, so that each millisecond of it counts for [`TIMES`]; and the
//! governor's shortest waits, of 5 and of 50 milliseconds.

use crate::first_sync::Scene;
use crate::wiring;
use chrono::{DateTime, TimeDelta, Utc};
use deskbridge::clock::Clock;
use deskbridge::model::{Kind, Pair};
use deskbridge::remote::freshdesk::{self, Plan};
use deskbridge::remote::governor::Limits;
use deskbridge::sandbox::Backstage;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::freshdesk::{FreshdeskSim, Limits as DeskLimits, Options as DeskOptions};
use deskbridge::sandbox::hubspot::{HubspotSim, Options as CrmOptions};
use deskbridge::store::Store;
use deskbridge::sync::Engine;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How many times faster the simulators' time runs: their minute is ten seconds. Any faster, and the pauses in
/// which an unoptimised engine plans its next chunk would weigh.
pub(crate) const TIMES: u32 = 6;
pub(crate) const MINUTE: Duration = Duration::from_mins(1);
/// `schedule.poll`, where nobody says otherwise, and so the slice of a cycle.
pub(crate) const POLL: Duration = MINUTE;
/// Until HubSpot's search shows an edit, "usually seconds".
const SEARCH_LAG: Duration = Duration::from_secs(5);

const MAPPING: &str = r#"
[contacts]
match  = ["email"]
create = "both"

[[contacts.field]]
crm       = "email"
freshdesk = "email"
via       = "lowercase"

[[contacts.field]]
crm       = ["firstname", "lastname"]
freshdesk = "name"
via       = "full_name"

[[contacts.field]]
crm       = "jobtitle"
freshdesk = "job_title"

[[ticket_rule]]
name     = "vip"
when     = { record = "contact", field = "customer_tier", in = ["vip"] }
tickets  = { status = ["open"] }
priority = "urgent"
"#;

/// The simulators' time, as our machine has it.
#[derive(Debug)]
struct Hastened(SimClock, TimeDelta);

impl Clock for Hastened {
    fn now(&self) -> DateTime<Utc> {
        self.0.now() + self.1
    }
}

/// A plan's limits as the simulator has them; that of the contacts' list is `lists` where it is told.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a plan's whole numbers"
)]
pub(crate) fn limits_of(plan: Plan, lists: Option<u32>) -> DeskLimits {
    let classes = plan.limits().classes.into_iter();
    let mut planned = classes.filter(|(class, _)| *class == freshdesk::CONTACTS_LIST);
    let planned = planned.next().map(|(_, rate)| rate.calls as u32);
    DeskLimits::PerMinute {
        total: plan.calls_per_minute() as u32,
        contacts_list: lists.or(planned),
    }
}

/// The plan's limits, told for a window of the hastened minute.
fn hastened(plan: Plan) -> Limits {
    let mut limits = plan.limits();
    limits.per /= TIMES;
    for (_, rate) in &mut limits.classes {
        rate.per /= TIMES;
    }
    limits
}

pub(crate) async fn simulators(scene: &Scene) -> (HubspotSim, FreshdeskSim) {
    let clock = SimClock::fast(i32::try_from(TIMES).unwrap());
    // Once an hour the lists are read further back; it is five past.
    let past = clock.now().timestamp().rem_euclid(3600);
    clock.advance(TimeDelta::seconds(3900 - past));
    let backstage = || Backstage {
        clock: clock.clone(),
        ..Backstage::default()
    };
    let crm = HubspotSim::start(CrmOptions {
        backstage: backstage(),
        search_lag: SEARCH_LAG,
        ..CrmOptions::default()
    });
    let desk = FreshdeskSim::start(DeskOptions {
        backstage: backstage(),
        limits: limits_of(scene.plan, scene.lists),
        ..DeskOptions::default()
    });
    (crm.await.unwrap(), desk.await.unwrap())
}

pub(crate) async fn engine(
    scene: &Scene,
    crm: &HubspotSim,
    desk: &FreshdeskSim,
    dir: &Path,
) -> Engine {
    let config = wiring::compiled(&(wiring::systems(&crm.url(), &desk.url()) + MAPPING));
    let stop = CancellationToken::new();
    let connectors = Pair {
        crm: wiring::hubspot(&crm.url(), Some(Limits::unknown()), 1.0, &stop),
        desk: wiring::freshdesk(&desk.url(), Some(hastened(scene.plan)), None, &stop),
    };
    connectors.crm.describe(Kind::Contact).await.unwrap();
    connectors.desk.describe(Kind::Contact).await.unwrap();
    let mut store = Store::open(&dir.join("state.db")).await.unwrap();
    store
        .mapped_by(&config.digest(), config.mappings())
        .await
        .unwrap();
    let clock = Hastened(desk.backstage().clock.clone(), scene.ahead);
    let mappings = config.mappings().cloned().collect();
    let mut engine = Engine::new(store, connectors, mappings, Arc::new(clock), stop);
    engine.rule(config.ticket_rules.clone());
    engine.slice = Some(POLL / TIMES);
    for wait in &mut engine.job_looks {
        *wait /= TIMES;
    }
    engine
}

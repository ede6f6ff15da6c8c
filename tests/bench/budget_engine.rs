//! The whole engine spending an account's calls: real connectors over HTTP against both simulators,
//! whose time is hastened, and a first sync into an empty Freshdesk.

use deskbridge::clock::{SystemClock, monotonic};
use deskbridge::config::{self, Environment};
use deskbridge::model::{Kind, Pair};
use deskbridge::remote::Connector;
use deskbridge::remote::freshdesk::{self, Freshdesk, Plan};
use deskbridge::remote::governor::Limits;
use deskbridge::remote::hubspot::{self, Hubspot};
use deskbridge::sandbox::Backstage;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::freshdesk::{FreshdeskSim, Limits as DeskLimits, Options as DeskOptions};
use deskbridge::sandbox::hubspot::{HubspotSim, Kind as CrmKind, Options as CrmOptions, Seed};
use deskbridge::sandbox::log::Keep;
use deskbridge::store::Store;
use deskbridge::sync::{CycleOutcome, Engine};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How many times faster the simulators' time runs: their minute is two seconds.
const TIMES: i32 = 30;
/// When all customers were last changed.
const LONG_AGO: i64 = 1_750_000_000;

const MAPPING: &str = r#"
[crm]
kind  = "hubspot"
token = { env = "KEY" }

[freshdesk]
url     = "https://acme.freshdesk.com"
api_key = { env = "KEY" }

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
"#;

/// One scene.
struct Scene {
    name: &'static str,
    plan: Plan,
    contacts: usize,
    /// Calls a minute that somebody else makes.
    neighbour: f64,
}

const SCENES: [Scene; 5] = [
    scene("trial", Plan::Trial, 500, 0.0),
    scene("growth", Plan::Growth, 2_000, 0.0),
    scene("pro", Plan::Pro, 20_000, 0.0),
    scene("enterprise", Plan::Enterprise, 7_000, 0.0),
    scene("pro, half taken", Plan::Pro, 4_000, 200.0),
];

const fn scene(name: &'static str, plan: Plan, contacts: usize, neighbour: f64) -> Scene {
    Scene {
        name,
        plan,
        contacts,
        neighbour,
    }
}

#[derive(Debug)]
struct Keys;

impl Environment for Keys {
    fn variable(&self, _: &str) -> Option<String> {
        Some("key".to_owned())
    }

    fn read(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// All scenes whose names hold one of `wanted`.
pub(crate) fn run(wanted: &[String]) {
    println!(
        "\n{:<26} {:>7} {:>9} {:>9} {:>8} {:>8}",
        "whole engine, first sync", "calls", "windows", "least", "over", "refused"
    );
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    for scene in SCENES {
        let named = format!("engine {}", scene.name);
        if wanted.is_empty() || wanted.iter().any(|it| named.contains(it.as_str())) {
            runtime.block_on(play(&scene));
        }
    }
}

/// The plan's limits, told for a window of the hastened minute.
fn hastened(plan: Plan) -> Limits {
    let mut limits = plan.limits();
    let speed = u32::try_from(TIMES).unwrap();
    limits.per /= speed;
    for (_, rate) in &mut limits.classes {
        rate.per /= speed;
    }
    // The headers repeat the same number; the classes stay as they are.
    limits.classes_by_total = None;
    limits
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a plan's whole number"
)]
async fn play(scene: &Scene) {
    let clock = SimClock::fast(TIMES);
    let backstage = || Backstage {
        clock: clock.clone(),
        ..Backstage::default()
    };
    let crm = HubspotSim::start(CrmOptions {
        backstage: backstage(),
        ..CrmOptions::default()
    })
    .await
    .unwrap();
    let limits = hastened(scene.plan);
    let lists = limits.classes.iter();
    let lists = lists.filter(|(class, _)| *class == freshdesk::CONTACTS_LIST);
    let lists = lists.map(|(_, rate)| rate.calls as u32).next();
    let desk = FreshdeskSim::start(DeskOptions {
        backstage: backstage(),
        limits: DeskLimits::PerMinute {
            total: scene.plan.calls_per_minute() as u32,
            contacts_list: lists,
        },
        ..DeskOptions::default()
    })
    .await
    .unwrap();
    crm.backstage().log.keep(Keep::Counts);
    desk.backstage().log.keep(Keep::Counts);
    populate(&crm, scene.contacts);

    let dir = tempfile::tempdir().unwrap();
    let mut engine = engine(&crm, &desk, limits.clone(), dir.path()).await;
    let stop = CancellationToken::new();
    let work = async {
        let begun = monotonic();
        let report = engine.cycle(false).await.unwrap();
        stop.cancel();
        (report, begun.elapsed())
    };
    let ((report, took), theirs) = tokio::join!(work, neighbour(&desk, scene.neighbour, &stop));
    let windows = took.as_secs_f64() / limits.per.as_secs_f64();
    assert_eq!(report.outcome, CycleOutcome::Done, "{report:?}");
    print(scene, &report, windows, theirs);
}

#[expect(clippy::cast_precision_loss, reason = "some thousand calls")]
fn print(scene: &Scene, report: &deskbridge::sync::CycleReport, windows: f64, theirs: u64) {
    let calls = report.calls.desk as f64;
    let least = (calls + theirs as f64) / scene.plan.calls_per_minute();
    println!(
        "{:<26} {:>7} {windows:>9.2} {least:>9.2} {:>7.2}% {:>8}",
        scene.name,
        report.calls.desk,
        (windows / least - 1.0) * 100.0,
        report.budget.desk.refused
    );
}

/// Somebody else who makes `per_minute` calls at random; returns how many they were.
async fn neighbour(desk: &FreshdeskSim, per_minute: f64, stop: &CancellationToken) -> u64 {
    let mut random = StdRng::seed_from_u64(7);
    let mut made = 0;
    while per_minute > 0.0 && !stop.is_cancelled() {
        let mean = 60.0 / per_minute / f64::from(TIMES);
        let wait = -random.random_range(f64::MIN_POSITIVE..1.0).ln() * mean;
        tokio::time::sleep(Duration::from_secs_f64(wait)).await;
        desk.spend(1);
        made += 1;
    }
    made
}

fn populate(crm: &HubspotSim, contacts: usize) {
    let long_ago = chrono::DateTime::from_timestamp(LONG_AGO, 0).unwrap();
    let seeds = (0..contacts).map(|number| Seed {
        properties: vec![
            ("email", format!("p{number}@example.com")),
            ("firstname", format!("Given{}", number % 977)),
            ("lastname", format!("Family{number:06}")),
        ],
        company: None,
    });
    crm.portal()
        .populate(CrmKind::Contact, long_ago, seeds)
        .unwrap();
}

async fn engine(crm: &HubspotSim, desk: &FreshdeskSim, limits: Limits, dir: &Path) -> Engine {
    let (config, _) = config::compile(MAPPING, &Keys).unwrap();
    let stop = CancellationToken::new();
    let connectors: Pair<Arc<dyn Connector>> = Pair {
        crm: Arc::new(
            Hubspot::new(hubspot::Options {
                base_url: crm.url().parse().unwrap(),
                token: "pat-sandbox".to_owned().into(),
                limits: Some(Limits::unknown()),
                share: 1.0,
                stop: stop.clone(),
            })
            .unwrap(),
        ),
        desk: Arc::new(
            Freshdesk::new(freshdesk::Options {
                url: desk.url().parse().unwrap(),
                api_key: desk.api_key().to_owned().into(),
                limits: Some(limits),
                calls_per_minute: None,
                share: 1.0,
                stop: stop.clone(),
            })
            .unwrap(),
        ),
    };
    connectors.crm.describe(Kind::Contact).await.unwrap();
    connectors.desk.describe(Kind::Contact).await.unwrap();
    let mut store = Store::open(&dir.join("state.db")).await.unwrap();
    store.mapped_by(&config.digest()).await.unwrap();
    let mappings = config.mappings().cloned().collect();
    Engine::new(store, connectors, mappings, Arc::new(SystemClock), stop)
}

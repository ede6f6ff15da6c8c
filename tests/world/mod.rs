//! Two simulated systems and the real engine between them, over real HTTP.

#![allow(
    unreachable_pub,
    reason = "a test binary has no other crate that uses it"
)]
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub(crate) mod hooked;
pub(crate) mod program;
pub(crate) mod spoiler;
pub(crate) mod stage;
pub(crate) mod wiring;

mod records;
mod state;

use deskbridge::clock::{Clock, SystemClock};
use deskbridge::config::Config;
use deskbridge::model::{Kind, Pair, Side};
use deskbridge::remote::Connector;
use deskbridge::remote::governor::Limits;
use deskbridge::sandbox::Backstage;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::freshdesk::{FreshdeskSim, Limits as DeskLimits, Options as DeskOptions};
use deskbridge::sandbox::hubspot::{HubspotSim, Options as CrmOptions};
use deskbridge::store::Store;
use deskbridge::sync::{CycleOutcome, CycleReport, Engine};
use hooked::Hooked;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use wiring::MAPPING;

/// Both systems, and a directory for the state.
#[derive(Debug)]
pub struct World {
    pub crm: HubspotSim,
    pub desk: Arc<FreshdeskSim>,
    pub dir: TempDir,
    pub mapping: String,
    /// Whether Freshdesk refuses no call for rate but by a fault.
    unlimited: bool,
}

/// The limits of an account that has none. After a refusal by a fault we are careful for some of its
/// windows: here they last a second.
fn hasty() -> Limits {
    Limits {
        per: Duration::from_secs(1),
        ..Limits::unknown()
    }
}

/// The engine's time, moved by tests.
#[derive(Debug, Clone)]
pub struct EngineClock(pub SimClock);

impl Clock for EngineClock {
    fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.0.now()
    }
}

impl World {
    pub async fn new() -> Self {
        Self::with(CrmOptions::default(), DeskOptions::default()).await
    }

    /// A world whose two systems and engine share one clock that tests move.
    pub async fn timed() -> (Self, SimClock) {
        Self::timed_with(DeskOptions::default()).await
    }

    /// The same, with a Freshdesk of this sort.
    pub async fn timed_with(desk: DeskOptions) -> (Self, SimClock) {
        let clock = SimClock::manual("2026-03-02T09:00:00Z".parse().unwrap());
        (Self::at(&clock, desk).await, clock)
    }

    /// A world whose two systems have this clock.
    pub async fn at(clock: &SimClock, desk: DeskOptions) -> Self {
        let backstage = || Backstage {
            clock: clock.clone(),
            ..Backstage::default()
        };
        Self::with(
            CrmOptions {
                backstage: backstage(),
                ..CrmOptions::default()
            },
            DeskOptions {
                backstage: backstage(),
                ..desk
            },
        )
        .await
    }

    pub async fn with(crm: CrmOptions, desk: DeskOptions) -> Self {
        Self {
            unlimited: desk.limits == DeskLimits::Off,
            crm: HubspotSim::start(crm).await.unwrap(),
            desk: Arc::new(FreshdeskSim::start(desk).await.unwrap()),
            dir: tempfile::tempdir().unwrap(),
            mapping: MAPPING.to_owned(),
        }
    }

    /// The whole sync.toml.
    pub fn sync_toml(&self) -> String {
        let systems = wiring::systems(&self.crm.url(), &self.desk.url());
        let state = self.state().display().to_string();
        format!("{systems}[state]\npath = \"{state}\"\n{}", self.mapping)
    }

    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state.db")
    }

    pub fn config(&self) -> Config {
        wiring::compiled(&self.sync_toml())
    }

    pub fn connectors(&self, stop: &CancellationToken) -> Pair<Arc<dyn Connector>> {
        let limits = self.unlimited.then(hasty);
        Pair {
            crm: wiring::hubspot(&self.crm.url(), Some(hasty()), 1.0, stop),
            desk: wiring::freshdesk(&self.desk.url(), limits, None, stop),
        }
    }

    /// An engine that knows of its CRM no more than the vendor says.
    pub async fn vendors_engine(&self) -> Engine {
        self.vendors_engine_with(1.0).await
    }

    /// The same, with this part of the CRM's calls.
    pub async fn vendors_engine_with(&self, share: f64) -> Engine {
        let stop = CancellationToken::new();
        let mut connectors = self.connectors(&stop);
        connectors.crm = wiring::hubspot(&self.crm.url(), None, share, &stop);
        self.engine_between(connectors, Arc::new(SystemClock), stop)
            .await
    }

    /// A timed engine that may call Freshdesk so many times a minute.
    pub async fn slow_desk_engine(&self, clock: &SimClock, calls_per_minute: f64) -> Engine {
        let stop = CancellationToken::new();
        let limits = self.unlimited.then(hasty);
        let mut connectors = self.connectors(&stop);
        connectors.desk =
            wiring::freshdesk(&self.desk.url(), limits, Some(calls_per_minute), &stop);
        let clock = Arc::new(EngineClock(clock.clone()));
        self.engine_between(connectors, clock, stop).await
    }

    pub async fn engine(&self) -> Engine {
        self.engine_with(Arc::new(SystemClock)).await
    }

    pub async fn engine_with(&self, clock: Arc<dyn Clock>) -> Engine {
        let stop = CancellationToken::new();
        let connectors = self.connectors(&stop);
        self.engine_between(connectors, clock, stop).await
    }

    pub async fn engine_between(
        &self,
        connectors: Pair<Arc<dyn Connector>>,
        clock: Arc<dyn Clock>,
        stop: CancellationToken,
    ) -> Engine {
        let config = self.config();
        let mut store = Store::open(&self.state()).await.unwrap();
        store
            .belongs_to(&Pair {
                crm: "hubspot:62515".to_owned(),
                desk: "freshdesk:test".to_owned(),
            })
            .await
            .unwrap();
        store
            .mapped_by(&config.digest(), config.mappings())
            .await
            .unwrap();
        for kind in Kind::BOTH {
            connectors.crm.describe(kind).await.ok();
            connectors.desk.describe(kind).await.ok();
        }
        let mappings = config.mappings().cloned().collect();
        let mut engine = Engine::new(store, connectors, mappings, clock, stop);
        engine.rule(config.ticket_rules.clone());
        engine.sum_up(config.support_summary.clone());
        engine
    }

    /// An engine whose calls about `kind` to this side a test can stand in the way of.
    pub(crate) async fn hooked_engine(&self, side: Side, kind: Kind) -> (Engine, Arc<Hooked>) {
        self.hooked_engine_with(side, kind, Arc::new(SystemClock))
            .await
    }

    /// A timed engine to which Freshdesk's list of contacts can lie.
    pub(crate) async fn lying_engine(&self, clock: &SimClock) -> (Engine, Arc<Hooked>) {
        let clock = Arc::new(EngineClock(clock.clone()));
        self.hooked_engine_with(Side::Desk, Kind::Contact, clock)
            .await
    }

    pub(crate) async fn hooked_engine_with(
        &self,
        side: Side,
        kind: Kind,
        clock: Arc<dyn Clock>,
    ) -> (Engine, Arc<Hooked>) {
        let stop = CancellationToken::new();
        let mut connectors = self.connectors(&stop);
        let hooked = Arc::new(Hooked::new(Arc::clone(connectors.of(side)), kind));
        *connectors.of_mut(side) = hooked.clone();
        let engine = self.engine_between(connectors, clock, stop).await;
        (engine, hooked)
    }

    /// The state has one owner at a time: this engine lets go of it.
    pub(crate) async fn let_go(&self, engine: &mut Engine) {
        let elsewhere = self.dir.path().join("elsewhere.db");
        *engine = Engine::new(
            Store::open(&elsewhere).await.unwrap(),
            engine.connectors.clone(),
            Vec::new(),
            Arc::clone(&engine.clock),
            CancellationToken::new(),
        );
    }

    /// An engine on the world's clock.
    pub async fn timed_engine(&self, clock: &SimClock) -> Engine {
        self.engine_with(Arc::new(EngineClock(clock.clone()))).await
    }

    /// Another line or two in the mapping's place.
    pub fn remap(&mut self, from: &str, to: &str) {
        assert!(self.mapping.contains(from), "no `{from}` in the mapping");
        self.mapping = self.mapping.replacen(from, to, 1);
    }

    /// Calls that change something, to both systems, since the logs were last taken.
    pub fn writes(&self) -> Vec<String> {
        let crm = self.crm.backstage().log.entries().into_iter();
        let crm = crm.filter(|it| {
            it.method != "GET" && !it.path.ends_with("/search") && !it.path.ends_with("/read")
        });
        let desk = self.desk.backstage().log.entries().into_iter();
        let desk = desk.filter(|it| it.method != "GET");
        crm.chain(desk)
            .map(|it| format!("{} {} {}", it.method, it.path, it.status))
            .collect()
    }

    /// The logs begin anew.
    pub fn forget_calls(&self) {
        drop(self.crm.backstage().log.take());
        drop(self.desk.backstage().log.take());
    }
}

/// A cycle that did what it was to do.
pub(crate) async fn cycle(engine: &mut Engine) -> CycleReport {
    let report = engine.cycle(false).await.unwrap();
    assert_eq!(report.outcome, CycleOutcome::Done, "{report:?}");
    report
}

/// A cycle that writes nothing.
pub(crate) async fn quiet(engine: &mut Engine) {
    let report = cycle(engine).await;
    let writes = (
        report.created,
        report.updated,
        report.deleted,
        report.linked,
    );
    assert_eq!(writes, (0, 0, 0, 0), "{report:?}");
}

/// A cycle, whatever comes of it.
pub(crate) async fn attempt(engine: &mut Engine) -> CycleReport {
    engine.cycle(false).await.unwrap()
}

/// A cycle that reads everything.
pub(crate) async fn reconcile(engine: &mut Engine) -> CycleReport {
    let report = engine.cycle(true).await.unwrap();
    assert_eq!(report.outcome, CycleOutcome::Done, "{report:?}");
    report
}

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

use deskbridge::clock::{Clock, SystemClock};
use deskbridge::config::{self, Config, Environment};
use deskbridge::model::{Kind, Pair, Side};
use deskbridge::remote::Connector;
use deskbridge::remote::freshdesk::{self, Freshdesk};
use deskbridge::remote::governor::Limits;
use deskbridge::remote::hubspot::{self, Hubspot};
use deskbridge::sandbox::Backstage;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::freshdesk::{
    Contact, FreshdeskSim, Limits as DeskLimits, Options as DeskOptions,
};
use deskbridge::sandbox::hubspot::{HubspotSim, Kind as CrmKind, Options as CrmOptions, Row};
use deskbridge::store::{HoldView, Parked, Report, Store};
use deskbridge::sync::{CycleOutcome, CycleReport, Engine};
use hooked::Hooked;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// The mapping of most tests: one of each sort.
pub const MAPPING: &str = r#"
[contacts]
match    = ["email"]
create   = "both"
conflict = "newest"
delete   = "hold"
company  = "both"

[[contacts.field]]
crm       = "email"
freshdesk = "email"
via       = "lowercase"

[[contacts.field]]
crm       = ["firstname", "lastname"]
freshdesk = "name"
via       = "full_name"

[[contacts.field]]
crm       = "phone"
freshdesk = "phone"

[[contacts.field]]
crm       = "jobtitle"
freshdesk = "job_title"
conflict  = "crm"

[[contacts.field]]
crm       = "customer_tier"
freshdesk = "custom_fields.tier"
direction = "to_freshdesk"
values    = { vip = "VIP", standard = "Standard" }

[companies]
match    = ["domain", "name"]
create   = "both"
conflict = "crm"
delete   = "ignore"

[[companies.field]]
crm       = "name"
freshdesk = "name"

[[companies.field]]
crm       = "domain"
freshdesk = "domains"
via       = "list"
"#;

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

#[derive(Debug)]
struct Secrets;

impl Environment for Secrets {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "HUBSPOT_TOKEN" => Some("pat-sandbox".to_owned()),
            "FRESHDESK_API_KEY" => Some("freshdesk-sandbox-key".to_owned()),
            _ => None,
        }
    }

    fn read(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
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
        format!(
            "[crm]\nkind = \"hubspot\"\ntoken = {{ env = \"HUBSPOT_TOKEN\" }}\nbase_url = \"{}\"\n\n\
             [freshdesk]\nurl = \"{}\"\napi_key = {{ env = \"FRESHDESK_API_KEY\" }}\n\n\
             [state]\npath = \"{}\"\n{}",
            self.crm.url(),
            self.desk.url(),
            self.state().display(),
            self.mapping
        )
    }

    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state.db")
    }

    pub fn config(&self) -> Config {
        let source = self.sync_toml();
        match config::compile(&source, &Secrets) {
            Ok((config, _)) => config,
            Err(wrong) => panic!("{}", wrong.render(&source, "sync.toml", false)),
        }
    }

    pub fn connectors(&self, stop: &CancellationToken) -> Pair<Arc<dyn Connector>> {
        let crm = Hubspot::new(hubspot::Options {
            base_url: self.crm.url().parse().unwrap(),
            token: "pat-sandbox".to_owned().into(),
            limits: Some(hasty()),
            share: 1.0,
            stop: stop.clone(),
        });
        let desk = Freshdesk::new(freshdesk::Options {
            url: self.desk.url().parse().unwrap(),
            api_key: "freshdesk-sandbox-key".to_owned().into(),
            limits: self.unlimited.then(hasty),
            calls_per_minute: None,
            share: 1.0,
            stop: stop.clone(),
        });
        Pair {
            crm: Arc::new(crm.unwrap()),
            desk: Arc::new(desk.unwrap()),
        }
    }

    /// An engine that knows of its CRM no more than the vendor says.
    pub async fn vendors_engine(&self) -> Engine {
        self.vendors_engine_with(1.0).await
    }

    /// The same, with this part of the CRM's calls.
    pub async fn vendors_engine_with(&self, share: f64) -> Engine {
        let stop = CancellationToken::new();
        let crm = Hubspot::new(hubspot::Options {
            base_url: self.crm.url().parse().unwrap(),
            token: "pat-sandbox".to_owned().into(),
            limits: None,
            share,
            stop: stop.clone(),
        });
        let mut connectors = self.connectors(&stop);
        connectors.crm = Arc::new(crm.unwrap());
        self.engine_between(connectors, Arc::new(SystemClock), stop)
            .await
    }

    /// A timed engine that may call Freshdesk so many times a minute.
    pub async fn slow_desk_engine(&self, clock: &SimClock, calls_per_minute: f64) -> Engine {
        let stop = CancellationToken::new();
        let desk = Freshdesk::new(freshdesk::Options {
            url: self.desk.url().parse().unwrap(),
            api_key: "freshdesk-sandbox-key".to_owned().into(),
            limits: self.unlimited.then(hasty),
            calls_per_minute: Some(calls_per_minute),
            share: 1.0,
            stop: stop.clone(),
        });
        let mut connectors = self.connectors(&stop);
        connectors.desk = Arc::new(desk.unwrap());
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

    /// An engine whose writes of `kind` to Freshdesk (`desk`) or the CRM a test can stand in the way of.
    pub(crate) async fn hooked_engine(&self, side: Side, kind: Kind) -> (Engine, Arc<Hooked>) {
        let stop = CancellationToken::new();
        let mut connectors = self.connectors(&stop);
        let hooked = Arc::new(Hooked::new(Arc::clone(connectors.of(side)), kind));
        *connectors.of_mut(side) = hooked.clone();
        let engine = self
            .engine_between(connectors, Arc::new(SystemClock), stop)
            .await;
        (engine, hooked)
    }

    /// A timed engine to which Freshdesk's list of contacts can lie.
    pub(crate) async fn lying_engine(&self, clock: &SimClock) -> (Engine, Arc<Hooked>) {
        let stop = CancellationToken::new();
        let mut connectors = self.connectors(&stop);
        let hooked = Arc::new(Hooked::new(Arc::clone(&connectors.desk), Kind::Contact));
        connectors.desk = hooked.clone();
        let clock = Arc::new(EngineClock(clock.clone()));
        let engine = self.engine_between(connectors, clock, stop).await;
        (engine, hooked)
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

    /// A contact made by an agent in Freshdesk.
    pub fn desk_contact(&self, attributes: &serde_json::Value) -> u64 {
        self.desk.add_contact(attributes).unwrap()
    }

    /// How many live contacts Freshdesk has.
    pub fn desk_count(&self) -> usize {
        let contacts = self.desk.contacts();
        let live = contacts
            .iter()
            .filter(|it| it.standing == deskbridge::sandbox::freshdesk::Standing::Live);
        live.count()
    }

    /// What waits for a person.
    pub async fn holds(&self) -> Vec<HoldView> {
        self.report().await.holds(0, 1000).await.unwrap()
    }

    /// Writes that are not done.
    pub async fn parked(&self) -> Vec<Parked> {
        self.report().await.parked(1000).await.unwrap()
    }

    /// A number out of the state.
    pub async fn count(&self, sql: &'static str) -> i64 {
        let mut state = self.open_state().await;
        sqlx::query_scalar(sql).fetch_one(&mut state).await.unwrap()
    }

    /// A text out of the state.
    pub async fn text(&self, sql: &'static str) -> Option<String> {
        let mut state = self.open_state().await;
        sqlx::query_scalar(sql).fetch_one(&mut state).await.unwrap()
    }

    /// Texts out of the state.
    pub async fn texts(&self, sql: &'static str) -> Vec<String> {
        let mut state = self.open_state().await;
        sqlx::query_scalar(sql).fetch_all(&mut state).await.unwrap()
    }

    /// A statement on the state, behind the engine's back.
    pub async fn execute(&self, sql: &'static str) {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.state());
        let mut state = sqlx::ConnectOptions::connect(&options).await.unwrap();
        sqlx::query(sql).execute(&mut state).await.unwrap();
        sqlx::Connection::close(state).await.unwrap();
    }

    async fn open_state(&self) -> sqlx::SqliteConnection {
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(self.state())
            .read_only(true);
        sqlx::ConnectOptions::connect(&options).await.unwrap()
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

    pub async fn report(&self) -> Report {
        Report::open(&self.state()).await.unwrap()
    }

    pub fn crm_contact(&self, properties: &[(&str, &str)]) -> u64 {
        self.crm
            .portal()
            .create(CrmKind::Contact, properties)
            .unwrap()
    }

    pub fn crm_company(&self, properties: &[(&str, &str)]) -> u64 {
        self.crm
            .portal()
            .create(CrmKind::Company, properties)
            .unwrap()
    }

    pub fn crm_edit(&self, contact: u64, properties: &[(&str, &str)]) {
        self.crm
            .portal()
            .edit(CrmKind::Contact, contact, properties)
            .unwrap();
    }

    pub fn crm_row(&self, contact: u64) -> Row {
        self.crm.portal().row(CrmKind::Contact, contact).unwrap()
    }

    pub fn desk_by_email(&self, email: &str) -> Contact {
        self.desk
            .contact_by_email(email)
            .unwrap_or_else(|| panic!("no contact {email} in Freshdesk"))
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

//! The two simulated systems, and the engine between them.

mod look;
mod rehearse;

pub(super) use look::Couple;

use super::DemoArgs;
use super::place::Place;
use crate::cli::exit::Failure;
use crate::clock::Clock;
use crate::config::{self, Config, Environment};
use crate::connect;
use crate::mapping::{Named, TicketRule};
use crate::model::Kind;
use crate::sandbox::Backstage;
use crate::sandbox::clock::SimClock;
use crate::sandbox::freshdesk::{self, FreshdeskSim, Quirks};
use crate::sandbox::hubspot::{self, HubspotSim};
use crate::sandbox::population::{self, Census, Plan, TicketPlan};
use crate::store::{Report, Store};
use crate::sync::{CycleReport, Engine};
use chrono::{DateTime, TimeDelta, Utc};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The key of the simulated HubSpot; it opens nothing else.
pub(super) const HUBSPOT_TOKEN: &str = "pat-sandbox";
/// The key of the simulated Freshdesk; it opens nothing else.
pub(super) const FRESHDESK_API_KEY: &str = "freshdesk-sandbox-key";
/// When the story begins.
const MONDAY: &str = "2026-03-02T09:00:00Z";
/// With how many tickets the story begins at the most.
const MOST_TICKETS: usize = 5_000;
/// From one cycle to the next, in the story's time.
const POLL: TimeDelta = TimeDelta::seconds(60);

/// Both systems, with people in them.
#[derive(Debug)]
pub(super) struct Systems {
    pub(super) crm: HubspotSim,
    pub(super) desk: FreshdeskSim,
    pub(super) census: Census,
}

impl Systems {
    /// Two systems that answer at once, allow as many calls as they get, and go by the real time.
    pub(super) async fn plain(args: &DemoArgs) -> Result<Self, Failure> {
        let crm = hubspot::Options {
            port: args.hubspot_port,
            ..hubspot::Options::default()
        };
        let desk = freshdesk::Options {
            port: args.freshdesk_port,
            ..freshdesk::Options::default()
        };
        Self::open(args, crm, desk).await
    }

    /// Two systems with the habits of real ones, whose common time is `clock`.
    pub(super) async fn lifelike(args: &DemoArgs, clock: &SimClock) -> Result<Self, Failure> {
        let backstage = || Backstage {
            clock: clock.clone(),
            ..Backstage::default()
        };
        let crm = hubspot::Options {
            port: args.hubspot_port,
            seed: args.seed,
            limits: hubspot::Limits::Pro,
            search_lag: Duration::from_secs(10),
            search_jitter: Duration::from_secs(10),
            backstage: backstage(),
            ..hubspot::Options::default()
        };
        let desk = freshdesk::Options {
            port: args.freshdesk_port,
            seed: args.seed,
            // A real plan has 200 to 700 a minute; nobody wants to watch that.
            limits: freshdesk::Limits::PerMinute {
                total: args.population.saturating_mul(20).max(6_000),
                contacts_list: Some(args.population.max(60)),
            },
            quirks: Quirks {
                rewrites: true,
                bare_conflicts: true,
                ..Quirks::default()
            },
            backstage: backstage(),
            ..freshdesk::Options::default()
        };
        Self::open(args, crm, desk).await
    }

    async fn open(
        args: &DemoArgs,
        crm: hubspot::Options,
        desk: freshdesk::Options,
    ) -> Result<Self, Failure> {
        let crm = HubspotSim::start(crm)
            .await
            .map_err(Failure::machine("opening a port for the simulated HubSpot"))?;
        let desk = FreshdeskSim::start(desk).await.map_err(Failure::machine(
            "opening a port for the simulated Freshdesk",
        ))?;
        let plan = Plan {
            seed: args.seed,
            people: usize::try_from(args.population).unwrap_or(usize::MAX),
            empty_freshdesk: args.empty_freshdesk,
        };
        let census = population::populate(&plan, &crm, &desk).map_err(bug)?;
        let tickets = TicketPlan {
            seed: args.seed,
            tickets: plan.people.min(MOST_TICKETS),
            ..TicketPlan::default()
        };
        population::populate_tickets(&tickets, &desk);
        Ok(Self { crm, desk, census })
    }

    /// The `sync.toml` that leads to them.
    pub(super) fn sync_toml(&self, state: &Path) -> String {
        include_str!("sync.toml")
            .replace("{{HUBSPOT}}", &self.crm.url())
            .replace("{{FRESHDESK}}", &self.desk.url())
            .replace("{{STATE}}", &state.display().to_string())
    }
}

/// The systems, the engine, and the time they share.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) crm: HubspotSim,
    pub(super) desk: FreshdeskSim,
    pub(super) census: Census,
    pub(super) report: Report,
    clock: SimClock,
    engine: Engine,
    rules: Vec<TicketRule<Named>>,
    /// Where the engine's memory is, and where a copy of it may go.
    state: PathBuf,
    copy: PathBuf,
    next: DateTime<Utc>,
}

impl Stage {
    /// Opens both systems and starts the engine between them; its state is in `place`.
    pub(super) async fn set(
        args: &DemoArgs,
        place: &Place,
        stop: &CancellationToken,
    ) -> Result<Self, Failure> {
        let clock = SimClock::real();
        let start: DateTime<Utc> = MONDAY.parse().map_err(bug)?;
        clock.advance(start - clock.now());
        let Systems { crm, desk, census } = {
            let systems = Systems::lifelike(args, &clock).await?;
            place.write("sync.toml", &systems.sync_toml(&place.state()))?;
            systems
        };
        let source = place.read("sync.toml")?;
        let (config, _) = config::compile(&source, &DemoKeys)
            .map_err(|wrong| bug(wrong.render(&source, "sync.toml", false)))?;
        let engine = engine(&config, place, &clock, stop).await?;
        let report = Report::open(&place.state()).await?;
        Ok(Self {
            crm,
            desk,
            census,
            report,
            clock,
            engine,
            rules: config.ticket_rules,
            state: place.state(),
            copy: place.path().join("plan.db"),
            next: start,
        })
    }

    /// Lets people work for a while: the time of their next edit.
    pub(super) fn later(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
    }

    /// What the clock on the wall says.
    pub(super) fn time(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Waits, in the story's time, until the next cycle is due, and goes through it.
    pub(super) async fn cycle(&mut self) -> Result<CycleReport, Failure> {
        let now = self.clock.now();
        while self.next < now {
            self.next += POLL;
        }
        self.clock.advance(self.next - now);
        let report = self.engine.cycle(false).await?;
        if self.engine.stop.is_cancelled() {
            return Err(Failure::Stopped);
        }
        Ok(report)
    }
}

async fn engine(
    config: &Config,
    place: &Place,
    clock: &SimClock,
    stop: &CancellationToken,
) -> Result<Engine, Failure> {
    let connectors = connect::connect(config, stop).map_err(bug)?;
    let accounts = connect::accounts(&connectors)
        .await
        .map_err(Failure::Remote)?;
    let mut store = Store::open(&place.state()).await?;
    store.belongs_to(&connect::identities(&accounts)).await?;
    store.mapped_by(&config.digest(), config.mappings()).await?;
    for kind in Kind::BOTH {
        connectors.crm.describe(kind).await?;
        connectors.desk.describe(kind).await?;
    }
    let mappings = config.mappings().cloned().collect();
    let clock = Arc::new(StoryClock(clock.clone()));
    let mut engine = Engine::new(store, connectors, mappings, clock, stop.clone());
    engine.rule(config.ticket_rules.clone());
    engine.guard(config.guards);
    engine.approve_first();
    Ok(engine)
}

/// The story's time, for the engine.
#[derive(Debug)]
struct StoryClock(SimClock);

impl Clock for StoryClock {
    fn now(&self) -> DateTime<Utc> {
        self.0.now()
    }
}

/// The keys of the simulated systems.
#[derive(Debug)]
struct DemoKeys;

impl Environment for DemoKeys {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "HUBSPOT_TOKEN" => Some(HUBSPOT_TOKEN.to_owned()),
            "FRESHDESK_API_KEY" => Some(FRESHDESK_API_KEY.to_owned()),
            _ => None,
        }
    }

    fn read(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// Something in the demo itself is wrong.
pub(super) fn bug(error: impl fmt::Display) -> Failure {
    Failure::machine("playing the demo")(io::Error::other(error.to_string()))
}

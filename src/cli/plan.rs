//! `plan`: what a cycle would write. It reads both systems, and works on a copy of the state.

mod place;
mod save;
mod scratch;
mod show;

pub(super) use show::{Change, planned, row};

use super::exit::{self, Exit, Failure};
use super::open::{Source, Systems, greet_state, log};
use super::output::Output;
use super::watch::{Picture, attended};
use crate::config::Config;
use crate::mapping::Mapping;
use crate::model::{Pair, Side};
use crate::remote::Connector;
use crate::store::{HoldView, Report, Store, StoreError};
use crate::sync::afford;
use crate::sync::apply::Looks;
use crate::sync::rehearsal::Rehearsal;
use crate::sync::{CycleOutcome, CycleReport};
use scratch::Scratch;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What `plan` is asked for.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print the plan as JSON
    #[arg(long)]
    json: bool,
    /// Exit with 2 where there are changes, 0 where there are none
    #[arg(long)]
    exit_code: bool,
    /// Save the plan, for `apply`. It holds customers' data: nobody else can read it
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    output: Option<PathBuf>,
}

/// What the plan costs.
#[derive(Debug, Serialize)]
struct Cost {
    /// Calls by side and endpoint class: the reads that were made and the writes that would be.
    calls: Pair<BTreeMap<&'static str, u64>>,
    /// How long they last at the slower side's limit, of those whose limits are known; 0 where none is.
    minutes: f64,
    /// Whether a limit of the side is known.
    limits_known: Pair<bool>,
    /// Where a side has a quota a day: how it stands.
    #[serde(skip)]
    quotas: Pair<Option<Quota>>,
    #[serde(skip)]
    rehearsals: Pair<Arc<Rehearsal>>,
}

/// A side's quota a day, against what a plan takes.
#[derive(Debug, Clone, Copy)]
struct Quota {
    /// Calls that are left today.
    today: f64,
    /// Calls that are ours in a whole day.
    a_day: f64,
    /// On how many days the plan's calls are made, today included; nothing where there is no end.
    days: Option<u64>,
}

impl Cost {
    /// On how many days it is done; nothing where no side has a quota a day, or there is no end.
    fn days(&self) -> Option<u64> {
        let sides = Side::BOTH.into_iter();
        let known = sides.filter_map(|side| *self.quotas.of(side));
        known.map(|quota| quota.days).max().flatten()
    }

    /// What `apply` takes, and for how many minutes: the looks at each record, and the writes.
    fn of_apply(&self, looks: &Looks) -> (Pair<BTreeMap<&'static str, u64>>, f64) {
        let mut all: Pair<BTreeMap<&'static str, u64>> = Pair::default();
        let mut minutes = 0.0_f64;
        for side in Side::BOTH {
            let rehearsal = self.rehearsals.of(side);
            let calls = all.of_mut(side);
            *calls = looks.calls(side, |kind| rehearsal.look(kind));
            for (endpoint, writes) in rehearsal.writes() {
                *calls.entry(endpoint).or_default() += writes;
            }
            if let Some(takes) = rehearsal.forecast(calls) {
                minutes = minutes.max(takes.as_secs_f64() / 60.0);
            }
        }
        (all, tenths(minutes))
    }
}

fn tenths(minutes: f64) -> f64 {
    (minutes * 10.0).ceil() / 10.0
}

/// What a cycle would come to.
#[derive(Debug)]
struct Planned {
    report: CycleReport,
    cost: Cost,
    /// What is held over many records since before.
    before: Vec<HoldView>,
    /// What it was planned with.
    mappings: Vec<Mapping>,
}

pub(super) async fn plan(named: Option<&Path>, arguments: &Arguments) -> Result<Exit, Failure> {
    let config = Source::read(named)?.config()?;
    log(&config)?;
    greet_state(&config);
    if let Some(path) = &arguments.output {
        place::free(path, &config)?;
    }
    let stop = CancellationToken::new();
    let scratch = Scratch::new()?;
    let before = held_before(&config).await?;
    let rehearsed = rehearse(&config, &scratch, &stop).await;
    let (report, cost) = rehearsed.map_err(|failure| scratch.explain(failure))?;
    let planned = Planned {
        report,
        cost,
        before,
        mappings: config.mappings().cloned().collect(),
    };
    let report = &planned.report;
    if report.outcome == CycleOutcome::Stopped {
        return Err(Failure::Stopped);
    }
    let mut state = Report::open(&scratch.file()).await?;
    let mut out = Output::new();
    let counts = if arguments.json {
        show::json(&mut state, &planned, &mut out).await?
    } else {
        show::text(&mut state, &planned, &mut out).await?
    };
    out.finish()?;
    super::sync::complain(report);
    if let Some(path) = &arguments.output {
        save::save(path, &config, report, &mut state).await?;
    }
    Ok(match report.outcome {
        CycleOutcome::Incomplete => exit::of_errors(&report.errors),
        _ if arguments.exit_code && counts.any() => Exit::Changes,
        _ => Exit::Done,
    })
}

/// What is held over many records already: planning shows its changes all the same.
async fn held_before(config: &Config) -> Result<Vec<HoldView>, Failure> {
    let mut held = Vec::new();
    let mut state = match Report::open(&config.state_path).await {
        Ok(state) => state,
        Err(StoreError::Absent(_) | StoreError::Older(_)) => return Ok(held),
        Err(error) => return Err(error.into()),
    };
    let mut after = 0;
    loop {
        let page = state.holds(after, 500).await?;
        let Some(last) = page.last() else {
            return Ok(held);
        };
        after = last.id;
        held.extend(page.into_iter().filter(HoldView::is_of_many));
    }
}

/// Turns the engine once, over a copy of the state and systems that are not written to.
async fn rehearse(
    config: &Config,
    scratch: &Scratch,
    stop: &CancellationToken,
) -> Result<(CycleReport, Cost), Failure> {
    let picture = Picture::new();
    let opening = async {
        let store = Store::copy(&config.state_path, &scratch.file()).await?;
        let systems = Systems::reach(config, stop).await?;
        Ok::<_, Failure>((store, systems))
    };
    let (store, mut systems) = attended(opening, stop, || ()).await??;
    let rehearsals = systems
        .connectors
        .map(|connector| Arc::new(Rehearsal::new(connector)));
    systems.connectors = Pair {
        crm: Arc::clone(&rehearsals.crm) as Arc<dyn Connector>,
        desk: Arc::clone(&rehearsals.desk) as Arc<dyn Connector>,
    };
    let mut engine = systems.engine(config, store, stop).await?;
    // What would wait for a person is shown all the same, and the hold beside it.
    engine.only_watch();
    let progress = Arc::clone(&engine.progress);
    let cycle = engine.cycle(false);
    let report = attended(cycle, stop, || picture.draw(&progress)).await??;
    engine.store.close().await?;
    let cost = cost(&report, rehearsals);
    Ok((report, cost))
}

fn cost(report: &CycleReport, rehearsals: Pair<Arc<Rehearsal>>) -> Cost {
    let mut calls = report.endpoints.clone();
    let (mut minutes, mut limits_known) = (0.0_f64, Pair::default());
    let mut quotas = Pair::default();
    for side in Side::BOTH {
        let rehearsal = rehearsals.of(side);
        for (endpoint, writes) in rehearsal.writes() {
            *calls.of_mut(side).entry(endpoint).or_default() += writes;
        }
        if let Some(takes) = rehearsal.forecast(calls.of(side)) {
            minutes = minutes.max(takes.as_secs_f64() / 60.0);
            *limits_known.of_mut(side) = true;
        }
        *quotas.of_mut(side) = quota(&**rehearsal, calls.of(side).values().sum());
    }
    Cost {
        calls,
        minutes: tenths(minutes),
        limits_known,
        quotas,
        rehearsals,
    }
}

/// How a side's quota a day stands against so many calls; nothing where it has none.
fn quota(connector: &dyn Connector, calls: u64) -> Option<Quota> {
    let spending = connector.spending();
    let (left, a_day) = (spending.left_today?, spending.allowed_in_a_day?);
    let today = left.clamp(0.0, a_day.max(0.0));
    Some(Quota {
        today,
        a_day,
        days: afford::days(calls, today, a_day),
    })
}

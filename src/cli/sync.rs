//! `sync`: one cycle, to its end.

use super::exit::{self, Exit, Failure};
use super::open::{Source, Systems, greet_state, log};
use super::output::{Output, counted, harmless};
use super::watch::{Picture, attended};
use crate::model::Side;
use crate::store::Store;
use crate::sync::{CycleOutcome, CycleReport, preflight};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What `sync` is asked for.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Read everything, not only what changed since the last cycle
    #[arg(long)]
    reconcile: bool,
    /// Let a first sync through, however many records it creates and changes
    #[arg(long)]
    approve_first: bool,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn sync(named: Option<&Path>, arguments: &Arguments) -> Result<Exit, Failure> {
    let config = Source::read(named)?.config()?;
    log(&config)?;
    greet_state(&config);
    let stop = CancellationToken::new();
    let store = Store::open(&config.state_path).await?;
    let opening = async {
        let systems = Systems::reach(&config, &stop).await?;
        let engine = systems.engine(&config, store, &stop).await?;
        inspect(&engine.connectors, &engine.mappings).await;
        Ok::<_, Failure>(engine)
    };
    let mut engine = attended(opening, &stop, || ()).await??;
    if arguments.approve_first {
        engine.approve_first();
    }
    let report = {
        let picture = Picture::new();
        let progress = Arc::clone(&engine.progress);
        let cycle = engine.cycle(arguments.reconcile);
        attended(cycle, &stop, || picture.draw(&progress)).await??
    };
    engine.store.close().await?;
    let mut out = Output::new();
    if arguments.json {
        out.json(&report)?;
    } else {
        summary(&report, &mut out)?;
    }
    out.finish()?;
    complain(&report);
    Ok(exit::of_cycle(&report))
}

/// Says in the log what the accounts lack for these mappings; the cycle goes on all the same.
pub(super) async fn inspect(
    connectors: &crate::model::Pair<Arc<dyn crate::remote::Connector>>,
    mappings: &[crate::mapping::Mapping],
) {
    match preflight::inspect(connectors, mappings).await {
        Ok(findings) => {
            for finding in findings {
                preflight::log(&finding);
            }
        }
        Err(error) => tracing::warn!(event = "preflight", side = %error.side, call = error.call,
            why = %error.kind, "the accounts' fields cannot be compared with the mappings"),
    }
}

/// Says on stderr what the systems did wrong.
pub(super) fn complain(report: &CycleReport) {
    for error in &report.errors {
        super::watch::say(&harmless(&error.to_string()));
    }
}

fn summary(report: &CycleReport, out: &mut Output) -> Result<(), Failure> {
    let how = match report.outcome {
        CycleOutcome::Done => "done",
        CycleOutcome::Incomplete => "incomplete: a system did not do its part",
        CycleOutcome::Stopped => "stopped before its end; the next one goes on",
    };
    out.line(format_args!("cycle {}: {how}", report.id))?;
    for side in Side::BOTH {
        out.line(format_args!(
            "  {side}: {} read, {} of them new or different, in {}",
            counted(*report.read.of(side), "record"),
            report.changed.of(side),
            counted(*report.calls.of(side), "call"),
        ))?;
    }
    out.line(format_args!(
        "  {} linked, {} created, {} updated, {} deleted",
        report.linked, report.created, report.updated, report.deleted
    ))?;
    if let Some(tickets) = super::tickets::done(&json!(report.tickets)) {
        out.line(format_args!("  {tickets}"))?;
    }
    if report.summed_up > 0 {
        let customers = counted(report.summed_up, "customer");
        out.line(format_args!(
            "  tickets of {customers} summed up in the crm"
        ))?;
    }
    if report.failed + report.tickets.parked > 0 {
        let writes = counted(report.failed + report.tickets.parked, "write");
        out.line(format_args!(
            "  {writes} failed or refused: see `deskbridge status`"
        ))?;
    }
    if report.in_doubt > 0 {
        let writes = counted(report.in_doubt, "write");
        out.line(format_args!(
            "  {writes} without an answer yet: what became of them is looked up by the next cycles, until it is certain"
        ))?;
    }
    if report.held > 0 {
        out.line(format_args!(
            "  {} held for a person: see `deskbridge holds`",
            report.held
        ))?;
    }
    let seconds = (report.finished_at - report.started_at).as_seconds_f64();
    out.line(format_args!("  {seconds:.1} s"))
}

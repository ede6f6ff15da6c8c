//! `apply FILE`: carries out a saved plan, and nothing else.

use super::exit::{self, Exit, Failure};
use super::open::{Source, Systems, log, trusted};
use super::output::{Output, counted, harmless};
use super::plan::{Change, planned, row};
use super::watch::{Picture, attended, say};
use crate::connect;
use crate::files;
use crate::model::{Pair, Side};
use crate::plan::{PlannedWrite, SavedPlan};
use crate::store::Store;
use crate::supervise::signals;
use crate::sync::apply::{Applied, Unwritten, count};
use crate::sync::{CycleOutcome, Engine};
use futures_util::StreamExt as _;
use serde::Serialize;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The largest plan that is read, in bytes. A create of ten fields takes about 1.5 KB with what it was
/// decided on: this is a first sync of more than 300,000 records.
const LARGEST: u64 = 512 * 1024 * 1024;

/// What `apply` is asked for.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A plan that `plan -o FILE` saved
    file: PathBuf,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

/// What was done, for machines; its fields are a contract.
#[derive(Debug, Serialize)]
struct Done<'a> {
    /// The number of the run, for `revert`.
    run: i64,
    outcome: CycleOutcome,
    /// What was planned.
    changes: Vec<Change>,
    /// What of it was not written, and why.
    skipped: Vec<&'a Unwritten>,
    calls: Pair<u64>,
}

pub(super) async fn apply(named: Option<&Path>, arguments: &Arguments) -> Result<Exit, Failure> {
    let plan = read(&arguments.file)?;
    let source = Source::read(named)?;
    let config = source.config()?;
    log(&config)?;
    if plan.config != config.plan_digest() {
        return Err(Failure::Usage(format!(
            "{} was made with other mappings, ticket rules or guards, or another [support_summary], than {} has now; make a new one with `deskbridge plan -o FILE`",
            arguments.file.display(),
            source.path.display(),
        )));
    }
    let stop = CancellationToken::new();
    let store = Store::open(&config.state_path).await?;
    let opening = async {
        let systems = Systems::reach(&config, &stop).await?;
        made_for(&plan, &connect::identities(&systems.accounts))?;
        let engine = systems.engine(&config, store, &stop).await?;
        trusted(&engine)?;
        super::sync::inspect(&engine.connectors, &engine.mappings).await;
        Ok::<_, Failure>(engine)
    };
    let mut engine = attended(opening, &stop, || ()).await??;
    let mut out = Output::new();
    if !arguments.json {
        show(&plan.writes, &mut out)?;
    }
    out.flush()?;
    if !plan.writes.is_empty() && !consent(arguments.yes, &tally(&plan), &mut out).await? {
        engine.store.close().await?;
        nothing_written(arguments.json, &mut out)?;
        out.finish()?;
        return Ok(Exit::Done);
    }
    let applied = carry_out(&mut engine, &plan, &stop).await?;
    engine.store.close().await?;
    tell(&plan, &applied, &[], arguments.json, &mut out)?;
    out.finish()?;
    Ok(ending(&applied, &[]))
}

fn read(file: &Path) -> Result<SavedPlan, Failure> {
    let asked = |why: String| Failure::Usage(format!("{}: {why}", file.display()));
    let bytes = files::read(file, LARGEST).map_err(|error| match error.kind() {
        io::ErrorKind::FileTooLarge | io::ErrorKind::TimedOut => {
            asked(format!("{error}; `deskbridge plan -o FILE` writes a plan"))
        }
        _ => asked(error.to_string()),
    })?;
    let text = String::from_utf8_lossy(&bytes);
    SavedPlan::from_text(&text).map_err(|error| asked(error.to_string()))
}

/// Makes sure that the plan is one for these accounts.
fn made_for(plan: &SavedPlan, accounts: &Pair<String>) -> Result<(), Failure> {
    for side in Side::BOTH {
        let (planned, found) = (plan.accounts.of(side), accounts.of(side));
        if planned != found {
            return Err(Failure::ForeignPlan {
                planned: planned.clone(),
                found: found.clone(),
            });
        }
    }
    Ok(())
}

/// Each write as `plan` shows it.
pub(super) fn show(writes: &[PlannedWrite], out: &mut Output) -> Result<(), Failure> {
    for write in writes {
        row(&planned(write), out)?;
    }
    if writes.is_empty() {
        out.line("nothing to write")?;
    }
    Ok(())
}

/// `1 create, 12 updates`.
pub(super) fn tally(plan: &SavedPlan) -> String {
    let counts = count(plan);
    let counts = counts
        .iter()
        .map(|(action, number)| counted(*number, action));
    counts.collect::<Vec<_>>().join(", ")
}

/// Whether the person at the terminal says `y`; `yes` says it for them.
pub(super) async fn consent(yes: bool, what: &str, out: &mut Output) -> Result<bool, Failure> {
    if yes {
        return Ok(true);
    }
    out.shown()?;
    let machine = Failure::machine("asking");
    let mut stderr = io::stderr();
    write!(stderr, "deskbridge: {what}: write this? [y/N] ")
        .and_then(|()| stderr.flush())
        .map_err(machine)?;
    let (send, answer) = tokio::sync::oneshot::channel();
    // A thread of its own: one of the runtime's would keep it from ending before the answer.
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line).map(|_| line);
        // Nobody waits for it any more where a signal came first.
        let _ = send.send(read);
    });
    let mut signals = signals().map_err(Failure::machine("listening to signals"))?;
    let line = tokio::select! {
        line = answer => line,
        Some(_) = signals.next() => return Err(Failure::Stopped),
    };
    match line {
        Ok(Ok(line)) if line.is_empty() => Err(Failure::Usage(
            "nobody answers: say `y` on stdin, or give --yes; nothing was written".to_owned(),
        )),
        Ok(Ok(line)) => Ok(matches!(line.trim(), "y" | "Y" | "yes")),
        Ok(Err(error)) => Err(Failure::machine("reading the answer")(error)),
        Err(_) => Err(Failure::Stopped),
    }
}

/// Carries out `plan`; a signal ends it between two writes.
pub(super) async fn carry_out(
    engine: &mut Engine,
    plan: &SavedPlan,
    stop: &CancellationToken,
) -> Result<Applied, Failure> {
    let picture = Picture::new();
    let progress = Arc::clone(&engine.progress);
    let run = engine.apply(plan);
    Ok(attended(run, stop, || picture.draw(&progress)).await??)
}

/// What was done, and what was not.
pub(super) fn tell(
    plan: &SavedPlan,
    applied: &Applied,
    left: &[Unwritten],
    json: bool,
    out: &mut Output,
) -> Result<(), Failure> {
    let report = &applied.report;
    let skipped: Vec<&Unwritten> = left.iter().chain(&applied.left).collect();
    if json {
        out.json(&Done {
            run: report.id,
            outcome: report.outcome,
            changes: plan.writes.iter().map(planned).collect(),
            skipped,
            calls: report.calls,
        })?;
    } else {
        let tickets = report.tickets.raised + report.tickets.restored;
        out.line(format_args!(
            "run {}: {} created, {} updated, {} deleted, {} changed, {} skipped",
            report.id,
            report.created,
            report.updated,
            report.deleted,
            counted(tickets, "ticket"),
            skipped.len(),
        ))?;
        for it in &applied.left {
            out.line(format_args!("  {}", sentence(it)))?;
        }
        if report.created + report.updated + report.deleted + tickets > 0 {
            out.line(format_args!(
                "`deskbridge revert {}` takes it back",
                report.id
            ))?;
        }
    }
    super::sync::complain(report);
    Ok(())
}

/// Says that the person said no: where machines read stdout, to people.
pub(super) fn nothing_written(json: bool, out: &mut Output) -> Result<(), Failure> {
    let text = "nothing was written";
    if json {
        say(text);
        return Ok(());
    }
    out.line(text)
}

/// One thing that is not written, by its record's ids.
pub(super) fn sentence(it: &Unwritten) -> String {
    let ids = [("crm", &it.crm_id), ("freshdesk", &it.freshdesk_id)];
    let ids: Vec<String> = ids
        .iter()
        .filter_map(|(side, id)| Some(format!("{side} {}", harmless(&id.as_ref()?.0))))
        .collect();
    let field = it.field.as_ref().map(|field| format!(" `{field}`"));
    format!(
        "skipped: {} ({}){}: {}",
        it.record.word(),
        ids.join(", "),
        field.unwrap_or_default(),
        harmless(&it.why)
    )
}

/// The exit code of a run of which `left` was not even tried.
pub(super) fn ending(applied: &Applied, left: &[Unwritten]) -> Exit {
    match applied.report.outcome {
        CycleOutcome::Stopped => Exit::Stopped,
        CycleOutcome::Incomplete => exit::of_errors(&applied.report.errors),
        CycleOutcome::Done if applied.is_whole() && left.is_empty() => Exit::Done,
        CycleOutcome::Done => Exit::Held,
    }
}

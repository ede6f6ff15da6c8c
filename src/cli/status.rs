//! `status`: how things stand, from the state alone. Works beside a running daemon.

use super::exit::{Exit, Failure};
use super::open::Source;
use super::output::{Output, counted, harmless, span};
use crate::clock::{Clock as _, SystemClock};
use crate::model::{Kind, Pair, Side};
use crate::store::{ByEndpoint, RecordCounts, Report, TicketCounts, UnreadView, WaitingTicket};
use serde::Serialize;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::Path;

/// How many rows of each list are shown to people.
const SHOWN: usize = 10;
/// How many records that cannot be read are named to machines.
const NAMED: i64 = 1_000;

/// What `status` is asked for.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// Its fields are a contract.
#[derive(Debug, Serialize)]
struct Status {
    accounts: Pair<Option<String>>,
    /// Why the state is not acted upon before everything was read; null where it is.
    doubt: Option<String>,
    last_cycle: Option<Json>,
    records: BTreeMap<&'static str, RecordCounts>,
    tickets: TicketCounts,
    /// Records that lists show and that cannot be read themselves, the oldest first.
    unreadable: Unreadable,
    /// What the last complete readings of everything came to, by kind.
    certificates: BTreeMap<String, Json>,
    /// Calls of the last hour by side, endpoint and lane.
    calls_last_hour: Pair<ByEndpoint>,
    /// Seconds since the last complete reading of changes began, by side and kind.
    lag: BTreeMap<String, BTreeMap<String, i64>>,
}

/// Records that cannot be read.
#[derive(Debug, Serialize)]
struct Unreadable {
    /// How many there are.
    count: u64,
    records: Vec<UnreadView>,
}

pub(super) async fn status(named: Option<&Path>, arguments: &Arguments) -> Result<Exit, Failure> {
    let config = Source::read(named)?.config_for_reading()?;
    let mut state = Report::open(&config.state_path).await?;
    let status = read(&mut state).await?;
    let mut out = Output::new();
    if arguments.json {
        out.json(&status)?;
    } else {
        text(&status, &mut state, &mut out).await?;
    }
    out.finish()?;
    Ok(Exit::Done)
}

async fn read(state: &mut Report) -> Result<Status, Failure> {
    let now = SystemClock.now().timestamp_millis();
    let mut lag: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
    for (side, kind, mark) in state.marks().await? {
        let seconds = (now - mark).max(0) / 1000;
        lag.entry(side).or_default().insert(kind, seconds);
    }
    let mut records = BTreeMap::new();
    for kind in Kind::BOTH {
        records.insert(kind.word(), state.counts(kind).await?);
    }
    Ok(Status {
        accounts: state.accounts().await?,
        doubt: state.doubt().await?,
        last_cycle: state.last_cycle().await?,
        records,
        tickets: state.tickets().await?,
        unreadable: Unreadable {
            count: state.unread_count().await?,
            records: state.unread(NAMED).await?,
        },
        certificates: state.certificates().await?,
        calls_last_hour: state.last_hour(SystemClock.now()).await?,
        lag,
    })
}

async fn text(status: &Status, state: &mut Report, out: &mut Output) -> Result<(), Failure> {
    let account = |account: &Option<String>| {
        account
            .as_deref()
            .map_or_else(|| "not known yet".to_owned(), harmless)
    };
    out.line(format_args!("crm        {}", account(&status.accounts.crm)))?;
    out.line(format_args!(
        "freshdesk  {}",
        account(&status.accounts.desk)
    ))?;
    if let Some(doubt) = &status.doubt {
        let doubt = harmless(doubt);
        out.line(format_args!(
            "\n{doubt}: everything is read before anything is written"
        ))?;
    }
    match &status.last_cycle {
        None => out.line("\nno cycle has ended yet")?,
        Some(cycle) => out.line(format_args!("\n{}", last_cycle(cycle)))?,
    }
    for (side, kinds) in &status.lag {
        for (kind, seconds) in kinds {
            let since = span(*seconds);
            let of = match kind.as_str() {
                "ticket" => "tickets".to_owned(),
                kind => format!("{kind} records"),
            };
            out.line(format_args!("changes of {of} in {side}: read {since} ago"))?;
        }
    }
    out.line("\n           linked     held   failed   shadowed")?;
    for (kind, counts) in &status.records {
        out.line(format_args!(
            "{kind:<8} {:>8} {:>8} {:>8} {:>10}",
            counts.linked, counts.held, counts.failed, counts.shadowed
        ))?;
    }
    for certificate in status.certificates.values() {
        out.line(certified(certificate))?;
    }
    tickets(&status.tickets, out)?;
    calls(&status.calls_last_hour, out)?;
    lists(status, state, out).await
}

/// What the ticket rules have come to, where they have come to anything.
fn tickets(counts: &TicketCounts, out: &mut Output) -> Result<(), Failure> {
    if *counts == TicketCounts::default() {
        return Ok(());
    }
    out.line(format_args!(
        "\ntickets: {} raised, {} given back, {} failed or refused, {} left alone after a fight",
        counts.raised, counts.restored, counts.parked, counts.fought
    ))?;
    for (rule, customers) in &counts.standings {
        let customers = counted(*customers, "customer");
        out.line(format_args!("  rule {}: {customers}", harmless(rule)))?;
    }
    Ok(())
}

/// What a reading of everything came to, on one line.
fn certified(certificate: &Json) -> String {
    let number = |path: &str| {
        let number = certificate.pointer(path).and_then(Json::as_u64);
        number.unwrap_or(0)
    };
    let word = |path: &str| certificate.pointer(path).and_then(Json::as_str);
    let drifted = |side: &str| {
        number(&format!("/drifted/{side}/changed")) + number(&format!("/drifted/{side}/vanished"))
    };
    let unread = match number("/unread") {
        0 => String::new(),
        many => format!(", {many} of which one side cannot be read"),
    };
    format!(
        "\nall {} records were compared at {}: {} of {} pairs equal, {} that are to differ, {} outside of the scope, {} held, {} parked, {} with a value that cannot cross over yet, {} left to do{unread}; {} shadowed; polling had missed {} in crm, {} in freshdesk",
        harmless(word("/kind").unwrap_or("?")),
        harmless(word("/finished_at").unwrap_or("?")),
        number("/equal"),
        number("/linked"),
        number("/apart"),
        number("/out_of_scope"),
        number("/held"),
        number("/parked"),
        number("/waiting"),
        number("/open"),
        number("/shadowed"),
        drifted("crm"),
        drifted("freshdesk"),
    )
}

/// Where the last hour's calls went.
fn calls(calls: &Pair<ByEndpoint>, out: &mut Output) -> Result<(), Failure> {
    const LANES: [&str; 4] = ["vip", "people", "first_sync", "reconcile"];
    for side in Side::BOTH {
        let by = calls.of(side);
        if by.is_empty() {
            continue;
        }
        let all: u64 = by.values().flat_map(BTreeMap::values).sum();
        let all = counted(all, "call");
        out.line(format_args!("\n{side}: {all} in the last hour"))?;
        let head = format_args!("  {:<24}", "endpoint").to_string();
        let lanes: Vec<String> = LANES.iter().map(|lane| format!("{lane:>11}")).collect();
        out.line(format_args!("{head}{}", lanes.concat()))?;
        for (endpoint, lanes) in by {
            let number = |lane: &&str| lanes.get(*lane).copied().unwrap_or(0);
            let row: Vec<String> = LANES
                .iter()
                .map(|lane| format!("{:>11}", number(lane)))
                .collect();
            out.line(format_args!("  {:<24}{}", harmless(endpoint), row.concat()))?;
        }
    }
    Ok(())
}

/// What is held, parked and shadowed, the oldest of each.
async fn lists(status: &Status, state: &mut Report, out: &mut Output) -> Result<(), Failure> {
    let limit = i64::try_from(SHOWN).unwrap_or(i64::MAX);
    let all = |of: fn(&RecordCounts) -> u64| status.records.values().map(of).sum::<u64>();
    let holds = state.holds(0, limit).await?;
    head(out, "held for a person", holds.len(), all(|it| it.held))?;
    for hold in &holds {
        out.line(format_args!("  {}", super::holds::line(hold)))?;
    }
    let parked = state.parked(limit).await?;
    let waiting = state.waiting_tickets(limit).await?;
    head(
        out,
        "failed or refused, to be tried again",
        parked.len() + waiting.len(),
        all(|it| it.failed) + status.tickets.parked + status.tickets.in_doubt,
    )?;
    for write in &parked {
        let next = if write.state == "sent" {
            "looked up by each cycle until it is certain".to_owned()
        } else {
            format!("next try {}", write.due_at)
        };
        out.line(format_args!(
            "  {} {} in {} (record {}), {} since {}, {next}: {}",
            write.action,
            write.kind,
            write.side,
            harmless(&write.id),
            write.state,
            write.since,
            harmless(
                write
                    .error
                    .as_deref()
                    .unwrap_or("the outcome is not known yet")
            ),
        ))?;
    }
    for ticket in &waiting {
        out.line(format_args!("  {}", waits(ticket)))?;
    }
    unreadable(&status.unreadable, out)?;
    let shadowed = state.shadowed(limit).await?;
    head(
        out,
        "shadowed: left alone",
        shadowed.len(),
        all(|it| it.shadowed),
    )?;
    for (kind, side, id, because) in &shadowed {
        out.line(format_args!(
            "  {kind} {} in {side}: {}",
            harmless(id),
            harmless(because)
        ))?;
    }
    Ok(())
}

fn unreadable(unreadable: &Unreadable, out: &mut Output) -> Result<(), Failure> {
    let shown = unreadable.records.len().min(SHOWN);
    let title = "cannot be read, to be read again";
    head(out, title, shown, unreadable.count)?;
    for it in unreadable.records.iter().take(SHOWN) {
        let (id, tries) = (
            harmless(&it.id),
            counted(it.attempts.unsigned_abs(), "read"),
        );
        let error = harmless(&it.error);
        out.line(format_args!(
            "  {} {id} in {}, since {}, {tries} in vain, next read {}: {error}",
            it.kind, it.side, it.since, it.due_at
        ))?;
    }
    Ok(())
}

fn waits(ticket: &WaitingTicket) -> String {
    let id = harmless(&ticket.id);
    let error = ticket.error.as_deref();
    let error = harmless(error.unwrap_or("the outcome is not known yet"));
    let next = ticket.due_at.as_deref().unwrap_or("in the next cycle");
    let tries = match ticket.attempts {
        0 | 1 => String::new(),
        tries => format!(" {tries} times"),
    };
    format!(
        "change of ticket {id} in freshdesk, {}{tries}, next try {next}: {error}",
        ticket.state
    )
}

fn head(out: &mut Output, title: &str, shown: usize, all: u64) -> Result<(), Failure> {
    if all == 0 {
        return Ok(());
    }
    let of = if shown as u64 == all {
        String::new()
    } else {
        format!(", the first {shown}")
    };
    out.line(format_args!("\n{title} ({all}{of}):"))
}

fn last_cycle(cycle: &Json) -> String {
    let number = |name: &str| cycle.get(name).and_then(Json::as_u64).unwrap_or(0);
    let word = |name: &str| cycle.get(name).and_then(Json::as_str).unwrap_or("?");
    let calls = |side: &str| {
        let calls = cycle.get("calls").and_then(|calls| calls.get(side));
        counted(calls.and_then(Json::as_u64).unwrap_or(0), "call")
    };
    let mut text = format!(
        "cycle {} ({}) ended at {}: {} created, {} updated, {} deleted, {} failed; {} of crm, {} of freshdesk",
        number("id"),
        word("outcome"),
        word("finished_at"),
        number("created"),
        number("updated"),
        number("deleted"),
        number("failed"),
        calls("crm"),
        calls("freshdesk"),
    );
    if let Some(tickets) = cycle.get("tickets").and_then(super::tickets::done) {
        text.push_str("\n  ");
        text.push_str(&tickets);
    }
    if number("summed_up") > 0 {
        let customers = counted(number("summed_up"), "customer");
        text.push_str("\n  tickets of ");
        text.push_str(&customers);
        text.push_str(" summed up in the crm");
    }
    for trouble in cycle
        .get("troubles")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
    {
        text.push_str("\n  ");
        text.push_str(&harmless(trouble.as_str().unwrap_or("?")));
    }
    text
}

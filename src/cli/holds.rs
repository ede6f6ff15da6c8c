//! `holds`: what waits for a person.

use super::exit::{Exit, Failure};
use super::open::Source;
use super::output::{Output, harmless, quoted};
use super::paste;
use crate::model::{Side, Value};
use crate::store::{HoldView, Report};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::path::Path;

/// Rows that are held in memory at a time.
const PAGE: i64 = 512;

/// What `holds` is asked for.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print the list as JSON
    #[arg(long)]
    json: bool,
}

/// A hold for machines; its fields are a contract.
#[derive(Debug, Serialize)]
struct Waiting<'a> {
    #[serde(flatten)]
    hold: &'a HoldView,
    /// The command that approves it; null where that is nothing that we could carry out.
    answer: Option<String>,
}

/// A field that waits, as the state keeps it.
#[derive(Debug, Deserialize)]
struct Shown {
    field: String,
    crm: Vec<Value>,
    freshdesk: Vec<Value>,
}

/// The command that approves a hold.
fn answer(hold: &HoldView) -> Option<String> {
    hold.approvable
        .then(|| paste::command(&format!("approve {}", hold.id)))
}

/// A hold as the contract has it: one over a whole class leaves the ids out. Commands in its reason are made
/// ready to be pasted.
fn document(hold: &HoldView) -> Result<Json, Failure> {
    let waiting = Waiting {
        hold,
        answer: answer(hold),
    };
    let mut json = serde_json::to_value(&waiting)
        .map_err(|error| Failure::machine("writing the result")(error.into()))?;
    if let Some(fields) = json.as_object_mut() {
        let reason = paste::ready(&hold.reason).into_owned();
        fields.insert("reason".to_owned(), reason.into());
        if hold.is_of_many() {
            fields.remove("crm_id");
            fields.remove("freshdesk_id");
        }
    }
    Ok(json)
}

pub(super) async fn holds(named: Option<&Path>, arguments: &Arguments) -> Result<Exit, Failure> {
    let config = Source::read(named)?.config_for_reading()?;
    let mut state = Report::open(&config.state_path).await?;
    let mut out = Output::new();
    let (mut after, mut first) = (0, true);
    if arguments.json {
        out.raw("[")?;
    }
    loop {
        let page = state.holds(after, PAGE).await?;
        for hold in &page {
            if arguments.json {
                out.raw(if first { "\n" } else { ",\n" })?;
                out.part(&document(hold)?)?;
            } else {
                out.line(line(hold))?;
                for shows in shown(hold) {
                    out.line(format_args!("      {shows}"))?;
                }
                for command in commands(hold) {
                    out.line(format_args!("      {command}"))?;
                }
            }
            first = false;
        }
        match page.last() {
            Some(last) => after = last.id,
            None => break,
        }
    }
    if arguments.json {
        out.raw("\n]\n")?;
    } else if first {
        out.line("nothing waits for a person")?;
    }
    out.finish()?;
    Ok(Exit::Done)
}

/// The commands that answer a hold, each as it can be pasted into a shell.
fn commands(hold: &HoldView) -> Vec<String> {
    let approve = answer(hold).into_iter();
    let mut all: Vec<String> = match hold.class.as_str() {
        "conflict" => approve
            .flat_map(|command| Side::BOTH.map(|side| format!("{command} --take {}", side.word())))
            .collect(),
        _ => approve.collect(),
    };
    all.push(paste::command(&format!("discard {}", hold.id)));
    all
}

/// What each side shows of the fields that wait, for whoever has to choose.
fn shown(hold: &HoldView) -> Vec<String> {
    let fields: Vec<Shown> = Deserialize::deserialize(&hold.fields).unwrap_or_default();
    let on_a_side = |values: &[Value], side: Side| {
        let values: Vec<String> = values.iter().map(quoted).collect();
        format!("{} in {side}", values.join(", "))
    };
    let line = |it: &Shown| {
        let (crm, desk) = (
            on_a_side(&it.crm, Side::Crm),
            on_a_side(&it.freshdesk, Side::Desk),
        );
        format!("{}: {crm}; {desk}", harmless(&it.field))
    };
    fields.iter().map(line).collect()
}

/// One hold on one line.
pub(super) fn line(hold: &HoldView) -> String {
    let (id, since, class) = (hold.id, &hold.since, &hold.class);
    let reason = harmless(&hold.reason);
    if hold.is_of_many() {
        let kind = &hold.kind;
        let count = hold.count;
        return match class.as_str() {
            "ticket" => format!("{id}  {since}  ticket, {count} of them: {reason}"),
            _ => format!("{id}  {since}  {class} of {kind}, {count} of them: {reason}"),
        };
    }
    let ids = [("crm", &hold.crm_id), ("freshdesk", &hold.freshdesk_id)];
    let ids: Vec<String> = ids
        .iter()
        .filter_map(|(side, id)| Some(format!("{side} {}", harmless(id.as_ref()?))))
        .collect();
    format!(
        "{id}  {since}  {class} of a {} ({}): {reason}",
        hold.kind,
        ids.join(", "),
    )
}

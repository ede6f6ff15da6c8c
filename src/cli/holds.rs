//! `holds`: what waits for a person.

use super::exit::{Exit, Failure};
use super::open::Source;
use super::output::{Output, harmless};
use crate::store::{HoldView, Report};
use serde::Serialize;
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
    /// The command that approves it; null while the only answer is a change in one of the systems.
    answer: Option<String>,
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
                out.part(&Waiting { hold, answer: None })?;
            } else {
                out.line(line(hold))?;
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

/// One hold on one line.
pub(super) fn line(hold: &HoldView) -> String {
    let ids = [("crm", &hold.crm_id), ("freshdesk", &hold.freshdesk_id)];
    let ids: Vec<String> = ids
        .iter()
        .filter_map(|(side, id)| Some(format!("{side} {}", harmless(id.as_ref()?))))
        .collect();
    format!(
        "{}  {}  {} of a {} ({}): {}",
        hold.id,
        hold.since,
        hold.class,
        hold.kind,
        ids.join(", "),
        harmless(&hold.reason)
    )
}

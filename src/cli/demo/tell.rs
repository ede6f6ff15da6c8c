//! What is told of a cycle: one line for all of it, one for each write and why.

use super::stage::{Stage, bug};
use super::verdict::{self, Ledger};
use super::voice::{self, Tone, Voice};
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::harmless;
use crate::model::{Side, Value};
use crate::plan::{FieldChange, Rule};
use crate::sandbox::hubspot::Kind;
use crate::store::JournalView;
use crate::sync::{CycleOutcome, CycleReport};
use serde_json::json;
use std::fmt::Write as _;
use std::time::Duration;

/// The stage, the teller, and what was promised so far.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) stage: Stage,
    pub(super) voice: Voice,
    pub(super) ledger: Ledger,
    pub(super) act: usize,
}

/// What people call a side.
pub(super) const fn system(side: Side) -> &'static str {
    match side {
        Side::Crm => "HubSpot",
        Side::Desk => "Freshdesk",
    }
}

impl Story {
    /// What there is before anything happens.
    pub(super) fn introduce(&mut self) -> Result<(), Failure> {
        let census = self.stage.census;
        self.voice.line(format!(
            "Two systems are simulated in this process and answer over HTTP on 127.0.0.1, with rate limits,\n\
             late search results and odd habits as the real ones have. A minute of theirs takes a moment here.\n\n  \
             HubSpot   {:>4} contacts, {:>3} companies    sales works here\n  \
             Freshdesk {:>4} contacts, {:>3} companies    support works here",
            census.crm_contacts, census.crm_companies, census.desk_contacts, census.desk_companies
        ))
    }

    /// Begins the next act.
    pub(super) fn begin(&mut self, title: &str) -> Result<(), Failure> {
        self.act += 1;
        self.ledger.act = self.act;
        let time = self.stage.time().format("%a %H:%M").to_string();
        self.voice.act(self.act, title, &time)
    }

    /// A cycle, its one line, and what it wrote.
    pub(super) async fn cycle(&mut self) -> Result<CycleReport, Failure> {
        let report = self.turn().await?;
        for write in self.stage.report.journal(report.id, 0, 20).await? {
            self.write(&write.1)?;
        }
        Ok(report)
    }

    /// A cycle and its one line.
    pub(super) async fn turn(&mut self) -> Result<CycleReport, Failure> {
        let report = self.stage.cycle().await?;
        let who = format!("cycle {}, {}", report.id, report.started_at.format("%H:%M"));
        self.voice.deed(Tone::Bridge, &who, &summary(&report))?;
        for trouble in &report.troubles {
            self.voice.deed(Tone::Bad, "", &harmless(trouble))?;
        }
        Ok(report)
    }

    /// One write: where, what, why.
    pub(super) fn write(&mut self, write: &JournalView) -> Result<(), Failure> {
        let who = format!("deskbridge → {}", system(write.side));
        self.tell_of(&who, write)
    }

    /// One write: by whom, what, why.
    pub(super) fn tell_of(&mut self, who: &str, write: &JournalView) -> Result<(), Failure> {
        let name = self.name(
            &write.kind,
            write.crm_id.as_deref(),
            write.desk_id.as_deref(),
        );
        let outcome = match write.outcome.as_deref() {
            Some("done") => String::new(),
            Some(other) => format!(" [{}]", other.replace('_', " ")),
            None => " [no answer yet]".to_owned(),
        };
        if write.action == "create" {
            let fields: Vec<String> = write
                .fields
                .iter()
                .map(|change| {
                    format!(
                        "{} {}",
                        label(change),
                        self.shown(write.side, &change.field, &written(change))
                    )
                })
                .collect();
            let text = format!("new {}: {}{outcome}", write.kind, fields.join(", "));
            return self.voice.deed(Tone::Bridge, who, &text);
        }
        if write.action == "note" {
            let texts = write.fields.iter().flat_map(written);
            let texts: Vec<String> = texts.filter_map(|it| first_line(&it)).collect();
            let text = format!("{name}: private note \"{}\"{outcome}", texts.join(" "));
            return self.voice.deed(Tone::Bridge, who, &text);
        }
        for change in &write.fields {
            let before = match write.side {
                Side::Crm => &change.crm,
                Side::Desk => &change.freshdesk,
            };
            let before = self.shown(write.side, &change.field, before);
            let after = self.shown(write.side, &change.field, &written(change));
            let what = format!("{name}: {} {before} → {after}{outcome}", label(change));
            let conflict = matches!(change.rule, Rule::Newest { .. } | Rule::Preferred(_));
            if conflict {
                self.voice.deed(Tone::Bridge, who, &what)?;
                let why = format!("{:<25} because {}", "", change.rule);
                self.voice.aside(&why)?;
                let kept = format!("{:<25} {before} lost; the journal keeps it", "");
                self.voice.aside(&kept)?;
            } else {
                let why = self.voice.toned(Tone::Aside, &format!("({})", change.rule));
                self.voice
                    .deed(Tone::Bridge, who, &format!("{what}  {why}"))?;
            }
        }
        Ok(())
    }

    /// What a record is called, by what the systems show.
    pub(super) fn name(&self, kind: &str, crm: Option<&str>, desk: Option<&str>) -> String {
        let crm = crm.and_then(|id| id.parse().ok());
        let desk: Option<u64> = desk.and_then(|id| id.parse().ok());
        if kind == "ticket" {
            return format!("ticket {}", desk.unwrap_or_default());
        }
        let name = if kind == "company" {
            desk.and_then(|id| self.stage.desk.company(id))
                .map(|company| company.name)
                .or_else(|| self.stage.crm_value(Kind::Company, crm?, "name"))
        } else {
            crm.and_then(|id| self.stage.crm_name(id))
                .or_else(|| Some(self.stage.desk.contact(desk?)?.name))
        };
        harmless(&name.unwrap_or_else(|| format!("a {kind}")))
    }

    /// Values as people write them; a company by its name.
    fn shown(&self, side: Side, field: &str, values: &[Value]) -> String {
        let one = |value: &Value| match value {
            Value::Empty => "nothing".to_owned(),
            Value::Text(id) if field == "company" => match side {
                Side::Crm => self.name("company", Some(id), None),
                Side::Desk => self.name("company", None, Some(id)),
            },
            Value::Text(text) => format!("\"{}\"", harmless(text)),
            Value::List(members) if members.is_empty() => "nothing".to_owned(),
            Value::List(members) => format!("\"{}\"", harmless(&members.join(", "))),
            other => harmless(&other.to_json().to_string()),
        };
        values.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    /// The verdict, and the exit code that says it.
    pub(super) fn conclude(&mut self, took: Duration) -> Result<Exit, Failure> {
        self.act += 1;
        self.ledger.act = self.act;
        verdict::judge(&self.stage, &mut self.ledger);
        let agree = self.ledger.holds();
        if self.voice.is_silent() {
            let document =
                json!({"agree": agree, "seconds": took.as_secs_f64(), "checks": self.ledger.rows});
            voice::document(&document)?;
        }
        let title = "Both systems, compared field by field";
        let time = self.stage.time().format("%a %H:%M").to_string();
        self.voice.act(self.act, title, &time)?;
        for row in &self.ledger.rows {
            let (tone, word) = if row.ok {
                (Tone::Good, "ok    ")
            } else {
                (Tone::Bad, "WRONG ")
            };
            let word = self.voice.toned(tone, word);
            let rest = if row.ok {
                row.found.clone()
            } else {
                format!("{}, not {}", row.found, row.expected)
            };
            self.voice.line(format!(
                "  {word} {:>2}  {:<66} {}",
                row.act,
                row.what,
                harmless(&rest)
            ))?;
        }
        self.voice.aside(
            "Phone numbers are compared without blanks, which this Freshdesk does not keep; the company of who works\n  \
             at one that exists twice is not compared.",
        )?;
        let seconds = took.as_secs_f64();
        let (tone, text) = if agree {
            (
                Tone::Good,
                format!(
                    "They agree. {seconds:.1} s; nothing is left behind. Next: deskbridge demo --keep"
                ),
            )
        } else {
            (Tone::Bad, format!("They do not agree. {seconds:.1} s"))
        };
        let text = self.voice.toned(tone, &text);
        self.voice.line(format!("\n{text}"))?;
        Ok(if agree { Exit::Done } else { Exit::Disagree })
    }
}

/// The values of one field that were sent.
fn written(change: &FieldChange) -> Vec<Value> {
    change.set.0.values().cloned().collect()
}

/// What a note says; below it stands who wrote it.
fn first_line(value: &Value) -> Option<String> {
    Some(harmless(value.as_text()?.lines().next()?))
}

/// What a field is called.
fn label(change: &FieldChange) -> &str {
    change
        .field
        .strip_prefix("custom_fields.")
        .unwrap_or(&change.field)
}

/// The numbers of a cycle that are not nought.
fn summary(report: &CycleReport) -> String {
    let mut text = String::new();
    for (number, what) in [
        (report.linked, "linked"),
        (report.created, "created"),
        (report.updated, "updated"),
        (report.held, "held"),
        (report.failed, "failed"),
    ] {
        if number > 0 {
            // Writing to a string cannot fail.
            let _ = write!(text, "{number} {what}, ");
        }
    }
    if let Some(tickets) = crate::cli::tickets::done(&json!(report.tickets)) {
        let _ = write!(text, "{tickets}, ");
    }
    if text.is_empty() {
        text.push_str("nothing to do, ");
    }
    if report.outcome != CycleOutcome::Done {
        text.push_str("incomplete, ");
    }
    let took = (report.finished_at - report.started_at).num_milliseconds();
    let calls = report.calls.crm + report.calls.desk;
    let _ = write!(
        text,
        "{calls} calls (HubSpot {}, Freshdesk {}), {took} ms",
        report.calls.crm, report.calls.desk
    );
    text
}

/// A number that is an id, for which there is always a record on the stage.
pub(super) fn known<T>(found: Option<T>, what: &str) -> Result<T, Failure> {
    found.ok_or_else(|| bug(format!("there is no {what}")))
}

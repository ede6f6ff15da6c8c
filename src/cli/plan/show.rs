//! A plan on stdout, row by row: a first sync has tens of thousands.

mod held;
mod planned;
mod ticket;

pub(in crate::cli) use planned::planned;

use super::{Cost, Planned};
use crate::cli::exit::Failure;
use crate::cli::output::{Output, counted, harmless};
use crate::model::{Side, Value};
use crate::plan::{Deed, FieldChange, Subject};
use crate::store::{HoldView, JournalView, LinkView, Report};
use crate::sync::apply::Looks;
use chrono::SecondsFormat;
use serde::Serialize;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// Rows that are held in memory at a time.
const PAGE: i64 = 512;

/// One row of the plan; its fields are a contract.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Change {
    record: String,
    action: String,
    side: Option<String>,
    crm_id: Option<String>,
    freshdesk_id: Option<String>,
    fields: Vec<Field>,
    #[serde(skip)]
    note: String,
    /// What is done to a ticket: `raise`, `restore` or `note`.
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<String>,
}

impl Change {
    /// What it is counted as: a note on a ticket is not one more ticket.
    fn counts_as(&self) -> &str {
        match self.effect.as_deref() {
            Some("note") => "note",
            _ => &self.action,
        }
    }
}

/// One field of a row.
#[derive(Debug, Serialize)]
struct Field {
    #[serde(rename = "field")]
    name: String,
    base: Json,
    crm: Json,
    freshdesk: Json,
    result: Json,
    rule: String,
}

/// How many rows of which action.
#[derive(Debug, Default)]
pub(super) struct Counts {
    by: BTreeMap<String, u64>,
    /// What `apply` would have to look at.
    looks: Looks,
}

impl Counts {
    /// Whether a cycle would change anything.
    pub(super) fn any(&self) -> bool {
        !self.by.is_empty()
    }
}

/// The contract's JSON document.
pub(super) async fn json(
    state: &mut Report,
    planned: &Planned,
    out: &mut Output,
) -> Result<Counts, Failure> {
    let cost = &planned.cost;
    out.raw("{\"changes\": [")?;
    let mut first = true;
    let counts = each(state, planned, |change| {
        out.raw(if first { "\n" } else { ",\n" })?;
        first = false;
        out.part(change)
    })
    .await?;
    out.raw("\n], \"calls\": ")?;
    out.part(&cost.calls)?;
    out.raw(", \"minutes\": ")?;
    out.part(&cost.minutes)?;
    out.raw(", \"limits_known\": ")?;
    out.part(&cost.limits_known)?;
    out.raw(", \"days\": ")?;
    out.part(&cost.days())?;
    let (calls, minutes) = cost.of_apply(&counts.looks);
    out.raw(", \"apply\": ")?;
    out.part(&json!({"calls": calls, "minutes": minutes}))?;
    out.raw("}\n")?;
    Ok(counts)
}

/// The plan for people.
pub(super) async fn text(
    state: &mut Report,
    planned: &Planned,
    out: &mut Output,
) -> Result<Counts, Failure> {
    let Planned { report, cost, .. } = planned;
    let counts = each(state, planned, |change| row(change, out)).await?;
    if counts.any() {
        let said: Vec<String> = counts
            .by
            .iter()
            .map(|(action, number)| counted(*number, action))
            .collect();
        out.line(format_args!("\n{}", said.join(", ")))?;
    } else {
        out.line("nothing to write")?;
    }
    if counts.by.contains_key("hold") {
        out.line(
            "a cycle writes nothing of what is held before it is answered (`deskbridge holds`)",
        )?;
    }
    let waiting = report
        .held
        .saturating_sub(counts.by.get("hold").copied().unwrap_or(0));
    if waiting > 0 {
        out.line(format_args!(
            "{waiting} held since before: see `deskbridge holds`"
        ))?;
    }
    for side in Side::BOTH {
        let calls = cost.calls.of(side);
        let each: Vec<String> = calls
            .iter()
            .map(|(endpoint, number)| format!("{endpoint} {number}"))
            .collect();
        let all = counted(calls.values().sum(), "call");
        out.line(format_args!("{side}: {all} ({})", each.join(", ")))?;
    }
    if cost.limits_known.crm || cost.limits_known.desk {
        let minutes = cost.minutes;
        out.line(format_args!(
            "about {minutes} min at the slower account's limit"
        ))?;
    }
    for side in Side::BOTH {
        if !*cost.limits_known.of(side) && !cost.calls.of(side).is_empty() {
            out.line(format_args!(
                "{side}: no limit is known, and how long its calls take is not in any forecast"
            ))?;
        }
    }
    over_days(cost, out)?;
    applied(cost, &counts, out)?;
    Ok(counts)
}

/// Says where a quota a day does not let it end today.
fn over_days(cost: &Cost, out: &mut Output) -> Result<(), Failure> {
    for side in Side::BOTH {
        let Some(quota) = cost.quotas.of(side) else {
            continue;
        };
        let (today, a_day) = (quota.today.floor(), quota.a_day.floor());
        match quota.days {
            Some(1) => {}
            Some(days) => out.line(format_args!(
                "{side}: {today} calls are left of today's quota and {a_day} a day are ours, so that it ends on day {days} from now, today included"
            ))?,
            None => out.line(format_args!(
                "{side}: nothing of the day's quota is ours, so that it does not end"
            ))?,
        }
    }
    Ok(())
}

/// What `apply` of the plan takes: more than a cycle, since each record is looked at once more.
fn applied(cost: &Cost, counts: &Counts, out: &mut Output) -> Result<(), Failure> {
    if counts.looks == Looks::default() {
        return Ok(());
    }
    let (calls, minutes) = cost.of_apply(&counts.looks);
    let of = |side: Side| counted(calls.of(side).values().sum(), "call");
    let lasts = if cost.limits_known.crm || cost.limits_known.desk {
        format!(", about {minutes} min")
    } else {
        String::new()
    };
    out.line(format_args!(
        "`apply` of it looks at each record once more: about {} of crm, {} of freshdesk{lasts}",
        of(Side::Crm),
        of(Side::Desk),
    ))
}

/// How many of the keys of a new record have a value; nothing of what is no create.
fn keys(write: &JournalView, planned: &Planned) -> u64 {
    let mappings = planned.mappings.iter();
    let mapping = mappings.filter(|it| it.kind.word() == write.kind);
    let keys = mapping.flat_map(|it| &it.keys);
    let has = |name: &str| write.fields.iter().any(|it| it.set.get(name).is_some());
    keys.filter(|key| has(key.name(write.side))).count() as u64
}

/// Hands each row to `show`, page by page, and counts them.
async fn each(
    state: &mut Report,
    planned: &Planned,
    mut show: impl FnMut(&Change) -> Result<(), Failure>,
) -> Result<Counts, Failure> {
    let report = &planned.report;
    let mut counts = Counts::default();
    let mut looks = Looks::default();
    let mut take = |change: &Change| {
        *counts.by.entry(change.counts_as().to_owned()).or_default() += 1;
        show(change)
    };
    let mut after = 0;
    loop {
        let page = state.links(report.id, after, PAGE).await?;
        for (_, link) in &page {
            take(&linked(link))?;
        }
        match page.last() {
            Some((last, _)) => after = *last,
            None => break,
        }
    }
    let mut after = 0;
    loop {
        let page = state.journal(report.id, after, PAGE).await?;
        for (_, write) in &page {
            take(&written(write))?;
            let known = Subject::read(&write.kind).zip(Deed::read(&write.action));
            if let Some((record, action)) = known {
                looks.add(record, action, write.side, keys(write, planned));
            }
        }
        match page.last() {
            Some((last, _)) => after = *last,
            None => break,
        }
    }
    let started = report
        .started_at
        .to_rfc3339_opts(SecondsFormat::Millis, true);
    let mut before: Vec<&HoldView> = planned.before.iter().collect();
    let mut after = 0;
    loop {
        let page = state.holds(after, PAGE).await?;
        for hold in page.iter().filter(|hold| hold.since >= started) {
            take(&held::held(hold, &held::bases(hold, planned, state).await?))?;
            before.retain(|it| (&it.kind, &it.class) != (&hold.kind, &hold.class));
        }
        match page.last() {
            Some(last) => after = last.id,
            None => break,
        }
    }
    for hold in before {
        take(&held::held(hold, &BTreeMap::new()))?;
    }
    counts.looks = looks;
    Ok(counts)
}

fn linked(link: &LinkView) -> Change {
    Change {
        record: link.kind.clone(),
        action: "link".to_owned(),
        side: None,
        crm_id: real(Some(&link.crm_id)),
        freshdesk_id: real(Some(&link.desk_id)),
        fields: Vec::new(),
        note: format!("found by {}", link.found),
        effect: None,
    }
}

fn written(write: &JournalView) -> Change {
    let is_ticket = write.kind == "ticket";
    Change {
        record: write.kind.clone(),
        action: if is_ticket {
            "ticket".to_owned()
        } else {
            write.action.clone()
        },
        side: Some(write.side.to_string()),
        crm_id: real(write.crm_id.as_ref()),
        freshdesk_id: real(write.desk_id.as_ref()),
        fields: write.fields.iter().map(field).collect(),
        note: String::new(),
        effect: is_ticket.then(|| write.action.clone()),
    }
}

/// An id that a system gave; records that the plan would make have none yet.
fn real(id: Option<&String>) -> Option<String> {
    id.filter(|id| !id.starts_with("new:")).cloned()
}

fn field(change: &FieldChange) -> Field {
    let set = &change.set.0;
    let mut result: Vec<Value> = set.values().cloned().collect();
    let result = match (set.len(), result.pop()) {
        (1, Some(only)) => only.to_json(),
        _ => set
            .iter()
            .map(|(name, value)| (name.clone(), value.to_json()))
            .collect(),
    };
    Field {
        name: change.field.clone(),
        base: values(&change.base),
        crm: values(&change.crm),
        freshdesk: values(&change.freshdesk),
        result,
        rule: change.rule.to_string(),
    }
}

/// The value of a field; where several make it up, a list of them; null where there is nothing.
fn values(values: &[Value]) -> Json {
    match values {
        nothing if nothing.iter().all(Value::is_empty) => Json::Null,
        [only] => only.to_json(),
        several => several.iter().map(Value::to_json).collect(),
    }
}

pub(in crate::cli) fn row(change: &Change, out: &mut Output) -> Result<(), Failure> {
    if let Some(effect) = &change.effect {
        return ticket::row(change, effect, out);
    }
    let id = |id: &Option<String>| id.as_deref().map_or_else(|| "-".to_owned(), harmless);
    let place = match (change.action.as_str(), &change.side) {
        ("create" | "update" | "delete", Some(side)) => format!(" in {side}"),
        _ => String::new(),
    };
    let note = match change.note.as_str() {
        "" => String::new(),
        note => format!(": {}", harmless(note)),
    };
    out.line(format_args!(
        "{} {}{place} (crm {}, freshdesk {}){note}",
        change.action,
        change.record,
        id(&change.crm_id),
        id(&change.freshdesk_id),
    ))?;
    for field in &change.fields {
        let name = &field.name;
        out.line(format_args!(
            "    {name}: {} (base {}, crm {}, freshdesk {}; {})",
            result(field),
            shown(&field.base),
            shown(&field.crm),
            shown(&field.freshdesk),
            field.rule,
        ))?;
    }
    Ok(())
}

/// What is written. The plan's own name for a record that it would make means nothing to people.
fn result(field: &Field) -> String {
    match &field.result {
        Json::String(id) if field.name == "company" && id.starts_with("new:") => {
            "the company that is created".to_owned()
        }
        value => shown(value),
    }
}

/// A value on one line; JSON escapes most of what could steer a terminal, the rest is escaped here.
fn shown(value: &Json) -> String {
    match value {
        Json::Null => "-".to_owned(),
        value => harmless(&value.to_string()),
    }
}

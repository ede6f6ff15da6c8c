//! A field that a support summary is written into: what the customer's tickets come to, and why the CRM shows
//! something else.

use super::barred;
use super::field::{self, Write};
use super::verdict::Why;
use crate::cli::exit::Failure;
use crate::mapping::SupportFact;
use crate::model::{Image, Presence, Side, Value};
use crate::plan::{Class, FieldChange, Rule, clears, sum_up, support_facts};
use crate::store::{Answer, Past, Report, Story, SummaryView};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::BTreeMap;

/// One field of the CRM.
#[derive(Debug, Serialize)]
pub(super) struct SummaryAbout {
    /// The CRM's name.
    pub(super) field: String,
    /// What is written into it, as `sync.toml` calls it.
    pub(super) fact: &'static str,
    /// What the CRM showed last; null where that is empty or was never read.
    pub(super) shows: Option<Value>,
    /// What the tickets come to; null where that is nothing.
    pub(super) comes_to: Value,
    /// What the next cycle writes; null where it writes nothing.
    pub(super) next: Option<Value>,
    /// Why the CRM keeps something else; null where it does not.
    pub(super) why: Option<String>,
    /// The writes that were made or tried, the newest first.
    pub(super) writes: Vec<Write>,
}

/// How the fields of one customer stand, and what of that concerns the customer as a whole.
pub(super) async fn summaries(
    state: &mut Report,
    story: &Story,
    wanted: &BTreeMap<SupportFact, String>,
    past: &[Past],
    now: DateTime<Utc>,
) -> Result<(Vec<SummaryAbout>, Vec<Why>), Failure> {
    let crm = story.records.crm.as_ref();
    let Some(crm) = crm.filter(|it| it.presence == Presence::Live && story.link.is_some()) else {
        return Ok((Vec::new(), Vec::new()));
    };
    let view = state.summary_of(story, now).await?;
    let Some(view) = view.filter(|_| !wanted.is_empty()) else {
        return Ok((Vec::new(), Vec::new()));
    };
    let facts = support_facts(&view.tickets);
    let summed = sum_up(wanted, &view.tickets, &view.written, &crm.image);
    let writes: Vec<Write> = past.iter().flat_map(field::writes).collect();
    let (mut about, mut held) = (Vec::new(), Vec::new());
    for (fact, name) in wanted {
        let change = summed.changes.iter().find(|it| it.field == *name);
        let comes_to = facts.get(fact).unwrap_or(&Value::Empty);
        let (mut next, mut why) = (None, None);
        match change {
            Some(change) => match bar(state, story, change).await? {
                Some(bar) => {
                    held.push(bar.clone());
                    why = Some(bar);
                }
                None if view.due => next = change.set.get(name).cloned(),
                None => why = Some(AGED.to_owned()),
            },
            None if summed.unread.contains(name) => why = Some(unread(name)),
            None => why = theirs(name, (wanted, comes_to), &view, &crm.image, past),
        }
        about.push(SummaryAbout {
            field: name.clone(),
            fact: fact.word(),
            shows: crm.image.get(name).cloned(),
            comes_to: comes_to.clone(),
            next,
            why,
            writes: field::latest(&writes, name),
        });
    }
    held.dedup();
    let code = "held";
    let why = held.into_iter().map(|text| Why { code, text }).collect();
    Ok((about, why))
}

/// What is only of another age comes to something else without a ticket's change.
const AGED: &str = "tickets have grown too old to count: that is worked out anew once a day";

fn unread(name: &str) -> String {
    format!("crm has not said what `{name}` is, and what is unknown is not overwritten")
}

/// Why a change is not written by the next cycle: a person is asked about it, or has refused it.
async fn bar(
    state: &mut Report,
    story: &Story,
    change: &FieldChange,
) -> Result<Option<String>, Failure> {
    let class = if clears(change, Side::Crm) {
        Class::SummaryClear
    } else {
        Class::Summary
    };
    let holds = state.class_holds(story.kind).await?;
    if let Some((_, hold)) = holds.iter().find(|(of, _)| *of == class) {
        return Ok(Some(barred::waiting(class, hold)));
    }
    let said = state.answer_of_class(story.kind, class).await?;
    Ok((said == Some(Answer::Discard)).then(|| {
        "a person has discarded it: the crm keeps what it shows until their tickets come to something else"
            .to_owned()
    }))
}

/// Why the CRM keeps something else than the tickets come to, where it does.
fn theirs(
    name: &str,
    (wanted, comes_to): (&BTreeMap<SupportFact, String>, &Value),
    view: &SummaryView,
    shown: &Image,
    past: &[Past],
) -> Option<String> {
    let never = view.written.get(name).is_none_or(Value::is_empty);
    if comes_to.is_empty() && never {
        let is_theirs = shown.get(name).is_some_and(|it| !it.is_empty());
        return is_theirs.then(|| {
            "their tickets come to nothing, and what is not ours is not emptied".to_owned()
        });
    }
    let anew = sum_up(wanted, &view.tickets, &Image::default(), shown);
    if !anew.changes.iter().any(|it| it.field == name) {
        return None;
    }
    let last = past.iter().find_map(|row| {
        let mut changes = row.fields.iter();
        let change = changes.find(|it| it.field == name)?;
        Some((row, change))
    });
    let why = match last {
        None => "a person has discarded it".to_owned(),
        Some((row, _)) if row.outcome.as_deref() == Some("refused") => {
            "the crm refused it".to_owned()
        }
        Some((row, change)) if matches!(change.rule, Rule::Reverted(_)) => {
            format!("run {} took it back", row.cycle)
        }
        Some(_) => {
            "somebody has made something else of it, or discarded what came after".to_owned()
        }
    };
    Some(format!(
        "{why}: the crm keeps what it shows until their tickets come to something else"
    ))
}

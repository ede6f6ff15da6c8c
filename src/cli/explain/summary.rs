//! A field that a support summary is written into: what the customer's tickets come to, and why the CRM shows
//! something else.

use super::barred;
use super::field::{self, Write};
use super::verdict::Why;
use crate::cli::exit::Failure;
use crate::mapping::SupportFact;
use crate::model::{Image, Presence, Side, Value};
use crate::plan::{Class, FieldChange, clears, sum_up, support_facts};
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
            None => why = theirs(name, wanted, &view, &crm.image),
        }
        about.push(SummaryAbout {
            field: name.clone(),
            fact: fact.word(),
            shows: crm.image.get(name).cloned(),
            comes_to: facts.get(fact).cloned().unwrap_or(Value::Empty),
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
        "a person has discarded these summaries: the crm keeps what it shows until their tickets come to something else".to_owned()
    }))
}

/// Somebody made something else of what was written, or the CRM never took it.
fn theirs(
    name: &str,
    wanted: &BTreeMap<SupportFact, String>,
    view: &SummaryView,
    shown: &Image,
) -> Option<String> {
    let anew = sum_up(wanted, &view.tickets, &Image::default(), shown);
    let differs = anew.changes.iter().any(|it| it.field == name);
    differs.then(|| {
        "the crm shows something else than it was last given, and keeps that until their tickets come to something else"
            .to_owned()
    })
}

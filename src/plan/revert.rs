//! Taking back what was written: only in fields that still hold it.

use super::FieldChange;
use super::support::as_text;
use super::ticket::{has, value};
use crate::mapping::Mapping;
use crate::model::{Changes, Image, Priority, Side, TicketChange, TicketImage, Value};
use std::collections::BTreeSet;

/// One field of one write that was made, as far as taking it back goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The field.
    pub field: String,
    /// What the record showed under the field's names before, whether or not they were written.
    pub before: Image,
    /// What was written.
    pub set: Changes,
    /// What the server made of it, where that is something else.
    pub stored: Image,
}

/// What becomes of a record when steps are taken back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reverted {
    /// What is written, field by field.
    pub restore: Vec<(String, Changes)>,
    /// Fields that stay as they are, mostly since somebody has changed them.
    pub left: Vec<Left>,
}

/// A field that is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Left {
    /// The field.
    pub field: String,
    /// Why.
    pub why: LeftWhy,
}

/// Why a field is left as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftWhy {
    /// It holds something else by now.
    Changed,
    /// It was empty, and the system has no way to empty it again.
    WasEmpty,
}

impl Step {
    /// The step that `change` of a record on `side` was; `None` where the field is not mapped any more, or to
    /// another of the side's own fields than was written.
    #[must_use]
    pub fn of(mapping: &Mapping, side: Side, change: &FieldChange, stored: &Image) -> Option<Self> {
        let field = mapping.fields.iter().find(|it| it.name == change.field)?;
        let mut written = change.set.0.keys();
        if !written.all(|name| field.names(side).any(|it| it == name)) {
            return None;
        }
        let before = match side {
            Side::Crm => &change.crm,
            Side::Desk => &change.freshdesk,
        };
        Some(Self {
            field: change.field.clone(),
            before: Image(
                field
                    .names(side)
                    .map(str::to_owned)
                    .zip(before.iter().cloned())
                    .collect(),
            ),
            set: change.set.clone(),
            stored: stored.clone(),
        })
    }

    /// The step that `change` of a support summary was; `None` where it is not known what stood there before.
    #[must_use]
    pub fn of_summary(change: &FieldChange, stored: &Image) -> Option<Self> {
        let before = change.crm.first()?.clone();
        // Where no answer has shown it: some systems have text for everything.
        let mut all = Image::default();
        for (name, value) in &change.set.0 {
            if let Some(text) = as_text(value) {
                all.set(name, Value::text(text));
            }
        }
        all.overlay(stored);
        Some(Self {
            field: change.field.clone(),
            before: Image([(change.field.clone(), before)].into()),
            set: change.set.clone(),
            stored: all,
        })
    }

    /// The step that `change` of a ticket was.
    #[must_use]
    pub fn of_ticket(change: &FieldChange) -> Self {
        let before = change.freshdesk.first().cloned().unwrap_or_default();
        Self {
            field: change.field.clone(),
            before: Image([(change.field.clone(), before)].into()),
            set: change.set.clone(),
            stored: Image::default(),
        }
    }

    /// What a ticket shows under the name of a field.
    #[must_use]
    pub fn shown(ticket: &TicketImage, field: &str) -> Value {
        value(ticket, field)
    }

    /// Whether `image` holds, under `name`, what this step has written there.
    fn holds(&self, name: &str, image: &Image) -> bool {
        let now = image.get(name);
        now.is_some() && (now == self.set.get(name) || now == self.stored.get(name))
    }
}

/// Takes `steps`, all of one record on one side and in the order in which they were made, back from
/// what the record shows `now`. A field that was written several times goes back to before the first
/// of them, as far as nobody came between.
#[must_use]
pub fn revert_fields(steps: &[Step], now: &Image) -> Reverted {
    let mut out = Reverted::default();
    let fields: BTreeSet<&str> = steps.iter().map(|step| step.field.as_str()).collect();
    for field in fields {
        let of_it: Vec<&Step> = steps.iter().filter(|step| step.field == field).collect();
        let Some((last, earlier)) = of_it.split_last() else {
            continue;
        };
        let before = chain(last, earlier, now);
        let changed: Changes = Image(
            before
                .0
                .into_iter()
                .filter(|(name, value)| now.get(name) != Some(value))
                .collect(),
        );
        if changed.is_empty() {
            continue;
        }
        if last.set.0.keys().all(|name| last.holds(name, now)) {
            out.restore.push((field.to_owned(), changed));
        } else {
            out.left.push(Left {
                field: field.to_owned(),
                why: LeftWhy::Changed,
            });
        }
    }
    out
}

/// What stood under the written names before the first of the steps that follow each other unbroken.
fn chain(last: &Step, earlier: &[&Step], now: &Image) -> Image {
    let pick = |step: &Step| -> Image {
        let known = |name: &String| Some((name.clone(), step.before.get(name)?.clone()));
        Image(step.set.0.keys().filter_map(known).collect())
    };
    let mut before = pick(last);
    // What the record showed at the time, seen from the later step.
    let mut shown = last.before.clone();
    for step in earlier.iter().rev() {
        let unbroken = step.set.0.keys().all(|name| {
            let written_later = before.get(name).is_some();
            step.holds(name, &shown) && (written_later || step.holds(name, now))
        });
        if !unbroken {
            break;
        }
        before.overlay(&pick(step));
        shown = step.before.clone();
    }
    before
}

/// As [`revert_fields`], for a ticket: the change that takes `steps` back, and what is left. Of its
/// tags those that were added go and those that were taken come back, whatever else stands there.
#[must_use]
pub fn revert_ticket(steps: &[Step], now: &TicketImage) -> (TicketChange, Reverted) {
    let names = ["priority", "status", "type", "group", "agent"];
    let image = Image(
        names
            .into_iter()
            .map(|name| (name.to_owned(), value(now, name)))
            .collect(),
    );
    let (tags, others): (Vec<Step>, Vec<Step>) =
        steps.iter().cloned().partition(|step| step.field == "tags");
    let mut reverted = revert_fields(&others, &image);
    let mut change = TicketChange::default();
    reverted.restore.retain(|(field, set)| {
        let known = set.get(field).is_some_and(|to| put(&mut change, field, to));
        if !known {
            reverted.left.push(Left {
                field: field.clone(),
                why: LeftWhy::WasEmpty,
            });
        }
        known
    });
    if let Some(shown) = tags_back(&tags, &now.tags) {
        let set = Image([("tags".to_owned(), Value::list(shown.clone()))].into());
        reverted.restore.push(("tags".to_owned(), set));
        change.tags = Some(shown);
    }
    (change, reverted)
}

/// Says in `change` that `field` is to be `to`; whether that can be said.
fn put(change: &mut TicketChange, field: &str, to: &Value) -> bool {
    let number = match to {
        Value::Number(number) => number.as_i64(),
        _ => None,
    };
    match field {
        "priority" => {
            let is_it = |it: &Priority| to.as_text() == Some(it.word());
            change.priority = Priority::ALL.into_iter().find(is_it);
            change.priority.is_some()
        }
        "status" => {
            change.status = number.and_then(|it| u32::try_from(it).ok());
            change.status.is_some()
        }
        "type" => {
            change.category = to.as_text().map(str::to_owned);
            change.category.is_some()
        }
        "group" => {
            change.group = number;
            number.is_some()
        }
        "agent" => {
            change.agent = number;
            number.is_some()
        }
        _ => false,
    }
}

/// The tags without those that the steps added and with those that they took; `None` where that is
/// what stands there.
fn tags_back(steps: &[Step], now: &[String]) -> Option<Vec<String>> {
    let mut shown = now.to_vec();
    for step in steps.iter().rev() {
        let (before, set) = (members(&step.before), members(&step.set));
        shown.retain(|tag| has(&before, tag) || !has(&set, tag));
        for tag in before {
            if !has(&set, &tag) && !has(&shown, &tag) {
                shown.push(tag);
            }
        }
    }
    (shown != now).then_some(shown)
}

fn members(image: &Image) -> Vec<String> {
    match image.get("tags") {
        Some(Value::List(tags)) => tags.clone(),
        Some(Value::Text(tag)) => vec![tag.clone()],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;

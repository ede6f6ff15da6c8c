//! What a customer's standing does to one ticket: raised, never lowered; a person has the last
//! word; and what is given back is only what we set.
//!
//! A rule *backs* what it did to a ticket for as long as its standing holds, whatever the ticket's
//! status becomes meanwhile. When nobody backs it any more it is given back.

mod desk;
mod memory;

use super::{FieldChange, Rule};
use crate::mapping::{Known, TicketRule};
use crate::model::{Image, Priority, Ticket, TicketChange, TicketImage, Value};
use chrono::{DateTime, Utc};
use desk::Desk;
pub use memory::{Memory, Raised, Tagged};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A rule, and whether its standing holds for the ticket's customer; `None` where that is not
/// known, which neither begins anything nor ends it.
#[derive(Debug, Clone, Copy)]
pub struct Ruling<'a> {
    /// The rule.
    pub rule: &'a TicketRule<Known>,
    /// Whether its standing holds.
    pub holds: Option<bool>,
}

/// What is to be done about a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TicketPlan {
    /// What is to change.
    pub change: TicketChange,
    /// Which rule wants what: one reason for each field that changes, of the tags one for each that
    /// comes or goes.
    pub reasons: Vec<Reason>,
    /// What is remembered at once, whether or not the change succeeds: what others decided.
    pub memory: Memory,
    /// What is remembered once the change has succeeded.
    pub memory_then: Memory,
    /// What others decided since we last looked.
    pub yielded: Vec<Yielded>,
    /// When age alone may change what the rules say.
    pub wake_at: Option<DateTime<Utc>>,
}

/// Why one part of a ticket changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// `priority`, `tags`, `status`, `group`, `agent` or `type`.
    pub field: &'static str,
    /// The rule; for what is given back, the one that had set it.
    pub rule: String,
    /// Whether it is given back.
    pub restores: bool,
}

/// Something that others decided after us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Yielded {
    /// The priority is not the one that we set.
    Priority {
        /// What we had set.
        ours: Priority,
        /// What stands there now.
        theirs: Priority,
    },
    /// A tag of ours is gone.
    Tag(String),
}

/// Decides one ticket.
#[must_use]
pub fn plan_ticket(
    ticket: &Ticket,
    memory: &Memory,
    rulings: &[Ruling<'_>],
    now: DateTime<Utc>,
) -> TicketPlan {
    let mut memory = memory.clone();
    let yielded = give_way(&ticket.image, &mut memory);
    let mut desk = Desk {
        ticket,
        rulings,
        active: rulings
            .iter()
            .filter(|it| it.holds == Some(true) && it.rule.tickets.admits(&ticket.image))
            .filter(|it| it.rule.tickets.admits_age(now - ticket.created_at))
            .map(|it| it.rule)
            .collect(),
        plan: TicketPlan {
            memory_then: memory.clone(),
            memory,
            yielded,
            ..TicketPlan::default()
        },
    };
    desk.priority();
    desk.tags();
    desk.once();
    desk.notes();
    desk.plan.wake_at = desk.wake_at(now);
    desk.plan
}

impl TicketPlan {
    /// The change field by field, as the journal and plans show it.
    #[must_use]
    pub fn fields(&self, image: &TicketImage) -> Vec<FieldChange> {
        let after = self.change.applied_to(image);
        let fields = ["priority", "status", "type", "group", "agent", "tags"];
        let shown = fields.into_iter().filter_map(|field| {
            let mut reasons = self.reasons.iter().filter(|it| it.field == field);
            let reason = reasons.next()?;
            let others = reasons.any(|it| it.rule != reason.rule || it.restores != reason.restores);
            let rule = match (others, reason.restores) {
                (false, true) => Rule::Ended(reason.rule.clone()),
                (false, false) => Rule::Standing(reason.rule.clone()),
                (true, _) => Rule::Standing(self.rules_of(field)),
            };
            let before = self.before(field).unwrap_or_else(|| value(image, field));
            Some(FieldChange {
                field: field.to_owned(),
                base: vec![before],
                crm: Vec::new(),
                freshdesk: vec![value(image, field)],
                set: Image::from([(field, value(&after, field))]),
                rule,
            })
        });
        shown.collect()
    }

    /// What stood there before we touched it.
    fn before(&self, field: &str) -> Option<Value> {
        let raised = self.memory.priority.as_ref()?;
        (field == "priority").then(|| Value::from(raised.before.word()))
    }

    fn rules_of(&self, field: &str) -> String {
        let rules: BTreeSet<&str> = self
            .reasons
            .iter()
            .filter(|it| it.field == field)
            .map(|it| it.rule.as_str())
            .collect();
        rules.into_iter().collect::<Vec<_>>().join("`, `")
    }

    /// Whether anything is given back, and nothing raised.
    #[must_use]
    pub fn only_restores(&self) -> bool {
        !self.reasons.is_empty() && self.reasons.iter().all(|it| it.restores)
    }
}

pub(super) fn value(image: &TicketImage, field: &str) -> Value {
    let number = |it: Option<i64>| it.map_or(Value::Empty, Value::from);
    match field {
        "priority" => Value::from(image.priority.word()),
        "status" => Value::from(i64::from(image.status)),
        "type" => image.category.as_deref().map_or(Value::Empty, Value::from),
        "group" => number(image.group),
        "agent" => number(image.agent),
        _ => Value::list(image.tags.clone()),
    }
}

/// Notices what others decided after us: it is theirs from now on.
fn give_way(image: &TicketImage, memory: &mut Memory) -> Vec<Yielded> {
    let mut yielded = Vec::new();
    if let Some(raised) = memory.priority.take_if(|it| it.set != image.priority) {
        memory.priority_is_theirs = true;
        yielded.push(Yielded::Priority {
            ours: raised.set,
            theirs: image.priority,
        });
    }
    let gone: Vec<String> = memory
        .tags
        .keys()
        .filter(|tag| !has(&image.tags, tag))
        .cloned()
        .collect();
    for tag in gone {
        memory.tags.remove(&tag);
        memory.tags_are_theirs.insert(tag.clone());
        yielded.push(Yielded::Tag(tag));
    }
    yielded
}

/// Freshdesk's tags differ in more than letter case.
pub(super) fn has(tags: &[String], tag: &str) -> bool {
    let tag = tag.to_lowercase();
    tags.iter().any(|it| it.to_lowercase() == tag)
}

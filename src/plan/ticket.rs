//! What a customer's standing does to one ticket: raised, never lowered; a person has the last
//! word; and what is given back is only what we set.
//!
//! A rule *backs* what it did to a ticket for as long as its standing holds, whatever the ticket's
//! status becomes meanwhile. When nobody backs it any more it is given back.

use super::{FieldChange, Rule};
use crate::mapping::{Known, OnEnd, TicketRule};
use crate::model::{Image, Priority, Ticket, TicketChange, TicketImage, Value};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A rule, and whether its standing holds for the ticket's customer; `None` where that is not
/// known, which neither begins anything nor ends it.
#[derive(Debug, Clone, Copy)]
pub struct Ruling<'a> {
    /// The rule.
    pub rule: &'a TicketRule<Known>,
    /// Whether its standing holds.
    pub holds: Option<bool>,
}

/// What we did to a ticket, and what stood there before.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// The priority, while a rule backs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Raised>,
    /// The tags that rules back.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, Tagged>,
    /// Somebody else has decided on the priority after us: it is theirs from then on.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub priority_is_theirs: bool,
    /// Tags that somebody else has taken away after us.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub tags_are_theirs: BTreeSet<String>,
    /// Rules that have set, once, what they set once.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub done: BTreeSet<String>,
    /// Rules whose note is still to be posted (`false`) or stands there (`true`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub notes: BTreeMap<String, bool>,
}

/// A priority that rules back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raised {
    /// What stood there before.
    pub before: Priority,
    /// What it was raised to; the same where it was high enough already.
    pub set: Priority,
    /// The rules that back it.
    pub by: BTreeSet<String>,
}

/// A tag that rules back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tagged {
    /// Whether we added it; else it was there before.
    pub ours: bool,
    /// The rules that back it.
    pub by: BTreeSet<String>,
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

/// One ticket on the way to its plan.
struct Desk<'a> {
    ticket: &'a Ticket,
    rulings: &'a [Ruling<'a>],
    /// The rules that act on it now, in the order of `sync.toml`.
    active: Vec<&'a TicketRule<Known>>,
    plan: TicketPlan,
}

/// Who backs something: those who did and whose standing may still hold, and those who act now.
struct Backing<'a> {
    by: BTreeSet<String>,
    rules: Vec<&'a TicketRule<Known>>,
    /// Those who backed it and do not any more.
    ended: BTreeSet<String>,
}

impl<'a> Desk<'a> {
    fn backing(
        &self,
        before: Option<&BTreeSet<String>>,
        concerns: impl Fn(&TicketRule<Known>) -> bool,
    ) -> Backing<'a> {
        let backed = |name: &String| before.is_some_and(|by| by.contains(name));
        let rules: Vec<_> = self
            .rulings
            .iter()
            .filter(|it| concerns(it.rule))
            .filter(|it| {
                (backed(&it.rule.name) && it.holds != Some(false))
                    || self.active.iter().any(|rule| rule.name == it.rule.name)
            })
            .map(|it| it.rule)
            .collect();
        let by: BTreeSet<String> = rules.iter().map(|rule| rule.name.clone()).collect();
        let ended = before
            .map(|before| before.difference(&by).cloned().collect())
            .unwrap_or_default();
        Backing { by, rules, ended }
    }

    /// Whether what these rules did stays although their standing ended.
    fn keeps(&self, rule: &str) -> bool {
        let ruling = self.rulings.iter().find(|it| it.rule.name == rule);
        ruling.is_some_and(|it| it.rule.on_end == OnEnd::Keep)
    }

    /// Which of these has raised it to `shown`: the one that says so, else one that says nothing any
    /// more.
    fn had_raised(&self, ended: &BTreeSet<String>, shown: Priority) -> Option<String> {
        let says = |name: &&String| {
            let ruling = self.rulings.iter().find(|it| it.rule.name == **name);
            ruling.and_then(|it| it.rule.priority)
        };
        let by = ended.iter().find(|it| says(it) == Some(shown));
        by.or_else(|| ended.iter().find(|it| says(it).is_none()))
            .or_else(|| ended.first())
            .cloned()
    }

    /// How far this rule has raised it for good.
    fn kept(&self, rule: &str) -> Option<Priority> {
        let ruling = self.rulings.iter().find(|it| it.rule.name == rule);
        ruling.filter(|_| self.keeps(rule))?.rule.priority
    }

    /// Nothing is given back on a ticket that is done with.
    fn done_with(&self) -> bool {
        self.ticket.image.is_done_with()
    }

    fn priority(&mut self) {
        if self.plan.memory.priority_is_theirs {
            return;
        }
        let shown = self.ticket.image.priority;
        let raised = self.plan.memory.priority.clone();
        let mut backing = self.backing(raised.as_ref().map(|it| &it.by), |rule| {
            rule.priority.is_some()
        });
        let mut before = raised.as_ref().map_or(shown, |it| it.before);
        // What a rule that keeps has raised is no longer ours to give back.
        let kept = backing.ended.iter().filter_map(|rule| self.kept(rule));
        before = kept.fold(before, |before, kept| before.max(kept.min(shown)));
        let wanted = backing.rules.iter().filter_map(|rule| rule.priority).max();
        let target = wanted.map_or(before, |wanted| wanted.max(before));
        if target < shown && self.done_with() {
            // It is given back should the ticket be opened again; until then those who ended back it.
            backing.by.append(&mut backing.ended);
            self.plan.memory_then.priority = Some(Raised {
                before,
                set: shown,
                by: backing.by,
            });
            return;
        }
        if target != shown {
            self.plan.change.priority = Some(target);
            let rule = if target > shown {
                let leads = |rule: &&&TicketRule<Known>| rule.priority == wanted;
                backing.rules.iter().find(leads).map(|it| it.name.clone())
            } else {
                self.had_raised(&backing.ended, shown)
            };
            self.reason("priority", rule.unwrap_or_default(), target < shown);
        }
        self.plan.memory_then.priority = (!backing.by.is_empty()).then_some(Raised {
            before,
            set: target,
            by: backing.by,
        });
    }

    fn tags(&mut self) {
        let wanted = self.active.iter().flat_map(|rule| rule.tags.iter());
        let tags: BTreeSet<String> = wanted
            .chain(self.plan.memory.tags.keys())
            .filter(|tag| !has_exactly(&self.plan.memory.tags_are_theirs, tag))
            .cloned()
            .collect();
        let mut shown = self.ticket.image.tags.clone();
        for tag in tags {
            let known = self.plan.memory.tags.get(&tag).cloned();
            let backing = self.backing(known.as_ref().map(|it| &it.by), |rule| {
                has(&rule.tags, &tag)
            });
            let there = has(&shown, &tag);
            // What a rule that keeps has added is no longer ours to give back.
            let kept = backing.ended.iter().any(|rule| self.keeps(rule));
            let ours = known.as_ref().is_some_and(|it| it.ours) && !kept;
            if let Some(rule) = backing.rules.first() {
                let tagged = Tagged {
                    ours: ours || !there,
                    by: backing.by.clone(),
                };
                if !there {
                    shown.push(tag.clone());
                    self.reason("tags", rule.name.clone(), false);
                }
                self.plan.memory_then.tags.insert(tag, tagged);
                continue;
            }
            if let Some(rule) = backing.ended.first()
                && ours
                && there
            {
                if self.done_with() {
                    continue;
                }
                let lower = tag.to_lowercase();
                shown.retain(|it| it.to_lowercase() != lower);
                self.reason("tags", rule.clone(), true);
            }
            self.plan.memory_then.tags.remove(&tag);
        }
        if shown != self.ticket.image.tags {
            self.plan.change.tags = Some(shown);
        }
    }

    /// What is set once on a ticket and never fought over; the first rule that names it sets it.
    fn once(&mut self) {
        let image = &self.ticket.image;
        let ended: Vec<&str> = self
            .rulings
            .iter()
            .filter(|it| it.holds == Some(false))
            .map(|it| it.rule.name.as_str())
            .collect();
        // A standing that begins anew sets anew.
        self.plan
            .memory_then
            .done
            .retain(|rule| !ended.contains(&rule.as_str()));
        let mut change = TicketChange::default();
        let mut reasons = Vec::new();
        for rule in &self.active {
            if self.plan.memory.done.contains(&rule.name) {
                continue;
            }
            let name = &rule.name;
            first(&mut change.status, rule.status.as_ref(), || {
                reasons.push(("status", name.clone()));
            });
            first(&mut change.group, rule.group.as_ref(), || {
                reasons.push(("group", name.clone()));
            });
            first(&mut change.agent, rule.agent.as_ref(), || {
                reasons.push(("agent", name.clone()));
            });
            first(&mut change.category, rule.category.as_ref(), || {
                reasons.push(("type", name.clone()));
            });
            self.plan.memory_then.done.insert(name.clone());
        }
        let mine = &mut self.plan.change;
        mine.status = change.status.filter(|it| *it != image.status);
        mine.group = change.group.filter(|it| Some(*it) != image.group);
        mine.agent = change.agent.filter(|it| Some(*it) != image.agent);
        mine.category = change
            .category
            .filter(|it| Some(it) != image.category.as_ref());
        for (field, rule) in reasons {
            let set = match field {
                "status" => self.plan.change.status.is_some(),
                "group" => self.plan.change.group.is_some(),
                "agent" => self.plan.change.agent.is_some(),
                _ => self.plan.change.category.is_some(),
            };
            if set {
                self.reason(field, rule, false);
            }
        }
    }

    /// A rule's note is owed as soon as the rule has done something to the ticket, or at once where
    /// it does nothing else.
    fn notes(&mut self) {
        for rule in &self.active {
            let did = self.plan.reasons.iter();
            let did = did.clone().any(|it| it.rule == rule.name && !it.restores);
            let is_all = rule.priority.is_none()
                && rule.tags.is_empty()
                && rule.status.is_none()
                && rule.group.is_none()
                && rule.agent.is_none()
                && rule.category.is_none();
            if rule.note.is_some() && (did || is_all) {
                let notes = &mut self.plan.memory_then.notes;
                notes.entry(rule.name.clone()).or_insert(false);
            }
        }
        // What is owed by a rule that is gone, or has lost its note, is owed no more. Nor where its standing
        // has ended: the ticket may be another customer's by now, whom the note would name.
        let rulings = self.rulings;
        self.plan.memory_then.notes.retain(|name, posted| {
            let noting = |it: &Ruling<'_>| {
                it.rule.name == *name && it.rule.note.is_some() && it.holds != Some(false)
            };
            *posted || rulings.iter().any(noting)
        });
    }

    fn reason(&mut self, field: &'static str, rule: String, restores: bool) {
        self.plan.reasons.push(Reason {
            field,
            rule,
            restores,
        });
    }

    fn wake_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.rulings
            .iter()
            .filter(|it| it.holds == Some(true) && it.rule.tickets.admits(&self.ticket.image))
            .filter_map(|it| {
                self.ticket
                    .created_at
                    .checked_add_signed(it.rule.tickets.older_than?)
            })
            .filter(|due| *due > now)
            .min()
    }
}

fn has_exactly(tags: &BTreeSet<String>, tag: &str) -> bool {
    let tag = tag.to_lowercase();
    tags.iter().any(|it| it.to_lowercase() == tag)
}

/// Takes over what nobody has said before.
fn first<T: Clone>(slot: &mut Option<T>, said: Option<&T>, then: impl FnOnce()) {
    if slot.is_none()
        && let Some(said) = said
    {
        *slot = Some(said.clone());
        then();
    }
}

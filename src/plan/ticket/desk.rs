//! One ticket on the way to its plan: each part of it by itself.

use super::{Memory, Raised, Reason, Ruling, Tagged, TicketPlan, has};
use crate::mapping::{Known, OnEnd, TicketRule};
use crate::model::{Priority, Ticket, TicketChange};
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;

/// One ticket on the way to its plan.
pub(super) struct Desk<'a> {
    pub(super) ticket: &'a Ticket,
    pub(super) rulings: &'a [Ruling<'a>],
    /// The rules that act on it now, in the order of `sync.toml`.
    pub(super) active: Vec<&'a TicketRule<Known>>,
    pub(super) plan: TicketPlan,
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

    pub(super) fn priority(&mut self) {
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

    pub(super) fn tags(&mut self) {
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
    pub(super) fn once(&mut self) {
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
    pub(super) fn notes(&mut self) {
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
        // What is owed by a rule that is gone, or has lost its note, is owed no more; nor where all that it
        // would explain is given back.
        let rulings = self.rulings;
        let Memory {
            notes,
            priority,
            tags,
            ..
        } = &mut self.plan.memory_then;
        let raised = priority.iter().map(|it| &it.by);
        let backed = raised.chain(tags.values().map(|it| &it.by));
        notes.retain(|name, posted| {
            let noting = |it: &Ruling<'_>| {
                let stays = it.holds != Some(false)
                    || it.rule.on_end == OnEnd::Keep
                    || backed.clone().any(|by| by.contains(name));
                it.rule.name == *name && it.rule.note.is_some() && stays
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

    pub(super) fn wake_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
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

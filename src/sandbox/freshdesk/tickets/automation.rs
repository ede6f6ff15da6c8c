//! Rules that the account's administrator made: what the server does by itself when a ticket changes.

use super::record::Ticket;
use crate::sandbox::freshdesk::service::Service;
use chrono::TimeDelta;
use std::collections::BTreeMap;

/// A rule; it works on API calls, bulk jobs and people alike, never on other rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Automation {
    /// What sets it off.
    pub when: Event,
    /// What it does.
    pub then: Action,
    /// So much later, by the simulator's clock; zero: right after the answer.
    pub after: TimeDelta,
    /// How often before it rests; [`Automation::ALWAYS`] for ever.
    pub times: u32,
}

impl Automation {
    /// Never rests.
    pub const ALWAYS: u32 = u32::MAX;
}

/// What sets a rule off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A ticket is new.
    Created,
    /// Anything about a ticket changed.
    Updated,
    /// The priority became this one.
    PriorityBecame(u64),
    /// The status became this one.
    StatusBecame(u64),
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Sets the priority.
    SetPriority(u64),
    /// Sets the status.
    SetStatus(u64),
    /// Adds a tag.
    AddTag(String),
}

/// The rules, and what they have yet to do.
#[derive(Debug, Default)]
pub(crate) struct Automations {
    pub(super) rules: Vec<Automation>,
    /// By milliseconds since 1970 and the order in which they were set off.
    waiting: BTreeMap<(i64, u64), (u64, Action)>,
    count: u64,
}

impl Automations {
    /// When the next rule works.
    pub(super) fn next(&self) -> Option<i64> {
        self.waiting.first_key_value().map(|((at, _), _)| *at)
    }

    pub(super) fn pop(&mut self) -> Option<(u64, Action)> {
        self.waiting.pop_first().map(|(_, work)| work)
    }
}

impl Service<'_> {
    /// Sets the rules off that a new or changed ticket concerns.
    pub(super) fn set_off(&mut self, old: Option<&Ticket>, new: &Ticket) {
        let concerns = |event: Event| match (event, old) {
            (Event::Created, old) => old.is_none(),
            (_, None) => false,
            (Event::Updated, Some(_)) => true,
            (Event::PriorityBecame(it), Some(old)) => new.priority == it && old.priority != it,
            (Event::StatusBecame(it), Some(old)) => new.status == it && old.status != it,
        };
        let automations = &mut self.account.automations;
        let mut actions = Vec::new();
        for rule in &mut automations.rules {
            if rule.times > 0 && concerns(rule.when) {
                rule.times -= u32::from(rule.times != Automation::ALWAYS);
                actions.push((rule.after, rule.then.clone()));
            }
        }
        for (after, action) in actions {
            if after.is_zero() {
                self.act_on_ticket(new.id, &action);
                continue;
            }
            let automations = &mut self.account.automations;
            automations.count += 1;
            let key = (self.now + after.num_milliseconds(), automations.count);
            automations.waiting.insert(key, (new.id, action));
        }
    }

    /// No form stops a rule, and it sets off no other.
    pub(super) fn act_on_ticket(&mut self, id: u64, action: &Action) {
        let Ok(old) = self.writable_ticket(id, "PUT") else {
            return;
        };
        let mut ticket = old.clone();
        match action {
            Action::SetPriority(priority) => ticket.priority = *priority,
            Action::SetStatus(status) => ticket.status = *status,
            Action::AddTag(tag) if ticket.tags.contains(tag) => {}
            Action::AddTag(tag) => ticket.tags.push(tag.clone()),
        }
        if ticket != old {
            self.finish_change(&old, &mut ticket, false);
            self.store_ticket(ticket, false);
        }
    }
}

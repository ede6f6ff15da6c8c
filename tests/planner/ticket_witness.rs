//! Somebody who stands beside a ticket, writes down whose hand did what, and so knows what has to
//! stand there: the planner's promises, said once more and without its memory.

use crate::ticket_population::Stand;
use chrono::TimeDelta;
use deskbridge::mapping::{Known, OnEnd, TicketRule};
use deskbridge::model::{Priority, TicketChange, TicketImage};
use std::collections::{BTreeMap, BTreeSet};

type Rule = TicketRule<Known>;

/// The rules that back something, by name.
type Backers = BTreeSet<String>;

/// Spelled as tags are compared.
pub(crate) fn low(tag: &str) -> String {
    tag.to_lowercase()
}

pub(crate) fn lows(tags: &[String]) -> BTreeSet<String> {
    tags.iter().map(|tag| low(tag)).collect()
}

/// Whether the ticket is resolved or closed.
pub(crate) fn done_with(image: &TicketImage) -> bool {
    matches!(image.status, 4 | 5)
}

/// What is known of a ticket by having watched it.
#[derive(Debug, Clone)]
pub(crate) struct Witness {
    /// What stood there when we last looked or wrote.
    seen: TicketImage,
    /// What the priority would be without us.
    pub(crate) without_us: Priority,
    /// Whether the priority that stands there was written by us.
    pub(crate) set_by_us: bool,
    backed: Backers,
    /// Whether somebody changed a priority that rules backed.
    pub(crate) decided: bool,
    /// The tags that would be there without us.
    pub(crate) tags_without_us: BTreeSet<String>,
    backed_tags: BTreeMap<String, Backers>,
    /// Tags that somebody took away although rules backed them.
    pub(crate) taken: BTreeSet<String>,
    /// Rules that had their one chance to set what is set once.
    had: BTreeSet<String>,
}

impl Witness {
    pub(crate) fn new(image: &TicketImage) -> Self {
        Self {
            seen: image.clone(),
            without_us: image.priority,
            set_by_us: false,
            backed: Backers::new(),
            decided: false,
            tags_without_us: lows(&image.tags),
            backed_tags: BTreeMap::new(),
            taken: BTreeSet::new(),
            had: BTreeSet::new(),
        }
    }

    /// Sees what others did since; what came and went between two looks nobody sees.
    pub(crate) fn look(&mut self, image: &TicketImage) {
        if image.priority != self.seen.priority {
            self.without_us = image.priority;
            self.set_by_us = false;
            self.decided |= !self.backed.is_empty();
            self.backed.clear();
        }
        let (before, now) = (lows(&self.seen.tags), lows(&image.tags));
        for gone in before.difference(&now) {
            self.tags_without_us.remove(gone);
            if self.backed_tags.remove(gone).is_some() {
                self.taken.insert(gone.clone());
            }
        }
        self.tags_without_us
            .extend(now.difference(&before).cloned());
        self.seen = image.clone();
    }

    /// What a rule that keeps has set is, at the end of its standing, as if it had always been there.
    pub(crate) fn keep(&mut self, stands: &[Stand]) {
        let ended = stands.iter().filter(|stand| {
            stand.there && stand.holds == Some(false) && stand.rule.on_end == OnEnd::Keep
        });
        for rule in ended.map(|stand| &stand.rule) {
            if let Some(priority) = rule.priority
                && self.backed.contains(&rule.name)
            {
                self.without_us = self.without_us.max(priority.min(self.seen.priority));
            }
            for tag in lows(&rule.tags) {
                let by = self.backed_tags.get(&tag);
                if by.is_some_and(|by| by.contains(&rule.name)) {
                    self.tags_without_us.insert(tag);
                }
            }
        }
    }

    /// The priority that has to stand there: the highest that is wanted, and a person's over all.
    pub(crate) fn priority(&self, stands: &[Stand], age: TimeDelta) -> Priority {
        if self.decided {
            return self.seen.priority;
        }
        let wants = self.backing(stands, age, &self.backed, |rule| rule.priority.is_some());
        let highest = wants.iter().filter_map(|rule| rule.priority).max();
        let due = self.without_us.max(highest.unwrap_or_default());
        if done_with(&self.seen) {
            due.max(self.seen.priority)
        } else {
            due
        }
    }

    /// The tags that have to stand there: everybody's together.
    pub(crate) fn tags(&self, stands: &[Stand], age: TimeDelta) -> BTreeSet<String> {
        let mut due = self.tags_without_us.clone();
        for tag in self.concerned(stands, age) {
            let owed = done_with(&self.seen) && lows(&self.seen.tags).contains(&tag);
            if owed || !self.tag_backing(stands, age, &tag).is_empty() {
                due.insert(tag);
            }
        }
        due
    }

    /// What is set once: the first rule that says something has its way.
    pub(crate) fn once(&self, stands: &[Stand], age: TimeDelta) -> TicketChange {
        let acting = acting(stands, &self.seen, age);
        let new: Vec<_> = acting
            .iter()
            .filter(|it| !self.had.contains(&it.name))
            .collect();
        let (is, mut due) = (&self.seen, TicketChange::default());
        due.status = new.iter().find_map(|it| it.status);
        due.status = due.status.filter(|it| *it != is.status);
        due.group = new.iter().find_map(|it| it.group);
        due.group = due.group.filter(|it| Some(*it) != is.group);
        due.agent = new.iter().find_map(|it| it.agent);
        due.agent = due.agent.filter(|it| Some(*it) != is.agent);
        due.category = new.iter().find_map(|it| it.category.clone());
        due.category = due.category.filter(|it| Some(it) != is.category.as_ref());
        due
    }

    /// Sees a change made to a ticket of this age.
    pub(crate) fn settle(&mut self, change: &TicketChange, stands: &[Stand], age: TimeDelta) {
        let after = change.applied_to(&self.seen);
        let mut backed =
            names(&self.backing(stands, age, &self.backed, |it| it.priority.is_some()));
        let wants = stands.iter().filter(|it| backed.contains(&it.rule.name));
        let highest = wants.filter_map(|it| it.rule.priority).max();
        if done_with(&self.seen)
            && after.priority > highest.unwrap_or_default().max(self.without_us)
        {
            // It is still to be given back.
            backed.append(&mut self.backed);
        }
        self.backed = if self.decided { Backers::new() } else { backed };
        let mut backed_tags = BTreeMap::new();
        for tag in self.concerned(stands, age) {
            let by = names(&self.tag_backing(stands, age, &tag));
            let owed = done_with(&self.seen) && !self.tags_without_us.contains(&tag);
            if !by.is_empty() {
                backed_tags.insert(tag, by);
            } else if let Some(before) = self.backed_tags.remove(&tag).filter(|_| owed) {
                backed_tags.insert(tag, before);
            }
        }
        self.backed_tags = backed_tags;
        let ended = stands
            .iter()
            .filter(|it| it.there && it.holds == Some(false));
        for stand in ended {
            self.had.remove(&stand.rule.name);
        }
        self.had.extend(names(&acting(stands, &self.seen, age)));
        self.set_by_us |= change.priority.is_some();
        self.seen = after;
    }

    /// The tags with which rules have to do.
    fn concerned(&self, stands: &[Stand], age: TimeDelta) -> BTreeSet<String> {
        let acting = acting(stands, &self.seen, age);
        let wanted = acting.iter().flat_map(|rule| lows(&rule.tags));
        let all: BTreeSet<String> = wanted.chain(self.backed_tags.keys().cloned()).collect();
        all.difference(&self.taken).cloned().collect()
    }

    fn tag_backing<'a>(&self, stands: &'a [Stand], age: TimeDelta, tag: &str) -> Vec<&'a Rule> {
        let none = Backers::new();
        let before = self.backed_tags.get(tag).unwrap_or(&none);
        self.backing(stands, age, before, |it| lows(&it.tags).contains(tag))
    }

    /// Who did and has not ended, and who acts now.
    fn backing<'a>(
        &self,
        stands: &'a [Stand],
        age: TimeDelta,
        before: &Backers,
        concerns: impl Fn(&Rule) -> bool,
    ) -> Vec<&'a Rule> {
        let acting = names(&acting(stands, &self.seen, age));
        stands
            .iter()
            .filter(|it| it.there && concerns(&it.rule))
            .filter(|it| {
                let backed = before.contains(&it.rule.name) && it.holds != Some(false);
                backed || acting.contains(&it.rule.name)
            })
            .map(|it| &it.rule)
            .collect()
    }
}

fn names(rules: &[&Rule]) -> Backers {
    rules.iter().map(|rule| rule.name.clone()).collect()
}

/// The rules that act on a ticket that shows `image`.
pub(crate) fn acting<'a>(
    stands: &'a [Stand],
    image: &TicketImage,
    age: TimeDelta,
) -> Vec<&'a Rule> {
    stands
        .iter()
        .filter(|stand| stand.there && stand.holds == Some(true))
        .map(|stand| &stand.rule)
        .filter(|rule| rule.tickets.admits(image) && rule.tickets.admits_age(age))
        .collect()
}

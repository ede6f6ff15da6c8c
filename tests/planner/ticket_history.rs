//! A ticket's history: standings come and go, people and automations edit, our changes are made,
//! refused or lost; after each plan, what the planner promises.

use crate::ticket_population::{
    Stand, holds, image, opened, priority, stands, status, tag, ticket,
};
use crate::ticket_promises::check;
use crate::ticket_witness::{Witness, low};
use chrono::TimeDelta;
use deskbridge::model::{Priority, TicketChange, TicketImage};
use deskbridge::plan::{Memory, Ruling, TicketPlan, plan_ticket};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::collections::BTreeMap;

/// What becomes of a change that we send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is made.
    Made,
    /// It is refused.
    Refused,
    /// It is made, and the answer gets lost.
    MadeAndLost,
    /// It gets lost on its way.
    Lost,
}

/// What happens to a ticket over time.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// A standing begins, ends or becomes unknown.
    Standing(Index, Option<bool>),
    /// A rule leaves `sync.toml` or comes back.
    Rule(Index),
    /// Somebody sets the priority.
    Priority(Priority),
    /// Somebody adds a tag.
    Tag(&'static str),
    /// Somebody takes a tag away.
    Untag(Index),
    /// Somebody sets the status.
    Status(u32),
    /// An automation undoes everything.
    Automation,
    /// Hours go by.
    Hours(i64),
    /// We look, plan and send.
    Cycle(Answer),
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let answer = select(vec![Answer::Refused, Answer::MadeAndLost, Answer::Lost]);
    prop_oneof![
        5 => (any::<Index>(), holds()).prop_map(|(at, holds)| Step::Standing(at, holds)),
        1 => any::<Index>().prop_map(Step::Rule),
        2 => priority().prop_map(Step::Priority),
        1 => tag().prop_map(Step::Tag),
        1 => any::<Index>().prop_map(Step::Untag),
        2 => status().prop_map(Step::Status),
        1 => Just(Step::Automation),
        1 => select(vec![1_i64, 3, 20]).prop_map(Step::Hours),
        6 => Just(Step::Cycle(Answer::Made)),
        3 => answer.prop_map(Step::Cycle),
    ]
}

pub(crate) fn history() -> impl Strategy<Value = History> {
    (image(), stands()).prop_map(|(image, stands)| History::new(image, stands))
}

/// What has to be remembered of a change whose outcome is not known. A plan's `memory` alone cannot
/// tell our own change from a person's, nor `memory_then` a change that was lost from one that a
/// person undid.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    /// What the ticket showed when the change was sent.
    pub(crate) was: TicketImage,
    pub(crate) change: TicketChange,
    pub(crate) memory_then: Memory,
}

impl Pending {
    /// Whether the change was made, by what the ticket shows now. A change is made as a whole, so
    /// one part that stands there proves it, whatever others did to the rest since.
    pub(crate) fn is_made(&self, now: &TicketImage) -> bool {
        let Self { was, change, .. } = self;
        let tags = change.tags.as_ref().is_some_and(|tags| {
            let has = |tags: &[String], tag: &String| tags.iter().any(|it| low(it) == low(tag));
            let added = tags
                .iter()
                .any(|it| !has(&was.tags, it) && has(&now.tags, it));
            let gone = |it: &String| !has(tags, it) && !has(&now.tags, it);
            added || was.tags.iter().any(gone)
        });
        tags || change.priority.is_some_and(|it| it == now.priority)
            || change.status.is_some_and(|it| it == now.status)
            || change.group.is_some() && change.group == now.group
            || change.agent.is_some() && change.agent == now.agent
            || change.category.is_some() && change.category == now.category
    }
}

/// A ticket, its rules and what we remember.
#[derive(Debug, Clone)]
pub(crate) struct History {
    pub(crate) image: TicketImage,
    pub(crate) stands: Vec<Stand>,
    pub(crate) age: TimeDelta,
    pub(crate) memory: Memory,
    pending: Option<Pending>,
    pub(crate) witness: Witness,
    /// How often each rule's note was posted.
    pub(crate) posted: BTreeMap<String, u32>,
}

impl History {
    pub(crate) fn new(image: TicketImage, stands: Vec<Stand>) -> Self {
        Self {
            witness: Witness::new(&image),
            image,
            stands,
            age: TimeDelta::hours(1),
            memory: Memory::default(),
            pending: None,
            posted: BTreeMap::new(),
        }
    }

    /// What the planner makes of it.
    pub(crate) fn plan(&self) -> TicketPlan {
        self.plan_from(&self.image, &self.memory)
    }

    /// What the planner makes of it with this ticket and this memory.
    pub(crate) fn plan_from(&self, image: &TicketImage, memory: &Memory) -> TicketPlan {
        let there = self.stands.iter().filter(|it| it.there);
        let rulings: Vec<_> = there
            .map(|it| Ruling {
                rule: &it.rule,
                holds: it.holds,
            })
            .collect();
        plan_ticket(
            &ticket(image.clone()),
            memory,
            &rulings,
            opened() + self.age,
        )
    }

    pub(crate) fn take(&mut self, step: &Step) {
        let sent = self.pending.as_ref().map(|it| it.change.clone());
        let sent = sent.unwrap_or_default();
        // What somebody does to the same field before we know the outcome cannot be told from it.
        match step {
            Step::Priority(priority) if sent.priority.is_none() => self.image.priority = *priority,
            Step::Status(status) if sent.status.is_none() => self.image.status = *status,
            Step::Tag(tag) if sent.tags.is_none() => self.tag(tag),
            Step::Untag(at) if sent.tags.is_none() && !self.image.tags.is_empty() => {
                let at = at.index(self.image.tags.len());
                self.image.tags.remove(at);
            }
            Step::Automation if sent.is_empty() => {
                self.image.priority = Priority::Low;
                self.image.status = 2;
                self.image.tags.clear();
            }
            Step::Standing(at, holds) => at.get_mut(&mut self.stands).holds = *holds,
            Step::Rule(at) => {
                let stand = at.get_mut(&mut self.stands);
                stand.there = !stand.there;
            }
            Step::Hours(hours) => self.age += TimeDelta::hours(*hours),
            Step::Cycle(answer) => {
                self.cycle(*answer);
            }
            _ => {}
        }
    }

    fn tag(&mut self, tag: &str) {
        if !self.image.tags.iter().any(|it| low(it) == low(tag)) {
            self.image.tags.push(tag.to_owned());
        }
    }

    /// Looks, plans and sends: the plan.
    pub(crate) fn cycle(&mut self, answer: Answer) -> TicketPlan {
        if let Some(pending) = self.pending.take_if(|it| it.is_made(&self.image)) {
            self.memory = pending.memory_then;
        }
        self.pending = None;
        self.witness.look(&self.image);
        let looked = self.witness.clone();
        self.witness.keep(&self.stands);
        let plan = self.plan();
        check(self, &plan);
        let answer = if plan.change.is_empty() {
            Answer::Made
        } else {
            answer
        };
        self.memory = match answer {
            Answer::Made => plan.memory_then.clone(),
            _ => plan.memory.clone(),
        };
        if matches!(answer, Answer::MadeAndLost | Answer::Lost) {
            self.pending = Some(Pending {
                was: self.image.clone(),
                change: plan.change.clone(),
                memory_then: plan.memory_then.clone(),
            });
        }
        if matches!(answer, Answer::Made | Answer::MadeAndLost) {
            self.witness.settle(&plan.change, &self.stands, self.age);
            self.image = plan.change.applied_to(&self.image);
        } else {
            self.witness = looked;
        }
        self.post();
        plan
    }

    /// Posts what is owed; not while a change is pending, whose own memory would not know of it.
    fn post(&mut self) {
        if self.pending.is_some() {
            return;
        }
        for (rule, posted) in &mut self.memory.notes {
            if !std::mem::replace(posted, true) {
                *self.posted.entry(rule.clone()).or_default() += 1;
            }
        }
    }
}

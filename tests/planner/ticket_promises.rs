//! What each single plan for a ticket has to keep, whatever went before.

use crate::ticket_history::History;
use crate::ticket_population::Stand;
use crate::ticket_witness::{acting, done_with, low, lows};
use deskbridge::mapping::OnEnd;
use deskbridge::model::TicketImage;
use deskbridge::plan::{Reason, TicketPlan};
use std::collections::BTreeSet;

/// Checks a plan that was made for the ticket as it is.
pub(crate) fn check(history: &History, plan: &TicketPlan) {
    never_lowers(history, plan);
    reaches_what_is_due(history, plan);
    leaves_the_tags_of_others(history, plan);
    gives_nothing_back_when_done_with(history, plan);
    says_why(history, plan);
    owes_notes_once(history, plan);
    plans_a_refused_change_again(history, plan);
    asks_for_no_order(history, plan);
    rests(history, plan);
}

fn never_lowers(history: &History, plan: &TicketPlan) {
    let Some(priority) = plan.change.priority else {
        return;
    };
    let witness = &history.witness;
    assert!(!witness.decided, "overrules a person");
    assert!(priority >= witness.without_us, "below what stood there");
    assert!(
        priority > history.image.priority || witness.set_by_us,
        "lowers what others set"
    );
}

fn reaches_what_is_due(history: &History, plan: &TicketPlan) {
    let (stands, age) = (&history.stands, history.age);
    let after = plan.change.applied_to(&history.image);
    assert_eq!(after.priority, history.witness.priority(stands, age));
    assert_eq!(lows(&after.tags), history.witness.tags(stands, age));
    let once = history.witness.once(stands, age);
    let mine = &plan.change;
    assert_eq!(
        (mine.status, mine.group, mine.agent, &mine.category),
        (once.status, once.group, once.agent, &once.category)
    );
    // Nothing is sent that stands there already.
    assert_ne!(mine.priority, Some(history.image.priority));
    assert_ne!(mine.tags.as_ref(), Some(&history.image.tags));
}

fn leaves_the_tags_of_others(history: &History, plan: &TicketPlan) {
    let Some(tags) = &plan.change.tags else {
        return;
    };
    let witness = &history.witness;
    let stays = |tag: &&String| lows(tags).contains(&low(tag));
    let stayed: Vec<_> = history.image.tags.iter().filter(stays).collect();
    let head: Vec<_> = tags.iter().take(stayed.len()).collect();
    assert_eq!(head, stayed, "spelled and ordered as before");
    assert!(lows(tags).is_superset(&witness.tags_without_us));
    let (is, was) = (lows(tags), lows(&history.image.tags));
    let added: BTreeSet<_> = is.difference(&was).cloned().collect();
    assert!(
        added.is_disjoint(&witness.taken),
        "overrules who took a tag away"
    );
}

fn gives_nothing_back_when_done_with(history: &History, plan: &TicketPlan) {
    if done_with(&history.image) {
        assert!(plan.reasons.iter().all(|reason| !reason.restores));
    }
}

/// One reason for each field, and for each tag, that names a rule which wants just that; or, for
/// what is given back, one that wanted it and does not any more.
fn says_why(history: &History, plan: &TicketPlan) {
    let (before, change) = (&history.image, &plan.change);
    let after = change.applied_to(before);
    let of = |field: &str| {
        let reasons = plan.reasons.iter();
        reasons.filter(|it| it.field == field).collect::<Vec<_>>()
    };
    for (field, changes) in [
        ("priority", change.priority.is_some()),
        ("status", change.status.is_some()),
        ("group", change.group.is_some()),
        ("agent", change.agent.is_some()),
        ("type", change.category.is_some()),
    ] {
        assert_eq!(of(field).len(), usize::from(changes), "{field}");
        let restores = after.priority < before.priority && field == "priority";
        assert!(of(field).iter().all(|it| it.restores == restores));
    }
    let (was, is) = (lows(&before.tags), lows(&after.tags));
    let (added, gone) = of("tags")
        .into_iter()
        .partition::<Vec<_>, _>(|it| !it.restores);
    assert_eq!(added.len(), is.difference(&was).count());
    assert_eq!(gone.len(), was.difference(&is).count());
    for reason in &plan.reasons {
        assert!(wants(history, reason, &after), "{reason:?}");
    }
}

fn wants(history: &History, reason: &Reason, after: &TicketImage) -> bool {
    let stands = history.stands.iter().filter(|it| it.there);
    let before = &history.image;
    let Some(stand) = stands.into_iter().find(|it| it.rule.name == reason.rule) else {
        return reason.restores && history.stands.iter().any(|it| it.rule.name == reason.rule);
    };
    let (rule, holds) = (
        &stand.rule,
        if reason.restores {
            Some(false)
        } else {
            Some(true)
        },
    );
    let (was, is) = (lows(&before.tags), lows(&after.tags));
    stand.holds == holds
        && match (reason.field, reason.restores) {
            ("priority", true) => rule.priority == Some(before.priority),
            ("priority", false) => rule.priority == Some(after.priority),
            ("tags", true) => was.difference(&is).any(|it| lows(&rule.tags).contains(it)),
            ("tags", false) => is.difference(&was).any(|it| lows(&rule.tags).contains(it)),
            ("status", false) => rule.status == Some(after.status),
            ("group", false) => rule.group.is_some() && rule.group == after.group,
            ("agent", false) => rule.agent.is_some() && rule.agent == after.agent,
            ("type", false) => rule.category.is_some() && rule.category == after.category,
            _ => false,
        }
}

fn owes_notes_once(history: &History, plan: &TicketPlan) {
    assert!(history.posted.values().all(|times| *times == 1));
    let acting = acting(&history.stands, &history.image, history.age);
    // What a rule owes that has left `sync.toml` since, or gives all back, is owed no more.
    let there = |rule: &String| {
        let memory = &plan.memory_then;
        let raised = memory.priority.iter().map(|it| &it.by);
        let mut backed = raised.chain(memory.tags.values().map(|it| &it.by));
        let backs = backed.any(|by| by.contains(rule));
        let stays = |it: &Stand| it.holds != Some(false) || it.rule.on_end == OnEnd::Keep || backs;
        let mut stands = history.stands.iter();
        stands.any(|it| it.there && stays(it) && it.rule.name == *rule)
    };
    let known = history.memory.notes.iter();
    let known = known.filter(|(rule, posted)| **posted || there(rule));
    let mut due: BTreeSet<&String> = known.clone().map(|(rule, _)| rule).collect();
    for rule in acting.iter().filter(|rule| rule.note.is_some()) {
        let mut reasons = plan.reasons.iter();
        let did = reasons.any(|it| it.rule == rule.name && !it.restores);
        let only_notes = rule.priority.is_none() && rule.tags.is_empty() && {
            let once = (rule.status, rule.group, rule.agent, &rule.category);
            once == (None, None, None, &None)
        };
        if did || only_notes {
            due.insert(&rule.name);
        }
    }
    assert_eq!(plan.memory_then.notes.keys().collect::<BTreeSet<_>>(), due);
    for (rule, posted) in known {
        assert_eq!(plan.memory_then.notes.get(rule), Some(posted));
    }
}

fn plans_a_refused_change_again(history: &History, plan: &TicketPlan) {
    let again = history.plan_from(&history.image, &plan.memory);
    assert_eq!(again.yielded, Vec::new());
    assert_eq!(
        (&again.change, &again.reasons),
        (&plan.change, &plan.reasons)
    );
    assert_eq!(again.memory_then, plan.memory_then);
}

/// Only what is set once depends on the order of the rules.
fn asks_for_no_order(history: &History, plan: &TicketPlan) {
    let mut other = history.clone();
    other.stands.reverse();
    let other = other.plan();
    assert_eq!(other.change.priority, plan.change.priority);
    assert_eq!(other.change.tags, plan.change.tags);
    assert_eq!(other.memory_then.priority, plan.memory_then.priority);
    assert_eq!(other.memory_then.tags, plan.memory_then.tags);
    assert_eq!(other.memory, plan.memory);
    assert_eq!(other.wake_at, plan.wake_at);
}

/// A second cycle does nothing, unless the change itself has brought the ticket to further rules.
fn rests(history: &History, plan: &TicketPlan) {
    let rules = |image: &TicketImage| {
        let acting = acting(&history.stands, image, history.age).into_iter();
        let names = acting.map(|rule| rule.name.clone());
        (names.collect::<BTreeSet<_>>(), done_with(image))
    };
    let (mut image, mut plan) = (history.image.clone(), plan.clone());
    for round in 0..=history.stands.len() + 1 {
        let after = plan.change.applied_to(&image);
        let next = history.plan_from(&after, &plan.memory_then);
        assert_eq!(
            next.yielded,
            Vec::new(),
            "our own change taken for a person's"
        );
        if rules(&image) == rules(&after) {
            assert!(next.change.is_empty(), "round {round}: {next:?}");
            assert_eq!(next.memory_then, plan.memory_then);
            assert_eq!(next.memory, plan.memory_then);
            return;
        }
        (image, plan) = (after, next);
    }
    panic!("never rests: {plan:?}");
}

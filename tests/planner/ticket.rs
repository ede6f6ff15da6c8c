//! Tickets of customers with a standing, one readable case each; every plan is held to all promises.

use crate::ticket_history::{Answer, History, Pending};
use crate::ticket_population::{Stand, idle, note, opened};
use chrono::TimeDelta;
use deskbridge::mapping::{Known, OnEnd, TicketRule};
use deskbridge::model::{Priority, TicketImage};
use deskbridge::plan::{Memory, TicketPlan, Yielded};

fn open_ticket(priority: Priority, tags: &[&str]) -> TicketImage {
    TicketImage {
        priority,
        status: 2,
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        ..TicketImage::default()
    }
}

/// `sync.toml`'s own example.
fn vip() -> TicketRule<Known> {
    TicketRule {
        priority: Some(Priority::Urgent),
        tags: vec!["vip".to_owned()],
        note: Some(note()),
        ..idle("vip")
    }
}

/// A lesser standing, with the same tag.
fn partner() -> TicketRule<Known> {
    TicketRule {
        priority: Some(Priority::Medium),
        tags: vec!["vip".to_owned()],
        ..idle("partner")
    }
}

/// These standings have begun.
fn history(image: TicketImage, rules: Vec<TicketRule<Known>>) -> History {
    let begun = |rule| Stand {
        rule,
        holds: Some(true),
        there: true,
    };
    History::new(image, rules.into_iter().map(begun).collect())
}

fn shown(history: &History) -> (Priority, Vec<&str>) {
    let tags = history.image.tags.iter().map(String::as_str);
    (history.image.priority, tags.collect())
}

fn reasons(plan: &TicketPlan) -> Vec<(&str, &str, bool)> {
    let reasons = plan.reasons.iter();
    reasons
        .map(|it| (it.field, it.rule.as_str(), it.restores))
        .collect()
}

#[test]
fn a_vip_s_ticket_is_raised_and_tagged_and_says_why() {
    let mut it = history(open_ticket(Priority::Low, &["spam"]), vec![vip()]);
    let plan = it.cycle(Answer::Made);
    assert_eq!(shown(&it), (Priority::Urgent, vec!["spam", "vip"]));
    let why = [("priority", "vip", false), ("tags", "vip", false)];
    assert_eq!(reasons(&plan), why);
    assert_eq!(plan.memory, Memory::default());
}

#[test]
fn an_agent_who_lowers_a_vip_s_ticket_is_never_overruled() {
    let mut it = history(open_ticket(Priority::Medium, &[]), vec![vip()]);
    it.cycle(Answer::Made);
    it.image.priority = Priority::Low;
    it.image.tags.clear();
    let plan = it.cycle(Answer::Made);
    let (ours, theirs) = (Priority::Urgent, Priority::Low);
    let yielded = vec![
        Yielded::Priority { ours, theirs },
        Yielded::Tag("vip".to_owned()),
    ];
    assert_eq!(plan.yielded, yielded);
    for holds in [Some(false), Some(true)] {
        it.stands[0].holds = holds;
        it.cycle(Answer::Made);
        assert_eq!(shown(&it), (Priority::Low, vec![]));
    }
}

#[test]
fn when_the_standing_ends_the_ticket_shows_what_stood_there_and_what_others_added() {
    let mut it = history(open_ticket(Priority::Medium, &["b"]), vec![vip()]);
    it.cycle(Answer::Made);
    it.image.tags.push("a".to_owned());
    it.stands[0].holds = Some(false);
    let plan = it.cycle(Answer::Made);
    assert_eq!(shown(&it), (Priority::Medium, vec!["b", "a"]));
    let why = [("priority", "vip", true), ("tags", "vip", true)];
    assert_eq!(reasons(&plan), why);
}

#[test]
fn a_tag_that_was_there_before_the_standing_stays_after_it() {
    let mut it = history(open_ticket(Priority::Urgent, &["VIP"]), vec![vip()]);
    for holds in [Some(true), Some(false)] {
        it.stands[0].holds = holds;
        assert!(it.cycle(Answer::Made).change.is_empty());
    }
}

#[test]
fn of_two_standings_the_higher_wins_and_the_lesser_remains() {
    let mut it = history(open_ticket(Priority::Low, &[]), vec![partner(), vip()]);
    it.cycle(Answer::Made);
    assert_eq!(shown(&it), (Priority::Urgent, vec!["vip"]));
    it.stands[1].holds = Some(false);
    let plan = it.cycle(Answer::Made);
    assert_eq!(shown(&it), (Priority::Medium, vec!["vip"]));
    assert_eq!(reasons(&plan), [("priority", "vip", true)]);
    it.stands[0].holds = Some(false);
    it.cycle(Answer::Made);
    assert_eq!(shown(&it), (Priority::Low, vec![]));
}

#[test]
fn what_a_rule_keeps_stays_and_no_more_than_that() {
    for first in [0, 1] {
        let mut partner = partner();
        partner.on_end = OnEnd::Keep;
        let mut it = history(open_ticket(Priority::Low, &[]), vec![partner, vip()]);
        it.cycle(Answer::Made);
        for at in [first, 1 - first] {
            it.stands[at].holds = Some(false);
            it.cycle(Answer::Made);
        }
        assert_eq!(shown(&it), (Priority::Medium, vec!["vip"]));
    }
}

#[test]
fn a_rule_that_keeps_and_was_made_stricter_raises_nothing_when_its_standing_ends() {
    let mut partner = partner();
    partner.on_end = OnEnd::Keep;
    let mut it = history(open_ticket(Priority::Low, &[]), vec![partner]);
    it.cycle(Answer::Made);
    it.stands[0].rule.priority = Some(Priority::Urgent);
    it.stands[0].holds = Some(false);
    assert!(it.cycle(Answer::Made).change.is_empty());
}

#[test]
fn nothing_is_given_back_on_a_closed_ticket_until_it_is_opened_again() {
    for closed in [4, 5] {
        let mut it = history(open_ticket(Priority::Low, &[]), vec![vip()]);
        it.cycle(Answer::Made);
        it.image.status = closed;
        it.stands[0].holds = Some(false);
        assert!(it.cycle(Answer::Made).change.is_empty());
        it.image.status = 2;
        it.cycle(Answer::Made);
        assert_eq!(shown(&it), (Priority::Low, vec![]));
    }
}

#[test]
fn what_a_rule_kept_on_a_closed_ticket_stays_when_the_rule_leaves_the_configuration() {
    let mut partner = partner();
    partner.on_end = OnEnd::Keep;
    let mut it = history(open_ticket(Priority::Low, &[]), vec![partner, vip()]);
    it.cycle(Answer::Made);
    it.image.status = 5;
    it.stands[0].holds = Some(false);
    it.stands[1].holds = Some(false);
    it.cycle(Answer::Made);
    it.stands[0].there = false;
    it.image.status = 2;
    it.cycle(Answer::Made);
    assert_eq!(shown(&it), (Priority::Medium, vec!["vip"]));
}

#[test]
fn a_ticket_that_gets_old_is_raised_in_time() {
    let mut late = partner();
    late.tickets.older_than = Some(TimeDelta::hours(24));
    let mut it = history(open_ticket(Priority::Low, &[]), vec![late]);
    let plan = it.cycle(Answer::Made);
    assert!(plan.change.is_empty());
    assert_eq!(plan.wake_at, Some(opened() + TimeDelta::hours(24)));
    it.age = TimeDelta::hours(24);
    assert_eq!(it.cycle(Answer::Made).wake_at, None);
    assert_eq!(shown(&it), (Priority::Medium, vec!["vip"]));
}

#[test]
fn of_two_ages_neither_is_slept_through() {
    let aged = |rule: TicketRule<Known>, hours| {
        let mut rule = rule;
        rule.tickets.older_than = Some(TimeDelta::hours(hours));
        rule
    };
    let rules = vec![aged(vip(), 24), aged(partner(), 4)];
    let mut it = history(open_ticket(Priority::Low, &[]), rules);
    for (hours, priority) in [(4, Priority::Medium), (24, Priority::Urgent)] {
        let wake = it.cycle(Answer::Made).wake_at.unwrap();
        assert_eq!(wake, opened() + TimeDelta::hours(hours));
        it.age = wake - opened();
        it.cycle(Answer::Made);
        assert_eq!(it.image.priority, priority);
    }
}

#[test]
fn what_is_set_once_is_set_again_only_for_a_standing_that_begins_anew() {
    let mut triage = idle("triage");
    triage.group = Some(7);
    let mut it = history(open_ticket(Priority::Low, &[]), vec![triage]);
    it.cycle(Answer::Made);
    assert_eq!(it.image.group, Some(7));
    it.image.group = Some(8);
    for holds in [Some(true), None, Some(true), Some(false)] {
        it.stands[0].holds = holds;
        it.cycle(Answer::Made);
        assert_eq!(it.image.group, Some(8));
    }
    it.stands[0].holds = Some(true);
    it.cycle(Answer::Made);
    assert_eq!(it.image.group, Some(7));
}

#[test]
fn a_standing_that_comes_and_goes_posts_one_note() {
    let mut it = history(open_ticket(Priority::Low, &[]), vec![vip()]);
    for holds in [Some(true), Some(false), Some(true), Some(false)] {
        it.stands[0].holds = holds;
        it.cycle(Answer::Made);
    }
    assert_eq!(
        it.posted.into_iter().collect::<Vec<_>>(),
        [("vip".to_owned(), 1)]
    );
}

#[test]
fn a_rule_that_had_nothing_to_do_posts_no_note() {
    let mut it = history(open_ticket(Priority::Urgent, &["vip"]), vec![vip()]);
    it.cycle(Answer::Made);
    assert!(it.posted.is_empty());
}

#[test]
fn a_rule_that_left_the_configuration_gives_back_what_it_did() {
    let mut it = history(open_ticket(Priority::Low, &[]), vec![vip()]);
    it.cycle(Answer::Made);
    it.stands[0].there = false;
    it.cycle(Answer::Made);
    assert_eq!(shown(&it), (Priority::Low, vec![]));
}

#[test]
fn a_refused_change_is_neither_forgotten_nor_taken_for_made() {
    let mut it = history(open_ticket(Priority::Low, &[]), vec![vip()]);
    let refused = it.cycle(Answer::Refused);
    assert_eq!(shown(&it), (Priority::Low, vec![]));
    assert!(it.posted.is_empty());
    assert_eq!(it.cycle(Answer::Made).change, refused.change);
    it.stands[0].holds = Some(false);
    it.cycle(Answer::Made);
    assert_eq!(shown(&it), (Priority::Low, vec![]));
}

#[test]
fn a_change_whose_answer_was_lost_is_still_ours_to_give_back() {
    for answer in [Answer::MadeAndLost, Answer::Lost] {
        let mut it = history(open_ticket(Priority::Low, &[]), vec![vip()]);
        it.cycle(answer);
        it.cycle(Answer::Made);
        assert_eq!(shown(&it), (Priority::Urgent, vec!["vip"]));
        it.stands[0].holds = Some(false);
        it.cycle(answer);
        it.cycle(Answer::Made);
        assert_eq!(shown(&it), (Priority::Low, vec![]));
    }
}

/// Why the change itself has to be remembered until its outcome is known.
#[test]
fn without_the_pending_change_a_lost_answer_would_leave_the_ticket_raised_for_good() {
    let mut it = history(open_ticket(Priority::Low, &[]), vec![vip()]);
    let plan = it.plan();
    let made = plan.change.applied_to(&it.image);
    let forgetful = it.plan_from(&made, &plan.memory);
    it.stands[0].holds = Some(false);
    let after = it.plan_from(&made, &forgetful.memory_then);
    assert!(after.change.is_empty(), "taken for what stood there before");
    let mindful = it.plan_from(&made, &plan.memory_then);
    assert_eq!(mindful.change.applied_to(&made), it.image);
}

#[test]
fn an_agent_who_edits_a_ticket_before_a_lost_answer_is_found_out_is_not_overruled() {
    let it = history(open_ticket(Priority::Low, &["spam"]), vec![vip()]);
    let plan = it.plan();
    let pending = Pending {
        was: it.image.clone(),
        change: plan.change.clone(),
        memory_then: plan.memory_then.clone(),
    };
    let made = plan.change.applied_to(&it.image);
    let lowered = TicketImage {
        priority: Priority::Low,
        ..made.clone()
    };
    let untagged = TicketImage {
        tags: vec!["spam".to_owned(), "Refund".to_owned()],
        ..made
    };
    for edited in [lowered, untagged] {
        assert!(pending.is_made(&edited), "one part of it stands there");
        assert!(!plan.change.stands_in(&edited), "though not all of it");
        let next = it.plan_from(&edited, &pending.memory_then);
        assert_eq!(next.yielded.len(), 1);
        assert!(next.change.is_empty(), "{next:?}");
    }
    assert!(!pending.is_made(&it.image));
}

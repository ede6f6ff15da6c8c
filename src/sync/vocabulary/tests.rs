//! What admins lose when a name is not found, or is found where there is none.

use super::*;
use crate::mapping::{OnEnd, Standing};
use crate::model::{Kind, Priority};

fn account() -> Vocabulary {
    let text = |words: &[&str]| {
        words
            .iter()
            .map(|&word| word.to_owned())
            .collect::<Vec<_>>()
    };
    Vocabulary {
        statuses: vec![
            (2, "Open".to_owned()),
            (3, "Pending".to_owned()),
            (4, "Solved".to_owned()),
            (5, "Closed".to_owned()),
            (8, "Waiting on Customer".to_owned()),
        ],
        categories: text(&["Incident", "Feature Request"]),
        groups: [(10, "Support".to_owned()), (11, "Billing".to_owned())].into(),
        agents: [
            (20, text(&["Ada Lovelace", "ada@example.com"])),
            (21, text(&["Ada Lovelace", "ada.l@example.com"])),
            (22, text(&["Charles", "charles"])),
        ]
        .into(),
        tags: text(&["billing"]),
    }
}

fn rule() -> TicketRule<Named> {
    TicketRule {
        name: "vip".to_owned(),
        record: Kind::Contact,
        when: Standing::All(Vec::new()),
        tickets: TicketFilter {
            status: vec![TicketStatus::Number(2)],
            category: Vec::new(),
            group: Vec::new(),
            tags: Vec::new(),
            older_than: None,
            newer_than: None,
        },
        priority: Some(Priority::High),
        tags: Vec::new(),
        status: None,
        group: None,
        agent: None,
        category: None,
        note: None,
        on_end: OnEnd::Restore,
    }
}

fn named(name: &str) -> TicketStatus {
    TicketStatus::Named(name.to_owned())
}

#[test]
fn a_rule_means_the_accounts_own_status_group_agent_and_type_however_they_are_spelt() {
    let mut rule = rule();
    rule.tickets.status.push(named("waiting on customer "));
    rule.tickets.group.push("SUPPORT".to_owned());
    rule.tickets.category.push("incident".to_owned());
    rule.status = Some(named("solved"));
    rule.group = Some("billing".to_owned());
    rule.agent = Some("Ada@Example.com".to_owned());
    rule.category = Some("feature request".to_owned());
    let known = known(&rule, &account()).unwrap();
    assert_eq!(known.tickets.status, [2, 8]);
    assert_eq!(known.tickets.group, [10]);
    assert_eq!(known.tickets.category, ["Incident"]);
    assert_eq!(
        (known.status, known.group, known.agent),
        (Some(4), Some(11), Some(20))
    );
    assert_eq!(known.category.as_deref(), Some("Feature Request"));
    rule.agent = Some("charles".to_owned());
    assert_eq!(super::known(&rule, &account()).unwrap().agent, Some(22));
}

#[test]
fn a_rule_that_names_what_is_not_there_says_so_with_the_nearest_before_it_acts_on_nothing() {
    let mut rule = rule();
    rule.tickets.status = vec![TicketStatus::Number(9), named("Waiting for customer")];
    rule.tickets.category.push("Incidnet".to_owned());
    rule.tickets.group.push("Suport".to_owned());
    rule.status = Some(named("frozen"));
    rule.agent = Some("ada lovelace".to_owned());
    rule.group = Some("Legal".to_owned());
    let said = known(&rule, &account()).unwrap_err();
    assert!(said.iter().all(|one| one.error));
    let said: Vec<String> = said.into_iter().map(|one| one.message).collect();
    expect_test::expect![[r"
        ticket rule `vip`: freshdesk has no ticket status 9; it has 2 Open, 3 Pending, 4 Solved, 5 Closed, 8 Waiting on Customer
        ticket rule `vip`: freshdesk has no ticket status `Waiting for customer`; did you mean `Waiting on Customer`?
        ticket rule `vip`: freshdesk has no ticket type `Incidnet`; did you mean `Incident`?
        ticket rule `vip`: freshdesk has no group `Suport`; did you mean `Support`?
        ticket rule `vip`: freshdesk has no ticket status `frozen`; it has `Open`, `Pending`, `Solved`, `Closed`, `Waiting on Customer`
        ticket rule `vip`: freshdesk has no group `Legal`; it has `Support`, `Billing`
        ticket rule `vip`: freshdesk has more than one agent `ada lovelace`, and nobody could tell which is meant; name the e-mail address"]].assert_eq(&said.join("\n"));
}

#[test]
fn a_tag_that_nobody_uses_and_a_status_that_mails_are_doubts_and_no_mistakes() {
    let mut rule = rule();
    rule.tickets.tags = vec!["Billing".to_owned(), "biling".to_owned()];
    rule.status = Some(named("Solved"));
    let said = doubts(&rule, &known(&rule, &account()).unwrap(), &account());
    assert!(said.iter().all(|one| !one.error));
    let said: Vec<String> = said.into_iter().map(|one| one.message).collect();
    expect_test::expect![[r"
        ticket rule `vip`: no ticket that changed of late has the tag `biling`; did you mean `billing`?
        ticket rule `vip`: customers may be mailed when their ticket is resolved"]].assert_eq(&said.join("\n"));
}

#[test]
fn nothing_is_asked_for_that_no_rule_names_so_that_no_right_is_needed_for_it() {
    assert_eq!(wanted(&[rule()]), Wanted::default());
    let mut all = rule();
    all.tickets.group.push("Support".to_owned());
    all.tickets.tags.push("billing".to_owned());
    all.agent = Some("Ada".to_owned());
    let wanted = wanted(&[rule(), all]);
    assert!(wanted.groups && wanted.agents && wanted.tags);
}

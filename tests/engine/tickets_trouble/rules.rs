//! Rules that name what is not there, change, come and go, meet on one ticket, or set things once.

use crate::world::World;
use crate::world::stage::{HIGH, LOW, MEDIUM, Stage, URGENT, VIP};
use chrono::TimeDelta;
use deskbridge::sandbox::freshdesk::TicketSeed;
use serde_json::json;

fn rule(name: &str, rest: &str) -> String {
    format!(
        "\n[[ticket_rule]]\nname = \"{name}\"\nwhen = {{ record = \"contact\", field = \"customer_tier\", in = [\"vip\"] }}\n{rest}\n"
    )
}

impl Stage {
    /// Another sync.toml from now on.
    async fn rule_by(&mut self, rules: &str) {
        let mapping = &mut self.world.mapping;
        let end = mapping.find("[[ticket_rule]]").unwrap_or(mapping.len());
        mapping.truncate(end);
        mapping.push_str(rules);
        self.restart().await;
    }

    fn of_vip(&self, status: u64, group: Option<u64>) -> u64 {
        self.seed(TicketSeed {
            requester_id: self.ada_desk,
            status,
            group_id: group,
            ..TicketSeed::default()
        })
    }
}

#[tokio::test]
async fn a_rule_that_names_a_group_that_is_not_there_acts_on_nothing_and_takes_nothing_back() {
    let good = rule("vip", "priority = \"urgent\"\ntags = [\"vip\"]");
    let mut stage = Stage::new(&good).await;
    let raised = stage.ticket(2, LOW);
    stage.vip();
    stage.turn().await;
    for bad in [
        "group = \"Nobody\"",
        "agent = \"nobody@example.com\"",
        "tickets = { status = [\"On Mars\"] }",
    ] {
        stage
            .rule_by(&rule(
                "vip",
                &format!("priority = \"urgent\"\ntags = [\"vip\"]\n{bad}"),
            ))
            .await;
        let new = stage.ticket(2, LOW);
        stage.edit(new, &json!({"type": "Question"}));
        stage.turn().await;
        stage.turn().await;
        assert_eq!(stage.priority(new), LOW, "{bad}");
        assert_eq!(
            (stage.priority(raised), stage.tags(raised)),
            (URGENT, vec!["vip".to_owned()]),
            "{bad}"
        );
    }
    stage.rule_by(&good).await;
    stage.standard();
    stage.turn().await;
    assert_eq!(stage.priority(raised), LOW);
}

#[tokio::test]
async fn a_rule_that_is_made_stricter_milder_or_taken_away_has_its_tickets_follow() {
    let mut stage = Stage::new(&rule("vip", "priority = \"high\"\ntags = [\"vip\"]")).await;
    let (left, theirs) = (stage.ticket(2, LOW), stage.ticket(2, LOW));
    stage.vip();
    stage.turn().await;
    assert_eq!(stage.priority(left), HIGH);
    stage.edit(theirs, &json!({"priority": MEDIUM}));
    stage
        .rule_by(&rule("vip", "priority = \"urgent\"\ntags = [\"gold\"]"))
        .await;
    stage.turn().await;
    assert_eq!(
        (stage.priority(left), stage.tags(left)),
        (URGENT, vec!["gold".to_owned()])
    );
    stage.rule_by(&rule("vip", "priority = \"high\"")).await;
    stage.turn().await;
    assert_eq!((stage.priority(left), stage.tags(left)), (HIGH, Vec::new()));
    stage.rule_by("").await;
    stage.turn().await;
    assert_eq!(
        (stage.priority(left), stage.priority(theirs)),
        (LOW, MEDIUM)
    );
    stage.turn().await;
    stage.world.forget_calls();
    stage.turn().await;
    assert_eq!(stage.ticket_calls(), [""; 0]);
}

#[tokio::test]
async fn whoever_became_a_vip_while_there_was_no_rule_is_found_when_it_comes_back() {
    let mut stage = Stage::new(VIP).await;
    let ticket = stage.ticket(2, LOW);
    stage.rule_by("").await;
    stage.turn().await;
    stage.vip();
    stage.turn().await;
    stage.rule_by(VIP).await;
    stage.turn().await;
    assert_eq!(stage.priority(ticket), URGENT);
}

#[tokio::test]
async fn a_rule_on_a_field_that_was_not_read_before_finds_its_customers() {
    let mut stage = Stage::new(VIP).await;
    let ticket = stage.ticket(2, LOW);
    stage.world.crm_edit(stage.ada, &[("city", "Graz")]);
    stage.turn().await;
    stage.rule_by("\n[[ticket_rule]]\nname = \"city\"\nwhen = { record = \"contact\", field = \"city\", in = [\"Graz\"] }\npriority = \"high\"\n").await;
    stage.turn().await;
    stage.turn().await;
    assert_eq!(stage.priority(ticket), HIGH);
    let other = "direction = \"to_freshdesk\"\n[[contacts.field]]\ncrm = \"mobilephone\"\nfreshdesk = \"mobile\"";
    stage.world.remap("direction = \"to_freshdesk\"", other);
    stage.restart().await;
    stage.turn().await;
    assert_eq!(
        stage.priority(ticket),
        HIGH,
        "another mapping gives a ticket back"
    );
    stage.rests().await;
}

#[tokio::test]
async fn status_group_and_type_are_set_once_and_not_fought_over() {
    let rules = rule(
        "vip",
        "status = \"Waiting on Customer\"\ngroup = \"QA\"\ntype = \"Incident\"\nagent = \"AGENT\"",
    );
    let mut stage = Stage::new("").await;
    let agent = stage.world.desk.agent_id();
    let email = stage
        .world
        .desk
        .contacts()
        .iter()
        .find(|it| it.id == agent)
        .and_then(|it| it.email.clone());
    let rules = match email {
        Some(email) => rules.replace("AGENT", &email),
        None => rules.replace("\nagent = \"AGENT\"", ""),
    };
    stage.rule_by(&rules).await;
    let ticket = stage.ticket(2, LOW);
    stage.vip();
    stage.turn().await;
    let shown = stage.world.desk.ticket(ticket).unwrap();
    let qa = stage.world.desk.group_id("QA");
    assert_eq!(
        (shown.status, shown.group_id, shown.kind.as_deref()),
        (6, qa, Some("Incident"))
    );
    let sales = stage.world.desk.group_id("Sales");
    stage.edit(
        ticket,
        &json!({"status": 2, "group_id": sales, "type": "Problem"}),
    );
    for _ in 0..3 {
        stage.turn().await;
    }
    stage.standard();
    stage.turn().await;
    let shown = stage.world.desk.ticket(ticket).unwrap();
    assert_eq!(
        (shown.status, shown.group_id, shown.kind.as_deref()),
        (2, sales, Some("Problem"))
    );
    assert_eq!(stage.world.desk.mails(), 0);
    stage.rests().await;
}

#[tokio::test]
async fn of_two_rules_the_higher_priority_wins_and_what_one_keeps_stays() {
    let rules = rule(
        "a",
        "priority = \"high\"\ntags = [\"a\"]\non_end = \"keep\"",
    ) + &rule("b", "priority = \"urgent\"\ntags = [\"b\"]");
    let mut stage = Stage::new(&rules).await;
    let ticket = stage.ticket(2, LOW);
    stage.vip();
    let report = stage.turn().await;
    assert_eq!(report.tickets.raised, 1);
    assert_eq!(
        (stage.priority(ticket), stage.tags(ticket).len()),
        (URGENT, 2)
    );
    stage.standard();
    stage.turn().await;
    assert_eq!(
        (stage.priority(ticket), stage.tags(ticket)),
        (HIGH, vec!["a".to_owned()])
    );
    stage.rests().await;
}

#[tokio::test]
async fn a_ticket_that_grows_old_rises_by_time_alone() {
    let mut stage = Stage::new(&rule(
        "old",
        "tickets = { older_than = \"2h\" }\npriority = \"high\"",
    ))
    .await;
    stage.vip();
    stage.turn().await;
    let ticket = stage
        .world
        .desk
        .ticket_arrives(stage.ada_desk, "Slow")
        .unwrap();
    stage.turn().await;
    assert_eq!(stage.priority(ticket), LOW);
    stage.restart().await;
    stage.clock.advance(TimeDelta::minutes(119));
    stage.turn().await;
    assert_eq!(stage.priority(ticket), HIGH);
    stage.rests().await;
}

#[tokio::test]
async fn a_filter_on_groups_follows_a_ticket_into_the_group() {
    let rules = rule(
        "qa",
        "tickets = { group = [\"QA\"] }\npriority = \"high\"\nnote = \"Raised.\"",
    );
    let mut stage = Stage::new(&rules).await;
    let qa = stage.world.desk.group_id("QA");
    let (inside, outside) = (stage.of_vip(2, qa), stage.of_vip(2, None));
    stage.vip();
    stage.turn().await;
    assert_eq!(
        (stage.priority(inside), stage.priority(outside)),
        (HIGH, LOW)
    );
    stage.edit(outside, &json!({"group_id": qa}));
    stage.edit(inside, &json!({"group_id": null}));
    stage.turn().await;
    assert_eq!(
        (stage.priority(inside), stage.priority(outside)),
        (HIGH, HIGH),
        "it stays raised while the standing holds"
    );
    stage.standard();
    stage.turn().await;
    assert_eq!(
        (stage.priority(inside), stage.priority(outside)),
        (LOW, LOW)
    );
    let _: &World = &stage.world;
    stage.rests().await;
}

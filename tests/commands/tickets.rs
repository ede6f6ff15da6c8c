//! Ticket rules as people see them: `plan`, `sync`, `status`, `check` and the daemon's log.

use crate::world::World;
use crate::world::program::{
    Daemon, bring_in_step, code, output, parsed, said, write_config, writes,
};
use crate::world::stage::{URGENT, VIP};
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::freshdesk::{Options as DeskOptions, TicketOptions, TicketSeed};
use deskbridge::sandbox::hubspot::Options as CrmOptions;
use serde_json::{Value as Json, json};

/// A customer whom both systems know, with tickets.
struct Stage {
    world: World,
    ada: u64,
    tickets: Vec<u64>,
}

impl Stage {
    /// So many open tickets of the lowest priority, and one that is closed.
    async fn new(rules: &str, open: usize) -> Self {
        Self::with(TicketOptions::default(), rules, open).await
    }

    async fn with(tickets: TicketOptions, rules: &str, open: usize) -> Self {
        let desk = DeskOptions {
            tickets,
            ..DeskOptions::default()
        };
        let mut world = World::with(CrmOptions::default(), desk).await;
        let ada = world.crm_contact(&[
            ("email", "ada@example.com"),
            ("firstname", "Ada"),
            ("lastname", "King"),
            ("customer_tier", "standard"),
        ]);
        world.mapping.push_str(rules);
        bring_in_step(&world);
        let requester_id = world.desk_by_email("ada@example.com").id;
        let statuses = std::iter::repeat_n(2, open).chain([5]);
        let tickets = world
            .desk
            .populate_tickets(statuses.map(|status| TicketSeed {
                requester_id,
                status,
                ..TicketSeed::default()
            }));
        Self {
            world,
            ada,
            tickets,
        }
    }

    fn tier(&self, tier: &str) {
        self.world.crm_edit(self.ada, &[("customer_tier", tier)]);
    }

    fn priorities(&self) -> Vec<u64> {
        let priority = |id: &u64| self.world.desk.ticket(*id).unwrap().priority;
        self.tickets.iter().map(priority).collect()
    }

    fn status(&self) -> Json {
        let status = parsed(&output(&self.world, &["status", "--json"]));
        status.get("tickets").cloned().unwrap()
    }

    /// What a command says that ends well.
    fn tell(&self, arguments: &[&str]) -> String {
        let output = output(&self.world, arguments);
        assert_eq!(code(&output), 0, "{}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_shows_each_ticket_that_would_rise_by_which_rule_and_touches_none() {
    let stage = Stage::new(VIP, 2).await;
    stage.tier("vip");
    let before = writes(&stage.world.desk.backstage().log);
    let plan = parsed(&output(&stage.world, &["plan", "--json"]));
    let changes = plan["changes"].as_array().unwrap();
    let tickets: Vec<&Json> = changes
        .iter()
        .filter(|it| it["action"] == "ticket" && it["effect"] == "raise")
        .collect();
    assert_eq!(tickets.len(), 2, "{plan:#}");
    let ticket = tickets[0];
    assert_eq!(ticket["record"], "ticket");
    assert_eq!(ticket["side"], "freshdesk");
    assert_eq!(ticket["freshdesk_id"], stage.tickets[0].to_string());
    assert_eq!(
        ticket["fields"][0],
        json!({"field": "priority", "base": "low", "crm": null, "freshdesk": "low",
            "result": "urgent", "rule": "ticket rule `vip`"})
    );
    assert_eq!(ticket["fields"][1]["result"], json!(["vip"]));
    let note = changes.iter().find(|it| it["effect"] == "note").unwrap();
    let text = note["fields"][0]["result"].as_str().unwrap();
    assert!(
        text.starts_with("Priority raised: Ada King is a VIP."),
        "{text}"
    );
    assert_eq!(plan["calls"]["freshdesk"]["tickets.update"], 2);
    assert_eq!(plan["calls"]["freshdesk"]["tickets.notes"], 2);

    let text = stage.tell(&["plan"]);
    for line in [
        &format!("raise ticket {} in freshdesk", stage.tickets[0]),
        "    priority: \"low\" → \"urgent\" (ticket rule `vip`)",
        "    tags: - → [\"vip\"] (ticket rule `vip`)",
        "2 notes, 2 tickets, ",
        "tickets.update 2",
    ] {
        assert!(text.contains(line), "no {line:?} in\n{text}");
    }
    assert_eq!(code(&output(&stage.world, &["plan", "--exit-code"])), 2);
    assert_eq!(stage.priorities(), [1, 1, 1]);
    assert_eq!(writes(&stage.world.desk.backstage().log), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_with_a_vip_whom_freshdesk_does_not_know_yet_comes_to_its_end() {
    let stage = Stage::new(VIP, 0).await;
    let vip = [("email", "bob@example.com"), ("customer_tier", "vip")];
    stage.world.crm_contact(&vip);
    let plan = parsed(&output(&stage.world, &["plan", "--json"]));
    let actions = plan["changes"].as_array().unwrap().iter();
    let actions: Vec<&Json> = actions.map(|it| &it["action"]).collect();
    assert_eq!(actions, ["create"], "{plan:#}");
    stage.tell(&["plan"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_and_the_status_count_what_was_raised_fought_over_and_given_back() {
    let stage = Stage::new(VIP, 3).await;
    let never = json!({"raised": 0, "restored": 0, "parked": 0, "in_doubt": 0, "fought": 0, "standings": {}});
    assert_eq!(stage.status(), never);
    assert!(!stage.tell(&["status"]).contains("tickets"));
    stage.tier("vip");
    let text = stage.tell(&["sync"]);
    let line = "  1 standing begun, 3 tickets raised, 3 notes posted\n";
    assert!(text.contains(line), "{text}");
    assert_eq!(stage.priorities(), [URGENT, URGENT, URGENT, 1]);
    assert_eq!(code(&output(&stage.world, &["plan", "--exit-code"])), 0);
    let status = stage.status();
    assert_eq!(
        (&status["raised"], &status["standings"]),
        (&json!(3), &json!({"vip": 1}))
    );
    let lower = json!({"priority": 2});
    stage
        .world
        .desk
        .edit_ticket(stage.tickets[0], &lower)
        .unwrap();
    stage.tell(&["sync"]);
    assert_eq!(stage.status()["fought"], 1);
    stage.tier("standard");
    let text = stage.tell(&["sync"]);
    assert!(
        text.contains("1 standing ended, 3 tickets given back"),
        "{text}"
    );
    let status = stage.status();
    assert_eq!(
        (&status["raised"], &status["restored"]),
        (&json!(3), &json!(3))
    );
    assert_eq!(stage.priorities(), [2, 1, 1, 1]);
    let text = stage.tell(&["status"]);
    assert!(text.contains("tickets: 3 raised, 3 given back"), "{text}");
    assert!(
        text.contains("\n  1 standing ended, 3 tickets given back"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_that_is_refused_is_listed_with_the_servers_message() {
    let form = TicketOptions {
        required_for_agents: vec!["cf_reason".to_owned()],
        ..TicketOptions::default()
    };
    let stage = Stage::with(form, VIP, 2).await;
    let requester_id = stage.world.desk_by_email("ada@example.com").id;
    let whole = stage.world.desk.populate_tickets([TicketSeed {
        requester_id,
        custom: vec![("cf_reason", json!("Late"))],
        ..TicketSeed::default()
    }]);
    stage.tier("vip");
    let text = stage.tell(&["sync"]);
    assert!(text.contains("2 tickets failed or refused"), "{text}");
    assert!(text.contains("2 writes failed or refused: see"), "{text}");
    assert_eq!(stage.world.desk.ticket(whole[0]).unwrap().priority, URGENT);
    assert_eq!(stage.priorities(), [1, 1, 1]);
    assert_eq!(stage.status()["parked"], 2);
    let text = stage.tell(&["status"]);
    let line = format!(
        "  change of ticket {} in freshdesk, refused, next try 20",
        stage.tickets[0]
    );
    let (_, list) = text
        .split_once("failed or refused, to be tried again (2):")
        .unwrap();
    assert!(list.contains(&line), "{text}");
    assert!(list.contains("cf_reason"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_is_taken_out_gives_back_what_it_had_set() {
    let mut stage = Stage::new(VIP, 1).await;
    stage.tier("vip");
    stage.tell(&["sync"]);
    stage.world.mapping = stage.world.mapping.replace(VIP, "");
    write_config(&stage.world);
    let text = stage.tell(&["plan"]);
    let line = "priority: \"urgent\" → \"low\" (ticket rule `vip`: the standing has ended)";
    assert!(text.contains(line), "{text}");
    stage.tell(&["sync"]);
    assert_eq!(stage.priorities(), [1, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_on_what_an_account_does_not_have_is_named_with_the_nearest() {
    let rules = r#"
[[ticket_rule]]
name     = "big"
when     = { record = "contact", field = "customer_teir", in = ["vip"] }
tickets  = { status = ["opne", 77], type = ["Incidnt"], tags = ["billling"], group = ["Salse"] }
priority = "high"
group    = "Salse"
agent    = "Sandbox Adminstrator"

[[ticket_rule]]
name     = "small"
when     = { record = "contact", field = "customer_tier", in = ["vip"] }
tickets  = { tags = ["billling"] }
priority = "high"
"#;
    let mut world = World::new().await;
    world.mapping.push_str(rules);
    write_config(&world);
    let asks = json!({"name": "Ada King", "email": "ada@example.com"});
    world.desk.populate_tickets([TicketSeed {
        requester_id: world.desk.add_contact(&asks).unwrap(),
        tags: vec!["billing".to_owned()],
        ..TicketSeed::default()
    }]);
    let check = output(&world, &["check", "--online"]);
    assert_eq!(code(&check), 78, "{}", said(&check));
    for line in [
        "error: crm has no contact field `customer_teir`; did you mean `customer_tier`?",
        "error: ticket rule `big`: freshdesk has no ticket status `opne`; did you mean `Open`?",
        "error: ticket rule `big`: freshdesk has no ticket status 77; it has 2 Open, ",
        "error: ticket rule `big`: freshdesk has no ticket type `Incidnt`; did you mean `Incident`?",
        "error: ticket rule `big`: freshdesk has no group `Salse`; did you mean `Sales`?",
        "error: ticket rule `big`: freshdesk has no agent `Sandbox Adminstrator`; did you mean `Sandbox Administrator`?",
        "warning: ticket rule `small`: no ticket that changed of late has the tag `billling`; did you mean `billing`?",
    ] {
        assert!(
            said(&check).contains(line),
            "no {line:?} in\n{}",
            said(&check)
        );
    }
    let check = parsed(&output(&world, &["check", "--online", "--json"]));
    let findings = check["online"]["findings"].as_array().unwrap();
    assert!(findings.len() >= 7, "{check:#}");
    assert_eq!(writes(&world.desk.backstage().log), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_says_what_happened_to_tickets_and_of_a_wrong_rule_once() {
    let wrong = VIP.replace("\"vip\"\nwhen", "\"wrong\"\nwhen");
    let wrong = wrong.replace("\"pending\"", "\"pendingg\"");
    let stage = Stage::new(&format!("{VIP}{wrong}"), 2).await;
    let mut daemon = Daemon::start(&stage.world);
    let quiet = daemon.event("cycle");
    assert!(quiet.get("tickets_raised").is_none(), "{quiet}");
    stage.tier("vip");
    let busy = daemon.until(|line| line["event"] == "cycle" && line["tickets_raised"] == 2);
    assert_eq!(
        (&busy["standings_begun"], &busy["notes"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(stage.priorities(), [URGENT, URGENT, 1]);
    daemon.event("cycle");
    let about = |line: &&Json| line["message"].to_string().contains("ticket rule `wrong`");
    assert_eq!(
        daemon.seen.iter().filter(about).count(),
        1,
        "{:#?}",
        daemon.seen
    );
    assert_eq!(daemon.stop(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_may_not_read_tickets_is_found_before_the_first_cycle() {
    let stage = Stage::new(VIP, 1).await;
    let faults = &stage.world.desk.backstage().faults;
    faults.inject("GET", "/api/v2/tickets", Fault::Refuse(403), u32::MAX);
    let check = output(&stage.world, &["check", "--online"]);
    assert_eq!(code(&check), 77, "{}", said(&check));
    assert!(
        said(&check).contains("GET tickets.list"),
        "{}",
        said(&check)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_of_many_tickets_knows_what_they_cost() {
    let stage = Stage::new(VIP, 12).await;
    stage.tier("vip");
    let plan = parsed(&output(&stage.world, &["plan", "--json"]));
    let planned = &plan["calls"]["freshdesk"];
    let synced = parsed(&output(&stage.world, &["sync", "--json"]));
    let made = &synced["endpoints"]["freshdesk"];
    assert_eq!(synced["tickets"]["raised"], 12, "{synced:#}");
    for endpoint in ["tickets.bulk", "tickets.notes", "tickets.update"] {
        assert_eq!(planned[endpoint], made[endpoint], "{planned:#} {made:#}");
    }
    assert_eq!(planned["tickets.bulk"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_state_of_a_former_version_is_shown_before_it_is_opened_for_writing() {
    let stage = Stage::new("", 0).await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(stage.world.state());
    let mut database = sqlx::ConnectOptions::connect(&options).await.unwrap();
    for table in ["DROP TABLE ticket", "DROP TABLE standing"] {
        sqlx::query(table).execute(&mut database).await.unwrap();
    }
    sqlx::Connection::close(database).await.unwrap();
    assert_eq!(stage.status()["raised"], 0);
    stage.tell(&["status"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn held_tickets_are_named_in_every_cycle() {
    let rules = format!("{VIP}\n[guards]\ntickets = {{ count = 2, percent = 5 }}\n");
    let stage = Stage::new(&rules, 3).await;
    stage.tier("vip");
    for _ in 0..3 {
        let synced = output(&stage.world, &["sync"]);
        assert_eq!(code(&synced), 79, "{}", said(&synced));
        let log = said(&synced);
        let waiting = log.lines().filter(|line| line.contains("waiting"));
        let tickets = waiting.filter(|line| line.contains("ticket"));
        assert_eq!(tickets.count(), 1, "{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_word_that_the_crm_can_never_show_is_found_before_nobody_becomes_a_vip_by_it() {
    let rules = r#"
[[ticket_rule]]
name     = "big"
when     = { record = "contact", any = [
  { field = "customer_tier", in = ["VIP", "vipp"] },
  { field = "customer_tier", at_least = 3 },
] }
priority = "high"

[[ticket_rule]]
name     = "stage"
when     = { record = "contact", field = "lifecyclestage", in = ["custommer"] }
priority = "high"
"#;
    let mut world = World::new().await;
    world.remap("vip = \"VIP\", standard", "vipp = \"VIP\", standard");
    let scope = "\n[contacts.scope]\ncrm = { field = \"customer_tier\", in = [\"Standard\"] }\n";
    world.mapping.push_str(scope);
    world.mapping.push_str(rules);
    write_config(&world);
    let check = output(&world, &["check", "--online"]);
    assert_eq!(code(&check), 78, "{}", said(&check));
    for line in [
        "error: ticket rule `big`: `vipp` is no choice of the contact field `customer_tier` in crm; did you mean `vip`?",
        "error: ticket rule `big`: `at_least` compares numbers, and no choice of the contact field `customer_tier` in crm is one; name them with `in = […]`",
        "error: ticket rule `stage`: `custommer` is no choice of the contact field `lifecyclestage` in crm; did you mean `customer`?",
        "error: `vipp` is no choice of the contact field `customer_tier` in crm; did you mean `vip`?",
        "error: scope: `Standard` is no choice of the contact field `customer_tier` in crm; did you mean `standard`?",
    ] {
        assert!(
            said(&check).contains(line),
            "no {line:?} in\n{}",
            said(&check)
        );
    }
    // Rules compare without regard to letter case.
    assert!(
        !said(&check).contains("`VIP` is no choice"),
        "{}",
        said(&check)
    );
}

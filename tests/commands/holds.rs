//! `holds`, `approve` and `discard`, as a person meets them: beside a daemon, and without one.

use crate::place::{CONTACTS, Place};
use crate::world::World;
use crate::world::program::{
    Daemon, RHYTHM, bring_in_step, code, output, parsed, said, write_config,
};
use serde_json::{Value as Json, json};
use std::fs;
use std::process::Output;

const GUARDS: &str = "\n[guards]\ncreates = { count = 5, percent = 20 }\n";

/// Contacts that only the CRM has.
fn people(world: &World, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let email = format!("c{number}@acme.test");
        world.crm_contact(&[("email", &email), ("firstname", "C")]);
    }
}

async fn guarded() -> World {
    let mut world = World::new().await;
    world.mapping.push_str(GUARDS);
    write_config(&world);
    world
}

/// Nine contacts wait to be created, more than the guards let pass.
async fn nine_new() -> World {
    let world = guarded().await;
    people(&world, 0..9);
    world
}

fn holds(world: &World) -> Vec<Json> {
    let holds = parsed(&output(world, &["holds", "--json"]));
    holds.as_array().unwrap().clone()
}

/// The command that a hold names as its answer.
fn follow(world: &World, answer: &Json) -> Output {
    let words: Vec<&str> = answer.as_str().unwrap().split(' ').collect();
    let (program, arguments) = words.split_first().unwrap();
    assert_eq!(*program, "deskbridge");
    output(world, arguments)
}

/// Whoever edits the same field on both sides is asked. Both know Ada's telephone as +1, and it is +2 in
/// the CRM by now: her ids there and in Freshdesk.
async fn undecided() -> (World, u64, u64) {
    let mut world = World::new().await;
    world.remap("conflict = \"newest\"", "conflict = \"hold\"");
    let ada = world.crm_person("Ada", &[("phone", "+1")]);
    bring_in_step(&world);
    let there = world.desk_by_email("ada@acme.test").id;
    world.crm_edit(ada, &[("phone", "+2")]);
    (world, ada, there)
}

/// It is +3 in Freshdesk as well, and somebody has to decide: her id in the CRM.
async fn disputed() -> (World, u64) {
    let (world, ada, there) = undecided().await;
    world.desk_edit(there, &json!({"phone": "+3"}));
    assert_eq!(code(&output(&world, &["sync"])), 79);
    (world, ada)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_that_holds_names_is_the_command_that_approves() {
    let world = nine_new().await;
    let synced = output(&world, &["sync"]);
    assert_eq!(code(&synced), 79, "{}", said(&synced));
    assert_eq!(world.desk_count(), 0);
    let waiting = holds(&world);
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    let hold = waiting.first().unwrap();
    assert_eq!(
        (&hold["class"], &hold["kind"]),
        (&json!("create"), &json!("contact"))
    );
    assert_eq!(hold["count"], 9);
    assert!(hold.get("crm_id").is_none() && hold.get("freshdesk_id").is_none());
    let listed = output(&world, &["holds"]);
    assert!(
        said(&listed).contains("deskbridge approve"),
        "{}",
        said(&listed)
    );
    let approved = follow(&world, &hold["answer"]);
    assert_eq!(code(&approved), 0, "{}", said(&approved));
    assert!(said(&approved).contains("all 9 "), "{}", said(&approved));
    assert_eq!(world.desk_count(), 0, "nothing but the state is written");
    let synced = output(&world, &["sync"]);
    assert_eq!(
        (code(&synced), world.desk_count()),
        (0, 9),
        "{}",
        said(&synced)
    );
    // Its number means nothing any more.
    let again = follow(&world, &hold["answer"]);
    assert_eq!(code(&again), 64, "{}", said(&again));
    assert!(
        said(&again).contains("nothing was written"),
        "{}",
        said(&again)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_wrong_number_among_several_answers_nothing() {
    let world = nine_new().await;
    output(&world, &["sync"]);
    let id = holds(&world).first().unwrap()["id"].to_string();
    let wrong = output(&world, &["discard", &id, "4711"]);
    assert_eq!(code(&wrong), 64, "{}", said(&wrong));
    assert!(said(&wrong).contains("4711"));
    assert_eq!(holds(&world).len(), 1);
    assert_eq!(code(&output(&world, &["approve"])), 64);
    assert_eq!(
        code(&output(&world, &["approve", &id, "--take", "crm"])),
        64
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_sync_goes_through_when_it_is_asked_for() {
    let world = nine_new().await;
    let synced = output(&world, &["sync", "--approve-first"]);
    assert_eq!(
        (code(&synced), world.desk_count()),
        (0, 9),
        "{}",
        said(&synced)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_shows_what_would_wait_and_holds_nothing_itself() {
    let world = nine_new().await;
    let plan = parsed(&output(&world, &["plan", "--json"]));
    let changes = plan["changes"].as_array().unwrap();
    let of = |action: &str| changes.iter().filter(|it| it["action"] == action).count();
    assert_eq!((of("create"), of("hold")), (9, 1), "{plan}");
    assert!(!world.state().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_of_what_is_held_already_that_a_sync_would_not_write_it() {
    let world = nine_new().await;
    assert_eq!(code(&output(&world, &["sync"])), 79);
    let plan = parsed(&output(&world, &["plan", "--json"]));
    let changes = plan["changes"].as_array().unwrap();
    let holds = changes.iter().filter(|it| it["action"] == "hold").count();
    assert_eq!(holds, 1, "{plan}");
    let text = said(&output(&world, &["plan"]));
    let words = "a cycle writes nothing of what is held before it is answered";
    assert!(text.contains(words), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_does_not_show_as_written_what_a_sync_would_hold_as_fought_over() {
    let world = World::new().await;
    let ada = world.crm_person("Ada", &[("phone", "+0")]);
    bring_in_step(&world);
    let there = world.desk_by_email("ada@acme.test").id;
    world.crm_edit(ada, &[("phone", "+1")]);
    assert_eq!(code(&output(&world, &["sync"])), 0);
    let edit = json!({"phone": "+0"});
    world.desk_edit(there, &edit);
    assert_eq!(code(&output(&world, &["sync"])), 0);
    assert_eq!(world.crm_row(ada).properties["phone"], "+0");
    world.crm_edit(ada, &[("phone", "+1")]);
    let plan = parsed(&output(&world, &["plan", "--json"]));
    let changes = plan["changes"].as_array().unwrap();
    let actions: Vec<&Json> = changes.iter().map(|it| &it["action"]).collect();
    assert_eq!(actions, ["hold"], "{plan:#}");
    assert_eq!(code(&output(&world, &["sync"])), 79);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_daemon_carries_out_an_answer_in_its_next_cycle() {
    let world = nine_new().await;
    let mut daemon = Daemon::start(&world);
    daemon.event("held");
    daemon.event("cycle");
    daemon.event("waiting");
    let approved = follow(&world, &holds(&world).first().unwrap()["answer"]);
    assert_eq!(code(&approved), 0, "{}", said(&approved));
    daemon.until(|line| line["event"] == "cycle" && line["created"] == 9);
    assert_eq!(world.desk_count(), 9);
    assert_eq!(daemon.stop(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_but_a_person_can_do_is_refused_with_what_to_do() {
    let world = guarded().await;
    let there = world.desk_contact(&json!({"name": "T", "email": "t@acme.test"}));
    world.desk.delete_contact(there).unwrap();
    world.crm_person("T", &[]);
    let synced = output(&world, &["sync"]);
    assert_eq!(code(&synced), 79, "{}", said(&synced));
    let waiting = holds(&world);
    let hold = waiting.first().unwrap();
    assert_eq!(
        (&hold["class"], &hold["answer"]),
        (&json!("duplicate"), &Json::Null)
    );
    let id = hold["id"].to_string();
    let refused = output(&world, &["approve", &id]);
    assert_eq!(code(&refused), 64, "{}", said(&refused));
    assert!(
        said(&refused).contains(&format!("discard {id}")),
        "{}",
        said(&refused)
    );
    assert_eq!(code(&output(&world, &["discard", &id])), 0);
    assert_eq!(code(&output(&world, &["sync"])), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_is_decided_from_the_command_line() {
    let (world, ada) = disputed().await;
    let id = holds(&world).first().unwrap()["id"].to_string();
    let taken = output(&world, &["approve", &id, "--take", "freshdesk"]);
    assert_eq!(code(&taken), 0, "{}", said(&taken));
    assert_eq!(code(&output(&world, &["sync"])), 0);
    assert_eq!(world.crm_row(ada).properties["phone"], "+3");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_command_overrules_no_value_that_came_into_a_conflict_since() {
    let (world, _, there) = undecided().await;
    for phone in ["+3", "+5"] {
        world.desk_edit(there, &json!({ "phone": phone }));
        let shown = holds(&world);
        assert_eq!(code(&output(&world, &["sync"])), 79);
        if let Some(shown) = shown.first() {
            let id = shown["id"].to_string();
            let taken = output(&world, &["approve", &id, "--take", "crm"]);
            assert_eq!(code(&taken), 64, "{}", said(&taken));
            assert!(said(&taken).contains("nothing was written"));
        }
    }
    assert_eq!(code(&output(&world, &["sync"])), 79);
    let shown = world.desk.contact(there).unwrap().phone;
    assert_eq!(shown.as_deref(), Some("+5"));
}

async fn thirty_in_step() -> World {
    let world = World::new().await;
    write_config(&world);
    people(&world, 0..30);
    assert_eq!(code(&output(&world, &["sync", "--approve-first"])), 0);
    world
}

/// Freshdesk's list is without 25 of thirty.
fn most_vanish(world: &World) {
    for number in 0..25 {
        let there = world.desk_by_email(&format!("c{number}@acme.test")).id;
        world.desk.hard_delete_contact(there).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_waits_for_a_person_is_named_in_every_cycle() {
    let world = thirty_in_step().await;
    most_vanish(&world);
    for arguments in [&["sync", "--reconcile"][..], &["sync"], &["sync"]] {
        let synced = output(&world, arguments);
        assert_eq!(code(&synced), 79, "no system has failed: {}", said(&synced));
        let synced = said(&synced);
        let waiting = synced.lines().filter(|line| line.contains("waiting"));
        let listing = waiting.filter(|line| line.contains("listing"));
        assert_eq!(listing.count(), 1, "{synced}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_daemon_names_a_listing_that_waits_in_every_cycle_and_calls_no_system_down() {
    let world = thirty_in_step().await;
    let remapped = world.sync_toml() + RHYTHM;
    let remapped = remapped.replacen("conflict  = \"crm\"\n", "", 1);
    fs::write(world.dir.path().join("sync.toml"), remapped).unwrap();
    most_vanish(&world);
    // Under another mapping everything is read.
    let mut daemon = Daemon::start(&world);
    for _ in 0..3 {
        let cycle = daemon.event("cycle");
        assert_eq!(cycle["outcome"], "done", "{:#?}", daemon.seen);
        assert_eq!(cycle["held"], 1, "{cycle}");
    }
    let of = |event: &str| {
        daemon
            .seen
            .iter()
            .filter(|line| line["event"] == event)
            .count()
    };
    assert_eq!(
        (of("waiting"), of("system_down")),
        (3, 0),
        "{:#?}",
        daemon.seen
    );
    let approved = follow(&world, &holds(&world).first().unwrap()["answer"]);
    assert_eq!(code(&approved), 0, "{}", said(&approved));
    daemon.until(|line| line["event"] == "cycle" && line["held"] == 25);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn without_a_state_there_is_nothing_to_answer() {
    let output = Place::offline(CONTACTS).run_without_keys(&["approve", "1"]);
    assert_eq!(code(&output), 73, "{}", said(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_suggested_leads_to_the_file_that_the_person_named() {
    let world = nine_new().await;
    let toml = world.dir.path().join("sync.toml");
    let named = world.dir.path().join("our crm.toml");
    fs::rename(toml, named).unwrap();
    let run = |arguments: &[&str]| {
        let all: Vec<&str> = ["-c", "our crm.toml"]
            .iter()
            .chain(arguments)
            .copied()
            .collect();
        output(&world, &all)
    };
    let synced = run(&["sync"]);
    assert_eq!(code(&synced), 79, "{}", said(&synced));
    let see = "see `deskbridge -c 'our crm.toml' holds`";
    assert!(said(&synced).contains(see), "{}", said(&synced));
    let id = parsed(&run(&["holds", "--json"]))[0]["id"].to_string();
    let approve = format!("deskbridge -c 'our crm.toml' approve {id}");
    let discard = format!("deskbridge -c 'our crm.toml' discard {id}");
    assert_eq!(parsed(&run(&["holds", "--json"]))[0]["answer"], approve);
    for arguments in [&["holds"][..], &["explain", "c1@acme.test"]] {
        let told = said(&run(arguments));
        assert!(told.contains(&approve), "{told}");
        assert!(told.contains(&discard), "{told}");
    }
    let gone = run(&["approve", "4711"]);
    assert_eq!(code(&gone), 64);
    let lists = "`deskbridge -c 'our crm.toml' holds` lists what waits";
    assert!(said(&gone).contains(lists), "{}", said(&gone));
    let planned = run(&["plan", "-o", "a plan"]);
    let apply = "`deskbridge -c 'our crm.toml' apply 'a plan'`";
    assert!(said(&planned).contains(apply), "{}", said(&planned));
    // And it works as it is, in a shell.
    let pasted = approve.strip_prefix("deskbridge ").unwrap();
    let program = env!("CARGO_BIN_EXE_deskbridge");
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &format!("{program} {pasted}")]);
    let approved = shell.current_dir(world.dir.path()).output().unwrap();
    assert_eq!(code(&approved), 0, "{}", said(&approved));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_holds_that_is_pasted_does_not_answer_two_ways_at_once() {
    let (world, ada) = disputed().await;
    let told = said(&output(&world, &["holds"]));
    let id = parsed(&output(&world, &["holds", "--json"]))[0]["id"].to_string();
    let lines: Vec<&str> = told.lines().skip(1).map(str::trim).collect();
    let wanted = [
        "phone: \"+2\" in crm; \"+3\" in freshdesk".to_owned(),
        format!("deskbridge approve {id} --take crm"),
        format!("deskbridge approve {id} --take freshdesk"),
        format!("deskbridge discard {id}"),
    ];
    assert_eq!(lines, wanted, "{told}");
    let program = env!("CARGO_BIN_EXE_deskbridge");
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &lines[2].replace("deskbridge", program)]);
    shell.env("TMPDIR", world.dir.path());
    let pasted = shell.current_dir(world.dir.path()).output().unwrap();
    assert_eq!(code(&pasted), 0, "{}", said(&pasted));
    assert_eq!(code(&output(&world, &["sync"])), 0);
    assert_eq!(world.crm_row(ada).properties["phone"], "+3");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_what_is_settled_is_no_success() {
    let (world, ada) = disputed().await;
    let id = holds(&world).first().unwrap()["id"].to_string();
    // A person may change their mind until it is carried out.
    for side in ["crm", "freshdesk"] {
        let taken = output(&world, &["approve", &id, "--take", side]);
        assert_eq!(code(&taken), 0, "{}", said(&taken));
    }
    assert_eq!(code(&output(&world, &["sync"])), 0);
    for late in [
        &["approve", &id, "--take", "crm"][..],
        &["approve", &id],
        &["discard", &id],
    ] {
        let again = output(&world, late);
        assert_eq!(code(&again), 64, "{late:?}: {}", said(&again));
        assert!(
            said(&again).contains("its cause is gone"),
            "{}",
            said(&again)
        );
    }
    assert_eq!(code(&output(&world, &["sync"])), 0);
    assert_eq!(world.crm_row(ada).properties["phone"], "+3");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_what_an_applied_plan_has_written_is_no_success() {
    let world = nine_new().await;
    assert_eq!(code(&output(&world, &["sync"])), 79);
    let id = holds(&world).first().unwrap()["id"].to_string();
    assert_eq!(code(&output(&world, &["plan", "-o", "a.plan"])), 0);
    let applied = output(&world, &["apply", "a.plan", "--yes"]);
    assert_eq!(
        (code(&applied), world.desk_count()),
        (0, 9),
        "{}",
        said(&applied)
    );
    for late in ["approve", "discard"] {
        let again = output(&world, &[late, &id]);
        assert_eq!(code(&again), 64, "{late}: {}", said(&again));
    }
    assert_eq!(code(&output(&world, &["sync"])), 0);
}

//! `explain`: what an admin is told about one record, from the state alone.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use crate::world::program::{code, output, parsed, said, write_config};
use crate::world::stage::{Stage, VIP};
use crate::world::{World, attempt, cycle};
use chrono::TimeDelta;
use deskbridge::sandbox::freshdesk::TicketSeed;
use deskbridge::sandbox::hubspot::Kind as CrmKind;
use deskbridge::store::Answer;
use serde_json::{Value as Json, json};

/// What is said of the one record that is meant.
fn explained(world: &World, record: &str) -> Json {
    let all = parsed(&output(world, &["explain", record, "--json"]));
    let records = all["records"].as_array().unwrap();
    assert_eq!(records.len(), 1, "{all:#}");
    records[0].clone()
}

fn field<'a>(record: &'a Json, name: &str) -> &'a Json {
    let fields = record["fields"].as_array().unwrap();
    let found = fields.iter().find(|it| it["field"] == name);
    found.unwrap_or_else(|| panic!("no {name}: {record:#}"))
}

/// The codes of why something does not cross over, and all of it in words.
fn why(record: &Json) -> (Vec<String>, String) {
    let why = record["why"].as_array().unwrap();
    let word = |key: &str| -> Vec<String> {
        why.iter()
            .map(|it| it[key].as_str().unwrap().to_owned())
            .collect()
    };
    (word("code"), word("text").join("\n"))
}

/// A world with these contacts in the CRM, and a cycle gone by.
async fn world_of(
    contacts: &[&[(&str, &str)]],
    remap: &[(&str, &str)],
) -> (
    World,
    deskbridge::sandbox::clock::SimClock,
    deskbridge::sync::Engine,
    Vec<u64>,
) {
    let (mut world, clock) = World::timed().await;
    for (from, to) in remap {
        world.remap(from, to);
    }
    let ids = contacts.iter().map(|it| world.crm_contact(it)).collect();
    write_config(&world);
    let mut engine = world.timed_engine(&clock).await;
    attempt(&mut engine).await;
    (world, clock, engine, ids)
}

const ADA: &[(&str, &str)] = &[
    ("email", "Ada@Acme.test"),
    ("firstname", "Ada"),
    ("lastname", "King"),
    ("jobtitle", "Count"),
];

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_learns_who_won_by_which_rule_and_what_was_overwritten() {
    let (world, clock, mut engine, ids) = world_of(&[ADA], &[]).await;
    let there = world.desk_by_email("ada@acme.test").id;
    clock.advance(TimeDelta::minutes(1));
    world.crm_edit(ids[0], &[("jobtitle", "Duke")]);
    world.desk_edit(there, &json!({"job_title": "Earl"}));
    cycle(&mut engine).await;
    world.forget_calls();
    let mut answers = Vec::new();
    // Beside a running engine, by each of its names, and however the address is spelled.
    for name in [
        "ada@ACME.test",
        &format!("crm:{}", ids[0]),
        &format!("freshdesk:{there}"),
    ] {
        answers.push(explained(&world, name));
    }
    assert!(answers.iter().all(|it| *it == answers[0]), "{answers:#?}");
    let calls =
        world.crm.backstage().log.entries().len() + world.desk.backstage().log.entries().len();
    assert_eq!(calls, 0, "a system was asked");
    let ada = &answers[0];
    assert_eq!(ada["link"]["cycle"], 1);
    assert_eq!((&ada["next"], &ada["why"]), (&json!([]), &json!([])));
    let title = field(ada, "job_title");
    assert_eq!(
        title["shows"],
        json!({"crm": {"jobtitle": "Duke"}, "freshdesk": {"job_title": "Duke"}})
    );
    assert_eq!(title["shows"], title["base"]);
    let last = &title["writes"][0];
    assert_eq!(
        (&last["before"], &last["set"]),
        (&json!(["Earl"]), &json!({"job_title": "Duke"}))
    );
    assert_eq!(
        (&last["cycle"], &last["outcome"]),
        (&json!(2), &json!("done"))
    );
    assert!(
        last["rule"]
            .as_str()
            .unwrap()
            .contains("crm wins by the mapping"),
        "{last}"
    );
    assert!(last["request_id"].is_string(), "{last}");
    assert_eq!(title["writes"][1]["rule"], "new record");
    let text = said(&output(&world, &["explain", "ada@acme.test", "jobtitle"]));
    assert!(
        text.contains("\"Earl\"") && text.contains("new record"),
        "{text}"
    );
    assert!(
        !text.contains("King"),
        "only the field that was asked for: {text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_waits_says_what_will_be_written_and_what_holds_it_up() {
    let (world, clock, mut engine, ids) = world_of(
        &[ADA],
        &[("values    = { vip = \"VIP\", standard = \"Standard\" }", "")],
    )
    .await;
    clock.advance(TimeDelta::minutes(1));
    world.crm_edit(ids[0], &[("customer_tier", "vip")]);
    attempt(&mut engine).await;
    let ada = explained(&world, "ada@acme.test");
    let next = &field(&ada, "custom_fields.tier")["next"];
    assert_eq!(next["side"], "freshdesk");
    assert_eq!(next["set"], json!({"custom_fields.tier": "vip"}));
    let (codes, words) = why(&ada);
    assert_eq!(codes, ["refused"]);
    assert!(
        words.contains("VIP,Standard"),
        "the server's own words: {words}"
    );
    assert!(words.contains("not before 2026-"), "{words}");
    assert_eq!(ada["parked"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadowed_record_names_those_that_it_is_mistaken_for() {
    let (mut world, clock) = World::timed().await;
    world.remap("match    = [\"email\"]", "match    = [\"phone\"]");
    let one = world.crm_contact(&[("email", "one@acme.test"), ("phone", "+1")]);
    let two = world.crm_contact(&[("email", "two@acme.test"), ("phone", "+1")]);
    world.desk_contact(&json!({"name": "X", "email": "x@acme.test", "phone": "+1"}));
    write_config(&world);
    let mut engine = world.timed_engine(&clock).await;
    attempt(&mut engine).await;
    let (codes, words) = why(&explained(&world, "one@acme.test"));
    assert_eq!(codes, ["shadowed"]);
    assert!(words.contains(&format!("crm:{two}")), "{words}");
    assert!(!words.contains(&format!("crm:{one} ")), "{words}");
    assert!(words.contains("freshdesk:"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_a_strange_word_and_a_missing_company_each_say_what_they_wait_for() {
    let (mut world, clock) = World::timed().await;
    world.remap("conflict  = \"crm\"", "conflict  = \"hold\"");
    world.remap(", standard = \"Standard\" }", " }");
    world.remap(
        "create   = \"both\"\nconflict = \"crm\"\ndelete   = \"ignore\"",
        "create   = \"none\"\nconflict = \"crm\"\ndelete   = \"ignore\"",
    );
    let ada = world.crm_contact(ADA);
    let acme = world.crm_company(&[("name", "Acme"), ("domain", "acme.example")]);
    write_config(&world);
    let mut engine = world.timed_engine(&clock).await;
    attempt(&mut engine).await;
    let there = world.desk_by_email("ada@acme.test").id;
    clock.advance(TimeDelta::minutes(1));
    world.crm_edit(ada, &[("jobtitle", "Duke"), ("customer_tier", "standard")]);
    world.crm.portal().associate(ada, acme, true).unwrap();
    world.desk_edit(there, &json!({"job_title": "Earl"}));
    attempt(&mut engine).await;
    let told = explained(&world, "ada@acme.test");
    let (codes, words) = why(&told);
    assert_eq!(
        codes,
        ["held", "cannot_cross", "waits_for_company"],
        "{words}"
    );
    assert!(words.contains(&format!("crm:{acme}")), "{words}");
    assert!(
        field(&told, "job_title")["why"]
            .as_str()
            .unwrap()
            .contains("person")
    );
    assert!(
        field(&told, "custom_fields.tier")["why"]
            .as_str()
            .unwrap()
            .contains("table")
    );
    assert_eq!(told["holds"][0]["class"], "conflict");
    let (codes, words) = why(&explained(&world, &format!("crm:{acme}")));
    assert_eq!(codes, ["single"], "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_out_of_scope_or_deleted_or_detached_says_so() {
    let (mut world, clock) = World::timed().await;
    world.remap("delete   = \"hold\"", "delete   = \"ignore\"");
    world.mapping.push_str(
        "\n[contacts.scope]\ncrm = { field = \"lifecyclestage\", in = [\"customer\"] }\n",
    );
    let ada = world.crm_person("Ada", &[("lifecyclestage", "customer")]);
    let bob = world.crm_person("Bob", &[("lifecyclestage", "customer")]);
    world.crm_contact(&[("email", "lead@acme.test"), ("lifecyclestage", "lead")]);
    write_config(&world);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    assert_eq!(
        why(&explained(&world, "lead@acme.test")).0,
        ["out_of_scope"]
    );
    clock.advance(TimeDelta::minutes(61));
    world.crm_edit(ada, &[("lifecyclestage", "lead")]);
    let there = world.desk_by_email("bob@acme.test").id;
    world.desk.delete_contact(there).unwrap();
    cycle(&mut engine).await;
    assert_eq!(why(&explained(&world, "ada@acme.test")).0, ["out_of_scope"]);
    let (codes, words) = why(&explained(&world, &format!("crm:{bob}")));
    assert_eq!(codes, ["detached"], "{words}");
    assert!(
        words.contains("deleted") || words.contains("trashed"),
        "{words}"
    );
    assert_eq!(
        why(&explained(&world, &format!("freshdesk:{there}"))).0,
        ["gone"]
    );
    assert!(world.crm.portal().row(CrmKind::Contact, bob).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vip_and_their_ticket_say_which_rule_did_what() {
    let mut stage = Stage::new(VIP).await;
    write_config(&stage.world);
    let ticket = stage.seed(TicketSeed {
        requester_id: stage.ada_desk,
        ..TicketSeed::default()
    });
    stage.tier("vip");
    stage.turn().await;
    let told = parsed(&output(
        &stage.world,
        &["explain", &format!("ticket:{ticket}"), "--json"],
    ));
    let told = &told["tickets"][0];
    assert_eq!(told["memory"]["priority"]["set"], "urgent");
    assert_eq!(told["standings"][0]["rule"], "vip");
    let writes = told["writes"].as_array().unwrap();
    assert!(
        writes
            .iter()
            .any(|it| it["field"] == "priority" && it["rule"] == "ticket rule `vip`"),
        "{writes:#?}"
    );
    let ada = explained(&stage.world, &format!("freshdesk:{}", stage.ada_desk));
    assert_eq!(ada["standings"][0]["phase"], "read");
    assert_eq!(ada["tickets"][0]["id"], ticket.to_string());
    let text = said(&output(
        &stage.world,
        &["explain", &format!("ticket:{ticket}")],
    ));
    assert!(
        text.contains("priority urgent instead of low, by vip"),
        "{text}"
    );
    // One field of it, and none that no rule sets.
    let name = format!("ticket:{ticket}");
    let told = parsed(&output(&stage.world, &["explain", &name, "tags", "--json"]));
    let writes = told["tickets"][0]["writes"].as_array().unwrap();
    assert!(
        !writes.is_empty() && writes.iter().all(|it| it["field"] == "tags"),
        "{told:#}"
    );
    let wrong = output(&stage.world, &["explain", &name, "shoe_size"]);
    assert_eq!(code(&wrong), 64, "{}", said(&wrong));
    assert!(
        said(&wrong).contains("priority, status"),
        "{}",
        said(&wrong)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_known_is_said_with_where_it_was_looked_for() {
    let (world, _clock, _engine, _) = world_of(&[ADA], &[]).await;
    for (arguments, wanted) in [
        (&["explain", "nobody@acme.test"] as &[&str], "state.db"),
        (&["explain", "crm:999"], "sync --reconcile"),
        (&["explain", "ticket:999"], "only tickets that a rule"),
        (&["explain", "ada"], "crm:ID"),
        (&["explain", "ada@acme.test", "shoe_size"], "job_title"),
    ] {
        let told = output(&world, arguments);
        assert_eq!(code(&told), 64, "{}", said(&told));
        assert!(said(&told).contains(wanted), "{}", said(&told));
    }
    let elsewhere = World::new().await;
    write_config(&elsewhere);
    assert_eq!(code(&output(&elsewhere, &["explain", "a@b.test"])), 73);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_with_strange_rows_is_refused_and_no_value_steers_the_terminal() {
    let (world, _clock, engine, ids) = world_of(
        &[&[
            ("email", "esc@acme.test"),
            ("firstname", "\u{1b}[2J\u{7}Ada"),
            ("jobtitle", "a\nb"),
        ]],
        &[],
    )
    .await;
    engine.store.close().await.unwrap();
    let told = output(&world, &["explain", "esc@acme.test"]);
    assert_eq!(code(&told), 0, "{}", said(&told));
    assert!(!said(&told).contains('\u{1b}') && !said(&told).contains('\u{7}'));
    let record = format!("crm:{}", ids[0]);
    for sql in [
        "UPDATE record SET keys = 'x'",
        "UPDATE record SET base = '{\"a\":{\"b\":1}}', keys = '[]'",
        "UPDATE record SET base = NULL, link = 77, presence = 'gone'",
        "UPDATE record SET image = '[]'",
    ] {
        world.execute(sql).await;
        let told = output(&world, &["explain", &record]);
        assert!([0, 73].contains(&code(&told)), "{sql}: {}", said(&told));
        assert!(!said(&told).contains("panicked"), "{sql}: {}", said(&told));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_behind_a_hold_over_its_class_is_not_promised_for_the_next_cycle() {
    let (world, clock, mut engine, ids) = world_of(&[ADA], &[]).await;
    let mut guards = world.config().guards;
    guards.creates.count = 1;
    guards.updates.count = 0;
    (guards.creates.percent, guards.updates.percent) = (0.0, 0.0);
    engine.guard(guards);
    clock.advance(TimeDelta::minutes(1));
    world.crm_edit(ids[0], &[("jobtitle", "Duke")]);
    for name in ["bob", "eve"] {
        world.crm_contact(&[("email", &format!("{name}@acme.test")), ("firstname", name)]);
    }
    assert_eq!(cycle(&mut engine).await.held, 2);
    for (who, class, name) in [
        ("ada@acme.test", "update", "job_title"),
        ("bob@acme.test", "create", "email"),
    ] {
        let told = explained(&world, who);
        assert_eq!(told["next"], json!([]), "{told:#}");
        let (codes, words) = why(&told);
        assert_eq!(codes, ["held"], "{words}");
        let holds = world.holds().await;
        let hold = holds.iter().find(|it| it.class == class).unwrap();
        let command = format!("deskbridge approve {}", hold.id);
        assert!(words.contains(&command), "{words}");
        let field = field(&told, name);
        assert_eq!(field["next"], Json::Null, "{field}");
        assert!(field["why"].as_str().unwrap().contains(&command), "{field}");
        // Answered, it is written by the next cycle again, or never.
        world.answer(hold.id, Answer::Approve).await;
        let told = explained(&world, who);
        assert_eq!(told["next"][0]["action"], class, "{told:#}");
        assert_eq!(told["why"], json!([]), "{told:#}");
        world.answer(hold.id, Answer::Discard).await;
        let told = explained(&world, who);
        assert_eq!(told["next"], json!([]), "{told:#}");
        assert!(why(&told).1.contains("discarded"), "{told:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_in_doubt_promises_no_deletion() {
    let remap = ("delete   = \"hold\"", "delete   = \"propagate\"");
    let (world, _clock, _engine, _) = world_of(&[ADA], &[remap]).await;
    world
        .execute("UPDATE record SET presence = 'trashed' WHERE side = 'freshdesk'")
        .await;
    let action = |told: Json| told["next"][0]["action"].clone();
    assert_eq!(action(explained(&world, "ada@acme.test")), "delete");
    world
        .execute("UPDATE generation SET doubt = 'it is an older copy'")
        .await;
    assert_eq!(action(explained(&world, "ada@acme.test")), "hold");
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_were_left_to_differ_are_not_called_in_step() {
    let mut world = World::new().await;
    world.remap("conflict = \"newest\"", "conflict = \"hold\"");
    write_config(&world);
    let ada = world.crm_contact(&[ADA, &[("phone", "+1")]].concat());
    let sync = |expected: i32| {
        let synced = output(&world, &["sync"]);
        assert_eq!(code(&synced), expected, "{}", said(&synced));
    };
    sync(0);
    let there = world.desk_by_email("ada@acme.test").id;
    world.crm_edit(ada, &[("phone", "+2")]);
    let edit = json!({"phone": "+3"});
    world.desk_edit(there, &edit);
    sync(79);
    let id = world.holds().await[0].id.to_string();
    let discarded = output(&world, &["discard", &id]);
    assert_eq!(code(&discarded), 0, "{}", said(&discarded));
    sync(0);
    let told = explained(&world, "ada@acme.test");
    let (codes, words) = why(&told);
    assert_eq!(codes, ["apart"], "{words}");
    for part in [
        "`phone`",
        "differ",
        "cycle 3",
        "as a person said (`discard`)",
    ] {
        assert!(words.contains(part), "{words}");
    }
    let phone = field(&told, "phone");
    assert!(
        phone["why"].as_str().unwrap().contains("discard"),
        "{phone}"
    );
    assert_eq!(phone["writes"].as_array().unwrap().len(), 1, "{phone}");
    let text = said(&output(&world, &["explain", "ada@acme.test"]));
    assert!(!text.contains("in step"), "{text}");
    assert_eq!(
        parsed(&output(&world, &["plan", "--json"]))["changes"],
        json!([])
    );
    // The next edit goes across, and then they are.
    world.crm_edit(ada, &[("phone", "+4"), ("jobtitle", "Duke")]);
    sync(0);
    assert_eq!(why(&explained(&world, "ada@acme.test")).0, [""; 0]);
    let reverted = output(&world, &["revert", "4", "--field", "job_title", "--yes"]);
    assert_eq!(code(&reverted), 0, "{}", said(&reverted));
    let told = explained(&world, "ada@acme.test");
    let (codes, words) = why(&told);
    assert_eq!(codes, ["apart"], "{words}");
    for part in ["`job_title`", "cycle 5", "took back run 4 (`revert`)"] {
        assert!(words.contains(part), "{words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_we_have_deleted_says_that_it_was_us() {
    let remap = ("delete   = \"hold\"", "delete   = \"propagate\"");
    let (world, clock, mut engine, ids) = world_of(&[ADA], &[remap]).await;
    let there = world.desk_by_email("ada@acme.test").id;
    clock.advance(TimeDelta::minutes(61));
    world
        .crm
        .portal()
        .archive(CrmKind::Contact, ids[0])
        .unwrap();
    assert_eq!(cycle(&mut engine).await.deleted, 1);
    let last = cycle(&mut engine).await;
    let (codes, words) = why(&explained(&world, &format!("freshdesk:{there}")));
    assert!(codes.contains(&"gone".to_owned()), "{words}");
    let ours = "deskbridge itself has put it into the trash of freshdesk, at 20";
    assert!(words.contains(ours), "{words}");
    assert!(
        words.contains(&format!("in cycle {}", last.id - 1)),
        "{words}"
    );
    let (_, words) = why(&explained(&world, &format!("crm:{}", ids[0])));
    assert!(!words.contains("deskbridge itself"), "{words}");
}

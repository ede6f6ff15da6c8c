//! What becomes of an account's calls: who goes first, what waits, and what is said about it.

use crate::world::program::{code, output, parsed, said, write_config};
use crate::world::stage::{LOW, Stage, URGENT, VIP};
use crate::world::{World, attempt, cycle, reconcile};
use chrono::TimeDelta;
use deskbridge::clock::{Clock as _, SystemClock};
use deskbridge::model::Pair;
use deskbridge::remote::ErrorKind;
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::freshdesk::Options as DeskOptions;
use deskbridge::sandbox::hubspot::{Limits, Options as CrmOptions};
use deskbridge::store::Report;
use deskbridge::sync::CycleOutcome;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// One chunk of planning.
const CHUNK: usize = 512;

fn hire(world: &World, people: usize) {
    for number in 0..people {
        let email = format!("p{number}@acme.test");
        world.crm_contact(&[("email", &email), ("firstname", "P")]);
    }
}

/// A world whose CRM allows so many calls a day.
async fn short_day(daily: u32) -> World {
    let limits = Limits::Custom {
        ten_seconds: 1000,
        searches: 1000,
        daily,
    };
    let crm = CrmOptions {
        limits,
        ..CrmOptions::default()
    };
    World::with(crm, DeskOptions::default()).await
}

#[tokio::test]
async fn an_import_of_a_day_does_not_make_what_people_change_wait_for_a_day() {
    let (world, clock) = World::timed().await;
    let ada = world.crm_person("Ada", &[]);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    engine.slice = Some(Duration::ZERO);
    hire(&world, CHUNK + 100);
    clock.advance(TimeDelta::minutes(1));
    let report = cycle(&mut engine).await;
    assert!(report.unfinished, "{report:?}");
    assert_eq!(report.created, CHUNK as u64);
    world.crm_edit(ada, &[("phone", "+49 1")]);
    clock.advance(TimeDelta::minutes(1));
    let report = cycle(&mut engine).await;
    assert_eq!((report.created, report.updated), (100, 1));
    let phone = world.desk_by_email("ada@acme.test").phone;
    assert_eq!(phone.as_deref(), Some("+49 1"));
    assert!(!report.unfinished, "{report:?}");
}

#[tokio::test]
async fn a_reading_of_everything_is_spread_over_cycles_and_stands_in_nobodys_way() {
    let (world, clock) = World::timed().await;
    let people = world.desk_crowd(250);
    clock.advance(TimeDelta::hours(1));
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    engine.slice = Some(Duration::ZERO);
    // Nothing but a reading of everything shows this.
    world.desk.hard_delete_contact(people[120]).unwrap();
    clock.advance(TimeDelta::hours(24));
    let first = reconcile(&mut engine).await;
    assert_eq!(first.read.desk, 100, "{first:?}");
    // Meanwhile people work, and the daemon is started anew.
    drop(engine);
    world.desk_contact(&json!({"name": "Q New", "email": "new@acme.test"}));
    let mut engine = world.timed_engine(&clock).await;
    engine.slice = Some(Duration::ZERO);
    clock.advance(TimeDelta::minutes(1));
    let second = cycle(&mut engine).await;
    assert_eq!(second.created, 1, "{second:?}");
    let mut views = 0;
    for _ in 0..4 {
        clock.advance(TimeDelta::minutes(1));
        let report = cycle(&mut engine).await;
        views += report.endpoints.desk.get("contacts.view").unwrap_or(&0);
    }
    // The one that is missing was asked for, and no other.
    assert_eq!(views, 1);
    assert_eq!(world.holds().await.len(), 1);
    let calm = cycle(&mut engine).await;
    assert!(calm.endpoints.desk["contacts.list"] <= 1, "{calm:?}");
}

#[tokio::test]
async fn after_another_mapping_a_vip_does_not_wait_until_all_customers_are_read_and_nobody_is_missed()
 {
    let mut stage = Stage::new(VIP).await;
    let ticket = stage.ticket(2, LOW);
    let people = stage.world.desk_crowd(250);
    stage.turn().await;
    // Nothing but a reading of everything shows this.
    stage.world.desk.hard_delete_contact(people[120]).unwrap();
    stage.tier("vip");
    let mapping = &mut stage.world.mapping;
    *mapping = mapping.replace("direction = \"to_freshdesk\"\n", "");
    stage.clock.advance(TimeDelta::hours(1));
    stage.restart().await;
    stage.engine.slice = Some(Duration::ZERO);
    let report = stage.try_turn().await;
    assert_eq!(report.read.desk, 100, "one page: {report:?}");
    assert!(report.unfinished, "the next page at once: {report:?}");
    assert_eq!(stage.priority(ticket), URGENT, "{report:?}");
    for _ in 0..3 {
        stage.restart().await;
        stage.engine.slice = Some(Duration::ZERO);
        stage.try_turn().await;
    }
    stage.engine.slice = None;
    let report = stage.try_turn().await;
    assert!(!report.unfinished, "{report:?}");
    let holds = stage.world.holds().await;
    assert_eq!(holds.len(), 1, "who is not there any more: {holds:?}");
}

#[tokio::test]
async fn a_spent_day_is_said_and_costs_no_further_call() {
    let world = short_day(20).await;
    hire(&world, 3);
    let mut engine = world.vendors_engine().await;
    let mut said = Vec::new();
    for _ in 0..20 {
        let report = attempt(&mut engine).await;
        said = report.troubles.clone();
        if !said.is_empty() {
            assert_eq!(report.outcome, CycleOutcome::Incomplete);
            break;
        }
    }
    assert!(said[0].contains("the day's calls are used up"), "{said:?}");
    world.forget_calls();
    let report = attempt(&mut engine).await;
    assert_eq!(report.calls.crm, 0, "{report:?}");
    assert_eq!(report.budget.crm.left_today, Some(0.0));
}

#[tokio::test]
async fn a_restart_does_not_take_the_others_part_of_the_day_as_well() {
    let world = short_day(40).await;
    let mut engine = world.vendors_engine_with(0.5).await;
    let mut cycles = 0;
    while attempt(&mut engine).await.troubles.is_empty() {
        cycles += 1;
        assert!(cycles < 20, "the day has no end");
    }
    drop(engine);
    world.forget_calls();
    // A start looks at the account, which nobody can refuse it.
    let mut engine = world.vendors_engine_with(0.5).await;
    let report = attempt(&mut engine).await;
    assert_eq!(report.calls.crm, 0, "{report:?}");
    assert!(
        report.troubles[0].contains("the day's calls are used up"),
        "{report:?}"
    );
}

#[tokio::test]
async fn the_crms_batches_are_not_torn_to_the_size_of_freshdesks_pace() {
    const PEOPLE: usize = 300;
    let (world, clock) = World::timed().await;
    let people = world.desk_crowd(PEOPLE);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    drop(engine);
    clock.advance(TimeDelta::minutes(5));
    for person in people {
        let change = json!({"phone": "+49 1"});
        world.desk_edit(person, &change);
    }
    clock.advance(TimeDelta::minutes(5));
    // Forty calls a minute make ten rows to begin with.
    let mut engine = world.slow_desk_engine(&clock, 40.0).await;
    engine.slice = Some(Duration::from_secs(30));
    let report = cycle(&mut engine).await;
    assert_eq!(report.updated, PEOPLE as u64, "{report:?}");
    let batches = report.endpoints.crm["contacts.update"];
    assert!(batches <= 7, "{batches} calls for three full batches");
}

#[tokio::test]
async fn a_wait_of_minutes_ends_the_cycle_instead_of_holding_everything_up() {
    let world = World::new().await;
    hire(&world, 3);
    let mut engine = world.engine().await;
    let faults = &world.desk.backstage().faults;
    faults.inject("POST", "/api/v2/contacts", Fault::Throttle(600), 1);
    let begun = SystemClock.now();
    let report = attempt(&mut engine).await;
    assert!(SystemClock.now() - begun < TimeDelta::minutes(2));
    let why = report.errors[0].kind;
    assert!(matches!(why, ErrorKind::Throttled(Some(_))), "{report:?}");
    assert_eq!(report.budget.desk.refused, 1);
    world.forget_calls();
    let report = attempt(&mut engine).await;
    assert_eq!(report.created, 0, "{report:?}");
}

#[tokio::test]
async fn one_sort_of_calls_that_is_refused_for_minutes_does_not_keep_the_others_waiting() {
    let mut stage = Stage::new(VIP).await;
    let ticket = stage.ticket(2, LOW);
    stage.turn().await;
    stage.tier("vip");
    stage.world.crm_company(&[("name", "Acme")]);
    stage.hooked().await.pause();
    let report = stage.try_turn().await;
    assert_eq!(report.errors.len(), 1, "{report:?}");
    assert_eq!(report.created, 1, "the company: {report:?}");
    assert_eq!(stage.priority(ticket), URGENT, "{report:?}");
}

#[tokio::test]
async fn whoever_pays_can_see_where_the_last_hours_calls_went() {
    let (mut world, clock) = World::timed().await;
    world.mapping.push_str(
        "\n[[ticket_rule]]\nname = \"vip\"\npriority = \"urgent\"\n\
         when = { record = \"contact\", field = \"customer_tier\", in = [\"vip\"] }\n",
    );
    let vip = [("email", "ada@acme.test"), ("customer_tier", "vip")];
    world.crm_contact(&vip);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    engine.store.close().await.unwrap();
    let mut state = Report::open(&world.state()).await.unwrap();
    let Pair { crm, desk } = state.last_hour(clock.now()).await.unwrap();
    let one = |lane: &str, calls: u64| BTreeMap::from([(lane.to_owned(), calls)]);
    assert_eq!(crm["contacts.list"], one("first_sync", 1));
    assert_eq!(desk["contacts.create"], one("people", 1));
    assert!(desk["tickets.list"].contains_key("vip"), "{desk:?}");
    let later = clock.now() + TimeDelta::minutes(61);
    let Pair { crm, desk } = state.last_hour(later).await.unwrap();
    assert!(crm.is_empty() && desk.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_installs_it_reads_what_the_account_can_afford_before_and_what_it_spent_after() {
    let world = World::new().await;
    hire(&world, 3);
    write_config(&world);
    // The simulated account names no limit; its owner knows the plan.
    let file = world.dir.path().join("sync.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let planned = text.replace("[freshdesk]\n", "[freshdesk]\nplan = \"trial\"\n");
    std::fs::write(&file, planned).unwrap();

    let check = said(&output(&world, &["check", "--online"]));
    assert!(
        check.contains("freshdesk: 40 calls in 60s are ours"),
        "{check}"
    );
    let plan = parsed(&output(&world, &["plan", "--json"]));
    // Three creates, and the reads that were made, at 40 calls a minute.
    let minutes = plan["minutes"].as_f64().unwrap();
    assert!((0.1..=0.5).contains(&minutes), "{plan}");
    assert_eq!(code(&output(&world, &["sync", "--reconcile"])), 0);
    let status = parsed(&output(&world, &["status", "--json"]));
    let spent = &status["calls_last_hour"]["freshdesk"];
    assert_eq!(spent["contacts.create"]["people"], json!(3), "{status}");
    let shown = said(&output(&world, &["status"]));
    assert!(shown.contains("calls in the last hour"), "{shown}");
}

/// Nought minutes are no promise.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_of_which_system_no_limit_is_known() {
    let world = World::new().await;
    hire(&world, 3);
    write_config(&world);
    let plan = parsed(&output(&world, &["plan", "--json"]));
    assert_eq!(
        plan["limits_known"],
        json!({"crm": true, "freshdesk": false}),
        "{plan}"
    );
    let said = said(&output(&world, &["plan"]));
    assert!(said.contains("freshdesk: no limit is known"), "{said}");
    assert!(!said.contains("crm: no limit is known"), "{said}");
}

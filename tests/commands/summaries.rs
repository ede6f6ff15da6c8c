//! What a person is shown of support summaries before they are written, and how they answer.

use crate::world::World;
use crate::world::program::{code, output, parsed, said, write_config};
use deskbridge::sandbox::freshdesk::TicketSeed;
use deskbridge::sandbox::hubspot::{Kind, Property, ValueType};
use serde_json::{Value as Json, json};
use std::process::Output;

const SUMMARY: &str = r#"
[guards]
updates = { count = 5, percent = 20 }

[support_summary]
contact = { open_tickets = "open_tickets" }
"#;

/// Eight people who are known on both sides, each with a ticket; none of that was summed up yet.
async fn office() -> (World, Vec<u64>) {
    let mut world = World::new().await;
    world.mapping.push_str(SUMMARY);
    write_config(&world);
    let number = Property::new("open_tickets", "Open tickets", ValueType::Number);
    world.crm.portal().add_property(Kind::Contact, number);
    let person = |number: u64| {
        let email = format!("c{number}@acme.test");
        world.crm_contact(&[("email", &email), ("firstname", "C")])
    };
    let people = (0..8).map(person).collect();
    assert_eq!(code(&output(&world, &["sync"])), 0);
    let seeds = world.desk.contacts().into_iter().map(|it| TicketSeed {
        requester_id: it.id,
        ..TicketSeed::default()
    });
    world.desk.populate_tickets(seeds.collect::<Vec<_>>());
    (world, people)
}

fn showing(world: &World, people: &[u64], figure: &str) -> usize {
    let rows = people.iter().map(|id| world.crm_row(*id));
    rows.filter(|row| row.properties.get("open_tickets").map(String::as_str) == Some(figure))
        .count()
}

fn assert_says(output: &Output, parts: &[&str]) {
    for part in parts {
        assert!(said(output).contains(part), "no `{part}`: {}", said(output));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn summaries_are_shown_held_approved_and_taken_back_like_anything_else() {
    let (world, people) = office().await;
    let plan = output(&world, &["plan"]);
    assert_says(
        &plan,
        &[
            "open_tickets: 1 (base -, crm -, freshdesk 1; support summary)",
            "hold contact (crm -, freshdesk -): 8 support summaries of contacts",
            "--approve-first",
        ],
    );
    let synced = output(&world, &["sync"]);
    assert_eq!(code(&synced), 79, "{}", said(&synced));
    assert_eq!(showing(&world, &people, "1"), 0);
    let holds = output(&world, &["holds"]);
    assert_says(&holds, &["summary of contact, 8 of them"]);
    let listed = parsed(&output(&world, &["holds", "--json"]));
    let hold = &listed.as_array().unwrap()[0];
    let id = hold["id"].to_string();
    assert_eq!(hold["answer"], format!("deskbridge approve {id}"));
    assert_says(
        &output(&world, &["plan"]),
        &["support summary", "hold contact"],
    );
    let approved = output(&world, &["approve", &id]);
    assert_says(&approved, &["all of it is written, with the next cycle"]);
    let report = output(&world, &["sync", "--json"]);
    assert_eq!(code(&report), 0, "{}", said(&report));
    assert_eq!(showing(&world, &people, "1"), 8);

    let run = parsed(&report)["id"].to_string();
    let email = "c3@acme.test";
    let one = output(&world, &["revert", &run, "--record", email, "--yes"]);
    assert_eq!(code(&one), 0, "{}", said(&one));
    assert_eq!(showing(&world, &people, "1"), 7);
    let rest = output(&world, &["revert", &run, "--yes"]);
    assert_eq!(code(&rest), 0, "{}", said(&rest));
    assert_eq!(showing(&world, &people, "1"), 0);
    let again = output(&world, &["sync", "--reconcile"]);
    assert_eq!(code(&again), 0, "{}", said(&again));
    assert_eq!(showing(&world, &people, "1"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_discards_summaries_is_told_until_when_the_crm_keeps_what_it_shows() {
    let (world, people) = office().await;
    output(&world, &["sync"]);
    let listed = parsed(&output(&world, &["holds", "--json"]));
    let id = listed.as_array().unwrap()[0]["id"].to_string();
    let discarded = output(&world, &["discard", &id]);
    assert_says(
        &discarded,
        &["until a customer's tickets come to something else"],
    );
    assert_eq!(code(&output(&world, &["sync"])), 0);
    assert_eq!(showing(&world, &people, "1"), 0);
    assert_says(&output(&world, &["plan"]), &["nothing to write"]);
}

/// What `explain` says of one customer's field.
fn explained(world: &World, field: &str) -> Json {
    let told = parsed(&output(
        world,
        &["explain", "c3@acme.test", field, "--json"],
    ));
    told.pointer("/records/0").unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn explain_says_what_a_summary_comes_to_and_why_the_crm_shows_something_else() {
    let (world, people) = office().await;
    output(&world, &["sync"]);
    let held = explained(&world, "open_tickets");
    let summary = &held["summary"][0];
    assert_eq!(summary["field"], "open_tickets");
    assert_eq!(
        (&summary["shows"], &summary["comes_to"]),
        (&Json::Null, &json!(1)),
        "{held:#}"
    );
    assert_eq!(summary["next"], Json::Null);
    assert_eq!(held["why"][0]["code"], "held", "{held:#}");
    let id = parsed(&output(&world, &["holds", "--json"]))[0]["id"].to_string();
    let answer = format!("deskbridge approve {id}");
    assert!(
        summary["why"].as_str().unwrap().contains(&answer),
        "{held:#}"
    );
    assert_says(
        &output(&world, &["explain", "c3@acme.test"]),
        &["open_tickets (support summary", "tickets    1", &answer],
    );

    output(&world, &["approve", &id]);
    let approved = explained(&world, "open_tickets");
    assert_eq!(approved["summary"][0]["next"], json!(1), "{approved:#}");
    assert_eq!(code(&output(&world, &["sync"])), 0);
    let written = explained(&world, "open_tickets");
    let summary = &written["summary"][0];
    assert_eq!(
        (&summary["shows"], &summary["next"]),
        (&json!("1"), &Json::Null),
        "{written:#}"
    );
    assert_eq!(summary["writes"][0]["outcome"], "done", "{written:#}");
    assert_eq!(summary["why"], Json::Null, "{written:#}");

    // Somebody makes something else of it.
    world.crm_edit(people[3], &[("open_tickets", "7")]);
    assert_eq!(code(&output(&world, &["sync", "--reconcile"])), 0);
    let edited = explained(&world, "open_tickets");
    let summary = &edited["summary"][0];
    assert_eq!(
        (&summary["shows"], &summary["comes_to"]),
        (&json!("7"), &json!(1)),
        "{edited:#}"
    );
    let stays = "somebody has made something else of it";
    assert!(
        summary["why"].as_str().unwrap().contains(stays),
        "{edited:#}"
    );
    // A field that is no summary either is still refused.
    assert_eq!(
        code(&output(&world, &["explain", "c3@acme.test", "shoe_size"])),
        64
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn explain_names_who_has_decided_against_a_summary() {
    let (world, people) = office().await;
    output(&world, &["sync"]);
    let id = parsed(&output(&world, &["holds", "--json"]))[0]["id"].to_string();
    output(&world, &["discard", &id]);
    output(&world, &["sync"]);
    let why = |world: &World| explained(world, "open_tickets")["summary"][0]["why"].to_string();
    assert!(
        why(&world).contains("a person has discarded it"),
        "{}",
        why(&world)
    );

    let (world, _) = (office_filled().await, people);
    let run = parsed(&output(&world, &["status", "--json"]))["last_cycle"]["id"].to_string();
    assert_eq!(code(&output(&world, &["revert", &run, "--yes"])), 0);
    output(&world, &["sync"]);
    assert!(why(&world).contains("took it back"), "{}", why(&world));
}

/// As [`office`], once all of it was written.
async fn office_filled() -> World {
    let (world, people) = office().await;
    assert_eq!(code(&output(&world, &["sync", "--approve-first"])), 0);
    assert_eq!(showing(&world, &people, "1"), 8);
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_took_back_stays_though_summaries_are_switched_off_and_on_again() {
    let mut world = office_filled().await;
    let run = parsed(&output(&world, &["status", "--json"]))["last_cycle"]["id"].to_string();
    assert_eq!(code(&output(&world, &["revert", &run, "--yes"])), 0);
    let with = world.mapping.clone();
    world.mapping = with.replace(
        "[support_summary]\ncontact = { open_tickets = \"open_tickets\" }\n",
        "",
    );
    assert_ne!(with, world.mapping);
    write_config(&world);
    assert_eq!(code(&output(&world, &["sync"])), 0);
    world.mapping = with;
    write_config(&world);
    let report = parsed(&output(&world, &["sync", "--json"]));
    assert_eq!(report["summed_up"], 0, "{report:#}");
    let rows = world.crm.portal().rows(Kind::Contact);
    let figures = rows
        .iter()
        .filter(|row| row.properties.contains_key("open_tickets"));
    assert_eq!(figures.count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_everything_to_be_read_does_not_keep_deleted_tickets_in_the_figures() {
    let world = office_filled().await;
    for ticket in world.desk.tickets() {
        world.desk.delete_ticket(ticket.id).unwrap();
    }
    // A held clear or another figure: in any case it is known.
    output(&world, &["sync", "--reconcile"]);
    let told = explained(&world, "open_tickets");
    assert_eq!(told["summary"][0]["comes_to"], 0, "{told:#}");
}

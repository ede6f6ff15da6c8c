//! What somebody decided after a plan was saved: the plan does not overrule it.

use crate::world::World;
use crate::world::program::{code, output, parsed, said, write_config};
use serde_json::{Value as Json, json};

const GUARDS: &str =
    "\n[guards]\ncreates = { count = 5, percent = 20 }\nupdates = { count = 5, percent = 20 }\n";

/// Nine contacts in the CRM, of whom guards hold back what is to happen.
async fn guarded() -> (World, Vec<u64>) {
    let mut world = World::new().await;
    world.mapping.push_str(GUARDS);
    write_config(&world);
    let people = (0..9).map(|number| {
        let email = format!("c{number}@acme.test");
        world.crm_contact(&[("email", &email), ("firstname", "C"), ("phone", "+1")])
    });
    let people = people.collect();
    (world, people)
}

fn plan(world: &World) {
    let plan = output(world, &["plan", "-o", "plan"]);
    assert_eq!(code(&plan), 0, "{}", said(&plan));
}

/// A cycle that holds, a plan of what it held, a person who discards it; and, `carried_out`, a cycle
/// that does as they said.
fn discarded(world: &World, carried_out: bool) {
    assert_eq!(code(&output(world, &["sync"])), 79);
    plan(world);
    discard(world, carried_out);
}

fn discard(world: &World, carried_out: bool) {
    let holds = parsed(&output(world, &["holds", "--json"]));
    let id = holds[0]["id"].to_string();
    let told = output(world, &["discard", &id]);
    assert_eq!(code(&told), 0, "{}", said(&told));
    if carried_out {
        assert_eq!(code(&output(world, &["sync"])), 0);
    }
}

fn skipped(done: &Json) -> usize {
    done["skipped"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_made_of_whom_a_person_said_since_that_they_are_not_to_be_made() {
    for carried_out in [true, false] {
        let (world, _) = guarded().await;
        discarded(&world, carried_out);
        let done = output(&world, &["apply", "plan", "--yes", "--json"]);
        assert_eq!(code(&done), 79, "{}", said(&done));
        assert_eq!(skipped(&parsed(&done)), 9, "{}", said(&done));
        assert_eq!(world.desk_count(), 0, "carried out: {carried_out}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_value_is_written_that_a_person_discarded_since() {
    for carried_out in [true, false] {
        let (world, people) = guarded().await;
        let first = output(&world, &["sync", "--approve-first"]);
        assert_eq!(code(&first), 0, "{}", said(&first));
        for person in &people {
            world.crm_edit(*person, &[("phone", "+2")]);
        }
        discarded(&world, carried_out);
        let done = output(&world, &["apply", "plan", "--yes", "--json"]);
        assert_eq!(code(&done), 79, "{}", said(&done));
        assert_eq!(skipped(&parsed(&done)), 9, "{}", said(&done));
        let there = world.desk_by_email("c3@acme.test");
        assert_eq!(there.phone.as_deref(), Some("+1"), "{carried_out}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_sync_that_was_planned_and_then_discarded_is_not_made_after_all() {
    for carried_out in [true, false] {
        let (world, _) = guarded().await;
        for number in 0..9 {
            let email = format!("c{number}@acme.test");
            world.desk_contact(&json!({"name": "C", "email": email}));
        }
        plan(&world);
        assert_eq!(code(&output(&world, &["sync"])), 79);
        discard(&world, carried_out);
        let done = output(&world, &["apply", "plan", "--yes", "--json"]);
        assert_eq!(code(&done), 79, "{}", said(&done));
        assert_eq!(skipped(&parsed(&done)), 9, "{}", said(&done));
        let there = world.desk_by_email("c3@acme.test");
        assert_eq!(there.phone, None, "{carried_out}");
    }
}

//! `--json` of commands that answer, forget and back up: programs read it, and nothing else is on stdout.

use crate::world::World;
use crate::world::program::{code, output, parsed, said, write_config};
use serde_json::json;

const CAREFUL: &str = "\n[guards]\nupdates = { count = 1, percent = 1 }\n";

/// Four people who are known on both sides, each changed in the CRM; all of that is held.
async fn held() -> (World, u64) {
    let mut world = World::new().await;
    world.mapping.push_str(CAREFUL);
    write_config(&world);
    let person = |number: u64| {
        let email = format!("c{number}@acme.test");
        world.crm_contact(&[("email", &email), ("firstname", "C"), ("phone", "+1")])
    };
    let people: Vec<u64> = (0..4).map(person).collect();
    assert_eq!(code(&output(&world, &["sync", "--approve-first"])), 0);
    for person in &people {
        world.crm_edit(*person, &[("phone", "+2")]);
    }
    assert_eq!(code(&output(&world, &["sync"])), 79);
    let ada = people.first().copied();
    (world, ada.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_answers_a_hold_reads_what_came_of_it() {
    let (world, _) = held().await;
    let holds = parsed(&output(&world, &["holds", "--json"]));
    let id = holds[0]["id"].to_string();
    let given = output(&world, &["approve", &id, "--json"]);
    assert_eq!(code(&given), 0, "{}", said(&given));
    let given = parsed(&given);
    assert_eq!(given[0]["id"], holds[0]["id"]);
    assert_eq!(
        (
            &given[0]["kind"],
            &given[0]["class"],
            &given[0]["answer"],
            &given[0]["count"]
        ),
        (
            &json!("contact"),
            &json!("update"),
            &json!("approve"),
            &json!(4)
        ),
        "{given:#}"
    );
    // A refusal is no JSON, and says so by its code.
    let gone = output(&world, &["discard", "999", "--json"]);
    assert_eq!(
        (code(&gone), &gone.stdout[..]),
        (64, &b""[..]),
        "{}",
        said(&gone)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_forgets_somebody_or_backs_up_reads_what_was_done() {
    let (world, ada) = held().await;
    let made = parsed(&output(&world, &["state", "backup", "copy.db", "--json"]));
    let bytes = std::fs::metadata(world.dir.path().join("copy.db"))
        .unwrap()
        .len();
    assert_eq!(made, json!({ "file": "copy.db", "bytes": bytes }));

    let crm = format!("crm:contact:{ada}");
    let forgotten = output(&world, &["forget", &crm, "--yes", "--json"]);
    assert_eq!(code(&forgotten), 0, "{}", said(&forgotten));
    let forgotten = parsed(&forgotten);
    assert_eq!(forgotten[0]["crm_id"], ada.to_string(), "{forgotten:#}");
    assert_eq!(forgotten[0]["records"], 2, "{forgotten:#}");
    assert_eq!(forgotten[0]["cleaned"], true, "{forgotten:#}");
    assert!(
        forgotten[0]["journal"].as_u64().unwrap() > 0,
        "{forgotten:#}"
    );
}

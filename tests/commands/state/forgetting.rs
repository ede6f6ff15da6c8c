//! People who are to be forgotten: in no byte of the state, and nobody else with them.

use super::synced;
use crate::world::World;
use crate::world::program::{Daemon, answered, code, deskbridge, output, parsed, said};
use std::fs;
use std::process::Stdio;

/// Every file of the state's directory that has this text in it, backups and configuration aside.
fn files_with(world: &World, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(world.dir.path()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let bytes = fs::read(entry.path()).unwrap();
        let has = bytes
            .windows(text.len())
            .any(|it| it.eq_ignore_ascii_case(text.as_bytes()));
        if name.starts_with("state.db") && has {
            found.push(name);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_is_forgotten_is_in_no_byte_of_the_state_and_nobody_else_is_lost() {
    let world = synced().await;
    let crm = world.crm_by_email("ada@acme.test");
    let desk = world.desk_by_email("ada@acme.test").id;
    // A value that was overwritten since lies in the journal, and in unused parts of the file.
    world.crm_edit(crm, &[("lastname", "Wintergreen")]);
    assert_eq!(code(&output(&world, &["sync"])), 0);
    let refused = output(&world, &["forget", "ada@acme.test"]);
    assert_eq!(code(&refused), 64, "{}", said(&refused));
    assert!(
        said(&refused).contains("would be read again"),
        "{}",
        said(&refused)
    );
    world.crm.portal().erase(crm).unwrap();
    world.desk.hard_delete_contact(desk).unwrap();
    output(&world, &["sync", "--reconcile"]);
    assert!(
        !files_with(&world, "lovelace").is_empty(),
        "the test has nothing to lose"
    );
    let writes = world.count("SELECT count(*) FROM journal").await;
    // Nobody answers: nothing happens.
    let mut asked = deskbridge(&world, &["forget", &format!("crm:{crm}")]);
    let asked = tokio::task::block_in_place(|| asked.stdin(Stdio::null()).output().unwrap());
    assert_eq!(code(&asked), 64, "{}", said(&asked));
    assert!(!files_with(&world, "lovelace").is_empty());
    let told = answered(&world, &["forget", &format!("crm:{crm}")], "y\n");
    assert_eq!(code(&told), 0, "{}", said(&told));
    assert!(said(&told).contains("Backups"), "{}", said(&told));
    for text in ["lovelace", "wintergreen", "ada@acme.test", "+4930123"] {
        let left = files_with(&world, text);
        assert_eq!(left, [""; 0], "{text}: {:?}", world.texts("SELECT fields || coalesce(crm_id,'') || ' ' || coalesce(desk_id, '') || ' ' || kind FROM journal").await);
    }
    // What happened stays known, without the values; Bob stays linked.
    assert_eq!(world.count("SELECT count(*) FROM journal").await, writes);
    assert!(world.count("SELECT count(*) FROM journal WHERE fields LIKE '%[forgotten]%' AND fields LIKE '%\"name\"%'").await > 0);
    assert_eq!(world.count("SELECT count(*) FROM link").await, 1);
    let after = output(&world, &["sync", "--json"]);
    assert_eq!(code(&after), 0, "{}", said(&after));
    assert_eq!(parsed(&after)["created"], 0);
    assert_eq!(code(&output(&world, &["explain", "ada@acme.test"])), 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_is_still_in_one_system_is_not_forgotten_and_made_in_the_other_again() {
    for side in ["crm", "freshdesk"] {
        let world = synced().await;
        let crm = world.crm.portal().contact_by_email("ada@acme.test");
        if side == "crm" {
            let desk = world.desk_by_email("ada@acme.test").id;
            world.desk.hard_delete_contact(desk).unwrap();
        } else {
            world.crm.portal().erase(crm.unwrap()).unwrap();
        }
        output(&world, &["sync", "--reconcile"]);
        let refused = output(&world, &["forget", "ada@acme.test"]);
        assert_eq!(code(&refused), 64, "{}", said(&refused));
        let words = format!("it still exists in {side} and would be read again");
        assert!(said(&refused).contains(&words), "{}", said(&refused));
        assert!(!files_with(&world, "lovelace").is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_forgotten_under_a_running_daemon_or_by_a_wrong_name() {
    let world = synced().await;
    let mut daemon = Daemon::start(&world);
    daemon.event("cycle");
    let told = output(&world, &["forget", "ada@acme.test", "--yes"]);
    assert_eq!(code(&told), 73, "{}", said(&told));
    assert!(said(&told).contains("in use"), "{}", said(&told));
    assert_eq!(daemon.stop(), 0);
    for name in ["nobody@acme.test", "ticket:1", "crm:", "ada"] {
        let told = output(&world, &["forget", name, "--yes"]);
        assert_eq!(code(&told), 64, "{name}: {}", said(&told));
    }
    assert_eq!(world.count("SELECT count(*) FROM link").await, 2);
    // Said with its consequence, it is done; and who still exists is read again.
    let told = output(&world, &["forget", "ada@acme.test", "--yes"]);
    assert_eq!(code(&told), 0, "{}", said(&told));
    assert_eq!(world.count("SELECT count(*) FROM link").await, 1);
    let again = output(&world, &["sync", "--reconcile", "--json"]);
    assert_eq!(parsed(&again)["linked"], 1, "{}", said(&again));
}

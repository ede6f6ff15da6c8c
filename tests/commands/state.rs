//! The state as admins handle it: backups, damage and doubts.

mod forgetting;
mod journal;
mod rights;

use crate::world::World;
use crate::world::program::{
    Daemon, bring_in_step, code, deskbridge, output, parsed, said, write_config,
};
use deskbridge::store::{Store, StoreError};
use serde_json::json;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Ada and Bob on both sides, with the real program.
async fn synced() -> World {
    let world = World::new().await;
    world.crm_person("Ada", &[("lastname", "Lovelace"), ("phone", "+4930123")]);
    world.crm_person("Bob", &[]);
    bring_in_step(&world);
    world
}

/// Puts a backup into the place of the state.
fn restore(world: &World, backup: &str) {
    for ending in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(world.dir.path().join(format!("state.db{ending}")));
    }
    fs::copy(world.dir.path().join(backup), world.state()).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_taken_beside_the_daemon_is_whole_private_and_can_be_restored() {
    let world = synced().await;
    let mut daemon = Daemon::start(&world);
    daemon.event("cycle");
    let told = output(&world, &["state", "backup", "kept.db"]);
    assert_eq!(code(&told), 0, "{}", said(&told));
    assert!(said(&told).contains("To restore it"), "{}", said(&told));
    let kept = world.dir.path().join("kept.db");
    assert_eq!(mode(&kept), 0o600);
    // A second one of that name would be the loss of the first.
    let before = fs::read(&kept).unwrap();
    let again = output(&world, &["state", "backup", "kept.db"]);
    assert_eq!(code(&again), 64, "{}", said(&again));
    assert_eq!(fs::read(&kept).unwrap(), before);
    assert!(!world.dir.path().join("kept.db.part").exists());
    let nowhere = output(&world, &["state", "backup", "no/such/place.db"]);
    assert_eq!(code(&nowhere), 71, "{}", said(&nowhere));
    // Life goes on, then the disk is lost.
    world.crm_person("Cyd", &[]);
    daemon.until(|line| line["event"] == "cycle" && line["created"] == 1);
    assert_eq!(daemon.stop(), 0);
    restore(&world, "kept.db");
    let plan = output(&world, &["plan", "--json"]);
    assert_eq!(code(&plan), 0, "{}", said(&plan));
    let report = output(&world, &["sync", "--json"]);
    assert_eq!(code(&report), 0, "{}", said(&report));
    assert_eq!(
        said(&report).matches("older copy").count(),
        1,
        "{}",
        said(&report)
    );
    let report = parsed(&report);
    assert_eq!(
        (&report["reconcile"], &report["created"], &report["linked"]),
        (&json!(true), &json!(0), &json!(1))
    );
    let second = output(&world, &["sync", "--json"]);
    assert!(!said(&second).contains("older copy"));
    assert_eq!(parsed(&second)["reconcile"], json!(false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_on_a_restored_state_reads_everything_however_lately_the_copy_did() {
    let world = synced().await;
    let told = output(&world, &["state", "backup", "kept.db"]);
    assert_eq!(code(&told), 0, "{}", said(&told));
    world.crm_person("Cyd", &[]);
    assert_eq!(code(&output(&world, &["sync"])), 0);
    restore(&world, "kept.db");
    world.forget_calls();
    let mut daemon = Daemon::start(&world);
    daemon.event("old_state");
    daemon.event("cycle");
    assert_eq!(daemon.stop(), 0);
    // What changed is searched for in the CRM, and is asked for by its time in Freshdesk.
    let lists = |log: &deskbridge::sandbox::log::RequestLog, path: &str| {
        let entries = log.entries().into_iter();
        entries
            .filter(|it| it.path == path && !it.query.contains("updated_since"))
            .count()
    };
    let crm = lists(&world.crm.backstage().log, "/crm/v3/objects/contacts");
    let desk = lists(&world.desk.backstage().log, "/api/v2/contacts");
    assert!(
        crm > 0 && desk > 0,
        "not everything is listed: {crm}, {desk}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_former_version_knew_of_a_record_is_told_before_this_one_has_worked_on_it() {
    let world = synced().await;
    world.execute("ALTER TABLE record DROP COLUMN edited").await;
    let told = output(&world, &["explain", "ada@acme.test"]);
    assert_eq!(code(&told), 0, "{}", said(&told));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_file_is_never_called_a_backup() {
    let world = synced().await;
    // `SQLite` knows no such name.
    let name = OsStr::from_bytes(b"kept\xff.db");
    let mut command = deskbridge(&world, &["state", "backup"]);
    let told = tokio::task::block_in_place(|| command.arg(name).output().unwrap());
    assert_eq!(code(&told), 64, "{}", said(&told));
    assert!(!world.dir.path().join(name).exists());
    // Neither is what is left of one that was cut short.
    fs::write(world.dir.path().join("kept.db.part"), "half").unwrap();
    let told = output(&world, &["state", "backup", "kept.db"]);
    assert_eq!(code(&told), 64, "{}", said(&told));
    assert!(
        said(&told).contains("kept.db.part exists"),
        "{}",
        said(&told)
    );
    assert!(!world.dir.path().join("kept.db").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_state_is_refused_with_what_to_do_and_is_left_as_it_is() {
    let world = synced().await;
    let whole = fs::read(world.state()).unwrap();
    let half = whole[..whole.len() / 2].to_vec();
    let mut holed = whole.clone();
    holed[8192..8192 + 4096].fill(0xAA);
    for (name, bytes) in [
        ("half", half),
        ("empty", Vec::new()),
        (
            "garbage",
            b"this is no database, and was never one".repeat(300),
        ),
        ("a hole", holed),
    ] {
        fs::write(world.state(), &bytes).unwrap();
        for command in [
            &["sync"] as &[&str],
            &["run"],
            &["plan"],
            &["state", "backup", "x.db"],
        ] {
            let told = output(&world, command);
            assert_eq!(code(&told), 73, "{name} {command:?}: {}", said(&told));
            assert!(
                said(&told).contains("put a backup in its place"),
                "{name}: {}",
                said(&told)
            );
            assert_eq!(
                fs::read(world.state()).unwrap(),
                bytes,
                "{name} {command:?}"
            );
        }
        for command in [
            &["status"] as &[&str],
            &["holds"],
            &["explain", "ada@acme.test"],
            &["forget", "ada@acme.test", "--yes"],
        ] {
            let told = output(&world, command);
            // A hole may lie where nobody has looked.
            assert!(
                [0, 64, 73].contains(&code(&told)),
                "{name} {command:?}: {}",
                said(&told)
            );
            assert!(!said(&told).contains("panicked"), "{name} {command:?}");
        }
    }
    assert!(!world.dir.path().join("x.db").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_has_one_user_under_whichever_name() {
    let world = synced().await;
    let alias = world.dir.path().join("alias.db");
    std::os::unix::fs::symlink(world.state(), &alias).unwrap();
    let _one = Store::open(&world.state()).await.unwrap();
    let other = Store::open(&alias).await;
    assert!(matches!(other, Err(StoreError::Locked(_))), "{other:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_programs_database_is_not_written_to() {
    let world = World::new().await;
    write_config(&world);
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(world.state())
        .create_if_missing(true);
    let mut other = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::query("CREATE TABLE songs (title TEXT)")
        .execute(&mut other)
        .await
        .unwrap();
    sqlx::Connection::close(other).await.unwrap();
    let before = fs::read(world.state()).unwrap();
    let told = output(&world, &["sync"]);
    assert_eq!(code(&told), 73, "{}", said(&told));
    assert!(said(&told).contains("another program"), "{}", said(&told));
    assert_eq!(fs::read(world.state()).unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_of_a_state_in_doubt_says_so() {
    let world = synced().await;
    let calm = output(&world, &["status"]);
    assert!(!said(&calm).contains("before anything"), "{}", said(&calm));
    assert!(parsed(&output(&world, &["status", "--json"]))["doubt"].is_null());
    world
        .execute("UPDATE generation SET doubt = 'the state was copied or moved here'")
        .await;
    let told = output(&world, &["status"]);
    let line = "the state was copied or moved here: everything is read before anything is written";
    assert!(said(&told).contains(line), "{}", said(&told));
    let json = parsed(&output(&world, &["status", "--json"]));
    assert_eq!(json["doubt"], "the state was copied or moved here");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_from_before_a_restored_state_makes_nobody_twice_who_has_no_address() {
    let world = synced().await;
    let backup = |arguments: &[&str]| assert_eq!(code(&output(&world, arguments)), 0);
    backup(&["state", "backup", "old.db"]);
    world.crm_contact(&[("firstname", "Walk"), ("lastname", "In")]);
    assert_eq!(code(&output(&world, &["plan", "-o", "before.plan"])), 0);
    assert_eq!(code(&output(&world, &["sync"])), 0);
    let there = world.desk_count();
    restore(&world, "old.db");
    output(&world, &["sync"]);
    let done = output(&world, &["apply", "before.plan", "--yes"]);
    assert_eq!(code(&done), 79, "{}", said(&done));
    assert_eq!(world.desk_count(), there, "{}", said(&done));
}

//! The state as admins handle it: backups, damage, forgetting people, and how long the journal is kept.

use crate::world::program::{Daemon, code, deskbridge, output, parsed, said, write_config};
use crate::world::stage::{Stage, VIP};
use crate::world::{World, cycle};
use chrono::TimeDelta;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::store::{Store, StoreError};
use deskbridge::sync::Engine;
use serde_json::json;
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// Ada and Bob on both sides, with the real program.
async fn synced() -> World {
    let world = World::new().await;
    world.crm_person("Ada", &[("lastname", "Lovelace"), ("phone", "+4930123")]);
    world.crm_person("Bob", &[]);
    write_config(&world);
    let first = output(&world, &["sync"]);
    assert_eq!(code(&first), 0, "{}", said(&first));
    world
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
    for ending in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(world.dir.path().join(format!("state.db{ending}")));
    }
    fs::copy(&kept, world.state()).unwrap();
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
    for ending in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(world.dir.path().join(format!("state.db{ending}")));
    }
    fs::copy(world.dir.path().join("kept.db"), world.state()).unwrap();
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
    let mut asked = deskbridge(&world, &["forget", &format!("crm:{crm}")]);
    let mut child = asked
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"y\n").unwrap();
    let told = tokio::task::block_in_place(|| child.wait_with_output().unwrap());
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

/// A cycle at a later time, by an engine that keeps the journal for so many days.
async fn later(clock: &SimClock, engine: &mut Engine, days: i64) {
    clock.advance(TimeDelta::days(days));
    cycle(engine).await;
}

#[tokio::test]
async fn the_journal_is_kept_for_as_long_as_the_file_says_and_what_is_still_needed_longer() {
    let (mut world, clock) = World::timed().await;
    world.remap("values    = { vip = \"VIP\", standard = \"Standard\" }", "");
    let ada = world.crm_person("Ada", &[]);
    world.crm_person("Bad", &[("customer_tier", "vip")]);
    let mut engine = world.timed_engine(&clock).await;
    engine.keep(Duration::from_hours(10 * 24));
    crate::world::attempt(&mut engine).await;
    let rows = "SELECT count(*) FROM journal";
    assert_eq!(world.count(rows).await, 2);
    later(&clock, &mut engine, 9).await;
    world.crm_edit(ada, &[("phone", "+1")]);
    cycle(&mut engine).await;
    let before = world.count(rows).await;
    later(&clock, &mut engine, 2).await;
    // Ada's creation is forgotten, her edit is not, nor what is still parked.
    let kept = world
        .texts("SELECT action || ' ' || coalesce(outcome, '') FROM journal ORDER BY id")
        .await;
    assert!(world.count(rows).await < before, "{kept:?}");
    assert!(kept.contains(&"update done".to_owned()), "{kept:?}");
    assert!(!kept.contains(&"create done".to_owned()), "{kept:?}");
    assert_eq!(world.parked().await.len(), 1);
    assert_eq!(
        world
            .count("SELECT count(*) FROM outbox WHERE journal NOT IN (SELECT id FROM journal)")
            .await,
        0
    );
    // However long nothing happens, numbers are not used again, and the last row stays.
    let last = world.count("SELECT max(id) FROM journal").await;
    later(&clock, &mut engine, 30).await;
    assert!(world.count("SELECT max(id) FROM journal").await >= last);
    assert!(world.count("SELECT count(*) FROM cycle").await >= 1);
    engine.store.close().await.unwrap();
    let engine = world.timed_engine(&clock).await;
    assert!(!engine.store.is_distrusted());
}

#[tokio::test]
async fn a_long_journal_is_pruned_in_parts_and_ticket_counts_survive_it() {
    let mut stage = Stage::new(VIP).await;
    let ticket = stage.ticket_of(stage.ada_desk, None);
    stage.tier("vip");
    stage.turn().await;
    assert_eq!(
        stage.world.report().await.tickets().await.unwrap().raised,
        1
    );
    stage.world.execute("INSERT INTO journal (cycle, at, side, kind, action, fields) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000) SELECT 1, '2020-01-01T00:00:00.000Z', 'crm', 'contact', 'update', '[]' FROM n").await;
    stage
        .world
        .execute("UPDATE journal SET at = '2020-01-01T00:00:00.000Z'")
        .await;
    let keep = Duration::from_hours(48);
    let store: &mut Store = &mut stage.engine.store;
    let now = stage.clock.now();
    let first = store.prune(now, keep).await.unwrap();
    assert!(first < 60_000, "one cycle would take long");
    let second = store.prune(now, keep).await.unwrap();
    assert!(second > 0, "the rest would be kept for ever");
    assert_eq!(store.prune(now, keep).await.unwrap(), 0, "once a day");
    assert_eq!(stage.world.count("SELECT count(*) FROM journal").await, 1);
    assert_eq!(
        stage.world.report().await.tickets().await.unwrap().raised,
        1
    );
    assert_eq!(stage.priority(ticket), crate::world::stage::URGENT);
}

/// Runs the program as a user who owns nothing here, where we may become one; else as ourselves, from
/// whom the rights are taken.
fn as_a_stranger(world: &World, arguments: &[&str]) -> std::process::Output {
    use std::os::unix::process::CommandExt as _;
    const NOBODY: u32 = 65_534;
    let directory = world.dir.path();
    let program = directory.join("program");
    if !program.exists() {
        fs::copy(env!("CARGO_BIN_EXE_deskbridge"), &program).unwrap();
    }
    let mut command = std::process::Command::new(program);
    command
        .args(arguments)
        .current_dir(directory)
        .env("HUBSPOT_TOKEN", "pat-sandbox")
        .env("FRESHDESK_API_KEY", "freshdesk-sandbox-key")
        .env("TMPDIR", "/tmp")
        .env_remove("RUST_LOG")
        .env_remove("STATE_DIRECTORY");
    let root = fs::metadata("/proc/self").is_ok_and(|it| it.uid() == 0);
    if root {
        command.uid(NOBODY).gid(NOBODY);
    }
    tokio::task::block_in_place(|| command.output().unwrap())
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_we_may_not_write_is_named_with_who_would_have_to() {
    let world = synced().await;
    let (directory, state) = (world.dir.path(), world.state());
    for entry in fs::read_dir(directory).unwrap() {
        set_mode(&entry.unwrap().path(), 0o666);
    }
    let check = |arguments: &[&str], path: &Path| {
        let told = as_a_stranger(&world, arguments);
        assert_eq!(code(&told), 73, "{arguments:?}: {}", said(&told));
        let words = format!("{} cannot be written (permission denied)", path.display());
        assert!(
            said(&told).contains(&words),
            "{arguments:?}: {}",
            said(&told)
        );
        for part in [
            "must be writable by whoever runs deskbridge, which is ",
            "it belongs to ",
        ] {
            assert!(said(&told).contains(part), "{}", said(&told));
        }
        assert!(!said(&told).contains("1544"), "{}", said(&told));
    };
    // The directory: SQLite keeps its log there.
    as_a_stranger(&world, &["--version"]);
    set_mode(&directory.join("program"), 0o555);
    set_mode(directory, 0o555);
    for arguments in [
        &["sync"][..],
        &["run"],
        &["approve", "1"],
        &["forget", "crm:1", "--yes"],
    ] {
        check(arguments, directory);
    }
    set_mode(directory, 0o777);
    set_mode(&state, 0o444);
    for arguments in [&["sync"][..], &["approve", "1"]] {
        check(arguments, &state);
    }
    set_mode(&state, 0o666);
    set_mode(directory, 0o755);
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
async fn whoever_runs_a_command_as_root_does_not_keep_the_daemon_out_of_its_state() {
    const DAEMON: u32 = 65_534;
    let world = World::new().await;
    world.crm_contact(&[("email", "ada@example.com"), ("firstname", "Ada")]);
    write_config(&world);
    let directory = world.dir.path();
    if std::os::unix::fs::chown(directory, Some(DAEMON), Some(DAEMON)).is_err() {
        eprintln!("skipped: only root can give a directory to somebody else");
        return;
    }
    assert_eq!(code(&output(&world, &["sync"])), 0);
    let mut seen = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with("state.db") {
            assert_eq!(entry.metadata().unwrap().uid(), DAEMON, "{name}");
            seen.push(name);
        }
    }
    for name in ["state.db", "state.db.generation", "state.db.lock"] {
        assert!(seen.iter().any(|it| it == name), "{seen:?}");
    }
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
    for ending in ["", "-wal", "-shm"] {
        let file = world.dir.path().join(format!("state.db{ending}"));
        let _ = fs::remove_file(file);
    }
    fs::rename(world.dir.path().join("old.db"), world.state()).unwrap();
    output(&world, &["sync"]);
    let done = output(&world, &["apply", "before.plan", "--yes"]);
    assert_eq!(code(&done), 79, "{}", said(&done));
    assert_eq!(world.desk_count(), there, "{}", said(&done));
}

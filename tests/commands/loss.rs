//! What a slip on the command line, a full disk or a reader that goes away must not cost anybody.

use crate::world::World;
use crate::world::program::{begun, bring_in_step, code, output, said, write_config, writes};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::process::{Command, Output};

/// Ada and Bob on both sides, with the real program.
async fn synced() -> World {
    let world = World::new().await;
    world.crm_person("Ada", &[]);
    world.crm_person("Bob", &[]);
    bring_in_step(&world);
    world
}

/// How many requests the CRM has seen.
fn calls(world: &World) -> usize {
    world.crm.backstage().log.entries().len()
}

/// A command whose stdout nobody reads, and who says `stdin` to it.
fn unread(world: &World, arguments: &[&str], stdin: &str) -> Output {
    let mut child = begun(world, arguments);
    drop(child.stdout.take());
    let mut answers = child.stdin.take().unwrap();
    // Who does not ask may have ended already.
    let _ = answers.write_all(stdin.as_bytes());
    drop(answers);
    tokio::task::block_in_place(|| child.wait_with_output().unwrap())
}

/// A plan cannot be put into `file`, and nothing there is touched.
fn no_place(world: &World, file: &str, why: &str) {
    let path = world.dir.path().join(file);
    let before = path.is_file().then(|| fs::read(&path).unwrap());
    let before_it = calls(world);
    let told = output(world, &["plan", "-o", file]);
    assert_eq!(code(&told), 64, "{file}: {}", said(&told));
    assert!(said(&told).contains(file), "{file}: {}", said(&told));
    assert!(said(&told).contains(why), "{file}: {}", said(&told));
    assert_eq!(calls(world), before_it, "{file}");
    let after = path.is_file().then(|| fs::read(&path).unwrap());
    assert!(before == after, "{file} is another");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_never_written_over_the_state_the_settings_or_anything_else_that_is_no_plan() {
    let world = synced().await;
    let at = |name: &str| world.dir.path().join(name);
    fs::write(at("empty"), "").unwrap();
    fs::create_dir(at("directory")).unwrap();
    let fifo = Command::new("mkfifo").arg(at("fifo")).status().unwrap();
    assert!(fifo.success());
    symlink(at("state.db"), at("link.plan")).unwrap();
    symlink("/dev/null", at("device.plan")).unwrap();
    symlink(at("nowhere"), at("dangling.plan")).unwrap();
    for (file, why) in [
        ("state.db", "no plan of deskbridge"),
        ("sync.toml", "no plan of deskbridge"),
        ("state.db.generation", "no plan of deskbridge"),
        ("state.db-journal", "belongs to the state"),
        ("empty", "no plan of deskbridge"),
        ("directory", "is a directory"),
        ("fifo", "no plain file"),
        ("link.plan", "no plan of deskbridge"),
        ("device.plan", "no plain file"),
        ("dangling.plan", "cannot be looked at"),
    ] {
        no_place(&world, file, why);
    }
    assert_eq!(code(&output(&world, &["sync"])), 0);
    // Before there is a state, its name is no place for a plan either.
    for file in ["state.db", "state.db.lock", "state.db.generation"] {
        fs::remove_file(at(file)).unwrap();
    }
    no_place(&world, "state.db", "belongs to the state");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_replaces_an_older_one_and_a_place_that_is_missing_is_told_before_everything_is_read()
 {
    let world = synced().await;
    world.crm_person("Cyd", &[]);
    let (first, second) = ("a.plan", world.dir.path().join("a.plan"));
    assert_eq!(code(&output(&world, &["plan", "-o", first])), 0);
    let older = fs::read(&second).unwrap();
    world.crm_person("Dan", &[]);
    assert_eq!(code(&output(&world, &["plan", "-o", first])), 0);
    assert!(fs::read(&second).unwrap() != older);
    let before_it = calls(&world);
    for file in ["no/such/a.plan", "sync.toml/a.plan"] {
        let told = output(&world, &["plan", "-o", file]);
        assert_eq!(code(&told), 71, "{}", said(&told));
        assert!(said(&told).contains(file), "{}", said(&told));
    }
    assert_eq!(calls(&world), before_it);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_leaves_a_state_that_is_empty_damaged_or_foreign_as_it_is() {
    let world = synced().await;
    let whole = fs::read(world.state()).unwrap();
    let songs = world.dir.path().join("songs.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(&songs)
        .create_if_missing(true);
    let mut other = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::query("CREATE TABLE songs (title TEXT)")
        .execute(&mut other)
        .await
        .unwrap();
    sqlx::Connection::close(other).await.unwrap();
    for (name, bytes) in [
        ("empty", Vec::new()),
        ("half", whole[..whole.len() / 2].to_vec()),
        ("garbage", b"this was never a database".repeat(300)),
        ("foreign", fs::read(&songs).unwrap()),
    ] {
        for command in [["approve", "1"], ["discard", "1"]] {
            for ending in ["-wal", "-shm"] {
                let _ = fs::remove_file(world.dir.path().join(format!("state.db{ending}")));
            }
            fs::write(world.state(), &bytes).unwrap();
            let told = output(&world, &command);
            assert_eq!(code(&told), 73, "{name} {command:?}: {}", said(&told));
            assert!(
                said(&told).contains("put a backup in its place"),
                "{name} {command:?}: {}",
                said(&told)
            );
            assert!(
                fs::read(world.state()).unwrap() == bytes,
                "{name} {command:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_approved_is_written_although_nobody_reads_the_preview() {
    let world = synced().await;
    let desk = || writes(&world.desk.backstage().log);
    world.crm_person("Cyd", &[]);
    let planned = unread(&world, &["plan", "--exit-code", "-o", "a.plan"], "");
    assert_eq!(code(&planned), 2, "{}", said(&planned));
    let before = desk();
    // A yes to what nobody could see is none.
    let asked = unread(&world, &["apply", "a.plan"], "y\n");
    assert_eq!(code(&asked), 71, "{}", said(&asked));
    assert!(
        said(&asked).contains("nothing was written"),
        "{}",
        said(&asked)
    );
    assert_eq!(desk(), before);
    let applied = unread(&world, &["apply", "--yes", "a.plan"], "");
    assert_eq!(code(&applied), 0, "{}", said(&applied));
    assert_eq!(desk(), before + 1);
    let cyd = world.desk_by_email("cyd@acme.test").id;
    let run = world.count("SELECT max(cycle) FROM journal").await;
    let run = run.to_string();
    let all = ["revert", &run, "--delete-created", "--yes"];
    let reverted = unread(&world, &all, "");
    assert_eq!(code(&reverted), 0, "{}", said(&reverted));
    assert!(desk() > before + 1, "contact {cyd} is still there");
    world.crm_person("Dan", &[]);
    assert_eq!(code(&unread(&world, &["sync"], "")), 0);
    world.desk_by_email("dan@acme.test");
    for command in [&["status"][..], &["holds"], &["--help"]] {
        assert_eq!(code(&unread(&world, command, "")), 0, "{command:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn taking_back_one_field_puts_no_whole_record_into_the_trash() {
    let world = synced().await;
    let both = ["revert", "1", "--field", "firstname", "--delete-created"];
    let told = output(&world, &both);
    assert_eq!(code(&told), 64, "{}", said(&told));
    assert!(
        said(&told).contains("cannot be used with"),
        "{}",
        said(&told)
    );
    let told = output(&world, &["revert"]);
    assert_eq!(code(&told), 64, "{}", said(&told));
    assert!(
        said(&told).contains("a RUN or --since TIME"),
        "{}",
        said(&told)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_or_a_pipe_in_the_place_of_the_state_is_named() {
    let world = World::new().await;
    write_config(&world);
    for make in ["mkdir", "mkfifo"] {
        assert!(
            Command::new(make)
                .arg(world.state())
                .status()
                .unwrap()
                .success()
        );
        for command in [
            &["sync"][..],
            &["plan"],
            &["run"],
            &["status"],
            &["approve", "1"],
            &["state", "backup", "x.db"],
        ] {
            let told = output(&world, command);
            assert_eq!(code(&told), 73, "{make} {command:?}: {}", said(&told));
            assert!(
                said(&told).contains("state.db: is "),
                "{make} {command:?}: {}",
                said(&told)
            );
        }
        if make == "mkdir" {
            fs::remove_dir(world.state()).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_was_lost_is_not_begun_anew_without_a_word() {
    let world = synced().await;
    let at = |ending: &str| world.dir.path().join(format!("state.db{ending}"));
    for ending in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(at(ending));
    }
    let before = calls(&world);
    let mark = at(".generation").display().to_string();
    for command in [
        &["sync"][..],
        &["run"],
        &["plan"],
        &["status"],
        &["approve", "1"],
        &["revert", "1", "--yes"],
    ] {
        let told = output(&world, command);
        assert_eq!(code(&told), 73, "{command:?}: {}", said(&told));
        for words in [
            "state.db is gone",
            "restore a backup",
            &format!("remove {mark}"),
        ] {
            assert!(said(&told).contains(words), "{command:?}: {}", said(&told));
        }
        assert!(!at("").exists(), "{command:?}");
    }
    assert_eq!(calls(&world), before);
    fs::remove_file(at(".generation")).unwrap();
    let told = output(&world, &["sync"]);
    assert_eq!(code(&told), 0, "{}", said(&told));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_is_told_from_a_company_with_the_same_id() {
    let world = synced().await;
    let ada = world
        .crm
        .portal()
        .contact_by_email("ada@acme.test")
        .unwrap();
    let told = output(&world, &["explain", &format!("crm:contact:{ada}")]);
    assert_eq!(code(&told), 0, "{}", said(&told));
    assert!(said(&told).contains("ada@acme.test"), "{}", said(&told));
    let told = output(&world, &["explain", &format!("crm:company:{ada}")]);
    assert_eq!(code(&told), 64, "{}", said(&told));
}

//! Whose the files of the state are, and who may write them.

use super::synced;
use crate::world::World;
use crate::world::program::{code, output, said, write_config};
use crate::world::wiring::{CRM_TOKEN, DESK_KEY};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

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
        .env("HUBSPOT_TOKEN", CRM_TOKEN)
        .env("FRESHDESK_API_KEY", DESK_KEY)
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

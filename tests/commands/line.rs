//! The command line as scripts and service managers see it: exit codes, stdout, stderr.

use crate::place::{CONTACTS, Place};
use crate::world::program::{code, keyless};
use serde_json::Value as Json;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;
use std::thread;

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A server that gives every request this answer.
fn server(status: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
                 connection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    url
}

/// An address at which nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn a_slip_on_the_command_line_is_no_other_failure() {
    let place = Place::offline(CONTACTS);
    for arguments in [&[][..], &["frobnicate"], &["sync", "--fast"], &["-c"]] {
        let output = place.run(arguments);
        assert_eq!(code(&output), 64, "{arguments:?}");
        assert_eq!(stdout(&output), "", "{arguments:?}");
        assert!(stderr(&output).contains("--help"), "{arguments:?}");
    }
}

#[test]
fn help_and_version_are_results() {
    let place = Place::offline(CONTACTS);
    let help = place.run(&["--help"]);
    assert_eq!(code(&help), 0);
    for told in [
        "plan",
        "79  done, but something is held",
        "$STATE_DIRECTORY",
    ] {
        assert!(stdout(&help).contains(told), "{told}");
    }
    assert_eq!(code(&place.run(&["--version"])), 0);
    assert_eq!(code(&place.run(&["sync", "--help"])), 0);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let empty = tempfile::tempdir().unwrap();
    let named = keyless(empty.path(), &["-c", "other.toml", "check"])
        .output()
        .unwrap();
    assert_eq!(code(&named), 78);
    assert!(stderr(&named).contains("other.toml"), "{}", stderr(&named));
    // A machine with a deskbridge of its own has the second place, which the first one outranks.
    if !Path::new("/etc/deskbridge/sync.toml").exists() {
        let unnamed = keyless(empty.path(), &["check"]).output().unwrap();
        assert_eq!(code(&unnamed), 78);
        assert!(stderr(&unnamed).contains("-c FILE"), "{}", stderr(&unnamed));
    }
}

#[test]
fn every_command_stops_at_a_wrong_file_and_shows_the_place() {
    let place = Place::offline(&format!("{CONTACTS}\n[schedule]\npol = \"60s\"\n"));
    for command in [
        &["check"][..],
        &["sync"],
        &["plan"],
        &["run"],
        &["status"],
        &["holds"],
        &["revert", "1"],
    ] {
        let output = place.run(command);
        assert_eq!(code(&output), 78, "{command:?}: {}", stderr(&output));
        let said = stderr(&output);
        assert!(said.contains("sync.toml:"), "{command:?}: {said}");
        assert!(said.contains("poll"), "{command:?}: {said}");
        assert_eq!(stdout(&output), "", "{command:?}");
    }
    let output = place.run(&["check", "--json"]);
    assert_eq!(code(&output), 78);
    let json: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["errors"], 1);
    assert!(json["findings"][0]["line"].as_u64().unwrap() > 1);
}

#[test]
fn a_file_is_checked_before_anybody_has_the_keys() {
    let place = Place::offline(CONTACTS);
    let output = place.run_without_keys(&["check"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("2 fields of a contact"));
    assert!(stderr(&output).contains("HUBSPOT_TOKEN"));
    for command in [&["check", "--online"][..], &["sync"], &["plan"], &["run"]] {
        assert_eq!(code(&place.run_without_keys(command)), 78, "{command:?}");
    }
}

#[test]
fn a_test_that_fails_fails_the_check_and_says_what_would_be_written() {
    let test = |freshdesk: &str| {
        format!(
            "{CONTACTS}\n[[test]]\nname = \"e-mail\"\nrecord = \"contact\"\n\
             crm = {{ email = \"Ada@Example.com\" }}\nfreshdesk = {{ email = \"{freshdesk}\" }}\n"
        )
    };
    let good = Place::offline(&test("ada@example.com")).run(&["check"]);
    assert_eq!(code(&good), 0, "{}", stderr(&good));
    assert!(stdout(&good).contains("test \"e-mail\": passed"));
    let place = Place::offline(&test("eva@example.com"));
    let bad = place.run(&["check"]);
    assert_eq!(code(&bad), 78);
    assert!(stdout(&bad).contains("FAILED"), "{}", stdout(&bad));
    assert!(stdout(&bad).contains("ada@example.com"));
    let json: Json = serde_json::from_slice(&place.run(&["check", "--json"]).stdout).unwrap();
    assert_eq!(json["tests"][0]["passed"], false);
}

#[test]
fn an_editor_gets_a_schema() {
    let output = Place::offline(CONTACTS).run(&["schema"]);
    assert_eq!(code(&output), 0);
    let schema: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert!(schema["properties"]["contacts"].is_object());
}

#[test]
fn a_state_that_is_not_there_is_no_empty_one() {
    let place = Place::offline(CONTACTS);
    for command in [&["status"][..], &["holds"], &["revert", "1", "--yes"]] {
        let output = place.run(command);
        assert_eq!(code(&output), 73, "{command:?}");
        assert!(stderr(&output).contains("state.db does not exist"));
    }
    assert!(!place.path("state.db").exists());
}

#[test]
fn a_damaged_state_is_never_written_over() {
    let place = Place::offline(CONTACTS);
    let torn = "this is no database, whatever its name says\n".repeat(200);
    fs::write(place.path("state.db"), &torn).unwrap();
    for command in ["status", "holds", "plan", "sync", "run"] {
        let output = place.run(&[command]);
        assert_eq!(code(&output), 73, "{command}: {}", stderr(&output));
        assert!(
            stderr(&output).contains("damaged"),
            "{command}: {}",
            stderr(&output)
        );
    }
    assert_eq!(fs::read_to_string(place.path("state.db")).unwrap(), torn);
}

#[test]
fn two_instances_never_share_a_state() {
    let place = Place::offline(CONTACTS);
    let lock = File::create(place.path("state.db.lock")).unwrap();
    lock.lock().unwrap();
    for command in ["sync", "run"] {
        let output = place.run(&[command]);
        assert_eq!(code(&output), 73, "{command}: {}", stderr(&output));
        assert!(stderr(&output).contains("in use by another deskbridge"));
    }
}

#[test]
fn a_refused_key_names_its_system_and_is_not_tried_for_ever() {
    let denied = server("401 Unauthorized", r#"{"message": "no such token"}"#);
    let place = Place::new(&denied, &denied, CONTACTS);
    for command in [&["sync"][..], &["plan"], &["run"]] {
        let output = place.run(command);
        assert_eq!(code(&output), 77, "{command:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("crm: "), "{}", stderr(&output));
        assert!(
            stderr(&output).contains("freshdesk: "),
            "{}",
            stderr(&output)
        );
        assert_eq!(stdout(&output), "", "{command:?}");
    }
    let output = place.run(&["check", "--online"]);
    assert_eq!(code(&output), 77, "{}", stderr(&output));
    assert!(
        stdout(&output).contains("error: crm: "),
        "{}",
        stdout(&output)
    );
    let output = place.run(&["check", "--online", "--json"]);
    let json: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["online"]["errors"].as_array().unwrap().len(), 2);
}

#[test]
fn a_system_that_cannot_be_reached_is_no_wrong_key() {
    let place = Place::new(&nobody(), &nobody(), CONTACTS);
    let place = &place;
    let commands = [&["sync"][..], &["plan"], &["check", "--online"]];
    thread::scope(|scope| {
        for command in commands {
            scope.spawn(move || {
                let output = place.run(command);
                assert_eq!(code(&output), 69, "{command:?}: {}", stderr(&output));
            });
        }
    });
}

#[test]
fn a_plan_that_fails_leaves_no_customers_data_behind() {
    let denied = server("401 Unauthorized", "{}");
    let place = Place::new(&denied, &denied, CONTACTS);
    assert_eq!(code(&place.run(&["plan"])), 77);
    let left: Vec<_> = fs::read_dir(place.dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name != "sync.toml")
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Refused by this code, with this in what it says.
fn refused(output: &Output, code: i32, sentence: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(sentence), "{said}");
}

#[test]
fn a_file_that_is_far_too_large_or_none_at_all_is_refused_with_a_sentence_and_not_read() {
    let place = Place::offline(CONTACTS);
    let huge = File::create(place.path("huge")).unwrap();
    huge.set_len(1 << 30).unwrap();
    fs::create_dir(place.path("directory")).unwrap();
    let plan = |file: &str| place.run(&["apply", file, "--yes"]);
    refused(&plan("huge"), 64, "huge: it has more than 512 MiB");
    refused(&plan("huge"), 64, "`deskbridge plan -o FILE`");
    refused(&plan("directory"), 64, "directory: Is a directory");
    refused(&plan("nothing"), 64, "nothing: No such file");
    let config = |file: &str| place.run(&["check", "-c", file]);
    refused(&config("huge"), 78, "huge: it has more than 4 MiB");
    refused(
        &config("/dev/zero"),
        78,
        "/dev/zero: it has more than 4 MiB",
    );
    refused(&config("directory"), 78, "directory: Is a directory");
    let text = fs::read_to_string(place.path("sync.toml")).unwrap();
    for (file, sentence) in [
        ("/dev/zero", "it has more than 64 KiB"),
        ("huge", "it has more than 64 KiB"),
        ("directory", "Is a directory"),
    ] {
        let file = place.path(file);
        let key = format!("{{ file = \"{}\" }}", file.display());
        let text = text.replace("{ env = \"FRESHDESK_API_KEY\" }", &key);
        fs::write(place.path("keys.toml"), text).unwrap();
        refused(&place.run(&["plan", "-c", "keys.toml"]), 78, sentence);
    }
}

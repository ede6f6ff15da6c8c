//! The demo as a newcomer runs it: the real binary, to its end.

use serde_json::Value;
use std::io::{BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

fn deskbridge(temporary: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deskbridge"));
    command
        .env("TMPDIR", temporary)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null());
    command
}

/// What each act has to show, in order.
const STORY: [&str; 42] = [
    "── 1. ",
    "linked, ",
    "(first sync: was empty there)",
    "left alone",
    "NORDWIND LOGISTICS (HubSpot): ",
    "── 2. ",
    "Sales, in HubSpot ",
    "Support, in Freshdesk ",
    "2 updated, ",
    "(changed in ",
    "── 3. ",
    "\"+1 415 555 0100\" → \"+14155550199\"",
    "because both differ: freshdesk is newer",
    "\"+1 415 555 0100\" lost; the journal keeps it",
    "because both differ: crm wins by the mapping",
    "── 4. ",
    "4 created, ",
    "new company: name \"Lighthouse Keepers\"",
    "── 5. ",
    "deskbridge plan ",
    "priority \"low\" → \"urgent\"",
    "2 tickets raised",
    "(ticket rule `vip`)",
    "── 6. ",
    "priority urgent → medium",
    "1 ticket raised",
    "the priority is the agent's now",
    "── 7. ",
    "1 standing ended, 3 tickets given back",
    "priority \"urgent\" → \"medium\"",
    "── 8. ",
    "\"Platinum\" [refused]",
    "It should be one of these values: 'Free,Team,Enterprise'",
    "→ \"Enterprise\"",
    "── 9. ",
    "deskbridge status: held",
    "── 10. ",
    "incomplete, ",
    "→ \"Chief Happiness Officer\"",
    "── 11. ",
    "── 12. ",
    "nothing to do, ",
];

#[test]
fn a_newcomer_sees_each_act_and_both_systems_agree_in_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let output = deskbridge(dir.path())
        .args(["demo", "--seed", "1"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}\n{complaints}");
    let mut rest = text.as_str();
    for line in STORY {
        let (_, after) = rest
            .split_once(line)
            .unwrap_or_else(|| panic!("no {line:?} in its place\n{text}"));
        rest = after;
    }
    assert!(
        rest.contains("They agree.") && !text.contains("WRONG"),
        "{text}"
    );
    assert_eq!(complaints, "");
    assert!(!text.contains('\u{1b}'), "colours where nobody sees them");
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_program_can_read_the_result_of_a_demo_with_an_empty_freshdesk() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = [
        "demo",
        "--json",
        "--empty-freshdesk",
        "--population",
        "120",
        "--seed",
        "7",
    ];
    let output = deskbridge(dir.path()).args(arguments).output().unwrap();
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["agree"], true, "{result:#}");
    assert!(
        result["checks"]
            .as_array()
            .unwrap()
            .iter()
            .all(|check| check["ok"] == true)
    );
    assert!(output.status.success());
}

/// A demo that stays; killed when the test is over, however it ends.
struct Kept(Child);

impl Kept {
    /// Ends it as a service manager does.
    fn terminate(&mut self) -> ExitStatus {
        let pid = self.0.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        self.0.wait().unwrap()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Reads one JSON document that is laid out over several lines.
fn document(from: &mut impl std::io::BufRead) -> Value {
    let mut text = String::new();
    while !text.ends_with("}\n") {
        assert_ne!(from.read_line(&mut text).unwrap(), 0, "ended early: {text}");
    }
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_systems_that_stay_can_be_synced_with_the_file_that_comes_with_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut kept = Kept(
        deskbridge(dir.path())
            .args(["demo", "--keep", "--json", "--population", "100"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let mut out = BufReader::new(kept.0.stdout.take().unwrap());
    let place = document(&mut out);
    let keys = std::fs::read_to_string(place["env"].as_str().unwrap()).unwrap();
    let keys: Vec<(&str, &str)> = keys
        .lines()
        .filter_map(|line| line.split_once('='))
        .collect();
    let run = |arguments: &[&str]| {
        let output = deskbridge(dir.path())
            .args(["-c", place["config"].as_str().unwrap()])
            .args(arguments)
            .envs(keys.clone())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let complaints = String::from_utf8(output.stderr).unwrap();
        (
            output.status.code(),
            format!("{arguments:?}\n{text}\n{complaints}"),
        )
    };
    for (arguments, code) in [
        (&["check", "--online"] as &[&str], 0),
        (&["plan", "--exit-code"], 2),
        (&["sync"], 0),
        (&["plan", "--exit-code"], 0),
        (&["status"], 0),
    ] {
        let (exit, said) = run(arguments);
        assert_eq!(exit, Some(code), "{said}");
    }
    assert!(kept.terminate().success());
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
    assert!(!Path::new(place["directory"].as_str().unwrap()).exists());
}

//! `deskbridge revert`: a person sees what goes back before it does, and how it ended.

use crate::world::World;
use crate::world::program::{begun, bring_in_step, code, output, parsed, said};
use serde_json::json;

/// Ada's telephone went from +1 to +2 in the CRM, and the program brought that across: her id in the CRM,
/// and the number of that run.
pub(super) async fn telephoned() -> (World, u64, String) {
    let world = World::new().await;
    let ada = world.crm_person("Ada", &[("phone", "+1")]);
    bring_in_step(&world);
    world.crm_edit(ada, &[("phone", "+2")]);
    let report = parsed(&output(&world, &["sync", "--json"]));
    (world, ada, report["id"].to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_sees_what_goes_back_before_it_does_and_says_yes() {
    let (world, _, number) = telephoned().await;
    let phone = || world.desk_by_email("ada@acme.test").phone;

    // Nobody answers, so nothing happens.
    let unanswered = output(&world, &["revert", &number]);
    assert_eq!(code(&unanswered), 64, "{}", said(&unanswered));
    let told = said(&unanswered);
    assert!(
        told.contains("phone: \"+1\" (base \"+2\", crm \"+2\", freshdesk \"+2\"; takes back run"),
        "{told}"
    );
    assert_eq!(phone().as_deref(), Some("+2"));

    let done = output(&world, &["revert", &number, "--yes"]);
    assert_eq!(code(&done), 0, "{}", said(&done));
    assert!(said(&done).contains("takes it back"), "{}", said(&done));
    assert_eq!(phone().as_deref(), Some("+1"));
    for _ in 0..3 {
        let report = parsed(&output(&world, &["sync", "--json"]));
        assert_eq!(report["updated"], 0, "{report}");
    }

    for nonsense in [
        &["revert", "999", "--yes"][..],
        &["revert", "0", "--yes"],
        &["revert", "-3", "--yes"],
        &["revert", &number, "--yes"],
        &["revert", &number, "--field", "shoe_size", "--yes"],
        &["revert", &number, "--record", "nobody@acme.test", "--yes"],
        &["revert", &number, "--record", "17", "--yes"],
        &["revert", &number, "--since", "yesterday", "--yes"],
        &["revert", "ada", "--yes"],
        &["revert", "--yes"],
    ] {
        world.forget_calls();
        let refused = output(&world, nonsense);
        assert_eq!(code(&refused), 64, "{nonsense:?}: {}", said(&refused));
        assert_eq!(world.writes(), [""; 0], "{nonsense:?}");
    }
    assert!(said(&output(&world, &["revert", "999"])).contains("there was no run 999"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_not_go_back_ends_with_a_code_of_its_own() {
    let world = World::new().await;
    let ada = world.crm_person("Ada", &[("phone", "+1"), ("jobtitle", "A")]);
    bring_in_step(&world);
    world.crm_edit(ada, &[("phone", "+2"), ("jobtitle", "B")]);
    let report = parsed(&output(&world, &["sync", "--json"]));
    let number = report["id"].to_string();
    let there = world.desk_by_email("ada@acme.test").id;
    world.desk_edit(there, &json!({"phone": "+9"}));
    let done = output(&world, &["revert", &number, "--yes", "--json"]);
    assert_eq!(code(&done), 79, "{}", said(&done));
    let done = parsed(&done);
    assert_eq!(done["skipped"][0]["field"], "phone");
    assert_eq!(done["skipped"][0]["freshdesk_id"], there.to_string());
    assert_eq!(done["changes"][0]["fields"][0]["result"], "A");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_taken_back_behind_a_running_instance() {
    let world = World::new().await;
    world.crm_person("Ada", &[("phone", "+1")]);
    bring_in_step(&world);
    let engine = world.engine_of_another_process();
    world.forget_calls();
    let refused = output(&world, &["revert", "1", "--yes"]);
    assert_eq!(code(&refused), 73, "{}", said(&refused));
    assert!(said(&refused).contains("in use by another deskbridge; stop that one"));
    assert_eq!(world.writes(), [""; 0]);
    drop(engine);
}

trait Busy {
    /// The state's lock, as a running daemon holds it.
    fn engine_of_another_process(&self) -> std::fs::File;
}

impl Busy for World {
    fn engine_of_another_process(&self) -> std::fs::File {
        let lock = std::fs::File::create(self.dir.path().join("state.db.lock")).unwrap();
        lock.lock().unwrap();
        lock
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn taking_back_what_one_record_got_needs_no_memory_for_what_all_others_got() {
    use std::io::{BufRead as _, Write as _};
    let (world, ada, _) = telephoned().await;
    // As much as would take 300 MB if it were all read together.
    world
        .execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
             INSERT INTO journal (id, cycle, at, side, kind, action, crm_id, desk_id, fields, outcome)
             SELECT j.id + i, j.cycle, j.at, j.side, j.kind, j.action, 'x' || i, 'x' || i,
                    (SELECT fields FROM journal WHERE action = 'create'), j.outcome
             FROM n, (SELECT * FROM journal ORDER BY id DESC LIMIT 1) AS j",
        )
        .await;
    let record = format!("crm:{ada}");
    let arguments = ["revert", "--since", "2000-01-01", "--record", &record];
    let mut child = begun(&world, &arguments);
    let mut shown = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    tokio::task::block_in_place(|| shown.read_line(&mut line).unwrap());
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status.lines().find_map(|it| it.strip_prefix("VmHWM:"));
    let peak = peak.unwrap().trim_end_matches("kB").trim();
    let peak: u64 = peak.parse().unwrap();
    child.stdin.take().unwrap().write_all(b"n\n").unwrap();
    let told = tokio::task::block_in_place(|| child.wait_with_output().unwrap());
    assert_eq!(code(&told), 0, "{line}{}", said(&told));
    assert!(line.contains("contact"), "{line}");
    assert!(peak < 120_000, "{peak} kB");
}

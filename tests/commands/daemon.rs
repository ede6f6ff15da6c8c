//! The real binary between two simulated systems: `run` and its signals, and the commands beside it.

use crate::world::World;
use crate::world::program::{
    Daemon, PATIENCE, RHYTHM, code, deskbridge, kill, output, parsed, said, write_config, writes,
};
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::freshdesk::Options as DeskOptions;
use deskbridge::sandbox::hubspot::{
    HubspotSim, Kind as CrmKind, Limits as CrmLimits, Options as CrmOptions, Seed,
};
use serde_json::{Value as Json, json};
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

fn people(world: &World, numbers: std::ops::Range<usize>) {
    let seeds = numbers.map(|number| Seed {
        properties: vec![
            ("email", format!("person{number}@example.com")),
            ("firstname", format!("Person {number}")),
            ("lastname", "Example".to_owned()),
        ],
        company: None,
    });
    let at = "2026-01-05T08:00:00Z".parse().unwrap();
    world
        .crm
        .portal()
        .populate(CrmKind::Contact, at, seeds)
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_run_brings_both_sides_together_and_can_be_watched_while_it_works() {
    let world = World::new().await;
    people(&world, 0..30);
    for number in 25..35 {
        let email = format!("Person{number}@example.com");
        let contact = json!({"name": format!("Person {number} Example"), "email": email});
        world.desk.add_contact(&contact).unwrap();
    }
    write_config(&world);
    let mut daemon = Daemon::start(&world);
    let cycle = daemon.until(|line| line["event"] == "cycle" && line["linked"] == 5);
    assert_eq!(cycle["created"], 30, "{cycle}");
    assert_eq!(cycle["outcome"], "done");
    for number in ["calls_crm", "calls_freshdesk", "seconds", "next", "lag"] {
        assert!(cycle[number].is_number(), "{number}: {cycle}");
    }
    assert_eq!(world.desk.contacts().len(), 35);
    assert_eq!(world.crm.portal().count(CrmKind::Contact), 35);

    let status = output(&world, &["status", "--json"]);
    assert_eq!(code(&status), 0, "{}", said(&status));
    let status = parsed(&status);
    assert_eq!(status["records"]["contact"]["linked"], 35, "{status}");
    assert_eq!(status["records"]["company"]["linked"], 0);
    assert_eq!(status["accounts"]["crm"], "hubspot:62515");
    assert!(status["last_cycle"]["calls"]["freshdesk"].is_number());
    assert_eq!(status["tickets"]["raised"], 0);
    assert_eq!(status["tickets"]["restored"], 0);
    let text = output(&world, &["status"]);
    assert!(said(&text).contains("hubspot:62515"), "{}", said(&text));

    let beside = output(&world, &["plan", "--exit-code"]);
    assert_eq!(code(&beside), 0, "{}", said(&beside));

    let all = format!("{:?}", daemon.seen);
    assert!(
        !all.contains("@example.com"),
        "an address is in the log: {all}"
    );
    assert_eq!(daemon.stop(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_says_what_a_cycle_would_do_and_does_none_of_it() {
    let world = World::new().await;
    people(&world, 0..3);
    write_config(&world);
    let before = output(&world, &["plan", "--json"]);
    assert_eq!(code(&before), 0, "{}", said(&before));
    let plan = parsed(&before);
    let changes = plan["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 3, "{plan}");
    let change = &changes[0];
    assert_eq!(change["record"], "contact");
    assert_eq!(change["action"], "create");
    assert_eq!(change["side"], "freshdesk");
    assert!(change["crm_id"].is_string());
    assert!(change["freshdesk_id"].is_null());
    let email = change["fields"].as_array().unwrap();
    let email = email.iter().find(|it| it["field"] == "email").unwrap();
    assert_eq!(email["result"], "person0@example.com");
    assert_eq!(email["rule"], "new record");
    assert_eq!(email["base"], Json::Null);
    let calls = plan["calls"]["freshdesk"].as_object().unwrap();
    assert!(calls.values().any(|number| number == 3), "{plan}");
    assert!(plan["minutes"].is_number());
    assert!(!world.state().exists(), "a plan made a state");
    assert_eq!(writes(&world.crm.backstage().log), 0);
    assert_eq!(writes(&world.desk.backstage().log), 0);

    assert_eq!(code(&output(&world, &["plan", "--exit-code"])), 2);
    let synced = output(&world, &["sync"]);
    assert_eq!(code(&synced), 0, "{}", said(&synced));
    let nothing = output(&world, &["plan", "--exit-code"]);
    assert_eq!(code(&nothing), 0, "{}", said(&nothing));
    assert!(said(&nothing).contains("nothing to write"));

    let id = world.crm.portal().contact_by_email("person1@example.com");
    world.crm_edit(id.unwrap(), &[("jobtitle", "Pilot")]);
    let text = output(&world, &["plan"]);
    assert_eq!(code(&text), 0, "{}", said(&text));
    assert!(
        said(&text).contains("update contact in freshdesk"),
        "{}",
        said(&text)
    );
    assert!(
        said(&text).contains("job_title: \"Pilot\""),
        "{}",
        said(&text)
    );
    assert_eq!(nothing_but_config_and_state(world.dir.path()), [""; 0]);
}

fn nothing_but_config_and_state(directory: &Path) -> Vec<String> {
    fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name != "sync.toml" && !name.starts_with("state.db"))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_in_the_middle_loses_nothing_and_makes_nothing_twice() {
    let world = World::new().await;
    people(&world, 0..400);
    write_config(&world);
    let mut daemon = Daemon::start(&world);
    tokio::time::timeout(PATIENCE, async {
        while world.desk.contacts().len() < 20 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    daemon.signal("TERM");
    assert_eq!(daemon.end(), 0);
    let made = world.desk.contacts().len();
    assert!((20..400).contains(&made), "{made}");
    let mut daemon = Daemon::start(&world);
    daemon.until(|line| line["event"] == "cycle" && line["outcome"] == "done");
    assert_eq!(world.desk.contacts().len(), 400);
    assert_eq!(world.crm.portal().count(CrmKind::Contact), 400);
    assert_eq!(daemon.stop(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_sync_says_that_it_is_not_done() {
    let world = World::new().await;
    people(&world, 0..400);
    write_config(&world);
    let mut child = deskbridge(&world, &["sync"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    tokio::time::timeout(PATIENCE, async {
        while world.desk.contacts().len() < 20 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    kill("TERM", &child);
    let status = tokio::task::block_in_place(|| child.wait().unwrap());
    assert_eq!(status.code(), Some(75));
    let rest = output(&world, &["sync", "--json"]);
    assert_eq!(code(&rest), 0, "{}", said(&rest));
    assert_eq!(parsed(&rest)["outcome"], "done");
    assert_eq!(world.desk.contacts().len(), 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_takes_a_good_file_and_leaves_a_wrong_one_alone() {
    let mut world = World::new().await;
    let ada = world.crm_contact(&[("email", "ada@example.com"), ("lastname", "Lovelace")]);
    write_config(&world);
    let mut daemon = Daemon::start(&world);
    daemon.event("cycle");

    let file = world.dir.path().join("sync.toml");
    fs::write(&file, "[crm]\nkind = \"hubspott\"\n").unwrap();
    daemon.signal("HUP");
    let wrong = daemon.until(|line| line["event"] == "config" && line["level"] == "error");
    assert!(wrong["line"].is_number(), "{wrong}");
    daemon.until(|line| line["event"] == "reload" && line["level"] == "error");
    world.crm_edit(ada, &[("jobtitle", "Pilot")]);
    daemon.until(|line| line["event"] == "cycle" && line["updated"] == 1);

    world.mapping = world
        .mapping
        .replace("freshdesk = \"job_title\"", "freshdesk = \"description\"");
    write_config(&world);
    daemon.signal("HUP");
    daemon.event("reloaded");
    daemon.until(|line| line["event"] == "cycle" && line["updated"] == 1);
    let contact = world.desk_by_email("ada@example.com");
    assert_eq!(contact.description.as_deref(), Some("Pilot"));
    assert_eq!(daemon.stop(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_is_used_by_one_daemon_and_for_its_own_accounts_only() {
    let mut world = World::new().await;
    people(&world, 0..2);
    write_config(&world);
    let mut daemon = Daemon::start(&world);
    daemon.event("cycle");
    for second in [&["run"][..], &["sync"]] {
        let refused = output(&world, second);
        assert_eq!(code(&refused), 73, "{}", said(&refused));
        assert!(
            said(&refused).contains("in use by another"),
            "{}",
            said(&refused)
        );
    }

    let options = CrmOptions {
        portal_id: 4711,
        ..CrmOptions::default()
    };
    let former = std::mem::replace(&mut world.crm, HubspotSim::start(options).await.unwrap());
    write_config(&world);
    daemon.signal("HUP");
    daemon.until(|line| {
        let message = line["message"].as_str().unwrap_or_default();
        line["event"] == "reload" && message.contains("hubspot:4711")
    });
    assert_eq!(daemon.stop(), 0);
    for command in [&["run"][..], &["sync"], &["plan"]] {
        let refused = output(&world, command);
        assert_eq!(code(&refused), 73, "{}", said(&refused));
        assert!(
            said(&refused).contains("hubspot:4711"),
            "{}",
            said(&refused)
        );
    }
    assert_eq!(writes(&world.crm.backstage().log), 0);
    drop(former);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_read_again_when_its_time_has_come_also_after_a_restart() {
    let world = World::new().await;
    people(&world, 0..3);
    let text = world.sync_toml() + RHYTHM;
    let file = world.dir.path().join("sync.toml");
    fs::write(&file, &text).unwrap();
    let mut daemon = Daemon::start(&world);
    daemon.event("cycle");
    assert_eq!(daemon.stop(), 0);
    let mut daemon = Daemon::start(&world);
    assert_eq!(daemon.event("cycle")["reconcile"], false);
    assert_eq!(daemon.stop(), 0);
    fs::write(&file, text + "reconcile = \"5s\"\n").unwrap();
    let mut daemon = Daemon::start(&world);
    daemon.until(|line| line["event"] == "cycle" && line["reconcile"] == true);
    daemon.until(|line| line["event"] == "cycle" && line["reconcile"] == true);
    assert_eq!(daemon.stop(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_system_that_is_down_is_named_once_and_so_is_its_return() {
    let world = World::new().await;
    people(&world, 0..2);
    write_config(&world);
    let mut daemon = Daemon::start(&world);
    daemon.event("cycle");
    world.desk.backstage().faults.take_down();
    daemon.signal("HUP");
    let down = daemon.event("system_down");
    assert_eq!(down["side"], "freshdesk", "{down}");
    daemon.event("cycle");
    daemon.signal("HUP");
    daemon.event("cycle");
    world.desk.backstage().faults.clear();
    daemon.signal("HUP");
    let back = daemon.event("system_back");
    assert_eq!(back["side"], "freshdesk");
    let said = daemon.seen.iter();
    assert_eq!(said.filter(|it| it["event"] == "system_down").count(), 1);
    assert_eq!(daemon.stop(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_starts_before_its_network_waits_and_is_ready_meanwhile() {
    let world = World::new().await;
    people(&world, 0..2);
    write_config(&world);
    world.crm.backstage().faults.take_down();
    let socket = world.dir.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut daemon = Daemon::start_with(&world, |command| {
        command.env("NOTIFY_SOCKET", &socket);
    });
    let heard = || {
        let mut message = [0; 512];
        let length = tokio::task::block_in_place(|| manager.recv(&mut message).unwrap());
        String::from_utf8_lossy(&message[..length]).into_owned()
    };
    assert_eq!(heard(), "READY=1\nSTATUS=waits for crm\n");
    world.crm.backstage().faults.clear();
    daemon.event("system_back");
    assert_eq!(heard(), "READY=1\nSTATUS=working\n");
    daemon.event("cycle");
    assert!(heard().starts_with("STATUS=cycle 1 done"));
    daemon.signal("HUP");
    assert!(heard().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert!(heard().starts_with("READY=1\n"));
    daemon.signal("TERM");
    assert_eq!(daemon.end(), 0);
    let mut last = heard();
    while !last.starts_with("STOPPING=1") {
        last = heard();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_waits_for_its_next_cycle_is_not_taken_for_a_hung_one() {
    let world = World::new().await;
    write_config(&world);
    let socket = world.dir.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    let watchdog = Duration::from_secs(4);
    let mut daemon = Daemon::start_with(&world, |command| {
        command
            .env("NOTIFY_SOCKET", &socket)
            .env("WATCHDOG_USEC", watchdog.as_micros().to_string())
            .env_remove("WATCHDOG_PID");
    });
    daemon.event("cycle");
    let sign_of_life = || {
        let began = tokio::time::Instant::now();
        loop {
            let left = watchdog.saturating_sub(began.elapsed());
            manager.set_read_timeout(Some(left)).unwrap();
            let mut message = [0; 512];
            let length = tokio::task::block_in_place(|| manager.recv(&mut message).unwrap());
            if message[..length] == *b"WATCHDOG=1\n" {
                return;
            }
        }
    };
    for _ in 0..4 {
        sign_of_life();
    }
    assert_eq!(daemon.stop(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_for_a_person_ends_a_sync_with_79_and_is_listed() {
    let mut world = World::new().await;
    world.mapping = world
        .mapping
        .replace("conflict = \"newest\"", "conflict = \"hold\"");
    let contact = [("email", "ada@example.com"), ("phone", "1")];
    world.crm_contact(&contact);
    let contact = json!({"name": "Ada", "email": "ada@example.com", "phone": "2"});
    world.desk.add_contact(&contact).unwrap();
    write_config(&world);
    let planned = parsed(&output(&world, &["plan", "--json"]));
    let changes = planned["changes"].as_array().unwrap();
    let hold = changes.iter().find(|it| it["action"] == "hold").unwrap();
    assert_eq!(hold["fields"][0]["field"], "phone", "{planned}");
    assert_eq!(hold["fields"][0]["freshdesk"], "2");
    let synced = output(&world, &["sync"]);
    assert_eq!(code(&synced), 79, "{}", said(&synced));
    let holds = parsed(&output(&world, &["holds", "--json"]));
    let hold = &holds[0];
    assert_eq!(hold["class"], "conflict", "{holds}");
    assert!(hold["crm_id"].is_string() && hold["freshdesk_id"].is_string());
    assert!(hold.get("answer").is_some());
    let text = output(&world, &["holds"]);
    assert_eq!(code(&text), 0);
    assert!(
        said(&text).contains("conflict of a contact"),
        "{}",
        said(&text)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_right_or_field_is_found_before_the_first_write() {
    let mut world = World::new().await;
    write_config(&world);
    let good = output(&world, &["check", "--online"]);
    assert_eq!(code(&good), 0, "{}", said(&good));
    assert!(said(&good).contains("hubspot:62515"), "{}", said(&good));

    let scope = "crm.objects.contacts.read";
    world.crm.portal().set_scope(scope, false);
    let denied = output(&world, &["check", "--online"]);
    assert_eq!(code(&denied), 77, "{}", said(&denied));
    assert!(said(&denied).contains("error: crm:"), "{}", said(&denied));
    world.crm.portal().set_scope(scope, true);

    world.mapping = world.mapping.replace("job_title", "job_titel");
    write_config(&world);
    let missing = output(&world, &["check", "--online"]);
    assert_eq!(code(&missing), 78, "{}", said(&missing));
    assert!(said(&missing).contains("`job_title`"), "{}", said(&missing));
    assert_eq!(writes(&world.crm.backstage().log), 0);
    assert_eq!(writes(&world.desk.backstage().log), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_between_systems_of_which_one_fails_says_which() {
    let world = World::with(CrmOptions::default(), DeskOptions::default()).await;
    people(&world, 0..2);
    write_config(&world);
    let faults = &world.desk.backstage().faults;
    faults.inject("GET", "/api/v2/contacts", Fault::Refuse(503), u32::MAX);
    let output = output(&world, &["sync", "--json"]);
    assert_eq!(code(&output), 69, "{}", said(&output));
    let report = parsed(&output);
    assert_eq!(report["outcome"], "incomplete");
    assert!(
        report["troubles"][0]
            .as_str()
            .unwrap()
            .starts_with("freshdesk: ")
    );
    assert_eq!(world.desk.contacts().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_says_what_its_apply_takes_and_it_takes_that() {
    let world = World::new().await;
    people(&world, 0..20);
    write_config(&world);
    let text = said(&output(&world, &["plan"]));
    assert!(
        text.contains("`apply` of it looks at each record once more: about 1 call of crm, 100 calls of freshdesk"),
        "{text}"
    );
    let plan = parsed(&output(&world, &["plan", "--json", "-o", "plan"]));
    assert_eq!(plan["days"], Json::Null, "{plan:#}");
    let calls = |side: &str| {
        let calls = plan["apply"]["calls"][side].as_object().unwrap();
        calls.values().map(|it| it.as_u64().unwrap()).sum::<u64>()
    };
    let done = parsed(&output(&world, &["apply", "plan", "--yes", "--json"]));
    assert_eq!(done["calls"]["crm"], calls("crm"), "{plan:#}\n{done:#}");
    assert_eq!(done["calls"]["freshdesk"], calls("freshdesk"), "{plan:#}");
    let nothing = said(&output(&world, &["plan"]));
    assert!(!nothing.contains("`apply`"), "{nothing}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_the_days_quota_does_not_let_end_today_says_when_it_ends() {
    let limits = CrmLimits::Custom {
        ten_seconds: 1_000,
        searches: 1_000,
        daily: 60,
    };
    let crm = CrmOptions {
        limits,
        ..CrmOptions::default()
    };
    let world = World::with(crm, DeskOptions::default()).await;
    // Nine calls of the CRM make them, in batches.
    for number in 0..900 {
        let email = format!("c{number}@example.com");
        world.desk_contact(&json!({"name": "C", "email": email}));
    }
    write_config(&world);
    // Each plan takes some of the day.
    let mut days = Vec::new();
    while days.last() != Some(&json!(2)) {
        let plan = output(&world, &["plan", "--json"]);
        assert_eq!(code(&plan), 0, "{days:?}: {}", said(&plan));
        days.push(parsed(&plan)["days"].clone());
    }
    assert_eq!(days[0], 1, "{days:?}");
    let text = said(&output(&world, &["plan"]));
    assert!(
        text.contains("so that it ends on day 2 from now, today included"),
        "{text}"
    );
}

//! Saved plans: what was approved is what is written, and nothing else.

mod decided;
mod mistyped;
mod tickets;
mod twice;

use crate::world::World;
use crate::world::program::{answered, code, output, parsed, said, write_config};
use crate::world::stage::VIP;
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::freshdesk::TicketSeed;
use deskbridge::sandbox::hubspot::Kind as CrmKind;
use serde_json::{Value as Json, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

/// Ada, whom both know with different phones; Bob of Acme, whom the CRM alone knows; and Eve, whom
/// Freshdesk alone knows.
struct Scene {
    world: World,
    ada: u64,
    ada_desk: u64,
    bob: u64,
}

impl Scene {
    async fn new() -> Self {
        Self::with("").await
    }

    async fn with(rules: &str) -> Self {
        let mut world = World::new().await;
        world.mapping.push_str(rules);
        write_config(&world);
        let contact = |name: &str, phone: &str| {
            let email = format!("{name}@acme.test");
            world.crm_contact(&[("email", &email), ("firstname", name), ("phone", phone)])
        };
        let (ada, bob) = (contact("ada", "+1"), contact("bob", "+2"));
        let acme = world.crm_company(&[("name", "Acme"), ("domain", "acme.test")]);
        world.crm.portal().associate(bob, acme, true).unwrap();
        let ada_desk = world.desk_contact(&json!({"name": "ada", "email": "ada@acme.test"}));
        world.desk_contact(&json!({"name": "eve", "email": "eve@acme.test"}));
        Self {
            world,
            ada,
            ada_desk,
            bob,
        }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        output(&self.world, arguments)
    }

    /// A plan in the file `plan`, which wrote nothing.
    fn plan(&self) -> Json {
        self.world.forget_calls();
        let plan = self.run(&["plan", "--json", "-o", "plan"]);
        assert_eq!(code(&plan), 0, "{}", said(&plan));
        assert_eq!(self.world.writes(), [""; 0]);
        parsed(&plan)
    }

    fn file(&self) -> String {
        fs::read_to_string(self.world.dir.path().join("plan")).unwrap()
    }

    fn put(&self, text: &str) {
        fs::write(self.world.dir.path().join("plan"), text).unwrap();
    }

    /// Applies the file, and says what came of it.
    fn apply(&self, expected: i32) -> Json {
        let done = self.run(&["apply", "plan", "--yes", "--json"]);
        assert_eq!(code(&done), expected, "{}", said(&done));
        parsed(&done)
    }

    /// The file is refused: with this code, a sentence that has this in it, and nothing written.
    fn refused(&self, expected: i32, sentence: &str) {
        self.world.forget_calls();
        let refused = self.run(&["apply", "plan", "--yes"]);
        assert_eq!(code(&refused), expected, "{}", said(&refused));
        assert!(said(&refused).contains(sentence), "{}", said(&refused));
        assert_eq!(self.world.writes(), [""; 0]);
    }

    fn ada_phone(&self) -> Option<String> {
        self.world.desk.contact(self.ada_desk).unwrap().phone
    }

    /// Cycles that write nothing, one of which reads everything.
    fn rests(&self) {
        for arguments in [&["sync", "--json"][..], &["sync", "--reconcile", "--json"]] {
            let report = parsed(&self.run(arguments));
            for what in ["created", "updated", "deleted", "failed"] {
                assert_eq!(report.get(what), Some(&json!(0)), "{report:#}");
            }
        }
    }
}

fn rows<'a>(plan: &'a Json, action: &str) -> Vec<&'a Json> {
    let changes = plan["changes"].as_array().unwrap().iter();
    changes.filter(|it| it["action"] == action).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_was_stopped_in_the_middle_goes_on_with_what_is_left_of_it() {
    let scene = Scene::new().await;
    scene.plan();
    let faults = &scene.world.desk.backstage().faults;
    // The company is made, and then Freshdesk takes no contact.
    faults.inject("POST", "/api/v2/contacts", Fault::Refuse(503), 1000);
    scene.run(&["apply", "plan", "--yes"]);
    assert_eq!(scene.world.desk.companies().len(), 1);
    faults.clear();
    let done = scene.apply(79);
    let left = done["skipped"].to_string();
    assert!(!left.contains("its company was not made"), "{done:#}");
    let bob = scene.world.desk_by_email("bob@acme.test");
    assert!(bob.company_id.is_some(), "{bob:?}");
    scene.rests();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_sync_that_a_person_approved_writes_what_they_saw_and_the_next_sync_nothing() {
    let scene = Scene::new().await;
    let plan = scene.plan();
    assert_eq!(rows(&plan, "create").len(), 3, "{plan:#}");
    assert_eq!(rows(&plan, "update").len(), 1, "{plan:#}");
    let path = scene.world.dir.path().join("plan");
    let mode = fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "customers' data for everybody to read");
    assert!(!scene.world.state().exists(), "a plan makes no state");

    let done = scene.apply(0);
    assert_eq!(done["changes"].as_array().unwrap().len(), 4);
    assert_eq!(done["skipped"], json!([]));
    assert_eq!(scene.ada_phone().as_deref(), Some("+1"));
    let bob = scene.world.desk_by_email("bob@acme.test");
    let acme = scene.world.desk.companies().remove(0);
    assert_eq!(
        bob.company_id,
        Some(acme.id),
        "the company of the same plan"
    );
    assert!(
        scene
            .world
            .crm
            .portal()
            .contact_by_email("eve@acme.test")
            .is_some()
    );
    scene.rests();
    assert_eq!(scene.world.desk_count(), 3);
    assert_eq!(code(&scene.run(&["plan", "--exit-code"])), 0);
    // It can be taken back like any other run.
    let run = done["run"].to_string();
    let back = scene.run(&["revert", &run, "--yes", "--record", "ada@acme.test"]);
    assert_eq!(code(&back), 0, "{}", said(&back));
    assert_eq!(scene.ada_phone(), None);
    scene.rests();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_somebody_changed_after_the_plan_is_named_and_left() {
    let scene = Scene::new().await;
    scene.plan();
    let desk = &scene.world.desk;
    desk.edit_contact(scene.ada_desk, &json!({"job_title": "Boss"}))
        .unwrap();
    let done = scene.apply(79);
    assert_eq!(done["skipped"].as_array().unwrap().len(), 1, "{done:#}");
    assert_eq!(
        done["skipped"][0]["freshdesk_id"],
        scene.ada_desk.to_string()
    );
    assert_eq!(done["skipped"][0]["crm_id"], scene.ada.to_string());
    assert_eq!(scene.ada_phone(), None);
    assert_eq!(scene.world.desk_count(), 3);
    // Applying it once more makes nobody twice: all that it knows has moved, or is there.
    let again = scene.apply(79);
    assert_eq!(again["skipped"].as_array().unwrap().len(), 4, "{again:#}");
    assert_eq!(scene.world.desk_count(), 3);
    let sync = scene.run(&["sync"]);
    assert_eq!(code(&sync), 0, "{}", said(&sync));
    assert_eq!(scene.ada_phone().as_deref(), Some("+1"));
    scene.rests();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_changed_after_the_plan_does_not_bring_its_old_value_across() {
    let scene = Scene::new().await;
    scene.plan();
    scene.world.crm_edit(scene.ada, &[("phone", "+9")]);
    scene.world.crm_edit(scene.bob, &[("firstname", "Robert")]);
    let portal = scene.world.crm.portal();
    portal
        .edit(CrmKind::Contact, scene.bob, &[("phone", "+22")])
        .unwrap();
    let done = scene.apply(79);
    assert_eq!(done["skipped"].as_array().unwrap().len(), 2, "{done:#}");
    assert_eq!(scene.ada_phone(), None);
    assert!(scene.world.desk.contact_by_email("bob@acme.test").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_made_twice_who_came_after_the_plan() {
    let scene = Scene::new().await;
    scene.plan();
    scene
        .world
        .desk_contact(&json!({"name": "bob", "email": "bob@acme.test"}));
    let done = scene.apply(79);
    assert_eq!(done["skipped"].as_array().unwrap().len(), 1, "{done:#}");
    assert_eq!(done["skipped"][0]["crm_id"], scene.bob.to_string());
    assert!(
        done["skipped"][0]["why"]
            .as_str()
            .unwrap()
            .contains("by now")
    );
    assert_eq!(scene.world.desk_count(), 3);
    assert_eq!(code(&scene.run(&["sync"])), 0);
    assert_eq!(scene.world.desk_count(), 3);
    scene.rests();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_plan_or_not_the_plan_that_was_made_writes_nothing() {
    let scene = Scene::new().await;
    scene.refused(64, "No such file");
    scene.plan();
    let text = scene.file();
    for (wrong, sentence) in [
        (String::new(), "this is no plan"),
        ("crm,freshdesk\n1,2\n".to_owned(), "this is no plan"),
        (
            parsed(&scene.run(&["plan", "--json"])).to_string(),
            "this is no plan",
        ),
        (text[..text.len() / 2].to_owned(), "cut off"),
        (
            text.replacen("\"+1\"", "\"+66\"", 1),
            "changed since it was made",
        ),
        (
            text.replacen("deskbridge_plan\":2", "deskbridge_plan\":7", 1),
            "another version of deskbridge (format 7",
        ),
    ] {
        assert_ne!(wrong, text);
        scene.put(&wrong);
        scene.refused(64, sentence);
    }
    assert!(
        !scene.world.state().exists(),
        "a refused plan makes no state"
    );
    scene.put(&text);
    scene.apply(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_of_another_configuration_or_of_other_accounts_is_refused() {
    let mut scene = Scene::with(VIP).await;
    scene.plan();
    let toml = scene.world.mapping.clone();
    for (from, to) in [
        ("create   = \"both\"", "create   = \"none\""),
        ("delete   = \"hold\"", "delete   = \"ignore\""),
        ("in = [\"vip\"]", "in = [\"standard\"]"),
        ("[\"open\", \"pending\"]", "[\"open\"]"),
        ("priority = \"urgent\"", "priority = \"high\""),
        (
            "[companies]",
            "[guards]\ncreates = { count = 9, percent = 20 }\n[companies]",
        ),
    ] {
        scene.world.remap(from, to);
        write_config(&scene.world);
        scene.refused(64, "other mappings, ticket rules or guards");
        scene.world.mapping.clone_from(&toml);
    }
    // When, where and how loudly it is done decides no row.
    scene.world.mapping.push_str("\n[log]\nlevel = \"warn\"\n");
    write_config(&scene.world);

    let other = Scene::with(VIP).await;
    other.put(&scene.file());
    other.refused(73, "the plan was made for the account");
    // The state of other accounts is refused as ever.
    scene.apply(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_before_somebody_says_yes() {
    let scene = Scene::new().await;
    scene.plan();
    let answering = |arguments: &[&str], text: &str| answered(&scene.world, arguments, text);
    let answer = |text: &'static str| answering(&["apply", "plan"], text);
    scene.world.forget_calls();
    for (text, expected) in [("", 64), ("n\n", 0), ("\n", 0), ("yikes\n", 0)] {
        let output = answer(text);
        assert_eq!(code(&output), expected, "{text:?}: {}", said(&output));
        assert!(
            said(&output).contains("nothing was written"),
            "{}",
            said(&output)
        );
    }
    assert_eq!(scene.world.writes(), [""; 0]);
    let refused = answering(&["apply", "plan", "--json"], "n\n");
    assert_eq!(
        (code(&refused), refused.stdout.len()),
        (0, 0),
        "prose among JSON"
    );
    let output = answer("y\n");
    assert_eq!(code(&output), 0, "{}", said(&output));
    let told = said(&output);
    for line in [
        "create contact in freshdesk",
        "    phone: \"+1\" (base -, crm \"+1\", freshdesk -; first sync: was empty there)",
        "3 creates, 1 update: write this? [y/N]",
        "3 created, 1 updated, 0 deleted, 0 tickets changed, 0 skipped",
    ] {
        assert!(told.contains(line), "no {line:?} in\n{told}");
    }
    assert_eq!(scene.world.desk_count(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_not_applied_behind_a_running_instance() {
    let scene = Scene::new().await;
    scene.plan();
    let lock = fs::File::create(scene.world.dir.path().join("state.db.lock")).unwrap();
    lock.lock().unwrap();
    scene.refused(73, "in use by another deskbridge; stop that one first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_after_the_first_sync_is_applied_once_and_a_second_time_never() {
    let scene = Scene::new().await;
    assert_eq!(code(&scene.run(&["sync"])), 0);
    scene
        .world
        .crm_edit(scene.ada, &[("phone", "+5"), ("jobtitle", "Boss")]);
    scene
        .world
        .desk_edit(scene.ada_desk, &json!({"name": "ada king"}));
    let plan = scene.plan();
    assert_eq!(rows(&plan, "update").len(), 2, "both sides: {plan:#}");
    let done = scene.apply(0);
    assert_eq!(done["skipped"], json!([]));
    assert_eq!(scene.ada_phone().as_deref(), Some("+5"));
    assert_eq!(
        scene.world.crm_row(scene.ada).properties["lastname"],
        "king"
    );
    let again = scene.apply(79);
    assert_eq!(again["skipped"].as_array().unwrap().len(), 2);
    scene.rests();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_rise_as_approved_and_those_that_moved_since_do_not() {
    let scene = Scene::with(VIP).await;
    scene.world.crm_edit(scene.ada, &[("customer_tier", "vip")]);
    let seeds = (0..3).map(|_| TicketSeed {
        requester_id: scene.ada_desk,
        ..TicketSeed::default()
    });
    let tickets = scene.world.desk.populate_tickets(seeds);
    let plan = scene.plan();
    assert_eq!(rows(&plan, "ticket").len(), 6, "{plan:#}");
    // An agent decides on one of them, and another one comes that nobody has approved.
    scene
        .world
        .desk
        .edit_ticket(tickets[1], &json!({"priority": 3}))
        .unwrap();
    let later = scene.world.desk.populate_tickets([TicketSeed {
        requester_id: scene.ada_desk,
        ..TicketSeed::default()
    }]);
    let done = scene.apply(79);
    assert_eq!(done["skipped"].as_array().unwrap().len(), 1, "{done:#}");
    assert_eq!(done["skipped"][0]["freshdesk_id"], tickets[1].to_string());
    let priority = |id: u64| scene.world.desk.ticket(id).unwrap().priority;
    let priorities: Vec<u64> = tickets
        .iter()
        .chain(&later)
        .map(|id| priority(*id))
        .collect();
    assert_eq!(priorities, [4, 3, 4, 1]);
    assert_eq!(scene.world.desk.conversations(tickets[0]).len(), 1);
    // The next cycle knows what was done, and does the rest.
    let sync = parsed(&scene.run(&["sync", "--json"]));
    assert_eq!(sync["tickets"]["raised"], 2, "{sync:#}");
    assert_eq!(scene.world.desk.conversations(tickets[0]).len(), 1);
    // What the apply raised is given back when the standing ends.
    scene
        .world
        .crm_edit(scene.ada, &[("customer_tier", "standard")]);
    assert_eq!(code(&scene.run(&["sync"])), 0);
    assert_eq!(priority(tickets[0]), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_could_not_be_made_to_its_end_is_not_saved() {
    let scene = Scene::new().await;
    assert_eq!(code(&scene.run(&["sync"])), 0);
    let fault = Fault::Refuse(403);
    let faults = &scene.world.desk.backstage().faults;
    faults.inject("GET", "/api/v2/companies", fault, 50);
    let plan = scene.run(&["plan", "-o", "plan"]);
    assert_ne!(code(&plan), 0, "{}", said(&plan));
    assert!(said(&plan).contains("no plan is saved"), "{}", said(&plan));
    assert!(!scene.world.dir.path().join("plan").exists());
}

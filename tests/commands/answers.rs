//! Answers of people to what is held: each is carried out, and what is shown to choose by is right.

use crate::world::World;
use crate::world::program::{code, output, parsed, said, write_config};
use serde_json::{Value as Json, json};

const GUARDS: &str = "\n[guards]\ncreates = { count = 50, percent = 0 }\nupdates = { count = 2, percent = 0 }\n\
                      clears = { count = 0, percent = 0 }\ndeletes = { count = 0, percent = 0 }\n";

fn holds(world: &World) -> Vec<Json> {
    let holds = parsed(&output(world, &["holds", "--json"]));
    holds.as_array().unwrap().clone()
}

/// The number of the only hold of this class.
fn number(world: &World, class: &str) -> String {
    let holds = holds(world);
    let mut of_class = holds.iter().filter(|it| it["class"] == class);
    let id = of_class.next().unwrap_or_else(|| panic!("{holds:#?}"))["id"].to_string();
    assert!(of_class.next().is_none(), "{holds:#?}");
    id
}

fn sync(world: &World, exit: i32) -> String {
    let synced = output(world, &["sync"]);
    assert_eq!(code(&synced), exit, "{}", said(&synced));
    said(&synced)
}

fn answer(world: &World, arguments: &[&str]) -> String {
    let answered = output(world, arguments);
    assert_eq!(code(&answered), 0, "{}", said(&answered));
    said(&answered)
}

/// Five people with a new title in the CRM; two of these have no phone there any more. Both sorts of
/// change wait for a person.
async fn five() -> (World, Vec<u64>) {
    let mut world = World::new().await;
    world.mapping.push_str(GUARDS);
    write_config(&world);
    let person = |number: u64| {
        let email = format!("c{number}@acme.test");
        let phone = ("phone", "+1");
        world.crm_contact(&[("email", &email), ("firstname", "C"), phone])
    };
    let people: Vec<u64> = (0..5).map(person).collect();
    sync(&world, 0);
    for (at, person) in people.iter().enumerate() {
        world.crm_edit(*person, &[("jobtitle", "Boss")]);
        if at < 2 {
            world.crm_edit(*person, &[("phone", "")]);
        }
    }
    sync(&world, 79);
    (world, people)
}

/// How many contacts of Freshdesk have the new title, and how many a phone.
fn shown(world: &World) -> (usize, usize) {
    let contacts = world.desk.contacts();
    let titles = contacts.iter().filter(|it| it.job_title.is_some());
    let phones = contacts.iter().filter(|it| it.phone.is_some());
    (titles.count(), phones.count())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_opposite_answers_about_the_same_people_neither_is_lost() {
    for (update, clear, expected) in [
        ("discard", "approve", (0, 3)),
        ("approve", "discard", (5, 5)),
        ("approve", "approve", (5, 3)),
        ("discard", "discard", (0, 5)),
    ] {
        let (world, _) = five().await;
        let clears = number(&world, "clear");
        answer(&world, &[update, &number(&world, "update")]);
        answer(&world, &[clear, &clears]);
        let synced = sync(&world, 0);
        assert_eq!(shown(&world), expected, "{update}, {clear}: {synced}");
        assert_eq!(holds(&world), [] as [Json; 0], "{update}, {clear}");
        sync(&world, 0);
        assert_eq!(shown(&world), expected, "{update}, {clear}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_follows_another_after_a_cycle_is_not_lost() {
    for (update, clear, expected) in [
        ("discard", "approve", (0, 3)),
        ("approve", "discard", (5, 5)),
    ] {
        let (world, _) = five().await;
        answer(&world, &[update, &number(&world, "update")]);
        sync(&world, 79);
        answer(&world, &[clear, &number(&world, "clear")]);
        let synced = sync(&world, 0);
        assert_eq!(shown(&world), expected, "{update}, {clear}: {synced}");
        assert_eq!(holds(&world), [] as [Json; 0], "{update}, {clear}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_an_answered_hold_does_not_pass_for_all_of_it() {
    let (world, people) = five().await;
    answer(&world, &["approve", &number(&world, "update")]);
    world.crm_edit(people[4], &[("jobtitle", "Queen")]);
    sync(&world, 79);
    let holds = holds(&world);
    let left = holds.iter().find(|it| it["class"] == "update").unwrap();
    assert_eq!(left["count"], 1, "{left:#}");
    let reason = left["reason"].as_str().unwrap();
    let begins = "not covered by an earlier answer, since it changed or came up after that was given; at first: 5 changed";
    assert!(reason.starts_with(begins), "{reason}");
}

/// Ada is known on both sides: her ids.
async fn ada(change: impl FnOnce(&mut World)) -> (World, u64, u64) {
    let mut world = World::new().await;
    change(&mut world);
    write_config(&world);
    let fields = [("phone", "+0"), ("customer_tier", "standard")];
    let ada = world.crm_person("Ada", &fields);
    sync(&world, 0);
    let there = world.desk_by_email("ada@acme.test").id;
    (world, ada, there)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_changes_a_field_back_and_forth_is_named_and_not_the_side_that_takes_it() {
    for (field, values) in [
        ("customer_tier", ["vip", "standard", "vip"]),
        ("phone", ["", "+0", ""]),
        ("phone", ["+1", "+0", "+1"]),
    ] {
        let (world, ada, _) = ada(|_| ()).await;
        for (value, exit) in values.iter().zip([0, 0, 79]) {
            world.crm_edit(ada, &[(field, value)]);
            sync(&world, exit);
        }
        let holds = holds(&world);
        let reason = holds[0]["reason"].as_str().unwrap();
        let who =
            "; it is changed back and forth in crm, and freshdesk only takes what it is given";
        assert!(reason.ends_with(who), "{field}: {reason}");
    }
}

/// Ada's phone was changed on both sides, and waits for a person.
async fn disputed() -> (World, u64) {
    let asks = |world: &mut World| world.remap("conflict = \"newest\"", "conflict = \"hold\"");
    let (world, ada, there) = ada(asks).await;
    world.crm_edit(ada, &[("phone", "+1 111")]);
    world.desk_edit(there, &json!({"phone": "+2 222"}));
    (world, ada)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_shows_what_both_sides_of_a_conflict_agreed_on_before() {
    let (world, _) = disputed().await;
    let plan = parsed(&output(&world, &["plan", "--json"]));
    let held = &plan["changes"][0];
    assert_eq!(held["action"], "hold", "{plan:#}");
    let field = &held["fields"][0];
    let phones = json!(["+0", "+1 111", "+2 222"]);
    let shown = json!([field["base"], field["crm"], field["freshdesk"]]);
    assert_eq!(shown, phones, "{plan:#}");
    let text = said(&output(&world, &["plan"]));
    let line = "phone: - (base \"+0\", crm \"+1 111\", freshdesk \"+2 222\"; held for a person)";
    assert!(text.contains(line), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_shows_what_a_field_that_is_fought_over_was_before() {
    let (world, ada, _) = ada(|_| ()).await;
    for value in ["vip", "standard"] {
        world.crm_edit(ada, &[("customer_tier", value)]);
        sync(&world, 0);
    }
    world.crm_edit(ada, &[("customer_tier", "vip")]);
    let plan = parsed(&output(&world, &["plan", "--json"]));
    let changes = plan["changes"].as_array().unwrap();
    let held = changes.iter().find(|it| it["action"] == "hold").unwrap();
    assert_eq!(held["fields"][0]["base"], "Standard", "{plan:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_changes_their_mind_is_told_that_the_first_answer_is_gone() {
    let (world, ada) = disputed().await;
    sync(&world, 79);
    let id = number(&world, "conflict");
    let instead = "instead of what was answered before";
    let first = answer(&world, &["approve", &id, "--take", "crm"]);
    assert!(!first.contains(instead), "{first}");
    let again = answer(&world, &["approve", &id, "--take", "crm"]);
    assert!(!again.contains(instead), "{again}");
    let other = answer(&world, &["approve", &id, "--take", "freshdesk"]);
    assert!(
        other.trim_end().ends_with(&format!(", {instead}")),
        "{other}"
    );
    for (arguments, before) in [
        (&["discard", &id, "--json"][..], json!("approve freshdesk")),
        (&["approve", &id, "--json"], json!("discard")),
        (
            &["approve", &id, "--take", "crm", "--json"],
            json!("approve"),
        ),
        (&["approve", &id, "--take", "crm", "--json"], Json::Null),
    ] {
        let given = output(&world, arguments);
        assert_eq!(parsed(&given)[0]["instead_of"], before, "{}", said(&given));
    }
    sync(&world, 0);
    assert_eq!(world.crm_row(ada).properties["phone"], "+1 111");
    let there = world.desk_by_email("ada@acme.test").phone;
    assert_eq!(there.as_deref(), Some("+1 111"), "the last answer counts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_given_twice_is_answered_once() {
    let (world, _) = disputed().await;
    sync(&world, 79);
    let id = number(&world, "conflict");
    let given = parsed(&output(&world, &["discard", &id, &id, "--json"]));
    assert_eq!(given.as_array().unwrap().len(), 1, "{given:#}");
    assert_eq!(given[0]["instead_of"], Json::Null, "{given:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_in_a_reason_leads_a_program_to_the_file_that_was_named() {
    let mut world = World::new().await;
    world
        .mapping
        .push_str("\n[guards]\ncreates = { count = 1, percent = 0 }\n");
    write_config(&world);
    for name in ["Ada", "Bob"] {
        world.crm_person(name, &[]);
    }
    sync(&world, 79);
    let listed = parsed(&output(&world, &["-c", "./sync.toml", "holds", "--json"]));
    let reason = listed[0]["reason"].as_str().unwrap();
    let command = "`deskbridge -c ./sync.toml sync --approve-first`";
    assert!(reason.contains(command), "{reason}");
}

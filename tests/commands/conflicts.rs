//! Conflicts that a person decides: what they are shown, and answers that cannot be carried out.

use crate::world::World;
use crate::world::program::{code, output, parsed, said, write_config};
use deskbridge::sandbox::hubspot::Kind as CrmKind;
use serde_json::{Value as Json, json};

fn holds(world: &World) -> Vec<Json> {
    let holds = parsed(&output(world, &["holds", "--json"]));
    holds.as_array().unwrap().clone()
}

/// Ada on both sides, with the ids there; what differs is held for a person.
async fn ada(change: impl FnOnce(&mut World)) -> (World, u64, u64) {
    let mut world = World::new().await;
    world.remap("conflict = \"newest\"", "conflict = \"hold\"");
    change(&mut world);
    write_config(&world);
    let ada = world.crm_contact(&[
        ("email", "ada@else.test"),
        ("firstname", "Ada"),
        ("phone", "+1"),
    ]);
    let synced = output(&world, &["sync"]);
    assert_eq!(code(&synced), 0, "{}", said(&synced));
    let there = world.desk_by_email("ada@else.test").id;
    (world, ada, there)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_about_a_company_without_a_counterpart_is_not_approved_in_vain() {
    let (world, ada, there) = ada(|_| ()).await;
    let portal = world.crm.portal();
    // Two with one domain: neither is linked.
    let twin = world.crm_company(&[("name", "Twin"), ("domain", "twin.test")]);
    world.crm_company(&[("name", "Twin too"), ("domain", "twin.test")]);
    let twins = json!({"name": "Twins", "domains": ["twin.test"]});
    world.desk.add_company(&twins).unwrap();
    let other = world.desk.add_company(&json!({"name": "Other"})).unwrap();
    let moved = json!({"company_id": other});
    world.desk_edit(there, &moved);
    portal.associate(ada, twin, true).unwrap();
    // The CRM is not older: an approval without a side is one of its value.
    world.crm_edit(ada, &[("city", "London")]);
    assert_eq!(code(&output(&world, &["sync"])), 79);
    let hold = holds(&world).remove(0);
    assert_eq!(hold["fields"][0]["field"], "company");
    let id = hold["id"].to_string();
    for answer in [&["approve", &id][..], &["approve", &id, "--take", "crm"]] {
        let refused = output(&world, answer);
        assert_eq!(code(&refused), 64, "{}", said(&refused));
        let why = said(&refused);
        for word in [
            format!("explain crm:company:{twin}`"),
            format!("approve {id} --take freshdesk"),
            format!("discard {id}"),
            "nothing was written".to_owned(),
        ] {
            assert!(why.contains(&word), "{word}: {why}");
        }
        assert_eq!(code(&output(&world, &["sync"])), 79);
        assert_eq!(holds(&world)[0]["id"], hold["id"], "it waits still");
    }
    let taken = output(&world, &["approve", &id, "--take", "freshdesk"]);
    assert_eq!(code(&taken), 0, "{}", said(&taken));
    assert_eq!(code(&output(&world, &["sync"])), 0);
    let company = world.crm_row(ada).companies[0];
    let company = portal.row(CrmKind::Company, company).unwrap();
    assert_eq!(company.properties["name"], "Other");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_over_a_word_that_cannot_cross_over_is_not_approved_in_vain() {
    let (world, ada, there) = ada(|world| {
        let from = "freshdesk = \"job_title\"\nconflict  = \"crm\"";
        let to = "freshdesk = \"job_title\"\nvalues = { boss = \"Boss\", clerk = \"Clerk\" }";
        world.remap(from, to);
    })
    .await;
    world.crm_edit(ada, &[("jobtitle", "poet")]);
    let edit = json!({"job_title": "Clerk"});
    world.desk_edit(there, &edit);
    assert_eq!(code(&output(&world, &["sync"])), 79);
    let id = holds(&world)[0]["id"].to_string();
    let refused = output(&world, &["approve", &id, "--take", "crm"]);
    assert_eq!(code(&refused), 64, "{}", said(&refused));
    let why = said(&refused);
    assert!(why.contains("table of values"), "{why}");
    assert!(
        !why.contains("poet"),
        "no personal value in an error: {why}"
    );
    assert_eq!(code(&output(&world, &["sync"])), 79);
    let taken = output(&world, &["approve", &id, "--take", "freshdesk"]);
    assert_eq!(code(&taken), 0, "{}", said(&taken));
    assert_eq!(code(&output(&world, &["sync"])), 0);
    assert_eq!(world.crm_row(ada).properties["jobtitle"], "clerk");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_to_choose_between_two_values_is_shown_both_of_them() {
    let (world, ada, there) = ada(|_| ()).await;
    world.crm_edit(ada, &[("phone", "+2 \u{1b}[2J")]);
    let edit = json!({"phone": "+3"});
    world.desk_edit(there, &edit);
    let first = world.crm_contact(&[("email", "bob@else.test"), ("phone", "+4")]);
    let bob = json!({"name": "Bob", "email": "bob@else.test", "phone": "+5"});
    world.desk_contact(&bob);
    assert_eq!(code(&output(&world, &["sync"])), 79);
    let listed = output(&world, &["holds"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    let lines: Vec<&str> = listed.lines().map(str::trim).collect();
    let of = |id: u64| {
        let at = lines
            .iter()
            .position(|it| it.contains(&format!("crm {id},")));
        &lines[at.unwrap()..][..2]
    };
    assert!(
        of(ada)[0].ends_with("`phone` was changed on both sides"),
        "{listed}"
    );
    assert_eq!(
        of(ada)[1],
        "phone: \"+2 \\u001b[2J\" in crm; \"+3\" in freshdesk"
    );
    assert!(
        of(first)[0].ends_with("which never agreed on it"),
        "{listed}"
    );
    assert_eq!(of(first)[1], "phone: \"+4\" in crm; \"+5\" in freshdesk");
}

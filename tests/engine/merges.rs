//! Merges on either side: nobody is deleted for one, and whoever can goes on with the survivor.

use crate::world::program::{output, parsed, write_config};
use crate::world::{World, attempt, cycle, quiet, reconcile};
use chrono::TimeDelta;
use deskbridge::model::Kind;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::hubspot::Kind as CrmKind;
use deskbridge::store::Answer;
use deskbridge::sync::Engine;
use serde_json::json;

const POLICIES: [&str; 3] = ["hold", "propagate", "ignore"];

/// Two linked pairs, Ada's and Bob's: the world, its clock, the engine, the CRM's ids and
/// Freshdesk's.
async fn two_pairs(policy: &str) -> (World, SimClock, Engine, [u64; 2], [u64; 2]) {
    let (mut world, clock) = World::timed().await;
    world.remap("delete   = \"hold\"", &format!("delete   = \"{policy}\""));
    let ada = world.crm_person("Ada", &[]);
    let bob = world.crm_person("Bob", &[]);
    write_config(&world);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    let there = ["ada@acme.test", "bob@acme.test"].map(|it| world.desk_by_email(it).id);
    clock.advance(TimeDelta::minutes(61));
    (world, clock, engine, [ada, bob], there)
}

/// Bob is left alone as one who was merged: he is in the CRM, nothing was written about him, and the
/// one hold says where he went.
async fn bob_waits(world: &World, bob: u64, heir: u64, policy: &str) {
    assert!(!world.crm_row(bob).archived, "{policy}: Bob was archived");
    let holds = world.holds().await;
    assert_eq!(holds.len(), 1, "{policy}: {holds:?}");
    assert_eq!(holds[0].class, "delete");
    let merged = format!("merged into freshdesk:{heir}");
    assert!(holds[0].reason.contains(&merged), "{holds:?}");
}

#[tokio::test]
async fn a_merge_in_the_crm_keeps_the_freshdesk_contact_with_the_survivor() {
    let mut world = World::new().await;
    world.remap(
        "create   = \"both\"\nconflict = \"newest\"",
        "create   = \"crm\"\nconflict = \"newest\"",
    );
    let desk = world.desk_contact(&json!({"name": "Ada King", "email": "ada@acme.test"}));
    let mut engine = world.engine().await;
    cycle(&mut engine).await;
    let linked = world
        .crm
        .portal()
        .contact_by_email("ada@acme.test")
        .unwrap();
    let survivor = world.crm_contact(&[("email", "ada@home.test"), ("firstname", "Ada")]);
    cycle(&mut engine).await;
    world
        .crm
        .portal()
        .merge(CrmKind::Contact, survivor, linked)
        .unwrap();
    reconcile(&mut engine).await;
    reconcile(&mut engine).await;
    assert_eq!(world.holds().await, []);
    world.crm_edit(survivor, &[("phone", "+77")]);
    cycle(&mut engine).await;
    assert_eq!(world.desk_phone(desk), "+77");
}

#[tokio::test]
async fn a_merge_of_two_linked_crm_contacts_deletes_nothing_in_freshdesk() {
    for policy in POLICIES {
        let (world, clock, mut engine, [ada, bob], _) = two_pairs(policy).await;
        world
            .crm
            .portal()
            .merge(CrmKind::Contact, ada, bob)
            .unwrap();
        reconcile(&mut engine).await;
        clock.advance(TimeDelta::minutes(5));
        reconcile(&mut engine).await;
        let holds = world.holds().await;
        assert_eq!((world.desk_count(), holds.len()), (2, 1), "{policy}");
        assert!(holds[0].reason.contains("merged into crm:"), "{holds:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_of_two_linked_freshdesk_contacts_deletes_nothing_in_the_crm() {
    for policy in POLICIES {
        let (world, clock, mut engine, [ada, bob], [ada_there, bob_there]) =
            two_pairs(policy).await;
        world.desk.merge_contacts(ada_there, &[bob_there]).unwrap();
        let survivor = world.desk.contact(ada_there).unwrap();
        assert_eq!(survivor.other_emails, ["bob@acme.test"]);
        assert!(world.desk.contact(bob_there).is_none());
        world.forget_calls();
        reconcile(&mut engine).await;
        bob_waits(&world, bob, ada_there, policy).await;
        clock.advance(TimeDelta::minutes(5));
        reconcile(&mut engine).await;
        bob_waits(&world, bob, ada_there, policy).await;
        assert_eq!(world.writes(), [""; 0], "{policy}");
        let counts = world.report().await.counts(Kind::Contact).await.unwrap();
        assert_eq!((counts.held, counts.failed), (1, 0), "{policy}");
        // An admin who asks for him learns where he went.
        let told = parsed(&output(
            &world,
            &["explain", &format!("crm:{bob}"), "--json"],
        ));
        let why = told["records"][0]["why"].to_string();
        let merged = format!("it was merged into freshdesk:{ada_there}");
        assert!(why.contains(&merged), "{policy}: {told:#}");
        // Ada goes on.
        world.crm_edit(ada, &[("phone", "+1")]);
        cycle(&mut engine).await;
        let survivor = world.desk.contact(ada_there).unwrap();
        assert_eq!(survivor.phone.as_deref(), Some("+1"), "{policy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freshdesk_merge_that_keeps_the_other_address_first_deletes_nobody_in_the_crm() {
    for policy in POLICIES {
        let (world, clock, mut engine, [ada, bob], [ada_there, bob_there]) =
            two_pairs(policy).await;
        world.desk.merge_contacts(ada_there, &[bob_there]).unwrap();
        let addresses = json!({"email": "bob@acme.test", "other_emails": ["ada@acme.test"]});
        world.desk_edit(ada_there, &addresses);
        reconcile(&mut engine).await;
        bob_waits(&world, bob, ada_there, policy).await;
        clock.advance(TimeDelta::minutes(5));
        reconcile(&mut engine).await;
        bob_waits(&world, bob, ada_there, policy).await;
        assert!(!world.crm_row(ada).archived, "{policy}");
        assert_eq!(world.desk_count(), 1, "{policy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_that_an_edit_runs_into_deletes_nobody_and_makes_nobody_anew() {
    for policy in POLICIES {
        let (world, clock, mut engine, [_, bob], [ada_there, bob_there]) = two_pairs(policy).await;
        cycle(&mut engine).await;
        clock.advance(TimeDelta::minutes(1));
        world.desk.merge_contacts(ada_there, &[bob_there]).unwrap();
        world.crm_edit(bob, &[("phone", "+2")]);
        attempt(&mut engine).await;
        clock.advance(TimeDelta::minutes(5));
        attempt(&mut engine).await;
        bob_waits(&world, bob, ada_there, policy).await;
        world.crm_edit(bob, &[("phone", "+3")]);
        clock.advance(TimeDelta::minutes(5));
        quiet(&mut engine).await;
        assert_eq!(world.desk_count(), 1, "{policy}");
        assert_eq!(world.parked().await, [], "{policy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_by_other_keys_than_the_address_is_no_deletion_either() {
    let (mut world, clock) = World::timed().await;
    world.remap("delete   = \"hold\"", "delete   = \"propagate\"");
    world.remap("match    = [\"email\"]", "match    = [\"phone\"]");
    let person = |email: &str, phone: &str| {
        world.crm_contact(&[("email", email), ("firstname", "P"), ("phone", phone)])
    };
    let (_, bob) = (person("ada@acme.test", "+1"), person("bob@acme.test", "+2"));
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    let there = ["ada@acme.test", "bob@acme.test"].map(|it| world.desk_by_email(it).id);
    clock.advance(TimeDelta::minutes(61));
    world.desk.merge_contacts(there[0], &[there[1]]).unwrap();
    reconcile(&mut engine).await;
    bob_waits(&world, bob, there[0], "propagate").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freshdesk_contact_merged_into_one_without_a_counterpart_goes_on_as_that_one() {
    for policy in POLICIES {
        let (mut world, clock) = World::timed().await;
        world.remap("delete   = \"hold\"", &format!("delete   = \"{policy}\""));
        world.remap(
            "create   = \"both\"\nconflict = \"newest\"",
            "create   = \"freshdesk\"\nconflict = \"newest\"",
        );
        let bob = world.crm_person("Bob", &[]);
        let primary = world.desk_contact(&json!({"name": "Bob", "email": "bob@home.test"}));
        write_config(&world);
        let mut engine = world.timed_engine(&clock).await;
        cycle(&mut engine).await;
        let bob_there = world.desk_by_email("bob@acme.test").id;
        clock.advance(TimeDelta::minutes(5));
        world.crm_edit(bob, &[("jobtitle", "Builder")]);
        cycle(&mut engine).await;
        clock.advance(TimeDelta::minutes(61));
        world.desk.merge_contacts(primary, &[bob_there]).unwrap();
        reconcile(&mut engine).await;
        assert!(!world.crm_row(bob).archived, "{policy}");
        assert_eq!(world.holds().await, [], "{policy}");
        clock.advance(TimeDelta::minutes(5));
        world.crm_edit(bob, &[("phone", "+77")]);
        cycle(&mut engine).await;
        let survivor = world.desk.contact(primary).unwrap();
        assert_eq!(survivor.phone.as_deref(), Some("+77"), "{policy}");
        assert_eq!(world.desk_count(), 1, "{policy}");
        // The journal says so, and what was written before it is still told.
        let relinked =
            "SELECT side || ' ' || crm_id || ' ' || desk_id || ' ' || message FROM journal
                        WHERE action = 'relink' AND outcome = 'relinked'";
        let row = format!("freshdesk {bob} {primary} took the place of {bob_there} in freshdesk");
        assert_eq!(world.texts(relinked).await, [row], "{policy}");
        let told = parsed(&output(
            &world,
            &["explain", &format!("crm:{bob}"), "--json"],
        ));
        let writes = told["records"][0]["fields"].to_string();
        let found = told["records"][0]["link"]["found"].to_string();
        assert!(found.contains("took the place of"), "{told:#}");
        assert!(
            writes.contains("Builder") && writes.contains("new record"),
            "{told:#}"
        );
    }
}

/// Bob, linked, and a second contact of his in Freshdesk that has no counterpart: the world, its clock, the
/// engine, the CRM's id, Freshdesk's, and the second one's.
async fn bob_twice() -> (World, SimClock, Engine, u64, u64, u64) {
    let (mut world, clock) = World::timed().await;
    world.remap(
        "create   = \"both\"\nconflict = \"newest\"",
        "create   = \"freshdesk\"\nconflict = \"newest\"",
    );
    let bob = world.crm_person("Bob", &[]);
    let second = world.desk_contact(&json!({"name": "Bob", "email": "bob@home.test"}));
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    let bob_there = world.desk_by_email("bob@acme.test").id;
    clock.advance(TimeDelta::minutes(61));
    cycle(&mut engine).await;
    clock.advance(TimeDelta::minutes(1));
    (world, clock, engine, bob, bob_there, second)
}

#[tokio::test]
async fn a_merge_that_the_counterpart_has_followed_already_is_a_merge_all_the_same() {
    let (world, clock, mut engine, bob, bob_there, second) = bob_twice().await;
    world.desk.merge_contacts(second, &[bob_there]).unwrap();
    // Whoever has merged them has seen to the CRM as well.
    world.crm_edit(bob, &[("email", "bob@home.test")]);
    reconcile(&mut engine).await;
    assert_eq!(world.holds().await, []);
    clock.advance(TimeDelta::minutes(5));
    world.crm_edit(bob, &[("phone", "+77")]);
    cycle(&mut engine).await;
    let heir = world.desk.contact(second).unwrap();
    assert_eq!(heir.phone.as_deref(), Some("+77"));
    assert_eq!(heir.email.as_deref(), Some("bob@home.test"));
}

#[tokio::test]
async fn two_who_are_merged_on_both_sides_go_on_as_one_whoever_survives_where() {
    for policy in POLICIES {
        let (world, clock, mut engine, [ada, bob], [ada_there, bob_there]) =
            two_pairs(policy).await;
        // In the CRM Ada's stays, in Freshdesk Bob's.
        let portal = world.crm.portal();
        portal.merge(CrmKind::Contact, ada, bob).unwrap();
        world.desk.merge_contacts(bob_there, &[ada_there]).unwrap();
        reconcile(&mut engine).await;
        clock.advance(TimeDelta::minutes(5));
        reconcile(&mut engine).await;
        assert_eq!(world.holds().await, [], "{policy}");
        clock.advance(TimeDelta::minutes(5));
        world.crm_edit(ada, &[("phone", "+77")]);
        cycle(&mut engine).await;
        let survivor = world.desk.contact(bob_there).unwrap();
        assert_eq!(survivor.phone.as_deref(), Some("+77"), "{policy}");
        assert_eq!(world.desk_count(), 1, "{policy}");
        assert!(!world.crm_row(ada).archived, "{policy}");
        quiet(&mut engine).await;
    }
}

#[tokio::test]
async fn a_write_that_a_merge_has_overtaken_is_made_to_the_heir_and_waits_no_longer() {
    let (world, clock, mut engine, bob, bob_there, second) = bob_twice().await;
    world.desk.merge_contacts(second, &[bob_there]).unwrap();
    world.crm_edit(bob, &[("phone", "+77")]);
    attempt(&mut engine).await;
    clock.advance(TimeDelta::minutes(5));
    attempt(&mut engine).await;
    let heir = world.desk.contact(second).unwrap();
    assert_eq!(heir.phone.as_deref(), Some("+77"));
    assert_eq!(world.parked().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_merged_twice_over_goes_on_as_the_last_one_and_is_never_linked_to_one_that_is_gone()
{
    let (mut world, clock) = World::timed().await;
    world.remap("delete   = \"hold\"", "delete   = \"propagate\"");
    world.remap(
        "create   = \"both\"\nconflict = \"newest\"",
        "create   = \"freshdesk\"\nconflict = \"newest\"",
    );
    let ada = world.crm_person("Ada", &[]);
    let bob = world.crm_person("Bob", &[]);
    let last = world.desk_contact(&json!({"name": "Ada", "email": "ada@home.test"}));
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    let [ada_there, bob_there] =
        ["ada@acme.test", "bob@acme.test"].map(|it| world.desk_by_email(it).id);
    clock.advance(TimeDelta::minutes(61));
    world.desk.merge_contacts(ada_there, &[bob_there]).unwrap();
    reconcile(&mut engine).await;
    bob_waits(&world, bob, ada_there, "propagate").await;
    clock.advance(TimeDelta::minutes(61));
    world.desk.merge_contacts(last, &[ada_there]).unwrap();
    // Whichever of the two is looked at first.
    world.crm_edit(bob, &[("phone", "+2")]);
    reconcile(&mut engine).await;
    clock.advance(TimeDelta::minutes(5));
    world.crm_edit(bob, &[("phone", "+3")]);
    reconcile(&mut engine).await;
    assert!(!world.crm_row(ada).archived && !world.crm_row(bob).archived);
    assert_eq!(world.holds().await.len(), 1, "{:?}", world.holds().await);
    clock.advance(TimeDelta::minutes(5));
    world.crm_edit(ada, &[("jobtitle", "Countess")]);
    cycle(&mut engine).await;
    let survivor = world.desk.contact(last).unwrap();
    assert_eq!(survivor.job_title.as_deref(), Some("Countess"));
    assert_eq!(world.desk_count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_settles_a_merge_is_not_asked_again() {
    let (world, clock, mut engine, [_, bob], [ada_there, bob_there]) = two_pairs("propagate").await;
    world.desk.merge_contacts(ada_there, &[bob_there]).unwrap();
    reconcile(&mut engine).await;
    let number = world.holds().await[0].id;
    world.answer(number, Answer::Discard).await;
    clock.advance(TimeDelta::minutes(1));
    cycle(&mut engine).await;
    clock.advance(TimeDelta::minutes(61));
    world.crm_edit(bob, &[("phone", "+2")]);
    reconcile(&mut engine).await;
    assert_eq!((world.holds().await, world.desk_count()), (vec![], 1));
    assert!(!world.crm_row(bob).archived);
    let told = parsed(&output(
        &world,
        &["explain", &format!("crm:{bob}"), "--json"],
    ));
    let merged = format!("merged into freshdesk:{ada_there}");
    assert!(told.to_string().contains(&merged), "{told:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_hard_deleted_in_freshdesk_whose_address_nobody_has_is_still_a_deletion() {
    let (world, _, mut engine, [_, bob], [_, bob_there]) = two_pairs("propagate").await;
    world.desk.hard_delete_contact(bob_there).unwrap();
    reconcile(&mut engine).await;
    assert!(world.crm_row(bob).archived);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_taken_out_of_a_merge_again_is_linked_again_and_not_doubled() {
    for policy in POLICIES {
        let (world, clock, mut engine, [_, bob], [ada_there, bob_there]) = two_pairs(policy).await;
        world.desk.merge_contacts(ada_there, &[bob_there]).unwrap();
        reconcile(&mut engine).await;
        bob_waits(&world, bob, ada_there, policy).await;
        clock.advance(TimeDelta::minutes(5));
        let none: [&str; 0] = [];
        let alone = json!({"other_emails": none});
        world.desk_edit(ada_there, &alone);
        let again = world.desk_contact(&json!({"name": "Bob", "email": "bob@acme.test"}));
        cycle(&mut engine).await;
        clock.advance(TimeDelta::minutes(61));
        reconcile(&mut engine).await;
        assert_eq!(world.holds().await, [], "{policy}");
        world.crm_edit(bob, &[("phone", "+2")]);
        clock.advance(TimeDelta::minutes(1));
        cycle(&mut engine).await;
        let bob_there = world.desk.contact(again).unwrap();
        assert_eq!(bob_there.phone.as_deref(), Some("+2"), "{policy}");
        assert_eq!(world.crm.portal().count(CrmKind::Contact), 2, "{policy}");
        assert_eq!(world.desk_count(), 2, "{policy}");
    }
}

#[tokio::test]
async fn who_is_put_into_a_company_that_the_crm_has_just_merged_away_is_in_its_heir_on_both_sides()
{
    let (world, clock) = World::timed().await;
    let company =
        |name: &str, domain: &str| world.crm_company(&[("name", name), ("domain", domain)]);
    let acme = company("Acme", "acme.example");
    let other = company("Other", "other.example");
    let ada = world.crm_person("Ada", &[]);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    let ada_there = world.desk_by_email("ada@acme.test").id;
    let companies = world.desk.companies();
    let there = |name: &str| companies.iter().find(|it| it.name == name).unwrap().id;
    clock.advance(TimeDelta::minutes(61));
    world
        .crm
        .portal()
        .merge(CrmKind::Company, acme, other)
        .unwrap();
    // Nobody has noticed when an agent moves her there.
    world.desk_edit(ada_there, &json!({"company_id": there("Other")}));
    cycle(&mut engine).await;
    assert_eq!(world.crm_row(ada).companies, [acme]);
    clock.advance(TimeDelta::minutes(10));
    reconcile(&mut engine).await;
    assert_eq!(world.crm_row(ada).companies, [acme]);
    let now = world.desk.contact(ada_there).unwrap();
    assert_eq!(now.company_id, Some(there("Acme")));
}

//! What becomes of holds and answers later: an answer is about what was shown, and about nothing else.

use super::office::Office;
use crate::world::program::{code, output, parsed, write_config};
use crate::world::{World, attempt, cycle, reconcile};
use chrono::TimeDelta;
use deskbridge::store::Answer;
use serde_json::{Value as Json, json};

#[tokio::test]
async fn an_approval_is_spent_with_its_write_however_soon_the_next_flood_comes() {
    let mut office = Office::new().await;
    office.edit(0..7, &[("phone", "+2")]);
    office.turn().await;
    office.answer(Answer::Approve).await;
    assert_eq!(office.turn().await.updated, 7);
    office.edit(0..7, &[("phone", "+3")]);
    let report = office.turn().await;
    assert_eq!((report.updated, report.held), (0, 1), "{report:?}");
    assert_eq!(office.showing("+2"), 7);
}

#[tokio::test]
async fn an_edit_after_a_discard_and_before_the_next_cycle_is_neither_lost_nor_written_unasked() {
    let mut office = Office::new().await;
    office.edit(0..7, &[("phone", "+2")]);
    office.turn().await;
    office.answer(Answer::Discard).await;
    office.edit(0..1, &[("jobtitle", "boss")]);
    office.rests().await;
    assert_eq!(office.showing("+2"), 0);
    // The others are done with, and of this one a person is asked anew.
    let hold = office.only_hold().await;
    assert_eq!((hold.class.as_str(), hold.count), ("update", 1), "{hold:?}");
    office.world.answer(hold.id, Answer::Approve).await;
    assert_eq!(office.turn().await.updated, 1);
    let contacts = office.world.desk.contacts();
    let bosses = contacts.iter();
    let bosses = bosses.filter(|it| it.job_title.as_deref() == Some("boss"));
    assert_eq!(bosses.count(), 1);
    office.rests().await;
}

#[tokio::test]
async fn an_approved_change_is_made_though_another_field_of_its_contact_is_refused_time_and_again()
{
    for answer in [Answer::Approve, Answer::Discard] {
        let mut office = Office::new().await;
        let there = office.world.desk_by_email("c0@acme.test").id;
        // The CRM refuses the address that an agent gives to one of three whose phones are emptied.
        let taken = json!({"email": "taken@acme.test"});
        office.world.crm_contact(&[("email", "taken@acme.test")]);
        office.world.desk_edit(there, &taken);
        office.edit(0..3, &[("phone", "")]);
        let report = office.turn().await;
        assert_eq!((report.failed, report.held), (1, 1), "{report:?}");
        let hold = office.only_hold().await;
        assert_eq!((hold.class.as_str(), hold.count), ("clear", 3), "{hold:?}");
        // The address is due to be tried again when the answer is carried out.
        office.clock.advance(TimeDelta::minutes(30));
        office.world.answer(hold.id, answer).await;
        let report = office.turn().await;
        assert_eq!((report.failed, report.held), (1, 0), "{report:?}");
        let emptied = if answer == Answer::Approve { 3 } else { 0 };
        assert_eq!(office.showing("+1"), 10 - emptied);
        office.rests().await;
        assert_eq!(office.world.parked().await.len(), 1);
        assert_eq!(office.waiting().await, 0);
    }
}

async fn certificate(world: &World) -> Json {
    let mut state = world.report().await;
    state.certificates().await.unwrap()["contact"].clone()
}

#[tokio::test]
async fn a_certificate_counts_as_held_what_waits_and_as_equal_what_is_equal() {
    let mut office = Office::new().await;
    office.edit(0..7, &[("phone", "+2")]);
    office.turn().await;
    office.clock.advance(TimeDelta::minutes(1));
    reconcile(&mut office.engine).await;
    let said = certificate(&office.world).await;
    let counts = ["linked", "equal", "held", "open"].map(|name| said[name].as_u64().unwrap());
    assert_eq!(counts, [10, 3, 7, 0], "{said}");
}

#[tokio::test]
async fn a_listing_that_is_not_believed_is_certified_by_nobody() {
    let (world, clock) = World::timed().await;
    for number in 0..60 {
        let email = format!("c{number}@acme.test");
        world.crm_contact(&[("email", &email), ("firstname", "C")]);
    }
    let (mut engine, liar) = world.lying_engine(&clock).await;
    cycle(&mut engine).await;
    clock.advance(TimeDelta::hours(26));
    reconcile(&mut engine).await;
    let before = certificate(&world).await;
    clock.advance(TimeDelta::hours(26));
    liar.empty_next_listing();
    engine.cycle(true).await.unwrap();
    assert_eq!(world.holds().await.len(), 1, "it is doubted");
    assert_eq!(certificate(&world).await, before);
    clock.advance(TimeDelta::hours(1));
    engine.cycle(true).await.unwrap();
    attempt(&mut engine).await;
    assert_ne!(certificate(&world).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_update_that_was_applied_from_its_plan_does_not_bar_the_next_one() {
    let mut world = World::new().await;
    world
        .mapping
        .push_str("\n[guards]\nupdates = { count = 5, percent = 20 }\n");
    write_config(&world);
    let people: Vec<u64> = (0..10)
        .map(|number| {
            let email = format!("c{number}@acme.test");
            world.crm_contact(&[("email", &email), ("firstname", "C"), ("phone", "+1")])
        })
        .collect();
    assert_eq!(code(&output(&world, &["sync", "--approve-first"])), 0);
    for person in &people[..7] {
        world.crm_edit(*person, &[("phone", "+2")]);
    }
    assert_eq!(code(&output(&world, &["sync"])), 79);
    let plan = world.state().with_file_name("approved.plan");
    let plan = plan.to_str().unwrap();
    output(&world, &["plan", "-o", plan]);
    let applied = output(&world, &["apply", plan, "--yes"]);
    assert_eq!(code(&applied), 0, "{applied:?}");
    world.crm_edit(people[9], &[("phone", "+3")]);
    let next = output(&world, &["sync", "--json"]);
    assert_eq!(code(&next), 0, "{next:?}");
    assert_eq!(parsed(&next)["updated"], 1);
    assert_eq!(world.holds().await, []);
}

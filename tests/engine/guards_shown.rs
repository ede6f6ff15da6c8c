//! An answer is one to what the person was shown, whatever joins, changes or breaks off meanwhile.

use super::office::{GUARDS, Office};
use crate::world::hooked::Hook;
use crate::world::{attempt, reconcile};
use chrono::TimeDelta;
use deskbridge::model::Side;
use deskbridge::sandbox::faults::Fault;
use deskbridge::store::{Answer, Answers, HoldView};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

/// Answers a hold from beside, while a cycle is under way.
fn answer_from_beside(state: PathBuf, id: i64, answer: Answer) {
    let person = thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        runtime.block_on(async move {
            let mut answers = Answers::open(&state).await.unwrap();
            assert_eq!(answers.give(&[(id, answer)]).await.unwrap(), Ok(()));
        });
    });
    person.join().unwrap();
}

/// Whether a number still means something to `approve` and `discard`.
async fn is_known(office: &Office, id: i64) -> bool {
    let mut answers = Answers::open(&office.world.state()).await.unwrap();
    let known = answers.hold(id).await.unwrap().is_some();
    let given = answers.give(&[(id, Answer::Approve)]).await.unwrap();
    assert_eq!(given.is_ok(), known);
    known
}

#[tokio::test]
async fn an_approval_given_while_a_cycle_runs_does_not_cover_what_that_cycle_adds() {
    for answer in [Answer::Approve, Answer::Discard] {
        let mut office = Office::new().await;
        drop(office.engine);
        let (engine, hooked) = office.world.lying_engine(&office.clock).await;
        office.engine = engine;
        office.engine.guard(GUARDS);
        office.edit(0..7, &[("phone", "+2")]);
        office.turn().await;
        let shown = office.only_hold().await;
        assert_eq!(shown.count, 7);
        // A new contact is made before changes are planned: that is when the person answers.
        let new = [("email", "new@acme.test"), ("firstname", "N")];
        office.world.crm_contact(&new);
        office.edit(7..10, &[("phone", "+2")]);
        let state = office.world.state();
        hooked.hook(Hook::Before(Arc::new(move || {
            answer_from_beside(state.clone(), shown.id, answer);
        })));
        let report = office.turn().await;
        assert_eq!((report.created, report.updated), (1, 0), "{report:?}");
        let report = office.turn().await;
        let written = if answer == Answer::Approve { 7 } else { 0 };
        assert_eq!((report.updated, report.held), (written, 1), "{report:?}");
        let left = office.only_hold().await;
        assert_eq!((left.class.as_str(), left.count), ("update", 3), "{left:?}");
        assert!(!is_known(&office, shown.id).await, "that was answered");
        office.world.answer(left.id, Answer::Approve).await;
        assert_eq!(office.turn().await.updated, 3);
        office.rests().await;
    }
}

#[tokio::test]
async fn an_old_number_approves_nothing_of_a_hold_that_has_grown_since() {
    let mut office = Office::with(30, |_| ()).await;
    office.edit(0..10, &[("phone", "+2")]);
    office.turn().await;
    let shown = office.only_hold().await;
    // As much as would pass by itself is no other question.
    office.edit(10..19, &[("phone", "+2")]);
    office.turn().await;
    let grown = office.only_hold().await;
    assert_eq!((grown.id, grown.count), (shown.id, 19));
    office.edit(19..20, &[("phone", "+2")]);
    office.turn().await;
    let other = office.only_hold().await;
    assert_eq!((other.count, &other.since), (20, &shown.since));
    assert!(!is_known(&office, shown.id).await);
    assert_eq!(office.turn().await.updated, 0);
    office.world.answer(other.id, Answer::Approve).await;
    assert_eq!(office.turn().await.updated, 20);
}

async fn conflicting() -> (Office, u64) {
    let mut office = Office::with(3, |world| {
        world.remap("conflict = \"newest\"", "conflict = \"hold\"");
    })
    .await;
    let there = office.world.desk_by_email("c0@acme.test").id;
    office.edit(0..1, &[("phone", "+2")]);
    let edit = json!({"phone": "+3"});
    office.world.desk_edit(there, &edit);
    assert_eq!(office.turn().await.held, 1);
    (office, there)
}

#[tokio::test]
async fn an_old_number_overrules_no_value_that_came_into_a_conflict_since() {
    let (mut office, there) = conflicting().await;
    let shown = office.only_hold().await;
    let edit = json!({"phone": "+5"});
    office.world.desk_edit(there, &edit);
    office.turn().await;
    let other = office.only_hold().await;
    assert_eq!(other.since, shown.since);
    assert!(!is_known(&office, shown.id).await);
    office.rests().await;
    office.world.answer(other.id, Answer::Take(Side::Crm)).await;
    office.turn().await;
    assert_eq!(office.showing("+2"), 1);
    office.rests().await;
}

#[tokio::test]
async fn a_conflict_that_shows_the_same_keeps_its_number() {
    let (mut office, _) = conflicting().await;
    let shown = office.only_hold().await;
    office.edit(0..1, &[("jobtitle", "boss")]);
    office.turn().await;
    office.clock.advance(TimeDelta::minutes(1));
    reconcile(&mut office.engine).await;
    assert_eq!(office.only_hold().await, shown);
}

#[tokio::test]
async fn an_answer_is_carried_out_after_a_reconcile_that_broke_off() {
    for (answer, written) in [(Answer::Approve, 7), (Answer::Discard, 0)] {
        let mut office = Office::new().await;
        office.edit(0..7, &[("phone", "+2")]);
        office.turn().await;
        let faults = &office.world.desk.backstage().faults;
        faults.inject("GET", "/api/v2/contacts", Fault::Refuse(503), 1000);
        office.clock.advance(TimeDelta::minutes(1));
        office.engine.cycle(true).await.unwrap();
        office.answer(answer).await;
        office.world.desk.backstage().faults.clear();
        office.clock.advance(TimeDelta::minutes(90));
        let report = attempt(&mut office.engine).await;
        assert_eq!((report.updated, report.held), (written, 0), "{report:?}");
        office.rests().await;
    }
}

/// A hold over seven changes of which a cycle that was stopped has written down only four.
async fn half_written_down() -> (Office, HoldView) {
    let mut office = Office::new().await;
    office.edit(0..7, &[("phone", "+2")]);
    office.turn().await;
    for sql in [
        "UPDATE record SET dirty = 1 WHERE id IN (SELECT record FROM guarded ORDER BY record LIMIT 3)",
        "DELETE FROM guarded WHERE record IN (SELECT record FROM guarded ORDER BY record LIMIT 3)",
        "UPDATE hold SET whole = 0",
    ] {
        office.world.execute(sql).await;
    }
    let hold = office.only_hold().await;
    (office, hold)
}

#[tokio::test]
async fn what_a_cut_short_cycle_had_not_got_to_is_not_written_because_the_rest_was_discarded() {
    let (mut office, hold) = half_written_down().await;
    assert_eq!(hold.count, 7);
    office.world.answer(hold.id, Answer::Discard).await;
    let report = office.turn().await;
    assert_eq!((report.updated, report.held), (0, 1), "{report:?}");
    let left = office.only_hold().await;
    assert_eq!(left.count, 3, "{left:?}");
    office.world.answer(left.id, Answer::Discard).await;
    office.rests().await;
    assert_eq!(office.world.holds().await, []);
    assert_eq!(office.showing("+2"), 0);
}

#[tokio::test]
async fn a_hold_of_a_cut_short_cycle_is_gone_when_nothing_is_left_of_it() {
    let (mut office, hold) = half_written_down().await;
    office.edit(0..7, &[("phone", "+1")]);
    office.world.answer(hold.id, Answer::Approve).await;
    assert_eq!(office.turn().await.updated, 0);
    office.rests().await;
    assert_eq!(office.world.holds().await, []);
    assert_eq!(office.waiting().await, 0);
}

#[tokio::test]
async fn an_answer_that_cannot_be_carried_out_any_more_is_asked_for_again() {
    let (mut office, there) = placed().await;
    let shown = office.only_hold().await;
    assert_eq!(shown.fields[0]["field"], "company");
    office.world.answer(shown.id, Answer::Take(Side::Crm)).await;
    // Before it is carried out, the counterpart of the company that was chosen is deleted for good.
    let companies = office.world.desk.companies();
    let chosen = companies.iter().find(|it| it.name == "Acme").unwrap();
    office.world.desk.delete_company(chosen.id).unwrap();
    let report = office.engine.cycle(true).await.unwrap();
    assert_eq!((report.updated, report.held), (0, 1), "{report:?}");
    let asked = office.only_hold().await;
    assert_eq!((asked.id, &asked.fields), (shown.id, &shown.fields));
    office.rests().await;
    office
        .world
        .answer(asked.id, Answer::Take(Side::Desk))
        .await;
    assert_eq!(office.turn().await.updated, 1);
    let other = office.world.desk.contact(there).unwrap().company_id;
    let other = office.world.desk.company(other.unwrap()).unwrap();
    assert_eq!(other.name, "Other");
    office.rests().await;
}

/// A contact that was put into one company in the CRM and into another in Freshdesk.
async fn placed() -> (Office, u64) {
    let mut office = Office::with(3, |world| {
        world.remap("conflict = \"newest\"", "conflict = \"hold\"");
    })
    .await;
    let world = &office.world;
    let there = world.desk_by_email("c0@acme.test").id;
    let acme = world.crm_company(&[("name", "Acme")]);
    let other = world.desk.add_company(&json!({"name": "Other"})).unwrap();
    let person = world.crm.portal().contact_by_email("c0@acme.test").unwrap();
    world.crm.portal().associate(person, acme, true).unwrap();
    let edit = json!({"company_id": other});
    world.desk_edit(there, &edit);
    office.edit(0..1, &[("firstname", "C")]);
    assert_eq!(office.turn().await.held, 1);
    (office, there)
}

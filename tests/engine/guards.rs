//! Too much at once: held whole, until a person says what is to be done.

use super::office::{GUARDS, Office, email};
use crate::world::stage::{LOW, Stage, URGENT, VIP};
use crate::world::{attempt, reconcile};
use chrono::TimeDelta;
use deskbridge::sandbox::hubspot::Kind as CrmKind;
use deskbridge::store::Answer;

#[tokio::test]
async fn a_mass_update_by_a_wrong_mapping_is_held_whole_and_gone_with_the_right_one() {
    let titles = "freshdesk = \"job_title\"";
    let office = Office::new().await;
    office.world.forget_calls();
    // Everybody's job becomes their address.
    let mut office = office.remapped(titles, "freshdesk = \"address\"").await;
    office.turn().await;
    let hold = office.only_hold().await;
    assert_eq!(
        (hold.class.as_str(), hold.count),
        ("update", 10),
        "{hold:?}"
    );
    let mut office = office.remapped("freshdesk = \"address\"", titles).await;
    office.turn().await;
    assert_eq!(office.world.holds().await, []);
    office.rests().await;
    assert_eq!(office.world.writes(), [""; 0]);
}

#[tokio::test]
async fn a_mass_update_is_held_whole_and_nothing_of_it_is_written() {
    let mut office = Office::new().await;
    office.edit(0..7, &[("phone", "+2")]);
    office.world.forget_calls();
    let report = office.turn().await;
    assert_eq!((report.updated, report.held), (0, 1), "{report:?}");
    assert_eq!(office.world.writes(), [""; 0]);
    let hold = office.only_hold().await;
    assert_eq!((hold.class.as_str(), hold.count), ("update", 7), "{hold:?}");
    assert!(hold.is_of_many());
    // It stays held, also when there is less and less to do.
    office.edit(0..6, &[("phone", "+1")]);
    office.rests().await;
    assert_eq!(office.only_hold().await.count, 1);
    office.rests().await;
    assert_eq!(office.showing("+2"), 0);
}

#[tokio::test]
async fn as_much_as_the_line_allows_passes_without_a_word() {
    let mut office = Office::new().await;
    office.edit(0..6, &[("phone", "+2")]);
    let report = office.turn().await;
    assert_eq!((report.updated, report.held), (6, 0), "{report:?}");
}

#[tokio::test]
async fn what_is_approved_is_all_written_and_nothing_else_with_it() {
    let mut office = Office::new().await;
    office.edit(0..7, &[("phone", "+2")]);
    office.turn().await;
    office.answer(Answer::Approve).await;
    let report = office.turn().await;
    assert_eq!((report.updated, report.held), (7, 0), "{report:?}");
    assert_eq!(office.showing("+2"), 7);
    office.rests().await;
    assert_eq!(office.waiting().await, 0);
    // The approval was for those: the next flood is held again.
    office.edit(0..8, &[("phone", "+3")]);
    assert_eq!(office.turn().await.updated, 0);
    assert_eq!(office.only_hold().await.count, 8);
}

#[tokio::test]
async fn an_approval_does_not_cover_what_came_after_it() {
    let mut office = Office::new().await;
    office.edit(0..7, &[("phone", "+2")]);
    office.turn().await;
    office.answer(Answer::Approve).await;
    for number in 10..20 {
        let email = email(number);
        let person = office
            .world
            .crm_contact(&[("email", &email), ("phone", "+9")]);
        office.people.push(person);
    }
    let report = office.turn().await;
    assert_eq!((report.updated, report.created), (7, 0), "{report:?}");
    assert_eq!(office.only_hold().await.class, "create");
}

#[tokio::test]
async fn what_is_discarded_is_never_written_and_never_asked_about_again() {
    let mut office = Office::new().await;
    office.edit(0..7, &[("phone", "+2")]);
    office.turn().await;
    office.answer(Answer::Discard).await;
    office.rests().await;
    assert_eq!(office.world.holds().await, []);
    reconcile(&mut office.engine).await;
    office.rests().await;
    assert_eq!(office.showing("+2"), 0);
    assert_eq!(office.waiting().await, 0);
    // A later edit of one of them crosses over.
    office.edit(0..1, &[("phone", "+3")]);
    assert_eq!(office.turn().await.updated, 1);
    assert_eq!(office.showing("+3"), 1);
}

#[tokio::test]
async fn a_held_change_whose_cause_is_gone_waits_for_nobody() {
    let mut office = Office::new().await;
    office.edit(0..7, &[("phone", "+2")]);
    let wrong: Vec<u64> = (0..6)
        .map(|number| {
            let email = format!("new{number}@import.test");
            office
                .world
                .crm_contact(&[("email", &email), ("firstname", "N")])
        })
        .collect();
    assert_eq!(office.turn().await.held, 2);
    office.edit(0..7, &[("phone", "+1")]);
    for person in wrong {
        office
            .world
            .crm
            .portal()
            .archive(CrmKind::Contact, person)
            .unwrap();
    }
    office.clock.advance(TimeDelta::minutes(61));
    office.rests().await;
    assert_eq!(office.world.holds().await, []);
    assert_eq!(office.waiting().await, 0);
}

#[tokio::test]
async fn of_a_record_of_which_one_field_is_emptied_the_other_fields_go_on() {
    let mut office = Office::new().await;
    office.edit(0..3, &[("phone", ""), ("jobtitle", "boss")]);
    let report = office.turn().await;
    assert_eq!((report.updated, report.held), (3, 1), "{report:?}");
    let hold = office.only_hold().await;
    assert_eq!((hold.class.as_str(), hold.count), ("clear", 3));
    assert_eq!(office.showing("+1"), 10);
    let there = office.world.desk_by_email(&email(1));
    assert_eq!(there.job_title.as_deref(), Some("boss"));
    office.rests().await;
    office.answer(Answer::Approve).await;
    assert_eq!(office.turn().await.updated, 3);
    assert_eq!(office.showing("+1"), 7);
    office.rests().await;
}

#[tokio::test]
async fn discarded_clears_leave_both_sides_as_they_are() {
    let mut office = Office::new().await;
    office.edit(0..3, &[("phone", ""), ("jobtitle", "boss")]);
    office.turn().await;
    office.answer(Answer::Discard).await;
    office.rests().await;
    reconcile(&mut office.engine).await;
    assert_eq!(office.showing("+1"), 10);
    assert_eq!(office.world.holds().await, []);
}

#[tokio::test]
async fn changes_that_creep_in_below_the_line_are_held_at_the_line_of_a_day() {
    let mut office = Office::new().await;
    let mut written = 0;
    for round in 0..30 {
        let phone = format!("+5{round}");
        // Others each time: one field that changes all the time would be held for that.
        let at = round % 5 * 2;
        office.edit(at..at + 2, &[("phone", &phone)]);
        written += office.turn().await.updated;
    }
    assert_eq!(written, 18, "three times the line of a cycle");
    let hold = office.only_hold().await;
    assert_eq!(hold.class, "update");
    assert!(hold.reason.contains("24 hours"), "{hold:?}");
    // Approved, the day begins anew.
    office.answer(Answer::Approve).await;
    office.turn().await;
    office.edit(0..2, &[("phone", "+77")]);
    assert_eq!(office.turn().await.updated, 2);
    assert_eq!(office.world.holds().await, []);
}

#[tokio::test]
async fn a_day_later_the_line_of_a_day_is_free_again() {
    let mut office = Office::new().await;
    for round in 0..9 {
        let at = round % 5 * 2;
        office.edit(at..at + 2, &[("phone", &format!("+5{round}"))]);
        assert_eq!(office.turn().await.updated, 2);
    }
    office.clock.advance(TimeDelta::hours(26));
    office.edit(0..2, &[("phone", "+6")]);
    assert_eq!(office.turn().await.updated, 2);
}

#[tokio::test]
async fn approved_changes_that_an_outage_interrupts_stay_approved() {
    let mut office = Office::new().await;
    office.edit(0..7, &[("phone", "+2")]);
    office.turn().await;
    office.answer(Answer::Approve).await;
    let faults = &office.world.desk.backstage().faults;
    let down = deskbridge::sandbox::faults::Fault::Refuse(503);
    faults.inject("PUT", "/api/v2/contacts", down, 1000);
    office.clock.advance(TimeDelta::minutes(1));
    attempt(&mut office.engine).await;
    assert_eq!(office.showing("+2"), 0);
    office.world.desk.backstage().faults.clear();
    office.clock.advance(TimeDelta::minutes(90));
    let report = attempt(&mut office.engine).await;
    assert_eq!((report.updated, report.held), (7, 0), "{report:?}");
}

#[tokio::test]
async fn a_rule_that_means_everybody_raises_no_ticket_before_somebody_looks() {
    for answer in [Answer::Approve, Answer::Discard] {
        let mut stage = Stage::new(VIP).await;
        let tickets = stage.open_tickets(3);
        stage.engine.guard(GUARDS);
        stage.turn().await;
        stage.vip();
        let report = stage.turn().await;
        assert_eq!((report.tickets.raised, report.held), (0, 1), "{report:?}");
        let holds = stage.world.holds().await;
        assert_eq!((holds[0].class.as_str(), holds[0].count), ("ticket", 3));
        assert!(holds[0].is_of_many());
        stage.rests().await;
        stage.world.answer(holds[0].id, answer).await;
        let raised = stage.turn().await.tickets.raised;
        stage.rests().await;
        assert_eq!(stage.world.holds().await, []);
        let expected = if answer == Answer::Approve { 3 } else { 0 };
        assert_eq!(raised, expected);
        let urgent = tickets.iter().filter(|it| stage.priority(**it) == URGENT);
        assert_eq!(urgent.count() as u64, expected);
    }
}

#[tokio::test]
async fn held_tickets_wait_for_nobody_once_the_standing_has_ended() {
    let mut stage = Stage::new(VIP).await;
    for _ in 0..3 {
        stage.ticket(2, LOW);
    }
    stage.engine.guard(GUARDS);
    stage.vip();
    assert_eq!(stage.turn().await.held, 1);
    stage.standard();
    assert_eq!(stage.turn().await.held, 0);
    stage.rests().await;
}

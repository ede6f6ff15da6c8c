//! A hold over a single record, a conflict or a refused duplicate: it goes as a person answers.

use super::office::{Office, email};
use crate::world::{attempt, cycle, reconcile};
use chrono::TimeDelta;
use deskbridge::model::Side;
use deskbridge::store::Answer;
use serde_json::json;

#[tokio::test]
async fn a_conflict_goes_to_the_side_that_a_person_takes() {
    for (answer, crm, desk) in [
        (Answer::Take(Side::Crm), "+2", "+2"),
        (Answer::Take(Side::Desk), "+3", "+3"),
        (Answer::Approve, "+3", "+3"),
        (Answer::Discard, "+2", "+3"),
    ] {
        let mut office = Office::with(3, |world| {
            world.remap("conflict = \"newest\"", "conflict = \"hold\"");
        })
        .await;
        office.edit(0..1, &[("phone", "+2")]);
        office.clock.advance(TimeDelta::seconds(5));
        let there = office.world.desk_by_email(&email(0)).id;
        let edit = json!({"phone": "+3"});
        office.world.desk_edit(there, &edit);
        assert_eq!(office.turn().await.held, 1);
        office.answer(answer).await;
        office.turn().await;
        office.rests().await;
        let shown = office.world.desk.contact(there).unwrap().phone;
        let row = office.world.crm_row(office.people[0]);
        assert_eq!(
            (row.properties["phone"].as_str(), shown.as_deref()),
            (crm, Some(desk)),
            "{answer:?}"
        );
        reconcile(&mut office.engine).await;
        assert_eq!(office.world.count("SELECT count(*) FROM hold").await, 0);
        // From here on an edit crosses over as ever.
        office.edit(0..1, &[("phone", "+4")]);
        office.turn().await;
        assert_eq!(office.showing("+4"), 1, "{answer:?}");
    }
}

#[tokio::test]
async fn an_answer_to_a_conflict_is_none_to_what_was_changed_since() {
    let mut office = Office::with(3, |world| {
        world.remap("conflict = \"newest\"", "conflict = \"hold\"");
    })
    .await;
    let there = office.world.desk_by_email(&email(0)).id;
    office.edit(0..1, &[("phone", "+2")]);
    let edit = |phone: &str| {
        let edit = json!({ "phone": phone });
        office.world.desk_edit(there, &edit);
    };
    edit("+3");
    office.clock.advance(TimeDelta::minutes(1));
    cycle(&mut office.engine).await;
    office.answer(Answer::Take(Side::Crm)).await;
    office.clock.advance(TimeDelta::seconds(20));
    edit("+5");
    let report = office.turn().await;
    assert_eq!((report.updated, report.held), (0, 1), "{report:?}");
    assert_eq!(office.showing("+5"), 1);
}

#[tokio::test]
async fn a_refused_duplicate_that_a_person_discards_is_left_alone() {
    let mut office = Office::new().await;
    let there = office
        .world
        .desk_contact(&json!({"name": "T", "email": "t@acme.test"}));
    office.world.desk.delete_contact(there).unwrap();
    office.world.crm_person("T", &[]);
    office.clock.advance(TimeDelta::minutes(1));
    attempt(&mut office.engine).await;
    let hold = office.only_hold().await;
    assert_eq!((hold.class.as_str(), hold.approvable), ("duplicate", false));
    office.answer(Answer::Discard).await;
    office.rests().await;
    assert_eq!(
        (office.world.holds().await, office.world.parked().await),
        (vec![], vec![])
    );
    office.clock.advance(TimeDelta::minutes(60));
    office.rests().await;
}

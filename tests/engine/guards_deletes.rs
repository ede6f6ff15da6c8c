//! Deletions and short listings: the customers stay, until a person says that they may go.

use super::office::{GUARDS, Office, email};
use crate::world::{attempt, reconcile};
use chrono::TimeDelta;
use deskbridge::model::Side;
use deskbridge::sandbox::hubspot::Kind as CrmKind;
use deskbridge::store::Answer;

/// Deletions cross over, and three of ten customers were archived in the CRM an hour ago.
async fn three_archived() -> Office {
    let office = Office::with(10, |world| {
        world.remap("delete   = \"hold\"", "delete   = \"propagate\"");
    })
    .await;
    for person in &office.people[0..3] {
        let portal = office.world.crm.portal();
        portal.archive(CrmKind::Contact, *person).unwrap();
    }
    office.clock.advance(TimeDelta::minutes(61));
    office
}

#[tokio::test]
async fn a_mass_deletion_is_held_and_the_customers_stay() {
    let mut office = three_archived().await;
    let report = office.turn().await;
    assert_eq!((report.deleted, report.held), (0, 1), "{report:?}");
    let hold = office.only_hold().await;
    assert_eq!((hold.class.as_str(), hold.count), ("delete", 3));
    assert_eq!(office.world.desk_count(), 10);
    // One comes back and waits no longer.
    let portal = office.world.crm.portal();
    portal.restore(CrmKind::Contact, office.people[0]).unwrap();
    office.rests().await;
    assert_eq!(office.only_hold().await.count, 2);
    office.answer(Answer::Approve).await;
    assert_eq!(office.turn().await.deleted, 2);
    assert_eq!(office.world.desk_count(), 8);
}

#[tokio::test]
async fn discarded_deletions_keep_the_survivors() {
    let mut office = three_archived().await;
    office.turn().await;
    office.answer(Answer::Discard).await;
    office.rests().await;
    reconcile(&mut office.engine).await;
    office.rests().await;
    assert_eq!(
        (office.world.desk_count(), office.world.holds().await),
        (10, vec![])
    );
}

#[tokio::test]
async fn an_empty_listing_is_a_hold_that_a_whole_one_ends() {
    let mut office = Office::with(30, |_| ()).await;
    drop(office.engine);
    let (engine, liar) = office.world.lying_engine(&office.clock).await;
    office.engine = engine;
    office.engine.guard(GUARDS);
    // As the daemon has it: what was listed lately is not listed again, but for what was not believed.
    office.engine.young = Some(TimeDelta::hours(18));
    office.clock.advance(TimeDelta::hours(26));
    office.rests().await;
    office.clock.advance(TimeDelta::minutes(20));
    liar.empty_next_listing();
    office.engine.cycle(true).await.unwrap();
    let hold = office.only_hold().await;
    let seen = (hold.class.as_str(), hold.side.as_deref(), hold.count);
    assert_eq!(seen, ("listing", Some(Side::Desk.word()), 30));
    office.rests().await;
    assert_eq!(office.world.holds().await.len(), 1);
    reconcile(&mut office.engine).await;
    assert_eq!(office.world.holds().await, []);
    assert_eq!(office.world.desk_count(), 30);
}

#[tokio::test]
async fn a_listing_that_is_right_to_be_short_is_believed_once_a_person_says_so() {
    let mut office = Office::with(30, |_| ()).await;
    for number in 0..25 {
        let there = office.world.desk_by_email(&email(number)).id;
        office.world.desk.hard_delete_contact(there).unwrap();
    }
    office.clock.advance(TimeDelta::minutes(1));
    office.engine.cycle(true).await.unwrap();
    office.answer(Answer::Approve).await;
    office.clock.advance(TimeDelta::minutes(1));
    attempt(&mut office.engine).await;
    let holds = office.world.holds().await;
    assert_eq!(holds.len(), 25, "{holds:?}");
    assert!(holds.iter().all(|hold| hold.class == "delete"));
    assert_eq!(office.world.crm.portal().count(CrmKind::Contact), 30);
}

#[tokio::test]
async fn a_deletion_that_a_person_approves_is_carried_out_and_one_that_comes_back_is_not() {
    let mut office = Office::new().await;
    for number in 0..2 {
        let there = office.world.desk_by_email(&email(number)).id;
        office.world.desk.delete_contact(there).unwrap();
    }
    office.clock.advance(TimeDelta::minutes(61));
    office.turn().await;
    let holds = office.world.holds().await;
    assert_eq!(holds.len(), 2);
    for hold in &holds {
        office.world.answer(hold.id, Answer::Approve).await;
    }
    office.clock.advance(TimeDelta::seconds(10));
    let contacts = office.world.desk.contacts();
    let gone = contacts
        .iter()
        .find(|it| it.standing != deskbridge::sandbox::freshdesk::Standing::Live);
    let back = gone.unwrap().id;
    office.world.desk.restore_contact(back).unwrap();
    let report = office.turn().await;
    assert_eq!((report.deleted, report.held), (1, 0), "{report:?}");
    let gone = |it: &u64| office.world.crm_row(*it).archived;
    assert_eq!(office.people.iter().filter(|it| gone(it)).count(), 1);
    office.rests().await;
    assert_eq!(office.world.count("SELECT count(*) FROM hold").await, 0);
}

#[tokio::test]
async fn a_deletion_that_a_person_discards_leaves_the_survivor_alone_for_good() {
    let mut office = Office::new().await;
    let there = office.world.desk_by_email(&email(0)).id;
    office.world.desk.delete_contact(there).unwrap();
    office.clock.advance(TimeDelta::minutes(61));
    office.turn().await;
    office.answer(Answer::Discard).await;
    office.rests().await;
    office.edit(0..1, &[("phone", "+2")]);
    office.rests().await;
    assert!(!office.world.crm_row(office.people[0]).archived);
    assert_eq!(
        (office.world.desk_count(), office.world.holds().await),
        (9, vec![])
    );
}

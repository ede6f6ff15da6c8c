//! Those whom a list of everything does not show: how long asking for them may take, and what is lost by it.

use super::office::{GUARDS, Office, email};
use crate::world::{cycle, reconcile};
use chrono::TimeDelta;
use deskbridge::model::{Kind, Side};
use deskbridge::sandbox::faults::Fault;
use deskbridge::sandbox::hubspot::Kind as CrmKind;
use deskbridge::sync::CycleOutcome;
use std::time::Duration;

/// How many are asked for in one go.
const BATCH: usize = 50;
const STAFF: usize = 130;
const PURGED: usize = 60;

/// An office that has lost many for good in Freshdesk, in cycles that have no time to spare.
async fn purged() -> Office {
    let mut office = Office::with(STAFF, |world| {
        world.remap("delete   = \"hold\"", "delete   = \"propagate\"");
    })
    .await;
    for number in 0..PURGED {
        let there = office.world.desk_by_email(&email(number)).id;
        office.world.desk.hard_delete_contact(there).unwrap();
    }
    office.clock.advance(TimeDelta::hours(24));
    office.engine.slice = Some(Duration::ZERO);
    office
}

impl Office {
    /// How often single contacts of Freshdesk were asked for since calls were last forgotten.
    fn asked_for(&self) -> usize {
        let log = &self.world.desk.backstage().log;
        log.count("GET", "/api/v2/contacts/")
    }

    async fn is_asking(&mut self) -> bool {
        let asking = self.engine.store.asking(Side::Desk, Kind::Contact).await;
        asking.unwrap().is_some()
    }

    /// Turns until those who are missing have begun to be asked for.
    async fn reaches_the_missing(&mut self) {
        reconcile(&mut self.engine).await;
        for _ in 0..5 {
            if self.is_asking().await {
                return;
            }
            self.world.forget_calls();
            self.turn().await;
        }
        panic!("the list did not end");
    }
}

#[tokio::test]
async fn asking_for_many_who_are_missing_keeps_nobody_waiting_and_their_deletions_are_weighed_together()
 {
    let mut office = purged().await;
    office.reaches_the_missing().await;
    let first = office.asked_for();
    assert!((BATCH..PURGED).contains(&first), "{first}");
    assert_eq!(office.world.holds().await, []);
    // Meanwhile people are served, and nothing that was asked for is asked for again after a restart.
    office.edit(STAFF - 1..STAFF, &[("phone", "+49 7")]);
    drop(office.engine);
    office.engine = office.world.timed_engine(&office.clock).await;
    office.engine.guard(GUARDS);
    office.engine.slice = Some(Duration::ZERO);
    office.world.forget_calls();
    let report = office.turn().await;
    assert_eq!(office.showing("+49 7"), 1, "{report:?}");
    let second = office.asked_for();
    assert!(second <= PURGED - BATCH + 2, "{second}");
    for _ in 0..3 {
        office.turn().await;
    }
    let hold = office.only_hold().await;
    assert_eq!(
        (hold.class.as_str(), hold.count),
        ("delete", PURGED as u64),
        "{hold:?}"
    );
    assert_eq!(office.world.crm.portal().count(CrmKind::Contact), STAFF);
    assert!(!office.is_asking().await);
    let certified = "SELECT count(*) FROM meta WHERE key LIKE 'doubted.%'";
    assert_eq!(office.world.count(certified).await, 0);
}

#[tokio::test]
async fn a_new_reading_of_everything_does_not_forget_who_was_asked_for_already() {
    let mut office = purged().await;
    office.reaches_the_missing().await;
    office.clock.advance(TimeDelta::minutes(1));
    office.world.forget_calls();
    reconcile(&mut office.engine).await;
    assert!(office.asked_for() <= PURGED - BATCH + 2);
    for _ in 0..3 {
        office.turn().await;
    }
    assert_eq!(office.only_hold().await.count, PURGED as u64);
}

#[tokio::test]
async fn a_system_that_goes_away_while_it_is_asked_who_is_gone_deletes_nobody_and_is_asked_on() {
    let mut office = purged().await;
    office.reaches_the_missing().await;
    office.world.desk.backstage().faults.take_down();
    office.clock.advance(TimeDelta::minutes(1));
    let report = office.engine.cycle(false).await.unwrap();
    assert_eq!(report.outcome, CycleOutcome::Incomplete, "{report:?}");
    assert!(office.is_asking().await);
    assert_eq!(office.world.holds().await, []);
    office.world.desk.backstage().faults.clear();
    for _ in 0..4 {
        office.turn().await;
    }
    assert_eq!(office.only_hold().await.count, PURGED as u64);
}

#[tokio::test]
async fn a_refusal_while_the_missing_are_asked_for_does_not_stop_what_people_do() {
    let mut office = purged().await;
    office.reaches_the_missing().await;
    let faults = &office.world.desk.backstage().faults;
    faults.inject("GET", "/api/v2/contacts/", Fault::Refuse(403), 1_000);
    office.clock.advance(TimeDelta::minutes(1));
    office.engine.cycle(false).await.unwrap();
    assert!(!office.is_asking().await, "it would fail in each cycle");
    office.edit(STAFF - 1..STAFF, &[("phone", "+49 7")]);
    cycle(&mut office.engine).await;
    assert_eq!(office.showing("+49 7"), 1);
    assert_eq!(office.world.holds().await, []);
}

//! Too much at once: held whole, until a person says what is to be done.

use crate::world::stage::{LOW, Stage, URGENT, VIP};
use crate::world::{World, attempt, cycle, quiet, reconcile};
use chrono::TimeDelta;
use deskbridge::model::Side;
use deskbridge::plan::{Guards, Limit};
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::hubspot::Kind as CrmKind;
use deskbridge::store::{Answer, Answers, HoldView};
use deskbridge::sync::{CycleReport, Engine};
use serde_json::json;

const fn limit(count: u64, percent: f64) -> Limit {
    Limit { count, percent }
}

/// Low lines, so that few records cross them.
pub(super) const GUARDS: Guards = Guards {
    creates: limit(5, 20.0),
    updates: limit(6, 30.0),
    clears: limit(2, 5.0),
    deletes: limit(2, 5.0),
    tickets: limit(2, 5.0),
};

pub(super) struct Office {
    pub(super) world: World,
    pub(super) clock: SimClock,
    pub(super) engine: Engine,
    /// The linked contacts' ids in the CRM.
    pub(super) people: Vec<u64>,
}

fn email(number: usize) -> String {
    format!("c{number}@acme.test")
}

impl Office {
    /// Ten linked contacts, and guards that begin to act only now.
    pub(super) async fn new() -> Self {
        Self::with(10, |_| ()).await
    }

    pub(super) async fn with(people: usize, set: impl FnOnce(&mut World)) -> Self {
        let (mut world, clock) = World::timed().await;
        set(&mut world);
        let people = (0..people)
            .map(|number| {
                world.crm_contact(&[
                    ("email", &email(number)),
                    ("firstname", "C"),
                    ("phone", "+1"),
                    ("jobtitle", "clerk"),
                ])
            })
            .collect();
        let mut engine = world.timed_engine(&clock).await;
        cycle(&mut engine).await;
        engine.guard(GUARDS);
        let mut office = Self {
            world,
            clock,
            engine,
            people,
        };
        office.turn().await;
        office
    }

    /// The same with another line in `sync.toml`.
    async fn remapped(self, from: &str, to: &str) -> Self {
        let Self {
            mut world,
            clock,
            engine,
            people,
        } = self;
        engine.store.close().await.unwrap();
        world.remap(from, to);
        let mut engine = world.timed_engine(&clock).await;
        engine.guard(GUARDS);
        Self {
            world,
            clock,
            engine,
            people,
        }
    }

    /// A minute later, a cycle.
    pub(super) async fn turn(&mut self) -> CycleReport {
        self.clock.advance(TimeDelta::minutes(1));
        cycle(&mut self.engine).await
    }

    /// A minute later, a cycle that writes nothing to either system.
    pub(super) async fn rests(&mut self) {
        self.clock.advance(TimeDelta::minutes(1));
        self.world.forget_calls();
        quiet(&mut self.engine).await;
        assert_eq!(self.world.writes(), [""; 0]);
    }

    pub(super) fn edit(&self, people: std::ops::Range<usize>, fields: &[(&str, &str)]) {
        for person in &self.people[people] {
            self.world.crm_edit(*person, fields);
        }
    }

    /// How many contacts of Freshdesk show this.
    pub(super) fn showing(&self, phone: &str) -> usize {
        let contacts = self.world.desk.contacts();
        let shows = contacts
            .iter()
            .filter(|it| it.phone.as_deref() == Some(phone));
        shows.count()
    }

    pub(super) async fn only_hold(&self) -> HoldView {
        let mut holds = self.world.holds().await;
        assert_eq!(holds.len(), 1, "{holds:?}");
        holds.remove(0)
    }

    pub(super) async fn answer(&self, answer: Answer) {
        let hold = self.only_hold().await;
        self.give(hold.id, answer).await;
    }

    pub(super) async fn give(&self, id: i64, answer: Answer) {
        let mut answers = Answers::open(&self.world.state()).await.unwrap();
        assert_eq!(answers.give(&[(id, answer)]).await.unwrap(), Ok(()));
    }

    pub(super) async fn waiting(&self) -> i64 {
        self.world
            .count("SELECT coalesce(sum(count), 0) FROM guarded")
            .await
    }
}

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
async fn an_import_of_six_hundred_is_held_while_edits_go_on() {
    let mut office = Office::new().await;
    office.engine.guard(office.world.config().guards);
    for number in 0..600 {
        let email = format!("new{number}@import.test");
        office
            .world
            .crm_contact(&[("email", &email), ("firstname", "N")]);
    }
    office.edit(0..2, &[("phone", "+2")]);
    let report = office.turn().await;
    assert_eq!((report.created, report.updated), (0, 2), "{report:?}");
    let hold = office.only_hold().await;
    assert_eq!((hold.class.as_str(), hold.count), ("create", 600));
    assert_eq!(office.world.desk_count(), 10);
    // The next cycles do not plan them again, and other edits cross over.
    office.edit(2..4, &[("phone", "+2")]);
    assert_eq!(office.turn().await.updated, 2);
    office.answer(Answer::Approve).await;
    let report = office.turn().await;
    assert_eq!((report.created, report.held), (600, 0), "{report:?}");
    assert_eq!(office.world.desk_count(), 610);
    office.rests().await;
}

#[tokio::test]
async fn discarded_creates_stay_without_a_counterpart_until_one_appears() {
    let mut office = Office::new().await;
    for number in 0..6 {
        let email = format!("new{number}@import.test");
        office
            .world
            .crm_contact(&[("email", &email), ("firstname", "N")]);
    }
    assert_eq!(office.turn().await.held, 1);
    office.answer(Answer::Discard).await;
    office.rests().await;
    reconcile(&mut office.engine).await;
    office.rests().await;
    assert_eq!(
        (office.world.desk_count(), office.world.holds().await),
        (10, vec![])
    );
    let known = json!({"name": "N", "email": "new3@import.test"});
    office.world.desk_contact(&known);
    let report = office.turn().await;
    assert_eq!((report.linked, report.created), (1, 0), "{report:?}");
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
async fn a_mass_deletion_is_held_and_the_customers_stay() {
    let mut office = Office::with(10, |world| {
        world.remap("delete   = \"hold\"", "delete   = \"propagate\"");
    })
    .await;
    for person in &office.people[0..3] {
        let portal = office.world.crm.portal();
        portal.archive(CrmKind::Contact, *person).unwrap();
    }
    office.clock.advance(TimeDelta::minutes(61));
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
    let mut office = Office::with(10, |world| {
        world.remap("delete   = \"hold\"", "delete   = \"propagate\"");
    })
    .await;
    for person in &office.people[0..3] {
        let portal = office.world.crm.portal();
        portal.archive(CrmKind::Contact, *person).unwrap();
    }
    office.clock.advance(TimeDelta::minutes(61));
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
async fn a_wrong_filter_creates_nobody_by_the_hundred() {
    let scope = |stage: &str| {
        format!("\n[contacts.scope]\ncrm = {{ field = \"lifecyclestage\", in = [{stage}] }}\n")
    };
    let mut office = Office::with(10, |world| {
        world.mapping.push_str(&scope("\"customer\""));
        for number in 10..20 {
            let stage = if number < 15 { "lead" } else { "customer" };
            world.crm_contact(&[
                ("email", &email(number)),
                ("firstname", "L"),
                ("lifecyclestage", stage),
            ]);
        }
        for number in 20..25 {
            world.crm_contact(&[
                ("email", &email(number)),
                ("firstname", "L"),
                ("lifecyclestage", "lead"),
            ]);
        }
    })
    .await;
    assert_eq!(office.world.desk_count(), 5);
    drop(office.engine);
    office.world.mapping = crate::world::MAPPING.to_owned() + &scope("\"customer\", \"lead\"");
    office.engine = office.world.timed_engine(&office.clock).await;
    office.engine.guard(GUARDS);
    let report = office.turn().await;
    assert_eq!((report.created, report.held), (0, 1), "{report:?}");
    assert_eq!(office.only_hold().await.count, 10);
    assert_eq!(office.world.desk_count(), 5);
}

#[tokio::test]
async fn a_first_sync_creates_nobody_before_it_is_approved_and_links_all_the_same() {
    for by_flag in [false, true] {
        let (world, clock) = World::timed().await;
        for number in 0..9 {
            world.crm_contact(&[("email", &email(number)), ("firstname", "C")]);
        }
        for number in 6..9 {
            world.desk_contact(&json!({"name": "C", "email": email(number)}));
        }
        let mut engine = world.timed_engine(&clock).await;
        engine.guard(GUARDS);
        let report = cycle(&mut engine).await;
        assert_eq!(
            (report.created, report.linked, report.held),
            (0, 3, 1),
            "{report:?}"
        );
        let holds = world.holds().await;
        assert!(holds[0].reason.contains("--approve-first"), "{holds:?}");
        clock.advance(TimeDelta::minutes(1));
        quiet(&mut engine).await;
        if by_flag {
            engine.approve_first();
        } else {
            let mut answers = Answers::open(&world.state()).await.unwrap();
            let given = answers.give(&[(holds[0].id, Answer::Approve)]).await;
            assert_eq!(given.unwrap(), Ok(()));
        }
        let report = cycle(&mut engine).await;
        assert_eq!((report.created, report.held), (6, 0), "{report:?}");
    }
}

#[tokio::test]
async fn a_first_sync_that_is_approved_beforehand_is_not_held() {
    let (world, clock) = World::timed().await;
    for number in 0..9 {
        world.crm_contact(&[("email", &email(number)), ("firstname", "C")]);
    }
    let mut engine = world.timed_engine(&clock).await;
    engine.guard(GUARDS);
    engine.approve_first();
    let report = cycle(&mut engine).await;
    assert_eq!((report.created, report.held), (9, 0), "{report:?}");
    // It was a first sync; the next flood is none.
    for number in 10..30 {
        world.crm_contact(&[("email", &email(number)), ("firstname", "C")]);
    }
    clock.advance(TimeDelta::minutes(1));
    let report = cycle(&mut engine).await;
    assert_eq!((report.created, report.held), (0, 1), "{report:?}");
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
async fn an_empty_listing_is_a_hold_that_a_whole_one_ends() {
    let mut office = Office::with(30, |_| ()).await;
    drop(office.engine);
    let (engine, liar) = office.world.lying_engine(&office.clock).await;
    office.engine = engine;
    office.engine.guard(GUARDS);
    liar.empty_next_listing();
    office.clock.advance(TimeDelta::minutes(1));
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
        office.give(hold.id, Answer::Approve).await;
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
        office.world.desk.edit_contact(there, &edit).unwrap();
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
        office.world.desk.edit_contact(there, &edit).unwrap();
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
    office
        .world
        .crm_contact(&[("email", "t@acme.test"), ("firstname", "T")]);
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
        let tickets: Vec<u64> = (0..3).map(|_| stage.ticket(2, LOW)).collect();
        stage.engine.guard(GUARDS);
        stage.turn().await;
        stage.vip();
        let report = stage.turn().await;
        assert_eq!((report.tickets.raised, report.held), (0, 1), "{report:?}");
        let holds = stage.world.holds().await;
        assert_eq!((holds[0].class.as_str(), holds[0].count), ("ticket", 3));
        assert!(holds[0].is_of_many());
        stage.rests().await;
        let mut answers = Answers::open(&stage.world.state()).await.unwrap();
        let given = answers.give(&[(holds[0].id, answer)]).await.unwrap();
        assert_eq!(given, Ok(()));
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

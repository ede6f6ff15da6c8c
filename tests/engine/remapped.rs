//! Another mapping: what people have decided, and what became of records, is not forgotten over it.

use crate::world::{World, attempt, cycle, quiet, reconcile};
use chrono::TimeDelta;
use deskbridge::model::Kind;
use deskbridge::plan::{Guards, Limit};
use deskbridge::sandbox::clock::SimClock;
use deskbridge::sandbox::freshdesk::Standing;
use deskbridge::sandbox::hubspot::Kind as CrmKind;
use deskbridge::store::{Answer, Answers};
use deskbridge::sync::Engine;

async fn start(policy: &str) -> (World, SimClock, Engine, u64, u64) {
    let (mut world, clock) = World::timed().await;
    world.remap("delete   = \"hold\"", &format!("delete   = \"{policy}\""));
    let ada = world.crm_contact(&[("email", "ada@acme.test"), ("firstname", "Ada")]);
    world.crm_contact(&[("email", "bob@acme.test"), ("firstname", "Bob")]);
    let mut engine = world.timed_engine(&clock).await;
    cycle(&mut engine).await;
    let there = world.desk_by_email("ada@acme.test").id;
    clock.advance(TimeDelta::minutes(61));
    (world, clock, engine, ada, there)
}

/// The daemon, started again with another mapping.
async fn remapped(world: &mut World, clock: &SimClock, engine: Engine) -> Engine {
    drop(engine);
    world.remap("direction = \"to_freshdesk\"\n", "");
    world.timed_engine(clock).await
}

fn live(world: &World) -> (usize, usize) {
    (
        world.crm.portal().count(CrmKind::Contact),
        world.desk_count(),
    )
}

#[tokio::test]
async fn who_was_archived_just_before_it_is_not_taken_for_living() {
    let (mut world, clock, engine, ada, there) = start("hold").await;
    world.crm.portal().archive(CrmKind::Contact, ada).unwrap();
    let mut engine = remapped(&mut world, &clock, engine).await;
    // Everything is read as if for the first time, and she is not among them.
    cycle(&mut engine).await;
    let holds = world.holds().await;
    let classes: Vec<&str> = holds.iter().map(|it| it.class.as_str()).collect();
    assert_eq!(classes, ["delete"], "{holds:?}");
    assert_eq!(world.desk.contact(there).unwrap().standing, Standing::Live);
}

#[tokio::test]
async fn a_contact_made_an_agent_before_it_is_no_deletion_after_it() {
    let (mut world, clock, mut engine, ada, there) = start("propagate").await;
    world.desk.promote_contact(there).unwrap();
    reconcile(&mut engine).await;
    assert_eq!(world.holds().await.len(), 1);
    let mut engine = remapped(&mut world, &clock, engine).await;
    cycle(&mut engine).await;
    reconcile(&mut engine).await;
    assert!(!world.crm_row(ada).archived, "nobody has deleted her");
    assert_eq!(world.holds().await.len(), 1);
}

#[tokio::test]
async fn who_was_merged_away_before_it_is_neither_deleted_nor_made_anew_after_it() {
    for policy in ["hold", "propagate", "ignore"] {
        let (mut world, clock, mut engine, ada, there) = start(policy).await;
        let heir = world.desk_by_email("bob@acme.test").id;
        world.desk.merge_contacts(heir, &[there]).unwrap();
        reconcile(&mut engine).await;
        assert_eq!(world.holds().await.len(), 1, "{policy}");
        let mut engine = remapped(&mut world, &clock, engine).await;
        cycle(&mut engine).await;
        clock.advance(TimeDelta::minutes(61));
        world.crm_edit(ada, &[("phone", "+1")]);
        reconcile(&mut engine).await;
        assert_eq!(live(&world), (2, 1), "{policy}");
        assert!(!world.crm_row(ada).archived, "{policy}");
        let holds = world.holds().await;
        assert_eq!(holds.len(), 1, "{policy}: {holds:?}");
        assert!(holds[0].reason.contains("merged into"), "{holds:?}");
    }
}

#[tokio::test]
async fn who_was_deleted_and_ignored_before_it_is_not_made_anew_after_it() {
    let (mut world, clock, mut engine, _, there) = start("ignore").await;
    world.desk.delete_contact(there).unwrap();
    cycle(&mut engine).await;
    let mut engine = remapped(&mut world, &clock, engine).await;
    quiet(&mut engine).await;
    reconcile(&mut engine).await;
    assert_eq!(live(&world), (2, 1));
    let counts = world.report().await.counts(Kind::Contact).await.unwrap();
    assert_eq!((counts.linked, counts.held, counts.failed), (1, 0, 0));
}

#[tokio::test]
async fn creates_that_a_person_discarded_before_it_are_not_made_after_it() {
    const NONE: Limit = Limit {
        count: 2,
        percent: 1.0,
    };
    const GUARDS: Guards = Guards {
        creates: NONE,
        updates: NONE,
        clears: NONE,
        deletes: NONE,
        tickets: NONE,
    };
    let (mut world, clock, mut engine, _, _) = start("hold").await;
    engine.guard(GUARDS);
    for number in 0..5 {
        let email = format!("import{number}@acme.test");
        world.crm_contact(&[("email", &email), ("firstname", "I")]);
    }
    cycle(&mut engine).await;
    let holds = world.holds().await;
    assert_eq!((holds.len(), live(&world)), (1, (7, 2)), "{holds:?}");
    let mut answers = Answers::open(&world.state()).await.unwrap();
    let given = answers.give(&[(holds[0].id, Answer::Discard)]).await;
    assert_eq!(given.unwrap(), Ok(()));
    drop(answers);
    clock.advance(TimeDelta::minutes(1));
    cycle(&mut engine).await;
    let mut engine = remapped(&mut world, &clock, engine).await;
    attempt(&mut engine).await;
    reconcile(&mut engine).await;
    assert_eq!((live(&world), world.holds().await.len()), ((7, 2), 0));
}

//! Taking back what a run wrote: what a person changed since stays, and nothing comes back by itself.

mod command;
mod left;
mod made;
mod summaries;
mod tickets;

use crate::world::hooked::{Hook, Hooked};
use crate::world::{World, attempt, cycle, quiet, reconcile};
use chrono::TimeDelta;
use deskbridge::model::{Pair, RecordId, Side};
use deskbridge::plan::SavedPlan;
use deskbridge::sandbox::clock::SimClock;
use deskbridge::store::Which;
use deskbridge::sync::Engine;
use deskbridge::sync::apply::Applied;
use deskbridge::sync::revert::{Record, Selection, Undoing};
use serde_json::json;
use std::sync::Arc;
use tokio::sync::Notify;

/// Ada on both sides, who agree, an engine, and both her ids.
struct Scene {
    world: World,
    clock: SimClock,
    engine: Engine,
    crm: u64,
    desk: u64,
}

impl Scene {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut World)) -> Self {
        let (mut world, clock) = World::timed().await;
        change(&mut world);
        let crm = world.crm_person(
            "Ada",
            &[("lastname", "King"), ("phone", "+1"), ("jobtitle", "Clerk")],
        );
        let mut engine = world.timed_engine(&clock).await;
        cycle(&mut engine).await;
        let desk = world.desk_by_email("ada@acme.test").id;
        clock.advance(TimeDelta::minutes(10));
        quiet(&mut engine).await;
        Self {
            world,
            clock,
            engine,
            crm,
            desk,
        }
    }

    /// The engine is another one from now on, with something between it and Freshdesk.
    async fn hooked(self) -> (Self, Arc<Hooked>) {
        self.engine.store.close().await.unwrap();
        let (engine, hooked) = self.world.lying_engine(&self.clock).await;
        (Self { engine, ..self }, hooked)
    }

    /// The engine has died, and another one opens the state.
    async fn restarted(self) -> Self {
        drop(self.engine);
        let engine = self.world.timed_engine(&self.clock).await;
        Self { engine, ..self }
    }

    /// A minute later, a cycle; its number.
    async fn turn(&mut self) -> i64 {
        self.clock.advance(TimeDelta::minutes(1));
        cycle(&mut self.engine).await.id
    }

    async fn undo(&mut self, selection: Selection) -> Undoing {
        self.clock.advance(TimeDelta::minutes(1));
        let undoing = self.engine.undo(&selection).await.unwrap();
        assert_eq!(undoing.errors.len(), 0, "{undoing:?}");
        undoing
    }

    async fn revert(&mut self, selection: Selection) -> (Undoing, Applied) {
        let mut undoing = self.undo(selection).await;
        let plan = plan_of(&mut undoing);
        let applied = self.engine.apply(&plan).await.unwrap();
        (undoing, applied)
    }

    /// Three cycles and one that reads everything: nobody writes anything.
    async fn rests(&mut self) {
        self.world.forget_calls();
        for _ in 0..3 {
            self.clock.advance(TimeDelta::minutes(1));
            quiet(&mut self.engine).await;
        }
        self.clock.advance(TimeDelta::minutes(61));
        let report = reconcile(&mut self.engine).await;
        assert_eq!((report.created, report.updated, report.deleted), (0, 0, 0));
        assert_eq!(self.world.writes(), [""; 0]);
    }

    fn phones(&self) -> (String, Option<String>) {
        let crm = self.world.crm_row(self.crm).properties;
        let crm = crm.get("phone").cloned().unwrap_or_default();
        (crm, self.world.desk.contact(self.desk).unwrap().phone)
    }

    fn crm_edit(&self, properties: &[(&str, &str)]) {
        self.world.crm_edit(self.crm, properties);
    }

    fn desk_edit(&self, change: &serde_json::Value) {
        self.world.desk_edit(self.desk, change);
    }
}

fn plan_of(undoing: &mut Undoing) -> SavedPlan {
    SavedPlan {
        made_at: chrono::DateTime::UNIX_EPOCH,
        accounts: Pair::default(),
        config: String::new(),
        records: std::mem::take(&mut undoing.records),
        writes: std::mem::take(&mut undoing.writes),
    }
}

fn run(run: i64) -> Selection {
    Selection {
        which: Which {
            run: Some(run),
            since: None,
        },
        ..Selection::default()
    }
}

fn shown(crm: &str, desk: &str) -> (String, Option<String>) {
    (crm.to_owned(), (!desk.is_empty()).then(|| desk.to_owned()))
}

#[tokio::test]
async fn a_value_that_was_taken_back_is_not_overwritten_again_until_somebody_edits_it() {
    let mut scene = Scene::new().await;
    scene.crm_edit(&[("phone", "+2")]);
    let number = scene.turn().await;
    assert_eq!(scene.phones(), shown("+2", "+2"));
    let (_, applied) = scene.revert(run(number)).await;
    assert!(applied.is_whole(), "{applied:?}");
    assert_eq!(applied.report.updated, 1);
    assert!(applied.report.id > number);
    assert_eq!(scene.phones(), shown("+2", "+1"));
    scene.rests().await;
    assert_eq!(scene.phones(), shown("+2", "+1"));
    // An edit on either side goes across again.
    scene.crm_edit(&[("phone", "+3")]);
    scene.turn().await;
    assert_eq!(scene.phones(), shown("+3", "+3"));
    scene.desk_edit(&json!({"phone": "+4"}));
    scene.turn().await;
    assert_eq!(scene.phones(), shown("+4", "+4"));
    scene.rests().await;
}

#[tokio::test]
async fn an_edit_that_a_person_made_since_is_left_and_named() {
    let mut scene = Scene::new().await;
    scene.crm_edit(&[("phone", "+2"), ("jobtitle", "Boss")]);
    let number = scene.turn().await;
    scene.clock.advance(TimeDelta::minutes(1));
    scene.desk_edit(&json!({"phone": "+9"}));
    let (undoing, applied) = scene.revert(run(number)).await;
    let left: Vec<_> = undoing.left.iter().map(|it| it.field.as_deref()).collect();
    assert_eq!(left, [Some("phone")]);
    assert!(undoing.left[0].why.contains("changed in freshdesk since"));
    assert_eq!(applied.report.updated, 1);
    let there = scene.world.desk.contact(scene.desk).unwrap();
    assert_eq!(there.phone.as_deref(), Some("+9"));
    assert_eq!(there.job_title.as_deref(), Some("Clerk"));
    // Their edit goes across like any other.
    scene.turn().await;
    assert_eq!(scene.phones(), shown("+9", "+9"));
    scene.rests().await;
}

#[tokio::test]
async fn an_edit_on_the_side_that_won_is_not_swallowed_by_taking_back_what_it_won() {
    let mut scene = Scene::new().await;
    scene.crm_edit(&[("phone", "+2")]);
    let number = scene.turn().await;
    scene.clock.advance(TimeDelta::minutes(1));
    scene.crm_edit(&[("phone", "+3")]);
    let undoing = scene.undo(run(number)).await;
    assert_eq!(undoing.writes, []);
    assert!(undoing.left[0].why.contains("changed in crm since"));
    scene.turn().await;
    assert_eq!(scene.phones(), shown("+3", "+3"));
    let undoing = scene.undo(run(number)).await;
    assert_eq!((undoing.writes.len(), undoing.left.len()), (0, 1));
}

#[tokio::test]
async fn an_edit_made_while_the_person_still_thinks_is_not_overwritten() {
    let mut scene = Scene::new().await;
    scene.crm_edit(&[("phone", "+2")]);
    let number = scene.turn().await;
    let mut undoing = scene.undo(run(number)).await;
    assert_eq!(undoing.writes.len(), 1);
    scene.clock.advance(TimeDelta::seconds(5));
    scene.desk_edit(&json!({"phone": "+9"}));
    let applied = scene.engine.apply(&plan_of(&mut undoing)).await.unwrap();
    assert_eq!(applied.report.updated, 0);
    let left: Vec<_> = applied
        .left
        .iter()
        .map(|it| it.freshdesk_id.clone())
        .collect();
    assert_eq!(left, [Some(RecordId(scene.desk.to_string()))]);
    assert_eq!(scene.phones(), shown("+2", "+9"));
}

#[tokio::test]
async fn a_value_that_lost_a_conflict_comes_back() {
    let mut scene = Scene::new().await;
    scene.desk_edit(&json!({"phone": "+8"}));
    scene.clock.advance(TimeDelta::minutes(1));
    scene.crm_edit(&[("phone", "+2")]);
    let number = scene.turn().await;
    assert_eq!(scene.phones(), shown("+2", "+2"));
    scene.revert(run(number)).await;
    assert_eq!(scene.phones(), shown("+2", "+8"));
    scene.rests().await;
}

#[tokio::test]
async fn a_value_that_a_person_has_set_again_since_is_not_taken_for_the_one_that_was_written() {
    let mut scene = Scene::new().await;
    scene.crm_edit(&[("phone", "+2"), ("jobtitle", "Boss")]);
    let number = scene.turn().await;
    for phone in ["+1", "+2"] {
        scene.crm_edit(&[("phone", phone)]);
        scene.turn().await;
    }
    let last = number + 2;
    let (undoing, applied) = scene.revert(run(number)).await;
    let left: Vec<_> = undoing.left.iter().map(|it| it.field.as_deref()).collect();
    assert_eq!(left, [Some("phone")]);
    let why = &undoing.left[0].why;
    assert!(
        why.contains(&format!("run {last} has written it again")),
        "{why}"
    );
    assert_eq!(applied.report.updated, 1);
    assert_eq!(scene.phones(), shown("+2", "+2"));
    scene.rests().await;
}

#[tokio::test]
async fn taking_back_can_be_taken_back() {
    let mut scene = Scene::new().await;
    scene.crm_edit(&[("phone", "+2"), ("firstname", "Augusta")]);
    scene.desk_edit(&json!({"job_title": "Boss"}));
    let number = scene.turn().await;
    let name = |scene: &Scene| scene.world.desk.contact(scene.desk).unwrap().name;
    assert_eq!(name(&scene), "Augusta King");
    let (_, first) = scene.revert(run(number)).await;
    assert!(first.is_whole(), "{first:?}");
    assert_eq!(
        (scene.phones(), name(&scene)),
        (shown("+2", "+1"), "Ada King".to_owned())
    );
    let (_, second) = scene.revert(run(first.report.id)).await;
    assert!(second.is_whole(), "{second:?}");
    assert_eq!(
        (scene.phones(), name(&scene)),
        (shown("+2", "+2"), "Augusta King".to_owned())
    );
    scene.rests().await;
    // And a run that was taken back has nothing more to take back.
    scene.revert(run(second.report.id)).await;
    let again = scene.undo(run(second.report.id)).await;
    assert_eq!(again.writes, []);
}

#[tokio::test]
async fn a_field_that_goes_one_way_stays_as_it_was_taken_back_to() {
    let mut scene = Scene::new().await;
    let tier = |scene: &Scene| {
        let contact = scene.world.desk.contact(scene.desk).unwrap();
        scene.world.desk.contact_field(&contact, "tier")
    };
    scene.crm_edit(&[("customer_tier", "vip")]);
    let number = scene.turn().await;
    assert_eq!(tier(&scene), json!("VIP"));
    scene.revert(run(number)).await;
    assert_eq!(tier(&scene), json!(null));
    scene.rests().await;
    assert_eq!(tier(&scene), json!(null));
    scene.crm_edit(&[("customer_tier", "standard")]);
    scene.turn().await;
    assert_eq!(tier(&scene), json!("Standard"));
}

#[tokio::test]
async fn what_a_run_wrote_to_both_sides_of_a_record_goes_back_on_both() {
    let mut scene = Scene::new().await;
    scene.crm_edit(&[("phone", "+2")]);
    scene.desk_edit(&json!({"name": "Ada Noel"}));
    let number = scene.turn().await;
    let last = |scene: &Scene| scene.world.crm_row(scene.crm).properties["lastname"].clone();
    assert_eq!(
        (scene.phones(), last(&scene).as_str()),
        (shown("+2", "+2"), "Noel")
    );
    let (_, applied) = scene.revert(run(number)).await;
    assert!(applied.is_whole(), "{applied:?}");
    assert_eq!(
        (scene.phones(), last(&scene).as_str()),
        (shown("+2", "+1"), "King")
    );
    scene.rests().await;
}

#[tokio::test]
async fn only_the_record_the_field_and_the_time_that_were_named_go_back() {
    let mut scene = Scene::new().await;
    let bob = scene.world.crm_person("Bob", &[("phone", "+7")]);
    scene.turn().await;
    let bob_desk = scene.world.desk_by_email("bob@acme.test").id;
    scene.crm_edit(&[("phone", "+2"), ("jobtitle", "Boss")]);
    scene.world.crm_edit(bob, &[("phone", "+8")]);
    let first = scene.turn().await;
    scene.clock.advance(TimeDelta::hours(1));
    let later = scene.engine.clock.now();
    scene.crm_edit(&[("phone", "+3")]);
    scene.turn().await;
    let of = |record: Record| Selection {
        record: Some(record),
        ..run(first)
    };
    let by_mail = scene
        .undo(of(Record::Key("BOB@acme.test".to_owned())))
        .await;
    assert_eq!(
        by_mail.writes[0].freshdesk_id,
        Some(RecordId(bob_desk.to_string()))
    );
    assert_eq!((by_mail.writes.len(), by_mail.left.len()), (1, 0));
    let id = RecordId(scene.crm.to_string());
    let by_id = scene.undo(of(Record::Id(Side::Crm, id))).await;
    assert_eq!(by_id.writes[0].fields.len(), 1, "{by_id:?}");
    assert_eq!(by_id.writes[0].fields[0].field, "job_title");
    for name in ["job_title", "jobtitle"] {
        let undoing = scene
            .undo(Selection {
                field: Some(name.to_owned()),
                ..run(first)
            })
            .await;
        assert_eq!(undoing.writes.len(), 1, "{name}");
    }
    let since = Selection {
        which: Which {
            run: None,
            since: Some(later),
        },
        ..Selection::default()
    };
    let (_, applied) = scene.revert(since).await;
    assert_eq!(applied.report.updated, 1);
    assert_eq!(scene.phones(), shown("+3", "+2"));
    scene.rests().await;
}

#[tokio::test]
async fn several_runs_go_back_to_before_the_first_of_them() {
    let mut scene = Scene::new().await;
    scene.clock.advance(TimeDelta::hours(1));
    let since = Some(scene.engine.clock.now());
    for phone in ["+2", "+3", "+4"] {
        scene.crm_edit(&[("phone", phone)]);
        scene.turn().await;
    }
    let which = Which { run: None, since };
    let selection = Selection {
        which,
        ..Selection::default()
    };
    let (_, applied) = scene.revert(selection).await;
    assert!(applied.is_whole(), "{applied:?}");
    assert_eq!(scene.phones(), shown("+4", "+1"));
    scene.rests().await;
}

#[tokio::test]
async fn a_record_that_a_run_put_into_the_trash_is_named_for_a_person_to_restore() {
    let mut scene =
        Scene::with(|world| world.remap("delete   = \"hold\"", "delete   = \"propagate\"")).await;
    // Somebody else on both sides: an account that shows nobody proves nothing.
    scene.world.crm_person("Bob", &[]);
    scene.turn().await;
    scene.clock.advance(TimeDelta::minutes(61));
    scene.world.desk.delete_contact(scene.desk).unwrap();
    let number = scene.turn().await;
    assert!(scene.world.crm_row(scene.crm).archived);
    let undoing = scene.undo(run(number)).await;
    assert_eq!(undoing.writes, []);
    assert!(
        undoing.left[0].why.contains("restore it there by hand"),
        "{undoing:?}"
    );
    assert_eq!(
        undoing.left[0].crm_id,
        Some(RecordId(scene.crm.to_string()))
    );
}

#[tokio::test]
async fn a_value_whose_return_got_no_answer_is_not_taken_for_somebodys_edit() {
    for carried_out in [true, false] {
        let mut scene = Scene::new().await;
        scene.crm_edit(&[("phone", "+2")]);
        let number = scene.turn().await;
        let mut undoing = scene.undo(run(number)).await;
        let plan = plan_of(&mut undoing);
        let (mut scene, hooked) = scene.hooked().await;
        let reached = Arc::new(Notify::new());
        hooked.hook(if carried_out {
            Hook::Swallow(Arc::clone(&reached))
        } else {
            Hook::Vanish(Arc::clone(&reached))
        });
        tokio::select! {
            applied = scene.engine.apply(&plan) => panic!("{applied:?}"),
            () = reached.notified() => {}
        }
        let mut scene = scene.restarted().await;
        scene.turn().await;
        let expected = if carried_out { "+1" } else { "+2" };
        assert_eq!(scene.phones(), shown("+2", expected), "{carried_out}");
        scene.rests().await;
    }
}

#[tokio::test]
async fn a_return_that_is_refused_is_named_and_not_tried_for_ever() {
    let mut scene = Scene::new().await;
    scene.crm_edit(&[("phone", "+2")]);
    let number = scene.turn().await;
    let faults = &scene.world.desk.backstage().faults;
    faults.inject(
        "PUT",
        "/api/v2/contacts",
        deskbridge::sandbox::faults::Fault::Refuse(400),
        1,
    );
    let (_, applied) = scene.revert(run(number)).await;
    assert_eq!(applied.left.len(), 1, "{applied:?}");
    assert_eq!(scene.phones(), shown("+2", "+2"));
    scene.clock.advance(TimeDelta::hours(2));
    attempt(&mut scene.engine).await;
    scene.rests().await;
    assert_eq!(scene.world.parked().await, []);
}

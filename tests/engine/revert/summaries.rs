//! Support summaries go back like anything else that was written, and are not written again by themselves.

use super::{plan_of, run};
use crate::support::Stage;
use chrono::TimeDelta;
use deskbridge::model::{RecordId, Side};
use deskbridge::sync::apply::Applied;
use deskbridge::sync::revert::{Record, Selection, Undoing};
use serde_json::json;

async fn revert(stage: &mut Stage, selection: &Selection) -> (Undoing, Applied) {
    stage.clock.advance(TimeDelta::minutes(1));
    let mut undoing = stage.engine.undo(selection).await.unwrap();
    assert_eq!(undoing.errors.len(), 0, "{undoing:?}");
    let plan = plan_of(&mut undoing);
    let applied = stage.engine.apply(&plan).await.unwrap();
    (undoing, applied)
}

/// Nothing is written any more, neither by looks for changes nor by one at everything.
async fn rests(stage: &mut Stage) {
    stage.world.forget_calls();
    stage.later(1).await;
    stage.later(10).await;
    stage.clock.advance(TimeDelta::hours(24));
    crate::world::reconcile(&mut stage.engine).await;
    stage.later(61).await;
    assert_eq!(stage.world.writes(), [""; 0]);
}

#[tokio::test]
async fn a_summary_that_was_taken_back_stays_so_until_the_tickets_come_to_something_else() {
    let mut stage = Stage::new().await;
    let ada = stage.ada;
    stage.world.crm_edit(ada, &[("open_tickets", "7")]);
    stage.later(10).await;
    let ticket = stage.ticket(0);
    let number = stage.later(1).await.id;
    assert_eq!(stage.shown("open_tickets"), "1");
    let (undoing, applied) = revert(&mut stage, &run(number)).await;
    assert!(applied.is_whole(), "{undoing:?} {applied:?}");
    let shown = |stage: &Stage| (stage.shown("open_tickets"), stage.shown("last_ticket"));
    assert_eq!(shown(&stage), ("7".to_owned(), String::new()));
    rests(&mut stage).await;
    // Taking back can be taken back.
    let (_, again) = revert(&mut stage, &run(applied.report.id)).await;
    assert!(again.is_whole(), "{again:?}");
    assert_eq!(shown(&stage), ("1".to_owned(), "2026-03-02".to_owned()));
    rests(&mut stage).await;
    revert(&mut stage, &run(again.report.id)).await;
    let closed = json!({"status": 5});
    stage.world.desk.edit_ticket(ticket, &closed).unwrap();
    stage.later(1).await;
    assert_eq!(shown(&stage), ("0".to_owned(), String::new()));
}

#[tokio::test]
async fn of_a_summary_only_what_still_stands_goes_back() {
    let mut stage = Stage::new().await;
    stage.later(10).await;
    stage.ticket(0);
    let number = stage.later(1).await.id;
    let ada = stage.ada;
    stage.world.crm_edit(ada, &[("open_tickets", "12")]);
    stage.later(10).await;
    let (undoing, _) = revert(&mut stage, &run(number)).await;
    let left: Vec<_> = undoing
        .left
        .iter()
        .filter_map(|it| it.field.as_deref())
        .collect();
    assert_eq!(left, ["open_tickets"], "{undoing:?}");
    assert_eq!(stage.shown("open_tickets"), "12");
    assert_eq!(stage.shown("last_ticket"), "");
}

#[tokio::test]
async fn a_summary_goes_back_by_record_field_and_time() {
    for narrow in [true, false] {
        let mut stage = Stage::new().await;
        stage.later(10).await;
        let before = stage.clock.now();
        stage.ticket(0);
        let number = stage.later(1).await.id;
        stage.ticket(0);
        let later = stage.later(1).await.id;
        assert_eq!(stage.shown("open_tickets"), "2");
        // The first was written over since.
        let undoing = stage.engine.undo(&run(number)).await.unwrap();
        let left: Vec<_> = undoing.left.iter().map(|it| it.field.as_deref()).collect();
        assert_eq!(left, [Some("open_tickets")], "{undoing:?}");
        let mut selection = Selection {
            record: Some(Record::Id(Side::Crm, RecordId(stage.ada.to_string()))),
            field: Some("open_tickets".to_owned()),
            ..Selection::default()
        };
        if narrow {
            selection.which = run(later).which;
        } else {
            selection.which.since = Some(before);
        }
        let (undoing, applied) = revert(&mut stage, &selection).await;
        assert!(applied.is_whole(), "{undoing:?}");
        let expected = if narrow { "1" } else { "" };
        assert_eq!(stage.shown("open_tickets"), expected);
        rests(&mut stage).await;
    }
}

#[tokio::test]
async fn a_summary_of_which_no_answer_came_goes_back_and_is_not_sent_again() {
    let mut stage = Stage::new().await;
    stage.later(10).await;
    stage.ticket(0);
    let faults = stage.world.crm.backstage().faults.clone();
    let lost = deskbridge::sandbox::faults::Fault::DropAfter;
    faults.inject("POST", "/crm/v3/objects/contacts/batch/update", lost, 1);
    let number = stage.try_later(1).await.id;
    assert_eq!(stage.shown("open_tickets"), "1");
    let (undoing, applied) = revert(&mut stage, &run(number)).await;
    assert!(applied.is_whole(), "{undoing:?} {applied:?}");
    assert_eq!(stage.shown("open_tickets"), "");
    rests(&mut stage).await;
}

#[tokio::test]
async fn a_journal_that_lost_its_summaries_is_not_taken_for_whole() {
    let mut stage = Stage::new().await;
    stage.later(10).await;
    stage.ticket(0);
    let ada = stage.ada;
    stage.world.crm_edit(ada, &[("firstname", "Augusta")]);
    let number = stage.later(1).await.id;
    assert_eq!(
        stage.engine.store.journal_lacks(number).await.unwrap(),
        None
    );
    stage
        .world
        .execute("DELETE FROM journal WHERE fields LIKE '%summary%'")
        .await;
    let lacks = stage.engine.store.journal_lacks(number).await.unwrap();
    assert_eq!(lacks, Some((2, 1)));
}

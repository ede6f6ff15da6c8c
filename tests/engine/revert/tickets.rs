//! Taking back what was done to tickets: no rule does it again, and each ticket is accounted for.

use super::{plan_of, run};
use crate::world::cycle;
use crate::world::stage::{LOW, Stage, URGENT, VIP};
use chrono::TimeDelta;
use serde_json::json;

#[tokio::test]
async fn a_ticket_goes_back_to_what_it_was_and_no_rule_raises_it_again() {
    let mut stage = Stage::new(VIP).await;
    let (ours, theirs) = (stage.ticket(2, LOW), stage.ticket(2, LOW));
    stage.vip();
    stage.clock.advance(TimeDelta::minutes(1));
    let raised = cycle(&mut stage.engine).await;
    assert_eq!(raised.tickets.raised, 2);
    stage.edit(theirs, &json!({"priority": 2}));
    stage.clock.advance(TimeDelta::minutes(1));
    let mut undoing = stage.engine.undo(&run(raised.id)).await.unwrap();
    let named: Vec<_> = undoing.left.iter().map(|it| it.field.as_deref()).collect();
    assert_eq!(named, [Some("priority")], "{undoing:?}");
    let applied = stage.engine.apply(&plan_of(&mut undoing)).await.unwrap();
    assert!(applied.is_whole(), "{applied:?}");
    assert_eq!(applied.report.tickets.restored, 2);
    assert_eq!((stage.priority(ours), stage.tags(ours).len()), (LOW, 0));
    assert_eq!((stage.priority(theirs), stage.tags(theirs).len()), (2, 0));
    // Notes stay.
    assert_eq!(stage.notes(ours), 1);
    for _ in 0..3 {
        stage.rests().await;
    }
    // Nor does the end of the standing change anything.
    stage.standard();
    stage.turn().await;
    assert_eq!((stage.priority(ours), stage.tags(ours).len()), (LOW, 0));
    // A ticket that comes later is raised as ever.
    stage.vip();
    let later = stage.ticket(2, LOW);
    stage.turn().await;
    stage.turn().await;
    assert_eq!(stage.priority(later), URGENT);
    assert_eq!(stage.priority(ours), LOW);
}

#[tokio::test]
async fn taking_back_what_was_done_to_a_ticket_can_be_taken_back() {
    let mut stage = Stage::new(VIP).await;
    let ticket = stage.ticket(2, LOW);
    stage.vip();
    stage.clock.advance(TimeDelta::minutes(1));
    let raised = cycle(&mut stage.engine).await.id;
    let mut runs = vec![raised];
    for expected in [LOW, URGENT, LOW] {
        stage.clock.advance(TimeDelta::minutes(1));
        let last = *runs.last().unwrap();
        let mut undoing = stage.engine.undo(&run(last)).await.unwrap();
        let applied = stage.engine.apply(&plan_of(&mut undoing)).await.unwrap();
        assert!(applied.is_whole(), "{applied:?}");
        assert_eq!(stage.priority(ticket), expected);
        assert_eq!(stage.tags(ticket).len(), usize::from(expected == URGENT));
        stage.rests().await;
        runs.push(applied.report.id);
    }
}

#[tokio::test]
async fn many_tickets_go_back_together_and_each_is_accounted_for() {
    let mut stage = Stage::new(VIP).await;
    crate::world::stage::impatient(&mut stage.engine);
    let tickets = stage.open_tickets(8);
    stage.vip();
    stage.turn().await;
    stage.turn().await;
    let runs = stage
        .world
        .texts("SELECT DISTINCT cast(cycle AS TEXT) FROM journal WHERE action = 'raise'");
    let number: i64 = runs.await.remove(0).parse().unwrap();
    stage.clock.advance(TimeDelta::minutes(1));
    let mut undoing = stage.engine.undo(&run(number)).await.unwrap();
    // And what their customer's tier was in Freshdesk.
    assert_eq!(undoing.writes.len(), 9, "{undoing:?}");
    stage.engine.apply(&plan_of(&mut undoing)).await.unwrap();
    stage.turn().await;
    stage.turn().await;
    for ticket in tickets {
        assert_eq!(stage.priority(ticket), LOW);
    }
    stage.rests().await;
}

#[tokio::test]
async fn a_run_of_which_the_journal_lost_what_was_done_to_tickets_is_not_whole() {
    let mut stage = Stage::new(VIP).await;
    for _ in 0..3 {
        stage.ticket(2, LOW);
    }
    stage.vip();
    stage.clock.advance(TimeDelta::minutes(1));
    let run = cycle(&mut stage.engine).await.id;
    assert_eq!(stage.engine.store.journal_lacks(run).await.unwrap(), None);
    let rows = "SELECT count(*) FROM journal WHERE cycle = (SELECT max(id) FROM cycle)";
    let made = stage.world.count(rows).await;
    let gone =
        "DELETE FROM journal WHERE id IN (SELECT id FROM journal WHERE action = 'raise' LIMIT 2)";
    stage.world.execute(gone).await;
    let lacks = stage.engine.store.journal_lacks(run).await.unwrap();
    assert_eq!(lacks, Some((made, made - 2)));
}

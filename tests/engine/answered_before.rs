//! An answer that was given about one mapping, or one rule, is none about another.

use super::office::{GUARDS, Office};
use crate::world::stage::{LOW, Stage, VIP};
use crate::world::{attempt, cycle};
use chrono::TimeDelta;
use deskbridge::store::{Answer, Answers};

#[tokio::test]
async fn what_was_approved_under_one_mapping_is_not_written_under_another_without_a_question() {
    let mut office = Office::with(40, |_| ()).await;
    office.edit(0..30, &[("phone", "+2")]);
    office.turn().await;
    assert_eq!(office.only_hold().await.count, 30);
    office.answer(Answer::Approve).await;
    // Freshdesk goes away before anything of it is written.
    let faults = &office.world.desk.backstage().faults;
    faults.inject(
        "PUT",
        "/api/v2/contacts",
        deskbridge::sandbox::faults::Fault::Refuse(503),
        u32::MAX,
    );
    office.clock.advance(TimeDelta::minutes(1));
    attempt(&mut office.engine).await;
    faults.clear();
    assert_eq!(office.showing("+2"), 0);
    let phone = "freshdesk = \"phone\"";
    let mut office = office.remapped(phone, "freshdesk = \"mobile\"").await;
    for _ in 0..3 {
        office.clock.advance(TimeDelta::hours(2));
        attempt(&mut office.engine).await;
    }
    let contacts = office.world.desk.contacts();
    let written = contacts.iter().filter(|it| it.mobile.is_some()).count();
    assert_eq!(written, 0);
    assert_eq!(office.only_hold().await.count, 40);
}

#[tokio::test]
async fn what_was_approved_of_one_rule_is_not_done_by_another_without_a_question() {
    let mut stage = Stage::new(VIP).await;
    stage.engine.guard(GUARDS);
    let tickets: Vec<u64> = (0..5).map(|_| stage.ticket(2, LOW)).collect();
    stage.vip();
    stage.turn().await;
    let held = stage.world.holds().await;
    assert_eq!(held.len(), 1, "{held:?}");
    let mut answers = Answers::open(&stage.world.state()).await.unwrap();
    let given = [(held[0].id, Answer::Approve)];
    assert_eq!(answers.give(&given).await.unwrap(), Ok(()));
    stage
        .world
        .remap("priority = \"urgent\"", "priority = \"high\"");
    let rules = stage.world.config().ticket_rules;
    stage.engine.rule(rules);
    stage.clock.advance(TimeDelta::minutes(1));
    cycle(&mut stage.engine).await;
    let low = tickets.iter().filter(|it| stage.priority(**it) == LOW);
    assert_eq!(low.count(), tickets.len());
    let now = stage.world.holds().await;
    assert_eq!(now.len(), 1, "{now:?}");
    assert_ne!(now[0].id, held[0].id);
}

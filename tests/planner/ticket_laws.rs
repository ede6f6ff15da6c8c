//! What a ticket's history never leads to.

use crate::ticket_history::{Answer, Step, history, step};
use crate::ticket_witness::lows;
use chrono::TimeDelta;
use deskbridge::plan::Memory;
use proptest::prelude::*;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 0..16)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn after_any_history_only_what_is_ours_was_touched_and_a_person_has_the_last_word(
        mut history in history(), steps in steps()
    ) {
        for step in &steps {
            history.take(step);
        }
        history.cycle(Answer::Made);
    }

    #[test]
    fn when_every_standing_has_ended_a_reopened_ticket_is_as_if_we_had_never_been_there(
        mut history in history(), steps in steps()
    ) {
        for step in &steps {
            history.take(step);
        }
        history.cycle(Answer::Made);
        for stand in &mut history.stands {
            stand.holds = Some(false);
        }
        if matches!(history.image.status, 4 | 5) {
            let (before, plan) = (history.image.clone(), history.cycle(Answer::Made));
            prop_assert!(plan.change.is_empty(), "{plan:?}");
            prop_assert_eq!(&before, &history.image);
            history.image.status = 2;
        }
        history.cycle(Answer::Made);
        prop_assert_eq!(history.image.priority, history.witness.without_us);
        prop_assert_eq!(&lows(&history.image.tags), &history.witness.tags_without_us);
        prop_assert_eq!(&history.memory.priority, &None);
        prop_assert!(history.memory.tags.is_empty());
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_standing_that_becomes_unknown_changes_no_ticket(
        mut history in history(), steps in steps(), status in prop::option::of(2_u32..6)
    ) {
        for step in &steps {
            history.take(step);
        }
        for stand in &mut history.stands {
            stand.there = true;
        }
        history.cycle(Answer::Made);
        for stand in &mut history.stands {
            stand.holds = None;
        }
        history.image.status = status.unwrap_or(history.image.status);
        let plan = history.cycle(Answer::Made);
        prop_assert!(plan.change.is_empty(), "{plan:?}");
        prop_assert_eq!(plan.memory_then, plan.memory);
        prop_assert_eq!(plan.wake_at, None);
    }

    #[test]
    fn age_alone_changes_nothing_before_the_time_that_was_announced(
        mut history in history(), steps in steps(), hours in 1_i64..40
    ) {
        for step in &steps {
            history.take(step);
        }
        let mut plan = history.cycle(Answer::Made);
        for _ in 0..=history.stands.len() {
            plan = history.cycle(Answer::Made);
        }
        let next = history.age + TimeDelta::hours(hours);
        let now = crate::ticket_population::opened() + next;
        history.age = next;
        if plan.wake_at.is_none_or(|wake| now < wake) {
            let later = history.plan();
            prop_assert!(later.change.is_empty(), "{plan:?} then {later:?}");
            prop_assert_eq!(later.memory_then, plan.memory_then);
        }
    }

    #[test]
    fn what_is_remembered_survives_a_restart(mut history in history(), steps in steps()) {
        for step in &steps {
            history.take(step);
        }
        let text = serde_json::to_string(&history.memory).unwrap();
        prop_assert_eq!(serde_json::from_str::<Memory>(&text).unwrap(), history.memory);
    }
}

//! What guards promise: nothing over a line is ever let through.

use crate::population::world;
use deskbridge::model::{Image, Side, Value};
use deskbridge::plan::{
    DAY, FieldChange, Limit, Line, Notice, NoticeKind, Rule, Told, Weight, clears, judge, leave_be,
    merge, merge_as_told,
};
use proptest::prelude::*;
use proptest::sample::select;

fn limit() -> impl Strategy<Value = Limit> {
    (0_u64..2_000, 0_u32..=1_000).prop_map(|(count, mille)| Limit {
        count,
        percent: f64::from(mille) / 10.0,
    })
}

fn weight() -> impl Strategy<Value = Weight> {
    (0_u64..200_000, 0_u64..10_000, 0_u64..100_000).prop_map(|(linked, cycle, earlier)| Weight {
        linked,
        cycle,
        day: cycle + earlier,
    })
}

/// Whether `number` is more than both parts of a line, in whole numbers: thousandths of a percent.
fn is_over(limit: Limit, linked: u64, number: u64, times: u64) -> bool {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "made of a whole number of thousandths"
    )]
    let mille = (limit.percent * 10.0).round() as u64;
    number > limit.count * times && number * 1_000 > mille * linked * times
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_over_a_line_is_let_through_and_nothing_below_is_held(limit in limit(), weight in weight()) {
        let cycle = is_over(limit, weight.linked, weight.cycle, 1);
        let day = is_over(limit, weight.linked, weight.day, u64::from(DAY));
        let expected = match (cycle, day) {
            (true, _) => Some(Line::Cycle),
            (false, true) => Some(Line::Day),
            (false, false) => None,
        };
        prop_assert_eq!(judge(limit, weight, false), expected);
    }

    #[test]
    fn what_is_held_is_held_whatever_is_counted_later(limit in limit(), weight in weight()) {
        prop_assert_eq!(judge(limit, weight, true), Some(Line::Before));
    }

    #[test]
    fn more_changes_are_never_let_through_where_fewer_are_held(
        limit in limit(),
        weight in weight(),
        more in 0_u64..1_000,
    ) {
        let heavier = Weight { cycle: weight.cycle + more, day: weight.day + more, ..weight };
        if judge(limit, weight, false).is_some() {
            prop_assert!(judge(limit, heavier, false).is_some());
        }
    }

    #[test]
    fn a_lower_line_never_lets_more_through(limit in limit(), weight in weight(), less in 0_u64..100) {
        let lower = Limit { count: limit.count.saturating_sub(less), percent: limit.percent / 2.0 };
        if judge(limit, weight, false).is_some() {
            prop_assert!(judge(lower, weight, false).is_some());
        }
    }

    /// However a flood is cut into cycles, no more than a day's line of it is written in a day.
    #[test]
    fn no_order_of_cycles_gets_more_than_a_days_line_through(
        limit in limit(),
        linked in 0_u64..100_000,
        cycles in prop::collection::vec(0_u64..3_000, 0..60),
    ) {
        let (mut sent, mut held) = (0, false);
        for cycle in cycles {
            let weight = Weight { linked, cycle, day: sent + cycle };
            match judge(limit, weight, held) {
                Some(_) => held = true,
                None => sent += cycle,
            }
        }
        prop_assert!(!is_over(limit, linked, sent, u64::from(DAY)));
    }

    #[test]
    fn what_a_person_leaves_be_is_not_wanted_again(world in world()) {
        let mut pair = world.pair();
        let mut merged = merge(&world.mapping, &pair);
        leave_be(&world.mapping, &pair, &mut merged, |_, _| true);
        prop_assert!(merged.changes.crm.is_empty() && merged.changes.desk.is_empty());
        for side in Side::BOTH {
            pair.bases.of_mut(side).overlay(merged.agreed.of(side));
        }
        let again = merge(&world.mapping, &pair);
        prop_assert!(again.changes.crm.is_empty() && again.changes.desk.is_empty(), "{again:?}");
    }

    #[test]
    fn a_person_decides_conflicts_and_nothing_else(world in world(), answer in select(vec![
        Told::Take(Side::Crm),
        Told::Take(Side::Desk),
        Told::Newest,
        Told::Keep,
    ])) {
        let pair = world.pair();
        let asked = merge(&world.mapping, &pair);
        let told = world.mapping.fields.iter().map(|field| (field.name.clone(), answer)).collect();
        let decided = merge_as_told(&world.mapping, &pair, &told);
        let open = |notices: &[Notice]| {
            notices.iter().filter(|it| matches!(it.kind, NoticeKind::Held { .. })).count()
        };
        prop_assert_eq!(open(&decided.notices), 0);
        for side in Side::BOTH {
            let chosen = |change: &&FieldChange| matches!(change.rule, Rule::Chosen(_));
            let rest: Vec<_> = decided.changes.of(side).iter().filter(|it| !chosen(it)).collect();
            let before: Vec<_> = asked.changes.of(side).iter().collect();
            prop_assert_eq!(rest, before);
        }
    }

    #[test]
    fn what_fills_or_replaces_is_no_clear_and_what_empties_is(
        shown in prop_oneof![Just(Value::Empty), "[a-z]{1,3}".prop_map(Value::text)],
        set in prop_oneof![Just(Value::Empty), "[a-z]{1,3}".prop_map(Value::text)],
        desk in any::<bool>(),
    ) {
        let target = if desk { Side::Desk } else { Side::Crm };
        let other = vec![Value::from("other")];
        let (crm, freshdesk) = if desk { (other, vec![shown.clone()]) } else { (vec![shown.clone()], other) };
        let change = FieldChange {
            field: "phone".to_owned(),
            base: Vec::new(),
            crm,
            freshdesk,
            set: Image::from([("phone", set.clone())]),
            rule: Rule::Changed(target.other()),
        };
        prop_assert_eq!(clears(&change, target), set.is_empty() && !shown.is_empty());
    }
}

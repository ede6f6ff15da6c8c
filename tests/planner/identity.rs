//! Who is who: a record is linked at most once, and only where nobody else could be meant.

use deskbridge::model::Side;
use deskbridge::plan::{Index, Known, Verdict, identify};
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeSet;

type Records = Vec<(i64, Known)>;

/// The keys of a few people, who share some: an address or two, and a switchboard.
fn keys() -> impl Strategy<Value = Vec<(usize, String)>> {
    let address = prop::collection::vec(select(vec!["ada@x", "bob@x", "cy@x", "di@x"]), 0..3);
    let phone = prop::option::of(select(vec!["+491", "+492"]));
    (address, phone).prop_map(|(address, phone)| {
        let address = address.into_iter().map(|value| (0, value.to_owned()));
        let phone = phone.into_iter().map(|value| (1, value.to_owned()));
        let keys: BTreeSet<_> = address.chain(phone).collect();
        keys.into_iter().collect()
    })
}

/// Records of both sides, in some order.
fn records() -> impl Strategy<Value = Records> {
    let known = (
        select(Side::BOTH.to_vec()),
        prop::bool::weighted(0.2),
        keys(),
    )
        .prop_map(|(side, linked, keys)| Known { side, linked, keys });
    prop::collection::vec(known, 1..7).prop_map(|known| (1..).zip(known).collect())
}

fn index(records: &[(i64, Known)]) -> Index {
    let mut index = Index::default();
    for (record, known) in records {
        index.insert(*record, known.clone());
    }
    index
}

/// What each record without a counterpart is found to be.
fn verdicts(records: &[(i64, Known)]) -> Vec<(i64, Verdict)> {
    let index = index(records);
    let mut found: Vec<_> = records
        .iter()
        .filter(|(_, known)| !known.linked)
        .map(|(record, _)| (*record, identify(&index, *record)))
        .collect();
    found.sort_by_key(|(record, _)| *record);
    found
}

/// The records other than `record` that share a value of key number `key` with it.
fn sharing(records: &[(i64, Known)], record: i64, key: usize) -> Vec<(i64, Known)> {
    let (_, own) = records.iter().find(|(id, _)| *id == record).unwrap();
    let shared = |known: &Known| {
        let mut keys = known.keys.iter();
        keys.any(|(number, value)| *number == key && own.keys.contains(&(key, value.clone())))
    };
    let others = records
        .iter()
        .filter(|(id, known)| *id != record && shared(known));
    others.cloned().collect()
}

fn side_of(records: &[(i64, Known)], record: i64) -> Side {
    records.iter().find(|(id, _)| *id == record).unwrap().1.side
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_order_in_which_records_are_found_decides_nothing(
        (one, other) in records().prop_flat_map(|records| (Just(records.clone()), Just(records).prop_shuffle()))
    ) {
        prop_assert_eq!(verdicts(&one), verdicts(&other));
        let twice: Records = other.iter().chain(&one).cloned().collect();
        let mut found = verdicts(&twice);
        found.dedup();
        prop_assert_eq!(verdicts(&one), found);
    }

    #[test]
    fn neither_side_is_special(records in records()) {
        let mut mirrored = records.clone();
        for (_, known) in &mut mirrored {
            known.side = known.side.other();
        }
        prop_assert_eq!(verdicts(&records), verdicts(&mirrored));
    }

    #[test]
    fn a_link_is_mutual_so_a_record_is_linked_at_most_once(records in records()) {
        let found = verdicts(&records);
        let mut taken = BTreeSet::new();
        for (record, verdict) in &found {
            let Verdict::Same { other, key } = verdict else { continue };
            let back = Verdict::Same { other: *record, key: *key };
            prop_assert!(found.contains(&(*other, back)), "{record} takes {other}");
            prop_assert_ne!(side_of(&records, *record), side_of(&records, *other));
            prop_assert!(taken.insert(*other), "{other} is linked twice");
        }
    }

    #[test]
    fn a_key_that_hits_two_links_neither(records in records()) {
        for (record, verdict) in verdicts(&records) {
            let Verdict::Same { other, key } = verdict else { continue };
            for (one, theirs) in [(record, other), (other, record)] {
                let hits = sharing(&records, one, key);
                prop_assert_eq!(hits.len(), 1, "{} hits {:?}", one, hits);
                prop_assert_eq!(hits[0].0, theirs);
                prop_assert!(!hits[0].1.linked, "a linked record is taken");
            }
        }
    }

    #[test]
    fn what_counts_as_new_has_nobody_on_the_other_side_and_no_twin(records in records()) {
        for (record, verdict) in verdicts(&records) {
            let own = side_of(&records, record);
            let hits = |key| sharing(&records, record, key);
            let across = (0..2).any(|key| hits(key).iter().any(|(_, known)| known.side != own));
            let (_, known) = records.iter().find(|(id, _)| *id == record).unwrap();
            let strongest = known.keys.iter().map(|(number, _)| *number).min();
            let twin = strongest.is_some_and(|key| !hits(key).is_empty());
            prop_assert_eq!(verdict == Verdict::New, !across && !twin, "{:?}", verdict);
        }
    }

    #[test]
    fn two_that_have_only_each_other_are_linked(records in records()) {
        let found = verdicts(&records);
        for (record, known) in records.iter().filter(|(_, known)| !known.linked) {
            let Some(key) = known.keys.iter().map(|(number, _)| *number).min() else { continue };
            let [(other, theirs)] = &sharing(&records, *record, key)[..] else { continue };
            let strongest = theirs.keys.iter().map(|(number, _)| *number).min() == Some(key);
            let alone = sharing(&records, *other, key).len() == 1;
            if strongest && alone && !theirs.linked && theirs.side != known.side {
                let same = Verdict::Same { other: *other, key };
                prop_assert!(found.contains(&(*record, same)));
            }
        }
    }

    #[test]
    fn what_is_reported_as_shadowed_names_those_who_share_the_key(records in records()) {
        for (record, verdict) in verdicts(&records) {
            let Verdict::Shadowed { key, with } = verdict else { continue };
            let shared: Vec<_> = sharing(&records, record, key).into_iter().map(|(id, _)| id).collect();
            prop_assert!(!with.is_empty());
            prop_assert!(with.iter().all(|other| shared.contains(other)));
        }
    }
}

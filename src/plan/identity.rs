//! Which unlinked records are the same, by the mapping's match keys.
//!
//! The verdict on a record depends on nothing but the records that share a key with it, so the
//! order in which records are looked at never matters. Two records are linked only if each finds
//! the other, and nobody else.

use crate::model::Side;
use std::collections::{BTreeSet, HashMap};

/// What is known of one record that has match keys. `R` is the state's handle of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Whose record it is.
    pub side: Side,
    /// Whether it has a counterpart.
    pub linked: bool,
    /// `(which key, value)`, the strongest key being 0.
    pub keys: Vec<(usize, String)>,
}

/// Records by the keys that they share. Must hold, for each record that is asked about, all records
/// that share a key with it, and all that share a key with one of those.
#[derive(Debug, Clone, Default)]
pub struct Index {
    records: HashMap<i64, Known>,
    postings: HashMap<(usize, String), Vec<i64>>,
    /// Each of two that a deletion has parted, by the other one.
    parted: HashMap<i64, i64>,
}

/// What a record was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The same as this record of the other side, found by this key.
    Same {
        /// The counterpart.
        other: i64,
        /// Which key.
        key: usize,
    },
    /// The same as this record of the other side: a deletion has parted them, and what was deleted is
    /// back.
    Again {
        /// The counterpart.
        other: i64,
    },
    /// It shares this key with more than one record, or with one that is taken: left alone.
    Shadowed {
        /// Which key.
        key: usize,
        /// With whom.
        with: Vec<i64>,
    },
    /// Nothing matches it.
    New,
}

impl Index {
    /// Adds a record; one that is in already is left as it is.
    pub fn insert(&mut self, record: i64, known: Known) {
        if self.records.contains_key(&record) {
            return;
        }
        for key in &known.keys {
            self.postings.entry(key.clone()).or_default().push(record);
        }
        self.records.insert(record, known);
    }

    /// Nobody is found to be this record, and it keeps nobody from being found.
    pub fn leave_out(&mut self, record: i64) {
        self.records.remove(&record);
    }

    /// Two records were a pair until one of them was deleted; both are there, and neither has a
    /// counterpart.
    pub fn part(&mut self, record: i64, other: i64) {
        self.parted.insert(record, other);
        self.parted.insert(other, record);
    }

    /// The records that share key number `key` with `record`: on the other side, and on its own.
    fn sharing(&self, record: i64, known: &Known, key: usize) -> (BTreeSet<i64>, BTreeSet<i64>) {
        let (mut across, mut twins) = (BTreeSet::new(), BTreeSet::new());
        let values = known.keys.iter().filter(|(number, _)| *number == key);
        for other in values.filter_map(|key| self.postings.get(key)).flatten() {
            match self.records.get(other) {
                Some(found) if found.side != known.side => across.insert(*other),
                Some(_) if *other != record => twins.insert(*other),
                _ => false,
            };
        }
        (across, twins)
    }

    /// What `record` finds, from its own point of view.
    fn sees(&self, record: i64) -> Verdict {
        let Some(known) = self.records.get(&record) else {
            return Verdict::New;
        };
        let numbers: BTreeSet<usize> = known.keys.iter().map(|(number, _)| *number).collect();
        let mut strongest_twins = None;
        for key in numbers {
            let (across, twins) = self.sharing(record, known, key);
            match (across.iter().next(), across.len()) {
                (None, _) => {
                    // Two new records that share their strongest key cannot both be created.
                    strongest_twins.get_or_insert((key, twins));
                }
                (Some(other), 1) if twins.is_empty() && !self.is_linked(*other) => {
                    return Verdict::Same { other: *other, key };
                }
                _ => {
                    let with = across.into_iter().chain(twins).collect();
                    return Verdict::Shadowed { key, with };
                }
            }
        }
        match strongest_twins {
            Some((key, twins)) if !twins.is_empty() => Verdict::Shadowed {
                key,
                with: twins.into_iter().collect(),
            },
            _ => Verdict::New,
        }
    }

    fn is_linked(&self, record: i64) -> bool {
        self.records.get(&record).is_some_and(|known| known.linked)
    }
}

/// What `record`, which has no counterpart, is.
#[must_use]
pub fn identify(index: &Index, record: i64) -> Verdict {
    match index.sees(record) {
        Verdict::Same { other, key } => match index.sees(other) {
            Verdict::Same { other: back, .. } if back == record => Verdict::Same { other, key },
            // The counterpart finds somebody else by a stronger key, or cannot decide.
            _ => Verdict::Shadowed {
                key,
                with: vec![other],
            },
        },
        // Keys may have changed on one side while the other one was gone; who they were has not.
        Verdict::New => match index.parted.get(&record) {
            Some(other) if index.sees(*other) == Verdict::New => Verdict::Again { other: *other },
            _ => Verdict::New,
        },
        verdict => verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Handle, side, whether it is linked, keys.
    type Row<'a> = (i64, Side, bool, &'a [(usize, &'a str)]);

    fn index(records: &[Row<'_>]) -> Index {
        let mut index = Index::default();
        for (record, side, linked, keys) in records {
            let keys = keys.iter().map(|(n, v)| (*n, (*v).to_owned())).collect();
            index.insert(
                *record,
                Known {
                    side: *side,
                    linked: *linked,
                    keys,
                },
            );
        }
        index
    }

    #[test]
    fn one_on_each_side_is_a_link() {
        let index = index(&[
            (1, Side::Crm, false, &[(0, "a")]),
            (2, Side::Desk, false, &[(0, "a")]),
        ]);
        assert_eq!(identify(&index, 1), Verdict::Same { other: 2, key: 0 });
        assert_eq!(identify(&index, 2), Verdict::Same { other: 1, key: 0 });
    }

    #[test]
    fn two_customers_with_one_key_are_neither_linked_nor_created() {
        let index = index(&[
            (1, Side::Crm, false, &[(0, "a")]),
            (2, Side::Crm, false, &[(0, "a")]),
            (3, Side::Desk, false, &[(0, "a")]),
            (4, Side::Crm, false, &[(0, "b")]),
            (5, Side::Crm, false, &[(0, "b")]),
        ]);
        for record in 1..=5 {
            assert!(
                matches!(identify(&index, record), Verdict::Shadowed { .. }),
                "{record}"
            );
        }
    }

    #[test]
    fn a_second_record_never_takes_the_counterpart_of_a_linked_one() {
        let index = index(&[
            (1, Side::Crm, true, &[(0, "a")]),
            (2, Side::Desk, true, &[(0, "a")]),
            (3, Side::Crm, false, &[(0, "a")]),
        ]);
        assert!(matches!(identify(&index, 3), Verdict::Shadowed { .. }));
    }

    #[test]
    fn whose_counterpart_is_to_be_replaced_stands_in_the_way_of_nobody_who_could_replace_it() {
        let mut index = index(&[
            (1, Side::Crm, true, &[(0, "a")]),
            (2, Side::Desk, false, &[(0, "a"), (1, "+49")]),
            (3, Side::Crm, false, &[(1, "+49")]),
        ]);
        assert!(matches!(identify(&index, 2), Verdict::Shadowed { .. }));
        index.leave_out(1);
        assert_eq!(identify(&index, 2), Verdict::Same { other: 3, key: 1 });
        index.leave_out(3);
        assert_eq!(identify(&index, 2), Verdict::New);
    }

    #[test]
    fn colleagues_with_one_switchboard_number_are_still_two_people() {
        let index = index(&[
            (1, Side::Crm, false, &[(0, "ann@x"), (1, "+49")]),
            (2, Side::Crm, false, &[(0, "bob@x"), (1, "+49")]),
        ]);
        assert_eq!(identify(&index, 1), Verdict::New);
        assert_eq!(identify(&index, 2), Verdict::New);
    }

    #[test]
    fn who_comes_back_is_who_it_was_unless_keys_say_that_one_of_the_two_is_somebody_else() {
        let parted = |records: &[Row<'_>]| {
            let mut index = index(records);
            index.part(1, 2);
            [1, 2].map(|record| identify(&index, record))
        };
        let before = (1, Side::Crm, false, &[(0, "before")][..]);
        let after = (2, Side::Desk, false, &[(0, "after")][..]);
        let again = [2, 1].map(|other| Verdict::Again { other });
        assert_eq!(parted(&[before, after]), again);
        // Without any key on one side.
        assert_eq!(parted(&[before, (2, Side::Desk, false, &[])]), again);
        // The one that stayed is somebody else's by now.
        let theirs = (3, Side::Crm, false, &[(0, "after")][..]);
        let verdicts = parted(&[before, after, theirs]);
        assert_eq!(verdicts, [Verdict::New, Verdict::Same { other: 3, key: 0 }]);
        // Or somebody else's key is the one that came back's.
        let theirs = (3, Side::Desk, true, &[(0, "before")][..]);
        let verdicts = parted(&[before, after, theirs]);
        assert!(
            matches!(verdicts, [Verdict::Shadowed { .. }, Verdict::New]),
            "{verdicts:?}"
        );
    }

    #[test]
    fn a_counterpart_that_prefers_another_by_a_stronger_key_is_not_taken() {
        let index = index(&[
            (1, Side::Crm, false, &[(1, "+49")]),
            (2, Side::Crm, false, &[(0, "ann@x")]),
            (3, Side::Desk, false, &[(0, "ann@x"), (1, "+49")]),
        ]);
        assert_eq!(identify(&index, 2), Verdict::Same { other: 3, key: 0 });
        assert!(matches!(identify(&index, 1), Verdict::Shadowed { .. }));
    }
}

//! Pages by number of a list that moves meanwhile: where the next one begins, and whether nobody slipped
//! between two.
//!
//! The lists go by name and have no cursor. Where somebody on a page that was read leaves the list or is
//! renamed, all behind move up, and the first of the next page stands on the one before it by then. So a page
//! begins a few rows early, which takes pages of another size: the place where one begins is a multiple of its
//! size. As long as one of the last rows that were read stands on it as it was, all who stood behind that row,
//! and were left alone, still stand behind it: on this page or a later one. Where none does, it is gone back
//! for. Whoever was changed meanwhile is shown by the next look for changes.

use super::list::PER_PAGE;
use super::row::Row;
use crate::model::{RecordId, Version};

/// How many rows a page shows again: so many less one may leave between two calls unnoticed.
const AGAIN: usize = 3;
/// How many it shows again at the most, where more have left: the second page leads farther than the first with
/// less than half of one.
const MANY: usize = 45;
/// The last rows of a page, of which the next has to show one.
const ANCHORS: usize = 10;
/// After so many they are taken as they come, or a list that moves faster than it is read would have no end. A
/// page that leads no farther is two strikes, one that does takes one back.
const STRIKES: usize = 20;

/// How far a list was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// So many rows from its beginning.
    past: usize,
    /// So many of them are to be shown again, at least.
    again: usize,
    strikes: usize,
    /// The last of them, as they were.
    anchors: Vec<(u64, Version)>,
    /// Whether pages are taken as they come, without any of this.
    plain: bool,
}

/// A page: a number and a size as the server counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// From 1.
    pub(super) page: usize,
    pub(super) size: usize,
}

impl Window {
    const fn begins(self) -> usize {
        (self.page - 1) * self.size
    }

    const fn ends(self) -> usize {
        self.page * self.size
    }
}

/// Where to go on after a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// Nothing at the end of the list.
    pub(super) next: Option<Place>,
    /// Whether somebody may have slipped through.
    pub(super) unsure: bool,
}

impl Place {
    /// The beginning of a list that is read with the fewest calls: whoever slips between two pages is missed by
    /// others.
    pub(super) fn plain() -> Self {
        Self {
            plain: true,
            ..Self::default()
        }
    }

    /// The beginning of a list that is read like this one.
    pub(super) fn anew(&self) -> Self {
        Self {
            plain: self.plain,
            ..Self::default()
        }
    }

    /// Of all pages that begin early enough the one that leads farthest.
    pub(super) fn window(&self) -> Window {
        let begins = self.past.saturating_sub(self.again);
        let sizes = (PER_PAGE / 2..=PER_PAGE).map(|size| Window {
            page: begins / size + 1,
            size,
        });
        let farthest = sizes.max_by_key(|window| (window.ends(), window.size));
        farthest.unwrap_or(Window {
            page: 1,
            size: PER_PAGE,
        })
    }

    /// Whether it was read already, as it is, with the page before.
    pub(super) fn has_read(&self, row: &Row) -> bool {
        anchor(row).is_some_and(|row| self.anchors.contains(&row))
    }

    /// Where to go on after the page at [`Self::window`] that shows `rows`, and with which the list has
    /// `ended`, or not.
    pub(super) fn after(&self, rows: &[Row], ended: bool) -> Step {
        let window = self.window();
        if self.plain {
            let next = Self {
                past: window.ends(),
                ..self.anew()
            };
            return Step {
                next: (!ended).then_some(next),
                unsure: false,
            };
        }
        let shown: Vec<_> = rows.iter().map(anchor).collect();
        let moved = match self.moved(window, &shown) {
            None if self.anchors.is_empty() => Some(0),
            None if window.begins() == 0 => Some(MANY),
            moved => moved,
        };
        let hastens = self.strikes >= STRIKES;
        if moved.is_none() && !hastens {
            let again = if self.again < MANY {
                MANY
            } else {
                self.again + PER_PAGE
            };
            return Step {
                next: Some(Self {
                    again,
                    strikes: self.strikes + 2,
                    ..self.clone()
                }),
                unsure: false,
            };
        }
        let again = moved.filter(|_| !hastens).unwrap_or(0) * 3 / 2;
        let strikes = if window.ends() > self.past {
            self.strikes.saturating_sub(1)
        } else {
            self.strikes + 2
        };
        let last = shown.iter().rev().flatten().take(ANCHORS);
        let mut anchors: Vec<_> = last.copied().collect();
        anchors.reverse();
        let next = Self {
            past: window.ends(),
            again: (AGAIN + again).min(MANY),
            strikes,
            anchors,
            plain: false,
        };
        Step {
            next: (!ended).then_some(next),
            unsure: moved.is_none(),
        }
    }

    /// By how many rows the list has moved up since the page before; nothing where none of its last rows is
    /// on this one.
    fn moved(&self, window: Window, shown: &[Option<(u64, Version)>]) -> Option<usize> {
        shown.iter().enumerate().find_map(|(at, row)| {
            let known = self
                .anchors
                .iter()
                .position(|it| Some(it) == row.as_ref())?;
            let before = (self.past + known).saturating_sub(self.anchors.len());
            Some(before.saturating_sub(window.begins() + at))
        })
    }

    /// As words, which [`Self::read`] understands.
    pub(super) fn words(&self) -> String {
        let Self {
            past,
            again,
            strikes,
            anchors,
            plain,
        } = self;
        if *plain {
            return past.to_string();
        }
        let anchors = anchors.iter().map(|(id, at)| format!(" {id}:{}", at.0));
        format!("{past} {again} {strikes}{}", anchors.collect::<String>())
    }

    /// What [`Self::words`] says; nothing where it is anything else.
    pub(super) fn read<'a>(words: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut words = words.into_iter();
        let mut number = || words.next()?.parse().ok().filter(|it| *it < FAR);
        let past = number()?;
        let Some(again) = number() else {
            // Pages as they come begin where one of the largest does.
            return Some(Self {
                past: past - past % PER_PAGE,
                ..Self::plain()
            });
        };
        let strikes = number()?;
        let anchors = words.map(|word| {
            let (id, at) = word.split_once(':')?;
            Some((id.parse().ok()?, Version(at.parse().ok()?)))
        });
        Some(Self {
            past,
            again,
            strikes,
            anchors: anchors.collect::<Option<_>>()?,
            plain: false,
        })
    }
}

/// No list has as many rows.
const FAR: usize = 1 << 40;

/// A row by which the list can be found again; nothing where it does not say when it was changed.
fn anchor(row: &Row) -> Option<(u64, Version)> {
    let RecordId(id) = &row.id;
    let id = id.parse().ok().filter(|_| row.dated)?;
    Some((id, row.version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Image;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// A list by name; a change gives another stamp.
    #[derive(Debug, Clone)]
    struct List {
        rows: Vec<(u32, u64, i64)>,
        touched: BTreeSet<u64>,
    }

    /// What somebody does between two calls, to whom, and how the name goes on from there.
    #[derive(Debug, Clone, Copy)]
    enum Deed {
        /// So many in a row leave.
        Purge(usize, usize),
        IsRenamed(usize, u32),
        Comes(u32),
    }

    impl List {
        fn of(len: u64) -> Self {
            let rows = (0..len).map(|id| (u32::try_from(id * 10).unwrap(), id, 0));
            Self {
                rows: rows.collect(),
                touched: BTreeSet::new(),
            }
        }

        /// Takes somebody out.
        fn take(&mut self, at: usize) -> Option<(u64, i64)> {
            let at = at.checked_rem(self.rows.len())?;
            let (_, id, stamp) = self.rows.remove(at);
            self.touched.insert(id);
            Some((id, stamp))
        }

        fn befall(&mut self, deed: Deed) {
            match deed {
                Deed::Purge(at, many) => {
                    for _ in 0..many {
                        self.take(at);
                    }
                }
                Deed::IsRenamed(at, name) => {
                    if let Some((id, stamp)) = self.take(at) {
                        self.rows.push((name, id, stamp + 1));
                    }
                }
                Deed::Comes(name) => {
                    let id = 1_000_000 + self.touched.len() as u64;
                    self.touched.insert(id);
                    self.rows.push((name, id, 0));
                }
            }
            self.rows.sort_unstable();
        }

        fn page(&self, window: Window) -> (Vec<Row>, bool) {
            let rows = self.rows.iter().skip(window.begins()).take(window.size);
            let rows = rows.map(|(_, id, at)| Row {
                id: RecordId(id.to_string()),
                version: Version(*at),
                dated: true,
                deleted: false,
                image: Image::default(),
            });
            (rows.collect(), window.ends() >= self.rows.len())
        }
    }

    /// Reads a list while `befalls` does something to it before each call but the first; whom it has shown,
    /// with how many calls, and whether it is sure of itself.
    fn read(list: &mut List, befalls: impl FnMut(&mut List, usize)) -> (Vec<u64>, usize, bool) {
        read_from(Place::default(), list, befalls)
    }

    /// As [`read`], from this place on.
    fn read_from(
        mut place: Place,
        list: &mut List,
        mut befalls: impl FnMut(&mut List, usize),
    ) -> (Vec<u64>, usize, bool) {
        let (mut shown, mut calls, mut sure) = (Vec::new(), 0, true);
        loop {
            if calls > 0 {
                befalls(list, calls);
            }
            calls += 1;
            assert!(calls < 10_000, "it goes on for ever");
            let (rows, ended) = list.page(place.window());
            let news = rows.iter().filter(|row| !place.has_read(row));
            shown.extend(news.map(|row| row.id.0.parse::<u64>().unwrap()));
            let step = place.after(&rows, ended);
            sure &= !step.unsure;
            match step.next {
                Some(next) => place = next,
                None => return (shown, calls, sure),
            }
        }
    }

    fn deed() -> impl Strategy<Value = Deed> {
        prop_oneof![
            4 => any::<usize>().prop_map(|at| Deed::Purge(at, 1)),
            4 => (any::<usize>(), 0u32..8000).prop_map(|(at, name)| Deed::IsRenamed(at, name)),
            2 => (0u32..8000).prop_map(Deed::Comes),
            1 => (any::<usize>(), 1usize..160).prop_map(|(at, many)| Deed::Purge(at, many)),
        ]
    }

    #[test]
    fn a_list_that_keeps_still_is_read_once_and_costs_a_sixth_more_at_the_most() {
        for len in [0, 1, 99, 100, 101, 197, 250, 1000, 20_000] {
            let (shown, calls, sure) = read(&mut List::of(len), |_, _| {});
            assert!((0..len).all(|id| shown.contains(&id)), "{len}");
            assert!(shown.len() as u64 <= len + len / 20, "{len}");
            let pages = usize::try_from(len.div_ceil(100).max(1)).unwrap();
            assert!(sure && calls <= pages + pages.div_ceil(6), "{len}: {calls}");
        }
        assert_eq!(read(&mut List::of(250), |_, _| {}).1, 3);
    }

    #[test]
    fn a_list_whose_absentees_are_asked_for_costs_a_call_a_full_page_and_no_more() {
        for len in [0, 1, 99, 100, 101, 250, 20_000] {
            let mut list = List::of(len);
            let (shown, calls, _) = read_from(Place::plain(), &mut list, |_, _| {});
            assert_eq!(shown, (0..len).collect::<Vec<_>>());
            assert_eq!(calls as u64, len.div_ceil(100).max(1), "{len}");
        }
    }

    #[test]
    fn a_list_from_whose_beginning_somebody_leaves_at_each_call_is_read_to_its_end_and_nobody_lost()
    {
        for leave in [1, 3, 10, 30] {
            let mut list = List::of(6000);
            let (shown, calls, sure) = read(&mut list, |list, _| {
                list.befall(Deed::Purge(0, leave));
            });
            let left = list.rows.iter().map(|row| row.1);
            assert_eq!(left.filter(|id| !shown.contains(id)).count(), 0, "{leave}");
            assert!(sure && calls < 250, "{leave}: {calls}");
        }
    }

    #[test]
    fn a_list_that_turns_in_a_circle_comes_to_an_end_all_the_same() {
        for many in [1, 10, 49, 50, 99, 200] {
            let mut list = List::of(3000);
            let (_, calls, _) = read(&mut list, |list, call| {
                for _ in 0..many {
                    list.befall(Deed::IsRenamed(0, 100_000 + u32::try_from(call).unwrap()));
                }
            });
            assert!(calls < 250, "{many}: {calls}");
        }
    }

    #[test]
    fn a_list_that_is_another_at_each_call_is_read_in_a_bounded_number_of_calls() {
        let mut list = List::of(3000);
        let (_, calls, sure) = read(&mut list, |list, call| {
            for row in &mut list.rows {
                row.2 = i64::try_from(call).unwrap();
            }
        });
        assert!(!sure && calls < 120, "{calls}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn nobody_who_was_left_alone_is_passed_over_whatever_becomes_of_others(
            len in 0u64..800,
            deeds in proptest::collection::vec(proptest::collection::vec(deed(), 0..6), 0..40),
        ) {
            let mut list = List::of(len);
            let (shown, calls, sure) = read(&mut list, |list, call| {
                for deed in deeds.get(call - 1).into_iter().flatten() {
                    list.befall(*deed);
                }
            });
            prop_assert!(calls <= 3 * (usize::try_from(len).unwrap() / 50 + 40), "{calls}");
            if sure {
                let shown: BTreeSet<u64> = shown.into_iter().collect();
                let alone = list.rows.iter().map(|row| row.1).filter(|id| !list.touched.contains(id));
                for id in alone {
                    prop_assert!(shown.contains(&id), "{id}");
                }
            }
        }

        #[test]
        fn a_place_is_found_again_after_a_restart(
            past in 0usize..1_000_000, again in 0usize..2000, strikes in 0usize..30,
            anchors in proptest::collection::vec((any::<u64>(), any::<i64>()), 0..=ANCHORS),
        ) {
            let anchors = anchors.into_iter().map(|(id, at)| (id, Version(at))).collect();
            let place = Place { past, again, strikes, anchors, plain: false };
            let words = place.words();
            prop_assert_eq!(Place::read(words.split(' ')), Some(place));
            let plain = Place { past: past - past % PER_PAGE, ..Place::plain() };
            prop_assert_eq!(Place::read(plain.words().split(' ')), Some(plain));
        }
    }
}

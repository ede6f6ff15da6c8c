//! Whether a field is fought over: it goes back and forth, or is written again and again.
//!
//! A server that merely rewrites what it is given never shows here: what it stored is what both sides
//! agreed on, and nothing is written a second time.

mod opponent;

pub use opponent::{Fight, opponent};

use super::Rule;
use crate::model::{Changes, Pair, Side};
use std::fmt;

/// How far back writes count, in milliseconds.
pub const HOUR: i64 = 3_600_000;
/// So many writes of one field within an hour are no editing any more, the next one included.
const MOST: usize = 7;
/// The same value written for so many times, the next one included, was set back in between.
const SAME: usize = 3;

/// One write of a field that was confirmed.
#[derive(Debug, Clone, PartialEq)]
pub struct PastWrite {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// Where.
    pub target: Side,
    /// What was written.
    pub set: Changes,
    /// Whether a person had it written: what came before it does not count any more.
    pub asked_for: bool,
    /// On which sides it had been changed by others than us, so that it was written.
    pub changed: Pair<bool>,
}

impl PastWrite {
    /// A write as the journal has it.
    #[must_use]
    pub const fn of(set: Changes, rule: &Rule, target: Side, at: i64) -> Self {
        Self {
            at,
            target,
            asked_for: matches!(rule, Rule::Reverted(_) | Rule::Chosen(_)),
            changed: changed(rule, target),
            set,
        }
    }
}

/// On which sides a field was changed that is written to `target` by this rule, as far as the rule says.
#[must_use]
pub(super) const fn changed(rule: &Rule, target: Side) -> Pair<bool> {
    let side = match rule {
        Rule::Changed(side) => *side,
        Rule::OneWay => target,
        Rule::Preferred(_) | Rule::Newest { .. } => {
            return Pair {
                crm: true,
                desk: true,
            };
        }
        _ => {
            return Pair {
                crm: false,
                desk: false,
            };
        }
    };
    Pair {
        crm: matches!(side, Side::Crm),
        desk: matches!(side, Side::Desk),
    }
}

/// The writes of `past` that count at `now`: those of the last hour, since a person had one made. What was written
/// while our clock was ahead would be of the last hour for as long as it was.
pub fn recent(past: &[PastWrite], now: i64) -> impl Iterator<Item = &PastWrite> {
    let begin = past.iter().rposition(|it| it.asked_for);
    let past = past.get(begin.map_or(0, |at| at + 1)..).unwrap_or_default();
    past.iter().filter(move |it| (now - it.at).abs() < HOUR)
}

/// Why a field counts as fought over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flap {
    /// A value that was written before is to be written again, after another one.
    BackAndForth,
    /// The same value is to be written again and again: somebody sets it back in between.
    SetBack,
    /// It is written too often.
    TooOften,
}

impl fmt::Display for Flap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BackAndForth => "goes back and forth",
            Self::SetBack => "is set back again and again",
            Self::TooOften => "changes without end",
        })
    }
}

/// Whether writing `set` to `target` at `now`, after the writes of `past` (of one field of one pair,
/// in their order), is part of a fight.
#[must_use]
pub fn flap(past: &[PastWrite], target: Side, set: &Changes, now: i64) -> Option<Flap> {
    let recent: Vec<&PastWrite> = recent(past, now).collect();
    let same = |it: &&PastWrite| it.target == target && it.set == *set;
    if let Some(first) = recent.iter().position(same)
        && recent.iter().skip(first).any(|it| !same(it))
    {
        return Some(Flap::BackAndForth);
    }
    if recent.iter().filter(|it| same(it)).count() + 1 >= SAME {
        return Some(Flap::SetBack);
    }
    (recent.len() + 1 >= MOST).then_some(Flap::TooOften)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Image;

    const NOW: i64 = 10 * HOUR;

    fn value(text: &str) -> Changes {
        let mut image = Image::default();
        image.set("phone", text.into());
        image
    }

    fn write(minutes_ago: i64, target: Side, text: &str) -> PastWrite {
        PastWrite {
            at: NOW - minutes_ago * 60_000,
            target,
            set: value(text),
            asked_for: false,
            changed: Pair::default(),
        }
    }

    fn judged(past: &[PastWrite], text: &str) -> Option<Flap> {
        flap(past, Side::Desk, &value(text), NOW)
    }

    #[test]
    fn two_systems_that_overrule_each_other_are_stopped_at_the_second_round() {
        let past = [write(3, Side::Desk, "b"), write(2, Side::Crm, "a")];
        assert_eq!(judged(&past, "b"), Some(Flap::BackAndForth));
        assert_eq!(judged(&past, "c"), None);
        assert_eq!(judged(&past[..1], "b"), None);
    }

    #[test]
    fn an_automation_that_sets_a_value_back_is_not_fed_for_ever() {
        let past = [write(3, Side::Desk, "b"), write(2, Side::Desk, "b")];
        assert_eq!(judged(&past, "b"), Some(Flap::SetBack));
        assert_eq!(judged(&past, "c"), None);
    }

    #[test]
    fn somebody_who_corrects_a_field_a_few_times_is_no_fight() {
        let numbers = ["1", "2", "3", "4", "5"];
        let ago = (0..).map(|n| 30 - n);
        let past: Vec<_> = ago
            .zip(numbers)
            .map(|(ago, text)| write(ago, Side::Desk, text))
            .collect();
        assert_eq!(judged(&past, "6"), None);
        let more: Vec<_> = past
            .into_iter()
            .chain([write(1, Side::Desk, "5b")])
            .collect();
        assert_eq!(judged(&more, "6"), Some(Flap::TooOften));
    }

    #[test]
    fn what_was_long_ago_or_asked_for_by_a_person_starts_no_alarm() {
        let old = [write(70, Side::Desk, "b"), write(65, Side::Crm, "a")];
        assert_eq!(judged(&old, "b"), None);
        let mut past = [write(3, Side::Desk, "b"), write(2, Side::Crm, "a")];
        past[1].asked_for = true;
        assert_eq!(judged(&past, "b"), None);
    }
}

//! How much of one sort of change may be made before a person has to approve it.
//!
//! Two lines, each crossed by *more than a count and more than a percent of the linked records*: one
//! for a cycle, one for 24 hours, [`DAY`] times as high. What crosses a line is held whole: not the
//! part above it, and nothing of it.

use super::FieldChange;
use super::merge::blank;
use crate::model::Side;
use serde::{Deserialize, Serialize};

/// How much higher the line over 24 hours is than that of a cycle, in count and in percent.
pub const DAY: u32 = 3;

/// A sort of change; each is counted apart, per kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A record is made.
    Create,
    /// Fields of a pair are changed; a pair counts once.
    Update,
    /// A filled field is emptied; each field counts.
    Clear,
    /// A record is put into the trash.
    Delete,
    /// A ticket is changed because of its customer's standing.
    Ticket,
    /// What a customer's tickets come to is written into the CRM; a customer counts once.
    Summary,
    /// A filled field of the CRM is emptied, since a customer's tickets come to nothing there any more; each
    /// field counts.
    SummaryClear,
}

impl Class {
    /// The classes of contacts and companies.
    pub const OF_RECORDS: [Self; 4] = [Self::Create, Self::Update, Self::Clear, Self::Delete];
    /// The classes of support summaries.
    pub const OF_SUMMARIES: [Self; 2] = [Self::Summary, Self::SummaryClear];

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        let others = [Self::Ticket].into_iter().chain(Self::OF_SUMMARIES);
        Self::OF_RECORDS.into_iter().chain(others)
    }

    /// The word in the state and in `--json`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Clear => "clear",
            Self::Delete => "delete",
            Self::Ticket => "ticket",
            Self::Summary => "summary",
            Self::SummaryClear => "summary_clear",
        }
    }

    /// The class of this word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::all().find(|class| class.word() == word)
    }
}

/// Both have to be exceeded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// This many …
    pub count: u64,
    /// … and this part of the linked records, 0 to 100.
    pub percent: f64,
}

impl Limit {
    /// The most that passes where `linked` records are linked.
    #[must_use]
    pub fn most(self, linked: u64) -> u64 {
        #[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 customers")]
        let part = (self.percent / 100.0 * linked as f64).max(0.0).floor();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and what is beyond u64 saturates"
        )]
        let part = part as u64;
        self.count.max(part)
    }

    /// The line over 24 hours.
    #[must_use]
    pub fn over_a_day(self) -> Self {
        Self {
            count: self.count.saturating_mul(u64::from(DAY)),
            percent: self.percent * f64::from(DAY),
        }
    }
}

/// What one cycle may do to one kind of record before a person has to approve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guards {
    /// New records.
    pub creates: Limit,
    /// Changed records; support summaries by themselves, up to the same line.
    pub updates: Limit,
    /// Filled fields emptied; those of support summaries by themselves, up to the same line.
    pub clears: Limit,
    /// Deleted records.
    pub deletes: Limit,
    /// Tickets changed by ticket rules; the percent is of linked contacts.
    pub tickets: Limit,
}

impl Guards {
    /// The limit of a class.
    #[must_use]
    pub const fn of(&self, class: Class) -> Limit {
        match class {
            Class::Create => self.creates,
            Class::Update | Class::Summary => self.updates,
            Class::Clear | Class::SummaryClear => self.clears,
            Class::Delete => self.deletes,
            Class::Ticket => self.tickets,
        }
    }
}

/// A number for each class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    create: u64,
    update: u64,
    clear: u64,
    delete: u64,
    ticket: u64,
    summary: u64,
    summary_clear: u64,
}

impl Counts {
    /// How many of a class.
    #[must_use]
    pub const fn of(&self, class: Class) -> u64 {
        match class {
            Class::Create => self.create,
            Class::Update => self.update,
            Class::Clear => self.clear,
            Class::Delete => self.delete,
            Class::Ticket => self.ticket,
            Class::Summary => self.summary,
            Class::SummaryClear => self.summary_clear,
        }
    }

    /// Counts `number` more of a class.
    pub const fn add(&mut self, class: Class, number: u64) {
        let count = match class {
            Class::Create => &mut self.create,
            Class::Update => &mut self.update,
            Class::Clear => &mut self.clear,
            Class::Delete => &mut self.delete,
            Class::Ticket => &mut self.ticket,
            Class::Summary => &mut self.summary,
            Class::SummaryClear => &mut self.summary_clear,
        };
        *count = count.saturating_add(number);
    }
}

/// What a class of changes comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Weight {
    /// Records that are linked.
    pub linked: u64,
    /// Changes of this cycle, made or planned.
    pub cycle: u64,
    /// Changes of the last 24 hours that nobody approved, those of this cycle included.
    pub day: u64,
}

/// Why a class is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// It is held since an earlier cycle, and nobody has answered yet: what is counted now does not
    /// matter.
    Before,
    /// The cycle is over its line.
    Cycle,
    /// The last 24 hours are over theirs.
    Day,
}

/// Whether a class of changes is held, and over which line it is. `held` says whether it is already.
#[must_use]
pub fn judge(limit: Limit, weight: Weight, held: bool) -> Option<Line> {
    let over = |limit: Limit, number: u64| number > limit.most(weight.linked);
    if held {
        Some(Line::Before)
    } else if over(limit, weight.cycle) {
        Some(Line::Cycle)
    } else if over(limit.over_a_day(), weight.day) {
        Some(Line::Day)
    } else {
        None
    }
}

/// Whether a change of a record on `target` empties a field that was filled.
#[must_use]
pub fn clears(change: &FieldChange, target: Side) -> bool {
    let shown = match target {
        Side::Crm => &change.crm,
        Side::Desk => &change.freshdesk,
    };
    // Of several names of one field, those that stay as they are are not in the set.
    let emptied = change.set.0.values();
    !blank(shown)
        && emptied
            .into_iter()
            .any(|it| blank(std::slice::from_ref(it)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Image, Value};
    use crate::plan::Rule;

    const LIMIT: Limit = Limit {
        count: 10,
        percent: 1.0,
    };

    fn weight(linked: u64, cycle: u64, day: u64) -> Weight {
        Weight { linked, cycle, day }
    }

    #[test]
    fn both_the_count_and_the_percent_have_to_be_exceeded() {
        for (linked, cycle, line) in [
            (0, 10, None),
            (0, 11, Some(Line::Cycle)),
            (1_000, 11, Some(Line::Cycle)),
            (2_000, 20, None),
            (2_000, 21, Some(Line::Cycle)),
            (2_050, 20, None),
        ] {
            let verdict = judge(LIMIT, weight(linked, cycle, cycle), false);
            assert_eq!(verdict, line, "{cycle} of {linked}");
        }
    }

    #[test]
    fn many_small_cycles_are_one_big_change() {
        assert_eq!(judge(LIMIT, weight(0, 1, 30), false), None);
        assert_eq!(judge(LIMIT, weight(0, 1, 31), false), Some(Line::Day));
        assert_eq!(judge(LIMIT, weight(2_000, 1, 60), false), None);
        assert_eq!(judge(LIMIT, weight(2_000, 1, 61), false), Some(Line::Day));
    }

    #[test]
    fn what_is_held_stays_held_whatever_is_counted_now() {
        assert_eq!(judge(LIMIT, weight(9, 0, 0), true), Some(Line::Before));
    }

    #[test]
    fn only_what_empties_a_filled_field_is_a_clear() {
        for (shown, set, expected) in [
            (vec!["Ada".into()], Value::Empty, true),
            (vec!["Ada".into()], Value::from(" "), true),
            (vec!["Ada".into()], Value::from("Bob"), false),
            (vec![Value::Empty], Value::Empty, false),
            (vec!["Ada".into(), "King".into()], Value::Empty, true),
        ] {
            let change = FieldChange {
                field: "name".to_owned(),
                base: Vec::new(),
                crm: vec!["x".into()],
                freshdesk: shown,
                set: Image::from([("name", set)]),
                rule: Rule::Changed(Side::Crm),
            };
            assert_eq!(clears(&change, Side::Desk), expected, "{change:?}");
        }
    }
}

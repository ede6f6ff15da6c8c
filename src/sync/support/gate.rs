//! The guard over summaries: too many at once wait for a person.
//!
//! They are counted apart from what people change, up to the same lines: `updates` for customers of whom a field
//! gets another value, `clears` for filled fields that are emptied.

use super::CHUNK;
use super::write::summed;
use crate::mapping::SupportFact;
use crate::model::{Kind, Side};
use crate::plan::{Class, Counts, FieldChange, Guards, Line, Weight, clears, judge};
use crate::store::{Answer, ClassHold, SupportFinish, Waiting, Weighed};
use crate::sync::guard::{Guarding, reason};
use crate::sync::{CycleError, Engine};
use std::collections::BTreeMap;

/// How a class of summaries is gone about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It is written.
    Passes,
    /// It is written, since a person has said so.
    Approved,
    /// It is not written, since a person has said so.
    Left,
    /// It waits.
    Held,
}

/// How summaries of one kind are gone about in one cycle.
#[derive(Debug)]
pub(super) struct Gate {
    changes: Way,
    empties: Way,
}

/// What is known of a kind when its summaries are weighed.
struct Scales {
    kind: Kind,
    guards: Guards,
    watches: bool,
    /// Whether its fields are filled for the first time.
    first: bool,
    linked: u64,
    /// What was sent in the 24 hours before.
    day: Counts,
}

fn class(change: &FieldChange) -> Class {
    if clears(change, Side::Crm) {
        Class::SummaryClear
    } else {
        Class::Summary
    }
}

impl Gate {
    const OPEN: Self = Self {
        changes: Way::Passes,
        empties: Way::Passes,
    };

    const fn way(&self, class: Class) -> Way {
        match class {
            Class::SummaryClear => self.empties,
            _ => self.changes,
        }
    }

    pub(super) fn holds(&self, change: &FieldChange) -> bool {
        self.way(class(change)) == Way::Held
    }

    pub(super) fn leaves(&self, change: &FieldChange) -> bool {
        self.way(class(change)) == Way::Left
    }

    pub(super) fn sends(&self, change: &FieldChange) -> bool {
        !self.holds(change) && !self.leaves(change)
    }

    /// Which customers have something that is not held.
    pub(super) fn passing(&self) -> Waiting {
        Waiting::Or {
            changes: self.changes != Way::Held,
            empties: self.empties != Way::Held,
        }
    }

    /// What these changes of one customer's fields come to.
    pub(super) fn weigh<'a>(changes: impl IntoIterator<Item = &'a FieldChange>) -> Weighed {
        let mut weighed = Weighed::default();
        for change in changes {
            match class(change) {
                Class::SummaryClear => weighed.empties += 1,
                _ => weighed.changes = 1,
            }
        }
        weighed
    }

    /// Counts what was written of one customer, and nobody had approved.
    pub(super) fn count(&self, changes: &[FieldChange], counts: &mut Counts) {
        let weighed = Self::weigh(changes);
        let numbers = [weighed.changes, weighed.empties];
        for (class, number) in Class::OF_SUMMARIES.into_iter().zip(numbers) {
            if self.way(class) == Way::Passes {
                counts.add(class, number);
            }
        }
    }
}

impl Engine {
    /// How summaries of `kind` are gone about in this cycle. What is over a line is held whole; so few that they
    /// cross none are not even worked out here.
    pub(super) async fn summary_gate(
        &mut self,
        kind: Kind,
        wanted: &BTreeMap<SupportFact, String>,
    ) -> Result<Gate, CycleError> {
        let (guards, watches) = match self.guarding {
            Guarding::Off => return Ok(Gate::OPEN),
            Guarding::Watch(guards) => (guards, true),
            Guarding::Hold(guards) => (guards, false),
        };
        let day = self
            .store
            .sent_in_a_day(kind.word(), self.clock.now())
            .await?;
        let mut known = Vec::with_capacity(Class::OF_SUMMARIES.len());
        for class in Class::OF_SUMMARIES {
            known.push(self.store.class_answer(kind.word(), class.word()).await?);
        }
        let most = most(guards, &day, wanted.len() as u64);
        if known.iter().all(Option::is_none)
            && self.store.support_count(kind, most + 1).await? <= most
        {
            return Ok(Gate::OPEN);
        }
        self.weigh_summaries(kind, wanted).await?;
        let waiting = self.store.support_waiting(kind).await?;
        let scales = Scales {
            kind,
            guards,
            watches,
            first: self.store.is_first_filling(kind).await?,
            linked: self.store.linked(kind).await?,
            day,
        };
        let numbers = [waiting.changes, waiting.empties];
        let mut ways = [Way::Passes; 2];
        let classes = Class::OF_SUMMARIES.into_iter().zip(numbers).zip(known);
        for (way, ((class, number), known)) in ways.iter_mut().zip(classes) {
            *way = self.summary_way(&scales, class, number, known).await?;
        }
        let [changes, empties] = ways;
        Ok(Gate { changes, empties })
    }

    /// Works out what became due since it was last done.
    async fn weigh_summaries(
        &mut self,
        kind: Kind,
        wanted: &BTreeMap<SupportFact, String>,
    ) -> Result<(), CycleError> {
        let mut after = String::new();
        loop {
            let now = self.clock.now();
            let due = self
                .store
                .support_due(kind, Waiting::New, now, &after, CHUNK);
            let rows = due.await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after.clone_from(&last.ids.desk.0);
            let (mut weighed, mut same) = (Vec::new(), Vec::new());
            for row in &rows {
                let summed = summed(wanted, row);
                if !summed.changes.is_empty() {
                    weighed.push((&row.ids.desk, Gate::weigh(&summed.changes)));
                } else if summed.unread.is_empty() {
                    same.push(SupportFinish {
                        journal: None,
                        row: row.row,
                        desk: row.ids.desk.clone(),
                        written: serde_json::to_string(&summed.settled).ok(),
                        left: Weighed::default(),
                        stored: None,
                        fields: None,
                        outcome: "same",
                        request_id: None,
                        message: None,
                    });
                }
            }
            self.store.support_weighed(kind, &weighed).await?;
            let nothing = Counts::default();
            self.store
                .finish_support(kind, &same, &nothing, now)
                .await?;
        }
    }

    /// How `number` changes of one class are gone about; `known` is the hold over it, with what a person has
    /// said and how many changes that was about.
    async fn summary_way(
        &mut self,
        scales: &Scales,
        class: Class,
        number: u64,
        known: Option<(Option<Answer>, u64)>,
    ) -> Result<Way, CycleError> {
        let (kind, limit) = (scales.kind.word(), scales.guards.of(class));
        if number == 0 {
            if known.is_some() {
                let drop = self.store.drop_class_hold(kind, class.word(), None);
                drop.await?;
            }
            return Ok(Way::Passes);
        }
        if scales.first && class == Class::Summary && self.first_is_approved {
            return Ok(Way::Approved);
        }
        let weight = Weight {
            linked: scales.linked,
            cycle: number,
            day: number + scales.day.of(class),
        };
        let line = match known {
            Some((Some(answer), shown)) if number <= shown + limit.most(scales.linked) => {
                return Ok(match answer {
                    Answer::Discard => Way::Left,
                    Answer::Approve | Answer::Take(_) => Way::Approved,
                });
            }
            Some((Some(_), shown)) => {
                tracing::warn!(
                    event = "answer_outgrown",
                    kind,
                    class = class.word(),
                    shown,
                    count = number,
                    "an answer about support summaries is not carried out: by now far more of them are due than it was about"
                );
                let drop = self.store.drop_class_hold(kind, class.word(), None);
                drop.await?;
                Some(Line::Cycle)
            }
            _ => judge(limit, weight, known.is_some()),
        };
        match line {
            None => Ok(Way::Passes),
            Some(line) => self.hold_summaries(scales, class, line, weight).await,
        }
    }

    async fn hold_summaries(
        &mut self,
        scales: &Scales,
        class: Class,
        line: Line,
        weight: Weight,
    ) -> Result<Way, CycleError> {
        let limit = scales.guards.of(class);
        let first = scales.first && class == Class::Summary;
        let hold = ClassHold {
            kind: scales.kind.word(),
            class: class.word(),
            side: None,
            count: weight.cycle,
            reason: reason(Some(scales.kind), class, line, weight, limit, first),
            first,
        };
        let passing = limit.most(scales.linked);
        let now = self.clock.now();
        self.store.hold_class(&hold, passing, now).await?;
        if scales.watches {
            return Ok(Way::Passes);
        }
        if line != Line::Before {
            tracing::warn!(
                event = "held",
                kind = hold.kind,
                class = hold.class,
                count = hold.count,
                reason = hold.reason,
                "too many support summaries at once: none of them is written before a person approves"
            );
        }
        Ok(Way::Held)
    }

    /// Answers about summaries are carried out, where `all` that they were about was gone through; else they
    /// are about the rest from now on. Once nothing is held or left to do, the first filling is over.
    pub(super) async fn summaries_answered(
        &mut self,
        gate: &Gate,
        kind: Kind,
        all: bool,
    ) -> Result<(), CycleError> {
        let rest = match (gate.changes, gate.empties) {
            _ if all => Weighed::default(),
            (Way::Passes | Way::Held, Way::Passes | Way::Held) => return Ok(()),
            _ => self.store.support_waiting(kind).await?,
        };
        for (class, rest) in Class::OF_SUMMARIES
            .into_iter()
            .zip([rest.changes, rest.empties])
        {
            let (of, way) = (kind.word(), gate.way(class));
            if !matches!(way, Way::Approved | Way::Left) {
                continue;
            }
            if !all {
                let goes_on = self.store.answer_goes_on(of, class.word(), rest);
                goes_on.await?;
                continue;
            }
            if way == Way::Approved {
                self.store.forget_sent_in_a_day(of, class).await?;
            }
            self.store.drop_class_hold(of, class.word(), None).await?;
        }
        if all && gate.changes != Way::Held {
            self.store.first_filling_ends(kind).await?;
        }
        Ok(())
    }
}

/// So many customers cross no line, whatever is written of them.
fn most(guards: Guards, day: &Counts, fields: u64) -> u64 {
    let left = |class: Class| {
        let limit = guards.of(class);
        let today = limit.over_a_day().count.saturating_sub(day.of(class));
        limit.count.min(today)
    };
    left(Class::Summary).min(left(Class::SummaryClear) / fields.max(1))
}

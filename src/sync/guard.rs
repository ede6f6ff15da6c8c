//! Guards at work: what a cycle is about to write is weighed before anything of it is written, and
//! what is over a line is held whole.

mod listing;
mod sift;
mod weigh;
mod words;

use sift::Sifted;
pub(super) use words::reason;

use super::{CycleError, Engine, Tally};
use crate::model::{Kind, Side};
use crate::plan::{Class, Counts, Guards, Line, Weight, judge};
use crate::store::{ClassHold, WaitingClass};
use std::collections::BTreeSet;

/// What is done about too many changes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Guarding {
    /// Nothing.
    #[default]
    Off,
    /// They are named, and made all the same: for a rehearsal, which shows what would wait.
    Watch(Guards),
    /// They wait for a person.
    Hold(Guards),
}

impl Guarding {
    const fn guards(self) -> Option<Guards> {
        match self {
            Self::Off => None,
            Self::Watch(guards) | Self::Hold(guards) => Some(guards),
        }
    }
}

/// How the cycle comes to a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// Its first sync has come to its end.
    Known,
    /// It is in its first sync.
    First,
    /// The same, and a person has approved it beforehand.
    Approved,
}

/// The guards of one kind during one cycle.
#[derive(Debug)]
pub(super) struct Gate {
    kind: Kind,
    guards: Option<Guards>,
    /// Whether nothing is held back.
    watches: bool,
    held: BTreeSet<Class>,
    /// Whether people's answers have to be looked for.
    pub(super) busy: bool,
    start: Start,
    /// Pairs that are linked, once anybody had to know.
    linked: Option<u64>,
    /// Pairs that are being linked.
    joining: u64,
    /// What this cycle has sent, and nobody had approved.
    cycle: Counts,
    /// What was sent in the 24 hours before this cycle.
    day: Option<Counts>,
}

impl Gate {
    /// Whether a class of changes is not to be made.
    fn bars(&self, class: Class) -> bool {
        self.held.contains(&class) && !self.watches
    }

    /// Whether a class is let through whatever it comes to.
    const fn pardons(&self, class: Class) -> bool {
        matches!(self.start, Start::Approved) && matches!(class, Class::Create | Class::Update)
    }

    /// What a class comes to with `planned` more.
    fn weight(&self, class: Class, planned: u64) -> Weight {
        let linked = self.linked.unwrap_or(0);
        let cycle = self.cycle.of(class) + planned;
        Weight {
            linked: match class {
                Class::Create => linked,
                _ => linked + self.joining,
            },
            cycle,
            day: cycle + self.day.map_or(0, |day| day.of(class)),
        }
    }

    /// The line that a class crosses with `planned` more.
    fn line(&self, class: Class, planned: u64) -> Option<Line> {
        let guards = self.guards?;
        if planned == 0 || self.pardons(class) {
            return None;
        }
        let held = self.held.contains(&class);
        judge(guards.of(class), self.weight(class, planned), held)
    }

    /// Whether a class that is not held crosses a line with `planned` more. While nobody had to know
    /// how many pairs are linked, that is whether it could cross one.
    fn crosses(&self, class: Class, planned: u64) -> bool {
        let line = self.line(class, planned);
        line.is_some_and(|line| line != Line::Before)
    }
}

impl Engine {
    /// From now on what is too much of one class of changes waits for a person.
    pub const fn guard(&mut self, guards: Guards) {
        self.guarding = Guarding::Hold(guards);
    }

    /// From now on what is too much is named, but nothing is held back: a rehearsal shows all of it.
    pub const fn only_watch(&mut self) {
        if let Some(guards) = self.guarding.guards() {
            self.guarding = Guarding::Watch(guards);
        }
    }

    /// Lets first syncs through, however much they create and change, and what is held of one.
    pub const fn approve_first(&mut self) {
        self.first_is_approved = true;
    }

    /// How the guards of `kind` stand now that the cycle comes to it.
    pub(super) async fn gate(&mut self, kind: Kind) -> Result<Gate, CycleError> {
        let watches = matches!(self.guarding, Guarding::Watch(_));
        if watches {
            self.store.release_guarded(kind).await?;
        }
        let state = self.store.guard_state(kind).await?;
        let start = match (self.is_first(kind).await?, self.first_is_approved) {
            (false, _) => Start::Known,
            (true, false) => Start::First,
            (true, true) => Start::Approved,
        };
        Ok(Gate {
            kind,
            guards: self.guarding.guards(),
            watches,
            held: state.held.into_iter().map(|(class, _)| class).collect(),
            busy: state.busy,
            start,
            linked: None,
            joining: 0,
            cycle: Counts::default(),
            day: None,
        })
    }

    /// Whether a kind is in its first sync: nothing of it is linked, or what is linked was linked by a
    /// first sync that has not come to its end yet.
    async fn is_first(&mut self, kind: Kind) -> Result<bool, CycleError> {
        if self.store.is_linked(kind).await? {
            return Ok(self.store.first_sync_goes_on(kind).await?);
        }
        // Of nothing at all there is no first sync.
        if self.store.dirty_count(kind, 1).await? != (0, 0) {
            self.store.first_sync_begins(kind).await?;
        }
        Ok(true)
    }

    /// What has to be known to judge: how many pairs there are, what was sent before.
    async fn learn(&mut self, gate: &mut Gate) -> Result<(), CycleError> {
        if gate.linked.is_none() {
            gate.linked = Some(self.store.linked(gate.kind).await?);
        }
        self.remember(gate).await
    }

    /// What was sent before.
    async fn remember(&mut self, gate: &mut Gate) -> Result<(), CycleError> {
        if gate.day.is_none() {
            let (kind, now) = (gate.kind.word(), self.clock.now());
            gate.day = Some(self.store.sent_in_a_day(kind, now).await?);
        }
        Ok(())
    }

    /// Holds every class that crosses a line with `planned` more; such as are held already stay so.
    async fn judge(&mut self, gate: &mut Gate, planned: &Counts) -> Result<(), CycleError> {
        let Some(guards) = gate.guards else {
            return Ok(());
        };
        for class in Class::OF_RECORDS {
            let number = planned.of(class);
            let Some(line) = gate.line(class, number).filter(|it| *it != Line::Before) else {
                continue;
            };
            let weight = gate.weight(class, number);
            let first =
                gate.start == Start::First && matches!(class, Class::Create | Class::Update);
            let limit = guards.of(class);
            let hold = ClassHold {
                kind: gate.kind.word(),
                class: class.word(),
                side: None,
                count: number,
                reason: reason(Some(gate.kind), class, line, weight, limit, first),
                first,
            };
            let passing = limit.most(weight.linked);
            let now = self.clock.now();
            self.store.hold_class(&hold, passing, now).await?;
            gate.held.insert(class);
            if !gate.watches {
                tracing::warn!(
                    event = "held",
                    kind = hold.kind,
                    class = hold.class,
                    count = number,
                    reason = hold.reason,
                    "too many changes of one sort: none of them is made before a person approves"
                );
            }
        }
        Ok(())
    }

    /// Counts anew how much waits, now that the cycle is through with a kind. Where it did not come to
    /// its end, not all that is held is written down yet.
    pub(super) async fn close(&mut self, gate: &mut Gate, tally: &Tally) -> Result<(), CycleError> {
        let down = Side::BOTH.iter().any(|side| tally.is_down(*side));
        let cut_short = down || tally.unfinished || self.stop.is_cancelled();
        if gate.watches || cut_short {
            return Ok(());
        }
        if !gate.held.is_empty() {
            self.count_what_waits(gate).await?;
        }
        if gate.start != Start::Known {
            self.store.first_sync_ends(gate.kind).await?;
        }
        Ok(())
    }

    /// More than would pass by itself is another question than the one that a number was shown with.
    async fn count_what_waits(&mut self, gate: &mut Gate) -> Result<(), CycleError> {
        self.store.recount(gate.kind).await?;
        let Some(guards) = gate.guards else {
            return Ok(());
        };
        self.learn(gate).await?;
        for class in &gate.held {
            let passing = guards.of(*class).most(gate.linked.unwrap_or(0));
            let (kind, class) = (gate.kind.word(), class.word());
            self.store.renumber(kind, class, None, passing).await?;
        }
        Ok(())
    }

    /// Says which classes of changes wait for a person, at the end of each cycle.
    pub(super) async fn say_what_waits(&mut self) -> Result<(), CycleError> {
        if matches!(self.guarding, Guarding::Watch(_)) {
            return Ok(());
        }
        for hold in self.store.waiting_classes().await? {
            let WaitingClass {
                id,
                kind,
                class,
                side,
                count,
            } = hold;
            tracing::warn!(
                event = "waiting",
                kind,
                class,
                side,
                count,
                id,
                "changes wait for a person: see `deskbridge holds`"
            );
        }
        Ok(())
    }
}

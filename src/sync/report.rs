//! What a cycle did, in numbers.

use crate::model::{Kind, Pair, Side};
use crate::remote::RemoteError;
use crate::store::Verb;
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A system that did not do its part.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// Which.
    pub side: Side,
    /// With which kind of record.
    pub kind: Option<Kind>,
    /// What happened.
    pub error: RemoteError,
}

/// The running count of a cycle.
#[derive(Debug, Default)]
pub struct Tally {
    /// The cycle's number.
    pub cycle: i64,
    /// Records that were linked.
    pub linked: u64,
    /// Records that were made.
    pub created: u64,
    /// Records that were changed.
    pub updated: u64,
    /// Records that were put into the trash.
    pub deleted: u64,
    /// Summaries that were written into the CRM.
    pub summed_up: u64,
    /// Writes that failed in passing.
    pub failed: u64,
    /// Writes that were refused.
    pub refused: u64,
    /// What was done about tickets.
    pub tickets: super::TicketTally,
    /// Changes of tickets that were sent and that nobody had approved.
    pub(super) tickets_sent: u64,
    /// When tickets were last looked at.
    pub(super) looked_at_tickets: super::tickets::LastLook,
    /// What went wrong with the systems; one entry a side and sort of error.
    pub troubles: Vec<Trouble>,
    /// Kinds of which a listing waits for a person to believe it.
    pub(super) doubted: BTreeSet<Kind>,
    /// Whether the cycle has left work for the next one.
    pub(super) unfinished: bool,
    /// Sorts of writes that the key lacks the right for.
    pub(super) forbidden: BTreeSet<super::execute::Sort>,
    /// Records that could not be read once more before they are written, by their handles.
    pub(super) unread: HashMap<i64, RemoteError>,
}

impl Tally {
    /// Counts a confirmed write.
    pub(super) fn wrote(&mut self, verb: Verb) {
        match verb {
            Verb::Create => self.created += 1,
            Verb::Update => self.updated += 1,
            Verb::Delete => self.deleted += 1,
        }
    }

    /// Remembers what went wrong, once a side, kind and sort.
    pub(super) fn trouble(&mut self, trouble: Trouble) {
        let sort = |it: &Trouble| (it.side, it.kind, it.error.kind);
        let known = self
            .troubles
            .iter()
            .any(|known| sort(known) == sort(&trouble));
        if !known {
            self.troubles.push(trouble);
        }
    }

    /// Remembers what went wrong with a system, whatever kind of record it was about.
    pub(super) fn troubled(&mut self, error: RemoteError) {
        self.trouble(Trouble {
            side: error.side,
            kind: None,
            error,
        });
    }

    /// Whether there is no point in sending more to `side` in this cycle.
    pub(super) fn is_down(&self, side: Side) -> bool {
        self.troubles
            .iter()
            .any(|trouble| trouble.side == side && trouble.error.kind.is_down())
    }

    /// Whether a kind was not read to its end on one of the sides, or what was read is not believed.
    pub(super) fn blind(&self, kind: Kind) -> bool {
        let mut troubles = self.troubles.iter();
        self.doubted.contains(&kind) || troubles.any(|trouble| trouble.kind == Some(kind))
    }
}

/// How a cycle ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CycleOutcome {
    /// Everything that was to be done is done, held or parked.
    Done,
    /// A system could not be read or written; what depends on it waits.
    Incomplete,
    /// It was stopped; the next cycle goes on.
    Stopped,
}

impl CycleOutcome {
    /// The word that the state, the logs and `--json` use.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Incomplete => "incomplete",
            Self::Stopped => "stopped",
        }
    }
}

/// What a cycle did to the budget of one side.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BudgetUse {
    /// Calls that were refused for rate.
    pub refused: u64,
    /// Seconds that calls have waited for their turns, all together.
    pub waited: f64,
    /// Calls that we allow ourselves in a window, at the end of the cycle; nothing where no limit is
    /// known.
    pub allowed: Option<f64>,
    /// Of which this was left.
    pub left: Option<f64>,
    /// Calls that are left today, where there is a quota of a day.
    pub left_today: Option<f64>,
}

/// What a cycle did: `status --json` shows it as `last_cycle`.
#[derive(Debug, Clone, Serialize)]
pub struct CycleReport {
    /// The cycle's number.
    pub id: i64,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// How it ended.
    pub outcome: CycleOutcome,
    /// Whether it read everything.
    pub reconcile: bool,
    /// Records read, by side.
    pub read: Pair<u64>,
    /// Records that were new or different, by side.
    pub changed: Pair<u64>,
    /// Records that were linked.
    pub linked: u64,
    /// Records that were made.
    pub created: u64,
    /// Records that were changed.
    pub updated: u64,
    /// Records that were put into the trash.
    pub deleted: u64,
    /// What was done about tickets.
    pub tickets: super::TicketTally,
    /// What waits for a person, in all.
    pub held: u64,
    /// Writes that failed or were refused in this cycle.
    pub failed: u64,
    /// Writes that were sent, now or before, and of which nobody knows yet whether they were made.
    pub in_doubt: u64,
    /// Support summaries that were written into the CRM.
    pub summed_up: u64,
    /// Calls made, by side.
    pub calls: Pair<u64>,
    /// Calls made, by side and endpoint class.
    pub endpoints: Pair<BTreeMap<&'static str, u64>>,
    /// What the calls' budgets went through, by side.
    pub budget: Pair<BudgetUse>,
    /// Whether there is more to do, for the next cycle.
    pub unfinished: bool,
    /// What went wrong with the systems, in words.
    pub troubles: Vec<String>,
    /// The same as errors, in the same order, for the exit code and for who watches the systems.
    #[serde(skip)]
    pub errors: Vec<RemoteError>,
    /// Those of them that kept a feed from being read to its end.
    #[serde(skip)]
    pub unread: Vec<RemoteError>,
    /// Whether a side answers for no kind of record as it should.
    #[serde(skip)]
    pub mute: Pair<bool>,
}

impl CycleReport {
    /// What went wrong, in whatever order the two systems' answers came.
    pub(super) fn troubles(&self) -> BTreeSet<String> {
        self.troubles.iter().cloned().collect()
    }

    /// Whether anything happened that is worth a row of its own, after a cycle that had these `troubles`: what
    /// fails in the same words minute after minute is told once.
    #[must_use]
    pub fn eventful(&self, troubles: &BTreeSet<String>) -> bool {
        self.changed.crm
            + self.changed.desk
            + self.linked
            + self.created
            + self.updated
            + self.deleted
            + self.failed
            + self.summed_up
            > 0
            || self.tickets.any()
            || self.reconcile
            || (self.outcome != CycleOutcome::Done && self.troubles() != *troubles)
    }
}

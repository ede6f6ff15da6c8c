//! The answers to a batch, sorted onto its operations: by trace id first, then by id or e-mail.

use super::Verb;
use super::refusal::{Refusal, Verdict};
use super::wire::{Row, Wanted, decode, no_record, text_of};
use crate::model::{COMPANY, Image, Observed, Presence, Value, Version};
use crate::remote::reply::Reply;
use crate::remote::{ErrorKind, Op, Outcome, RemoteError};
use serde::Deserialize;

/// The answer to a batch of writes. Either list may be absent: all went well, or nothing did.
#[derive(Debug, Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    results: Vec<Row<'a>>,
    #[serde(default)]
    errors: Vec<Refusal>,
}

/// Operations and what has become of them.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    pub wanted: &'a Wanted<'a>,
    pub ops: &'a [Op],
    outcomes: Vec<Option<Outcome>>,
    /// Operations whose record is not among the live ones.
    pub not_found: Vec<usize>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(wanted: &'a Wanted<'a>, ops: &'a [Op]) -> Self {
        Self {
            wanted,
            ops,
            outcomes: vec![None; ops.len()],
            not_found: Vec::new(),
        }
    }

    pub(super) fn outcome(&self, index: usize) -> Option<&Outcome> {
        self.outcomes.get(index)?.as_ref()
    }

    pub(super) fn set(&mut self, index: usize, outcome: Outcome) {
        if let Some(place) = self.outcomes.get_mut(index) {
            *place = Some(outcome);
        }
    }

    /// Fails those of `group` that have no outcome yet.
    pub(super) fn fail(&mut self, group: &[usize], error: &RemoteError) {
        for index in group {
            if self.outcome(*index).is_none() {
                self.set(*index, Outcome::Failed(error.clone()));
            }
        }
    }

    /// Takes over a 204: every record of `group` is archived.
    pub(super) fn archived(&mut self, reply: &Reply, group: &[usize]) {
        for index in group {
            if let Some(Op::Delete { id }) = self.ops.get(*index) {
                let stored = Observed {
                    id: id.clone(),
                    version: Version::from(reply.server_time),
                    presence: Presence::Trashed,
                    image: Image::default(),
                };
                let request_id = reply.request_id();
                self.set(*index, Outcome::Done { stored, request_id });
            }
        }
    }

    /// Takes over a success, also a partial one. Returns the groups that have to be sent again,
    /// because an error in the answer does not say whom it means.
    ///
    /// # Errors
    ///
    /// Where the answer does not account for all of `group`.
    pub(super) fn take(
        &mut self,
        reply: &Reply,
        group: &[usize],
    ) -> Result<Vec<Vec<usize>>, RemoteError> {
        let answer: Answer<'_> = decode(reply)?;
        let (mut open, mut strays) = (group.to_vec(), false);
        for row in &answer.results {
            let answered = self.answered(row, &open);
            let Some(index) = answered.filter(|index| !self.made_already(*index, row)) else {
                strays = true;
                continue;
            };
            open.retain(|other| *other != index);
            let stored = self.stored(row, index).ok_or_else(|| no_record(reply))?;
            let request_id = reply.request_id();
            self.set(index, Outcome::Done { stored, request_id });
        }
        let mut nobody = None;
        for error in &answer.errors {
            let meant = self.meant(error, &open);
            if meant.is_empty() {
                nobody = Some(error);
            }
            open.retain(|index| !meant.contains(index));
            self.settle(&meant, error, reply);
        }
        match (nobody, open.as_slice()) {
            (_, []) => Ok(Vec::new()),
            (Some(error), [_]) => {
                self.settle(&open, error, reply);
                Ok(Vec::new())
            }
            // Every result has found its operation, so the others were not carried out.
            (Some(_), _) if !strays => Ok(smaller(&open, group.len())),
            _ => Err(reply.error(
                ErrorKind::Garbled,
                "the answer leaves out what became of some records",
            )),
        }
    }

    /// Takes over a refusal of the whole batch, after which nothing is done. Returns the groups
    /// that have to be sent again: without those at fault where the refusal names them, in halves
    /// where it does not.
    pub(super) fn refuse(
        &mut self,
        refusal: &Refusal,
        reply: &Reply,
        group: &[usize],
    ) -> Vec<Vec<usize>> {
        let mut faulty = if group.len() == 1 {
            group.to_vec()
        } else {
            self.meant(refusal, group)
        };
        if group.len() > 1 && faulty.len() == group.len() {
            // It names everybody, which may be no more than a list of what was sent.
            faulty.clear();
        }
        if faulty.is_empty() {
            let unwritable = refusal.unwritable();
            let has_one = |index: &&usize| {
                let fields = self.fields(**index);
                fields.is_some_and(|it| unwritable.iter().any(|name| it.get(name).is_some()))
            };
            faulty = group.iter().filter(has_one).copied().collect();
        }
        self.settle(&faulty, refusal, reply);
        let rest: Vec<usize> = group
            .iter()
            .filter(|index| !faulty.contains(index))
            .copied()
            .collect();
        smaller(&rest, group.len())
    }

    fn settle(&mut self, indices: &[usize], refusal: &Refusal, reply: &Reply) {
        for index in indices {
            let Some(op) = self.ops.get(*index) else {
                continue;
            };
            match refusal.verdict(op, reply.request_id().as_deref()) {
                Verdict::Outcome(outcome) => self.set(*index, outcome),
                Verdict::NotFound => {
                    self.set(*index, Outcome::Missing);
                    self.not_found.push(*index);
                }
            }
        }
    }

    fn fields(&self, index: usize) -> Option<&'a Image> {
        match self.ops.get(index)? {
            Op::Create { fields } | Op::Update { fields, .. } => Some(fields),
            Op::Delete { .. } => None,
        }
    }

    /// The operation of `open` that `row` answers.
    fn answered(&self, row: &Row<'_>, open: &[usize]) -> Option<usize> {
        if let Some(trace) = &row.object_write_trace_id {
            return trace.parse().ok().filter(|index| open.contains(index));
        }
        let by = |hit: &dyn Fn(&Op) -> bool| {
            let mut open = open.iter().copied();
            open.find(|index| self.ops.get(*index).is_some_and(hit))
        };
        by(&|op| has_id(op, &row.id))
            .or_else(|| by(&|op| has_email(op, row.text("email"))))
            .or_else(|| by(&|op| made_of(op, row)))
            .or(match open {
                [one] => Some(*one),
                _ => None,
            })
    }

    /// The operations of `open` that `refusal` names.
    fn meant(&self, refusal: &Refusal, open: &[usize]) -> Vec<usize> {
        let traces: Vec<usize> = refusal
            .traces()
            .into_iter()
            .filter_map(|trace| trace.parse().ok())
            .collect();
        let keys = refusal.keys();
        let named = |index: &&usize| {
            if !traces.is_empty() {
                return traces.contains(index);
            }
            let op = self.ops.get(**index);
            op.is_some_and(|op| keys.iter().any(|key| has_id(op, key) || has_email(op, key)))
        };
        open.iter().filter(named).copied().collect()
    }

    /// Whether `row`, in answer to a create, shows what another create has made.
    fn made_already(&self, index: usize, row: &Row<'_>) -> bool {
        let create = |index: usize| matches!(self.ops.get(index), Some(Op::Create { .. }));
        let made = |other: usize| match self.outcome(other) {
            Some(Outcome::Done { stored, .. }) => create(other) && stored.id.0 == row.id,
            _ => false,
        };
        create(index) && (0..self.ops.len()).any(made)
    }

    fn stored(&self, row: &Row<'_>, index: usize) -> Option<Observed> {
        let mut stored = row.observed(self.wanted)?;
        // The server took the link along with the create; its own property shows it later.
        if let Some(Op::Create { fields }) = self.ops.get(index)
            && let Some(company) = fields.get(COMPANY).filter(|it| !it.is_empty())
        {
            stored.image.set(COMPANY, Value::text(text_of(company)));
        }
        Some(stored)
    }

    /// The outcomes, one an operation.
    pub(super) fn finish(self, unanswered: &RemoteError) -> Vec<Outcome> {
        self.outcomes
            .into_iter()
            .map(|it| it.unwrap_or_else(|| Outcome::Failed(unanswered.clone())))
            .collect()
    }
}

/// `rest` in groups that are smaller than one of `before`, so that trying again comes to an end.
pub(super) fn smaller(rest: &[usize], before: usize) -> Vec<Vec<usize>> {
    if rest.is_empty() {
        Vec::new()
    } else if rest.len() < before {
        vec![rest.to_vec()]
    } else {
        let (first, second) = rest.split_at(rest.len() / 2);
        // The last one is sent next.
        vec![second.to_vec(), first.to_vec()]
    }
}

fn has_id(op: &Op, key: &str) -> bool {
    match op {
        Op::Update { id, .. } | Op::Delete { id } => id.0 == key,
        Op::Create { .. } => false,
    }
}

fn has_email(op: &Op, email: &str) -> bool {
    let Op::Create { fields } = op else {
        return false;
    };
    let own = fields.get("email").and_then(Value::as_text);
    own.is_some_and(|own| own.trim().to_lowercase() == email.trim().to_lowercase())
}

/// Whether `row` shows every value that `op` would create it with.
fn made_of(op: &Op, row: &Row<'_>) -> bool {
    let Op::Create { fields } = op else {
        return false;
    };
    let mut sent = fields.0.iter().filter(|(name, _)| *name != COMPANY);
    sent.all(|(name, value)| row.text(name) == text_of(value))
}

/// What `verb` sends of an operation.
pub(super) const fn sort_of(op: &Op) -> Verb {
    match op {
        Op::Create { .. } => Verb::Create,
        Op::Update { .. } => Verb::Update,
        Op::Delete { .. } => Verb::Archive,
    }
}

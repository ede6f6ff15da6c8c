//! What of a run still stands in contacts and companies.

use super::{FORGOTTEN, History, Selection, Target, Undoing};
use crate::mapping::{Field, Mapping, SupportSummary};
use crate::model::{Image, Kind, LinkId, Observed, Pair, Presence, RecordId, Side, Value};
use crate::plan::{Deed, FieldChange, PlannedWrite, Rule, Seen, Step, Subject, revert_fields};
use crate::remote::Fetched;
use crate::store::{PairRow, is_forgotten};
use crate::sync::apply::Unwritten;
use crate::sync::{CycleError, Engine};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How many records are looked at in one go.
const CHUNK: usize = 128;

/// Why a field stays that the configuration maps otherwise than when it was written.
const MAPPED_OTHERWISE: &str =
    "it is mapped otherwise, or not at all, by now: with the sync.toml of then it goes back";

/// What a record is now; `None` where it could not be read.
type Now = HashMap<(Side, RecordId), Option<Observed>>;

/// One record with all that is needed to take something back from it.
struct Case<'a> {
    mapping: &'a Mapping,
    target: &'a Target,
    history: &'a History,
    pair: &'a PairRow,
    /// What of it the support summary writes.
    summary: Option<&'a SupportSummary>,
    /// What both records show now.
    now: Pair<&'a Observed>,
}

impl Case<'_> {
    /// Whether it is a field of the CRM that shows what the customer's tickets come to.
    fn is_summed(&self, field: &str) -> bool {
        let (side, kind, _) = self.target;
        let summary = self.summary.filter(|_| *side == Side::Crm);
        summary.is_some_and(|it| it.writes(*kind, field))
    }
}

impl Engine {
    /// Adds to `out` what taking `records` back would do.
    pub(super) async fn undo_records(
        &mut self,
        records: BTreeMap<Target, History>,
        selection: &Selection,
        out: &mut Undoing,
    ) -> Result<(), CycleError> {
        let mut last: HashMap<(Side, RecordId), i64> = HashMap::new();
        for row in records.values().flat_map(|history| &history.rows) {
            for (side, id) in [(Side::Crm, &row.crm_id), (Side::Desk, &row.desk_id)] {
                if let Some(id) = id {
                    let known = last.entry((side, id.clone())).or_default();
                    *known = row.id.max(*known);
                }
            }
        }
        // Contacts first: a company that goes should have nobody left who was put into it.
        for kind in [Kind::Contact, Kind::Company] {
            let of_kind: Vec<_> = records
                .iter()
                .filter(|((_, of, _), _)| *of == kind)
                .collect();
            for chunk in of_kind.chunks(CHUNK) {
                self.undo_chunk(kind, chunk, selection, &last, out).await?;
            }
        }
        Ok(())
    }

    async fn undo_chunk(
        &mut self,
        kind: Kind,
        chunk: &[(&Target, &History)],
        selection: &Selection,
        last: &HashMap<(Side, RecordId), i64>,
        out: &mut Undoing,
    ) -> Result<(), CycleError> {
        let Some(mapping) = self.mapping(kind).cloned() else {
            for (target, history) in chunk {
                out.keep(target, history, None, "its kind is not mapped any more");
            }
            return Ok(());
        };
        let summary = self.summary.clone();
        let linked = self.still_linked(kind, chunk, out).await?;
        let links: Vec<LinkId> = linked.iter().map(|(.., link)| *link).collect();
        let pairs = self.store.pairs_of(kind, &links).await?;
        let now = self.read_pairs(kind, pairs.values(), out).await;
        for (target, history, link) in linked {
            let Some(pair) = pairs.get(&link) else {
                continue;
            };
            let both = Side::BOTH.map(|side| now.get(&(side, pair.state.ids.of(side).clone())));
            let [Some(crm), Some(desk)] = both else {
                out.leave(target, history, None, "it could not be read");
                continue;
            };
            let (Some(crm), Some(desk)) = (crm, desk) else {
                out.leave(
                    target,
                    history,
                    None,
                    "it, or its counterpart, is not there any more",
                );
                continue;
            };
            let case = Case {
                mapping: &mapping,
                target,
                history,
                pair,
                summary: summary.as_ref(),
                now: Pair { crm, desk },
            };
            self.undo_one(&case, selection, last, out).await?;
        }
        Ok(())
    }

    /// Those of these records that are linked, each with its link; the others are named.
    async fn still_linked<'a>(
        &mut self,
        kind: Kind,
        chunk: &[(&'a Target, &'a History)],
        out: &mut Undoing,
    ) -> Result<Vec<(&'a Target, &'a History, LinkId)>, CycleError> {
        let mut linked = Vec::new();
        for (target, history) in chunk {
            let (side, _, id) = target;
            let deleted = history
                .rows
                .last()
                .is_some_and(|row| row.action == "delete");
            let known = self.store.known(*side, kind, id).await?;
            match known.and_then(|(_, link)| link) {
                _ if deleted => {
                    let why =
                        format!("it was put into the trash of {side}: restore it there by hand");
                    out.keep(target, history, None, &why);
                }
                Some(link) => linked.push((*target, *history, link)),
                None => out.leave(target, history, None, "it is not linked any more"),
            }
        }
        Ok(linked)
    }

    /// The records of these pairs as they are now; those that are not live are none.
    async fn read_pairs(
        &self,
        kind: Kind,
        pairs: impl Iterator<Item = &PairRow> + Clone,
        out: &mut Undoing,
    ) -> Now {
        let mut now = Now::new();
        for side in Side::BOTH {
            let ids: Vec<RecordId> = pairs
                .clone()
                .map(|pair| pair.state.ids.of(side).clone())
                .collect();
            match self.read_now(side, kind, &ids).await {
                Ok(answers) => now.extend(answers.into_iter().map(|(id, answer)| {
                    let live = match answer {
                        Fetched::Found(it) if it.presence == Presence::Live => Some(it),
                        _ => None,
                    };
                    ((side, id), live)
                })),
                Err(error) => out.errors.push(error),
            }
        }
        now
    }

    async fn undo_one(
        &mut self,
        case: &Case<'_>,
        selection: &Selection,
        last: &HashMap<(Side, RecordId), i64>,
        out: &mut Undoing,
    ) -> Result<(), CycleError> {
        let (side, kind, id) = case.target;
        let (side, kind) = (*side, *kind);
        let was_made = case
            .history
            .rows
            .iter()
            .any(|row| row.action == Deed::Create.word());
        if was_made && selection.delete_created {
            let row = last.get(&(side, id.clone())).copied().unwrap_or(0);
            let again = self.store.written_since(row, side, kind, id).await?;
            match why_it_stays(case, *self.undoable(kind).of(side), again) {
                Some(why) => out.keep(case.target, case.history, None, &why),
                None => out.write(case, Deed::Delete, Vec::new()),
            }
            return Ok(());
        }
        if was_made {
            let kept = unwritten(
                case.target,
                case.history,
                None,
                "it was made by this run, and stays",
            );
            out.kept.push(kept);
        }
        let again = self.written_again(case).await?;
        fields(case, &again, out);
        Ok(())
    }

    /// The fields of a record that were written again after the last of the writes that are to be taken back, each
    /// with the run that did: what stands there is not what is taken back, even where it looks the same.
    async fn written_again(
        &mut self,
        case: &Case<'_>,
    ) -> Result<BTreeMap<String, i64>, CycleError> {
        let (side, kind, id) = case.target;
        let rows = &case.history.rows;
        let Some(first) = rows.iter().map(|row| row.id).min() else {
            return Ok(BTreeMap::new());
        };
        let last = |field: &str| {
            let wrote = rows
                .iter()
                .filter(|row| row.fields.iter().any(|(it, _)| it.field == field));
            wrote.map(|row| row.id).max()
        };
        let later = self.store.fields_since(first - 1, *side, *kind, id).await?;
        let later = later
            .into_iter()
            .filter(|(row, _, field)| last(field).is_some_and(|last| *row > last));
        Ok(later.map(|(_, run, field)| (field, run)).collect())
    }
}

/// Why a record that was made is not put into the trash, if it is so.
fn why_it_stays(case: &Case<'_>, undoable: bool, written_again: bool) -> Option<String> {
    let (side, kind, _) = case.target;
    let (now, base) = (case.now.of(*side), case.pair.state.bases.of(*side));
    let changed = case
        .mapping
        .fields
        .iter()
        .flat_map(|field| field.names(*side))
        .any(|name| base.get(name).is_some() && now.image.get(name) != base.get(name));
    if !undoable {
        Some(format!(
            "{side} has no trash for a {kind}: delete it there by hand"
        ))
    } else if changed {
        Some("somebody has changed it since it was made".to_owned())
    } else if written_again {
        Some("it was written again since: take that back first".to_owned())
    } else {
        None
    }
}

/// What a record's history says of its fields.
#[derive(Default)]
struct Steps {
    /// What was done to them, the oldest first.
    done: Vec<Step>,
    /// The run that wrote each last.
    runs: BTreeMap<String, i64>,
    /// Of fields of support summaries: what the tickets came to when each was written last.
    facts: BTreeMap<String, Vec<Value>>,
}

/// The fields of a record that go back to what they were.
fn fields(case: &Case<'_>, again: &BTreeMap<String, i64>, out: &mut Undoing) {
    let (side, ..) = case.target;
    let mut history = steps(case, out);
    let reverted = revert_fields(&history.done, &case.now.of(*side).image);
    for left in reverted.left {
        let why = format!("it was changed in {side} since");
        out.leave(case.target, case.history, Some(left.field), &why);
    }
    let mut changes = Vec::new();
    for (name, set) in reverted.restore {
        if let Some(run) = again.get(&name) {
            let why = format!("run {run} has written it again since: take that back first");
            out.leave(case.target, case.history, Some(name), &why);
            continue;
        }
        let rule = Rule::Reverted(history.runs.get(&name).copied().unwrap_or(0));
        if let Some(fact) = history.facts.remove(&name) {
            changes.push(FieldChange {
                base: Vec::new(),
                crm: case.now.crm.image.get(&name).cloned().into_iter().collect(),
                freshdesk: fact,
                set,
                rule,
                field: name,
            });
            continue;
        }
        let Some(field) = case.mapping.fields.iter().find(|it| it.name == name) else {
            continue;
        };
        if moved(case, field) {
            // It is on its way here: what was written is not what would come back to stay.
            let why = format!("it was changed in {} since", side.other());
            out.leave(case.target, case.history, Some(name), &why);
            continue;
        }
        let read = |side: Side, image: &Image| field.read(side, image).unwrap_or_default();
        changes.push(FieldChange {
            base: read(*side, case.pair.state.bases.of(*side)),
            crm: read(Side::Crm, &case.now.crm.image),
            freshdesk: read(Side::Desk, &case.now.desk.image),
            set,
            rule,
            field: name,
        });
    }
    if !changes.is_empty() {
        out.write(case, Deed::Update, changes);
    }
}

/// The steps of a record's history that can be gone back; of the others it is said why not.
fn steps(case: &Case<'_>, out: &mut Undoing) -> Steps {
    let mut known = Steps::default();
    let mut forgotten = BTreeSet::new();
    let updates = case.history.rows.iter();
    for row in updates.filter(|row| row.action == Deed::Update.word()) {
        for (change, stored) in &row.fields {
            let field = &change.field;
            known.runs.insert(field.clone(), row.run);
            let (step, lacks) = if case.is_summed(field) {
                let fact = change.freshdesk.clone();
                known.facts.insert(field.clone(), fact);
                let step = Step::of_summary(change, stored);
                (step, "what stood there before was not seen")
            } else {
                let step = Step::of(case.mapping, case.target.0, change, stored);
                (step, MAPPED_OTHERWISE)
            };
            if is_forgotten(change) {
                forgotten.insert(field.clone());
            } else if let Some(step) = step {
                known.done.push(step);
            } else {
                out.keep(case.target, case.history, Some(field.clone()), lacks);
            }
        }
    }
    for field in forgotten {
        out.keep(case.target, case.history, Some(field), FORGOTTEN);
    }
    known
}

/// Whether the field was changed on the other side since both last agreed.
fn moved(case: &Case<'_>, field: &Field) -> bool {
    let source = case.target.0.other();
    let (now, base) = (case.now.of(source), case.pair.state.bases.of(source));
    let mut names = field.names(source);
    names.any(|name| base.get(name).is_some() && now.image.get(name) != base.get(name))
}

fn unwritten(target: &Target, history: &History, field: Option<String>, why: &str) -> Unwritten {
    let (_, kind, _) = target;
    let last = history.rows.last();
    Unwritten {
        record: Subject::from(*kind),
        crm_id: last.and_then(|row| row.crm_id.clone()),
        freshdesk_id: last.and_then(|row| row.desk_id.clone()),
        field,
        why: why.to_owned(),
    }
}

impl Undoing {
    /// It still stands as it was written, and cannot be taken back.
    fn keep(&mut self, target: &Target, history: &History, field: Option<String>, why: &str) {
        self.stands = true;
        self.leave(target, history, field, why);
    }

    fn leave(&mut self, target: &Target, history: &History, field: Option<String>, why: &str) {
        self.left.push(unwritten(target, history, field, why));
    }

    fn write(&mut self, case: &Case<'_>, action: Deed, fields: Vec<FieldChange>) {
        let (side, kind, _) = case.target;
        let ids = &case.pair.state.ids;
        for side in Side::BOTH {
            let now = case.now.of(side);
            let reads = case.mapping.reads(side);
            let at = (now.version, now.presence);
            let seen = Seen::new(side, *kind, ids.of(side).clone(), at, &now.image, &reads);
            self.records.push(seen);
        }
        self.writes.push(PlannedWrite {
            record: Subject::from(*kind),
            action,
            side: *side,
            crm_id: Some(ids.crm.clone()),
            freshdesk_id: Some(ids.desk.clone()),
            found: None,
            fields,
            customers: Vec::new(),
            unlink: action == Deed::Delete,
        });
    }
}

//! What the next cycle does about a record, and why something of it does not cross over.

use crate::cli::exit::Failure;
use crate::cli::output::counted;
use crate::mapping::Mapping;
use crate::model::{COMPANY, Pair, Presence, Side};
use crate::plan::{
    DeleteReason, FieldChange, Merged, PairVerdict, Verdict, apart, decide, first_fields, identify,
};
use crate::store::{Fate, HoldView, Parked, RecordView, Report, Story, UnreadView, Wanted};
use serde::Serialize;
use std::collections::BTreeMap;

/// What is to come of a record.
#[derive(Debug, Default)]
pub(super) struct Outlook {
    pub(super) next: Vec<Next>,
    pub(super) why: Vec<Why>,
    /// What is written, as far as nothing holds it up.
    pub(super) merged: Merged,
    /// Fields whose change waits for a person, or that were left to differ, with what people are told.
    pub(super) held: BTreeMap<String, String>,
    /// Fields on which both sides differ without anything to be done.
    pub(super) apart: Vec<String>,
}

/// Something that the next cycle does.
#[derive(Debug, Serialize)]
pub(super) struct Next {
    /// `create`, `update`, `delete`, `link`, `unlink` or `hold`.
    pub(super) action: &'static str,
    /// Where.
    pub(super) side: Option<Side>,
    /// In words.
    pub(super) text: String,
}

/// A reason why something does not cross over.
#[derive(Debug, Serialize)]
pub(super) struct Why {
    /// One word: `out_of_scope`, `shadowed`, `detached`, `single`, `gone`, `held`, `failed`, `refused`,
    /// `in_doubt`, `cannot_cross`, `waits_for_company`, `unmapped`, `apart`, `unreadable`.
    pub(super) code: &'static str,
    /// In words.
    pub(super) text: String,
}

impl Outlook {
    pub(super) fn next(
        &mut self,
        action: &'static str,
        side: Option<Side>,
        text: impl Into<String>,
    ) {
        let text = text.into();
        self.next.push(Next { action, side, text });
    }

    pub(super) fn why(&mut self, code: &'static str, text: impl Into<String>) {
        let text = text.into();
        self.why.push(Why { code, text });
    }
}

/// Asks the planner about what is stored. `doubted` says that the state may be an older copy of
/// itself: what it takes for a deletion is a person's to judge then.
pub(super) async fn outlook(
    state: &mut Report,
    story: &Story,
    mapping: Option<&Mapping>,
    doubted: bool,
) -> Result<Outlook, Failure> {
    let mut out = Outlook::default();
    let Some(mapping) = mapping else {
        let text = format!("sync.toml has no mapping for a {}", story.kind);
        out.why("unmapped", text);
        return Ok(out);
    };
    if story.link.is_some() {
        pair(mapping, story, doubted, &mut out);
    } else {
        let records = [&story.records.crm, &story.records.desk];
        for record in records.into_iter().flatten() {
            loose(state, mapping, story, record, &mut out).await?;
        }
    }
    Ok(out)
}

fn pair(mapping: &Mapping, story: &Story, doubted: bool, out: &mut Outlook) {
    let Some(pair) = story.pair() else {
        return out.why("gone", "its counterpart is not in the state");
    };
    // Whether a system has a trash is the system's to say; what it cannot undo is held.
    let undoable = Pair {
        crm: !doubted,
        desk: !doubted,
    };
    match decide(mapping, &pair, undoable) {
        PairVerdict::Merge(merged) => {
            out.apart = apart(mapping, &pair)
                .into_iter()
                .map(str::to_owned)
                .collect();
            merge(merged, out);
        }
        PairVerdict::OutOfScope => {
            for side in Side::BOTH {
                if mapping.in_scope(side, pair.images.of(side)) == Some(false) {
                    let text = format!(
                        "the record in {side} does not meet the scope: both are left alone, the link stays"
                    );
                    out.why("out_of_scope", text);
                }
            }
        }
        PairVerdict::BothGone => {
            out.next("unlink", None, "both records are gone: the link is dropped");
        }
        PairVerdict::HoldDelete(reason) => {
            became(story, reason, out);
            held(reason, out);
        }
        PairVerdict::Unlink(reason) | PairVerdict::Trash(_, reason)
            if story.fate(reason.side).is_some() =>
        {
            became(story, reason, out);
            held(reason, out);
        }
        PairVerdict::Unlink(reason) => {
            let text = format!(
                "it is not there any more in {}: by the mapping the other one stays and gets no new counterpart",
                reason.side
            );
            out.next("unlink", Some(reason.side.other()), text);
        }
        PairVerdict::Trash(side, reason) => {
            let text = format!(
                "it is not there any more in {}: by the mapping its counterpart goes into the trash (where {side} has none, a person decides)",
                reason.side
            );
            out.next("delete", Some(side), text);
        }
    }
}

/// What is known of a record that is not there any more, beside that.
fn became(story: &Story, reason: DeleteReason, out: &mut Outlook) {
    let side = reason.side;
    match story.fate(side) {
        Some(Fate::MovedTo(id)) => {
            out.why("gone", format!("it was merged into {side}:{id}"));
        }
        Some(Fate::Converted) => out.why(
            "gone",
            format!("it was made an agent, or something else that keeps its address, in {side}"),
        ),
        Some(Fate::Unsure) => out.why(
            "gone",
            "it was found missing when the state was an older copy: whether that was a deletion is a person's to say",
        ),
        None => {}
    }
}

fn held(reason: DeleteReason, out: &mut Outlook) {
    let how = match reason.seen {
        Presence::Trashed => "was trashed, archived or blocked",
        _ => "is not there any more",
    };
    let text = format!("it {how} in {}: a person decides", reason.side);
    out.next("hold", Some(reason.side.other()), text);
}

fn merge(merged: Merged, out: &mut Outlook) {
    for side in Side::BOTH {
        let changes = merged.changes.of(side);
        if !changes.is_empty() {
            let text = format!("{} written to {side}", are(changes));
            out.next("update", Some(side), text);
        }
    }
    out.merged = merged;
}

pub(super) fn are(changes: &[FieldChange]) -> String {
    let fields = counted(changes.len() as u64, "field");
    let verb = if changes.len() == 1 { "is" } else { "are" };
    format!("{fields} {verb}")
}

async fn loose(
    state: &mut Report,
    mapping: &Mapping,
    story: &Story,
    record: &RecordView,
    out: &mut Outlook,
) -> Result<(), Failure> {
    let (side, target) = (record.side, record.side.other());
    if record.presence != Presence::Live {
        out.why(
            "gone",
            format!("it is not there any more in {side}, and has no counterpart"),
        );
        return Ok(());
    }
    if mapping.in_scope(side, &record.image) != Some(true) {
        out.why("out_of_scope", "it does not meet the scope");
        return Ok(());
    }
    let index = state.index(record).await?;
    match identify(&index, record.row) {
        Verdict::Same { other, key } => {
            let with = name(state, other).await?;
            let key = mapping.keys.get(key).map_or("", |key| key.name(side));
            out.next(
                "link",
                None,
                format!("it is linked with {with}, which has the same `{key}`"),
            );
        }
        Verdict::Again { other } => {
            let with = name(state, other).await?;
            out.next(
                "link",
                None,
                format!("it is linked with {with} again: they were a pair until one was deleted"),
            );
        }
        Verdict::Shadowed { key, with } => {
            let mut names = Vec::new();
            for row in with {
                names.push(name(state, row).await?);
            }
            let key = mapping.keys.get(key).map_or("", |key| key.name(side));
            let text = format!(
                "it shares its `{key}` with {}: which of them is meant is not guessed, so it is neither linked nor copied",
                names.join(" and ")
            );
            out.why("shadowed", text);
        }
        Verdict::New => new(mapping, story, record, target, out),
    }
    Ok(())
}

fn new(mapping: &Mapping, story: &Story, record: &RecordView, target: Side, out: &mut Outlook) {
    let because = || record.because.clone().unwrap_or_default();
    match record.standing.as_deref() {
        Some("detached") => return out.why("detached", because()),
        Some("single" | "spared") if !record.dirty => return out.why("single", because()),
        _ => {}
    }
    if !mapping.create.of(target) {
        let text =
            format!("it has no counterpart, and nothing is created in {target}, by the mapping");
        return out.why("single", text);
    }
    let company = story.companies.of(target).as_ref().map(|id| id.0.as_str());
    let waits = company.is_none() && record.image.get(COMPANY).is_some_and(|it| !it.is_empty());
    let changes = first_fields(mapping, record.side, &record.image, company);
    if changes.is_empty() {
        return out.why("single", "it has no mapped value to begin with");
    }
    let also = if waits {
        ", without its company, which has no counterpart yet"
    } else {
        ""
    };
    let fields = counted(changes.len() as u64, "field");
    let text = format!("it is created in {target} with {fields}{also}");
    out.next("create", Some(target), text);
    *out.merged.changes.of_mut(target) = changes;
}

async fn name(state: &mut Report, row: i64) -> Result<String, Failure> {
    Ok(match state.record(row).await? {
        Some(record) => format!("{}:{}", record.side, record.id),
        None => "a record that is gone".to_owned(),
    })
}

/// Which of the records cannot be read.
pub(super) async fn unreadable(state: &mut Report, story: &Story) -> Result<Vec<Why>, Failure> {
    let mut why = Vec::new();
    let records = [&story.records.crm, &story.records.desk];
    for record in records.into_iter().flatten() {
        let wanted = Wanted::Of(record.side, record.kind, record.id.0.clone());
        why.extend(state.unread_of(&wanted).await?.iter().map(unread));
    }
    Ok(why)
}

/// That a record cannot be read.
pub(super) fn unread(it: &UnreadView) -> Why {
    let (side, tries) = (&it.side, counted(it.attempts.unsigned_abs(), "time"));
    let text = format!(
        "{side} shows it in its lists, and it cannot be read itself since {}: \"{}\" (read {tries} in vain, next read {}); what is not known of it is neither copied nor overwritten",
        it.since, it.error, it.due_at
    );
    let code = "unreadable";
    Why { code, text }
}

/// What of these records waits, and for what.
pub(super) async fn waits(
    state: &mut Report,
    rows: &[i64],
    parked: &[Parked],
    holds: &[HoldView],
) -> Result<Vec<Why>, Failure> {
    let mut why = Vec::new();
    for hold in holds {
        why.push(Why {
            code: "held",
            text: format!(
                "held for a person since {} (number {}): {}",
                hold.since, hold.id, hold.reason
            ),
        });
    }
    for write in parked {
        let what = format!("{} in {}", write.action, write.side);
        let (code, text) = match (write.state.as_str(), &write.error) {
            ("sent", _) => (
                "in_doubt",
                format!(
                    "{what}: sent at {}, no answer came; what became of it is looked up before anything else is planned",
                    write.since
                ),
            ),
            (word, error) => (
                if word == "refused" {
                    "refused"
                } else {
                    "failed"
                },
                format!(
                    "{what}: {word} with \"{}\"; tried again when the record changes, and not before {}",
                    error.as_deref().unwrap_or(""),
                    write.due_at
                ),
            ),
        };
        why.push(Why { code, text });
    }
    for (field, reason, since) in state.notices_of(rows).await? {
        why.push(Why {
            code: "cannot_cross",
            text: format!("`{field}`: {reason} (since {since})"),
        });
    }
    for (side, company) in state.waiting_of(rows).await? {
        why.push(Why {
            code: "waits_for_company",
            text: format!(
                "its company {side}:{company} has no counterpart yet; the other fields go on"
            ),
        });
    }
    Ok(why)
}

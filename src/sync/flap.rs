//! Fields that are fought over wait for a person, who is told who is likely at the other end.

use super::decide::{Decided, Job};
use super::{CycleError, Engine};
use crate::mapping::Mapping;
use crate::model::{Changes, Side, Value};
use crate::plan::{FieldChange, Flap, HOUR, PastWrite, flap};
use crate::store::{Adoption, Answer, HoldRow, NewBase, PastWrites, Said, Verb};
use chrono::TimeDelta;
use std::sync::Arc;

/// A change so soon after our write, in milliseconds, was made by no person.
const AT_ONCE: i64 = 15_000;

impl Engine {
    /// Takes the fields that are fought over out of `decided`; the records' other fields go on.
    pub(super) async fn break_flaps(
        &mut self,
        mapping: &Mapping,
        said: &Said,
        decided: Decided,
    ) -> Result<Decided, CycleError> {
        let updates = decided.jobs.iter().filter(|job| is_update(job));
        let links: Vec<_> = updates.map(|job| job.pair.state.link).collect();
        if links.is_empty() || !self.is_guarded() {
            return Ok(decided);
        }
        let now = self.clock.now();
        let since = now - TimeDelta::milliseconds(HOUR);
        let past = self.store.written_lately(&links, since).await?;
        if past.is_empty() && said.is_silent() {
            return Ok(decided);
        }
        let now = now.timestamp_millis();
        let Decided { mut adoption, jobs } = decided;
        let mut passing = Vec::with_capacity(jobs.len());
        for job in jobs {
            if is_update(&job) {
                passing.extend(sift(mapping, job, &past, said, now, &mut adoption));
            } else {
                passing.push(job);
            }
        }
        Ok(Decided {
            adoption,
            jobs: passing,
        })
    }
}

fn is_update(job: &Job) -> bool {
    job.verb == Verb::Update && !job.asked_for
}

/// What of a job may be written.
fn sift(
    mapping: &Mapping,
    mut job: Job,
    past: &PastWrites,
    said: &Said,
    now: i64,
    adoption: &mut Adoption,
) -> Option<Job> {
    let changes = Arc::clone(&job.changes);
    let mut free = Vec::with_capacity(changes.len());
    for change in changes.iter() {
        let key = (job.pair.state.link, change.field.clone());
        let past = past.get(&key).map(Vec::as_slice).unwrap_or_default();
        let fought = flap(past, job.side, &change.set, now);
        let answer = said.to_flap(job.pair.rows.crm, &change.field, &detail(change));
        match (fought, answer) {
            (_, Some(Answer::Discard)) => adoption.bases.extend(leave(mapping, &mut job, change)),
            (Some(fought), None) => adoption.holds.push(hold(&job, change, fought, past)),
            (None, _) | (Some(_), Some(_)) => free.push(change.clone()),
        }
    }
    if free.len() == changes.len() {
        return Some(job);
    }
    let key = (job.row, job.verb.word());
    let rest = job.only(free);
    if rest.is_none() {
        adoption.settled.push(key);
    }
    rest
}

fn detail(change: &FieldChange) -> String {
    serde_json::json!([{
        "field": change.field, "crm": change.crm, "freshdesk": change.freshdesk,
    }])
    .to_string()
}

fn hold(job: &Job, change: &FieldChange, fought: Flap, past: &[PastWrite]) -> HoldRow {
    let field = &change.field;
    let times = past.len();
    HoldRow {
        kind: job.kind,
        class: "flap",
        side: Some(job.side),
        row: job.pair.rows.crm,
        field: field.clone(),
        detail: detail(change),
        reason: format!(
            "`{field}` {fought}: written {times} times within the hour; {}",
            opponent(job, change, fought, past)
        ),
        approvable: true,
    }
}

/// Who is likely at the other end.
fn opponent(job: &Job, change: &FieldChange, fought: Flap, past: &[PastWrite]) -> String {
    let target = job.side;
    let source = target.other();
    let Some(last) = past.iter().rev().find(|it| it.target == target) else {
        return format!("something in {source} changes it all the time");
    };
    let shown = match target {
        Side::Crm => &change.crm,
        Side::Desk => &change.freshdesk,
    };
    if rewrites(&last.set, shown) {
        return format!("{target} rewrites what it is given, each time in another way");
    }
    let changed_at = job.pair.state.versions.of(target).0;
    let at_once = (0..AT_ONCE).contains(&(changed_at - last.at));
    match (fought, at_once) {
        (Flap::TooOften, _) => format!("something in {source} changes it all the time"),
        (_, true) => format!(
            "{target} changes it back within seconds: an automation or workflow there, most likely"
        ),
        (_, false) => format!(
            "somebody or another integration in {target} wants another value than {source} has"
        ),
    }
}

/// Whether what is shown differs from what was written in letter case, spaces and signs alone.
fn rewrites(written: &Changes, shown: &[Value]) -> bool {
    let bare = |value: &Value| -> String {
        let text = serde_json::to_string(value).unwrap_or_default();
        let letters = text.chars().filter(|c| c.is_alphanumeric());
        letters.flat_map(char::to_lowercase).collect()
    };
    let written: Vec<String> = written.0.values().map(bare).collect();
    let shown: Vec<String> = shown.iter().map(bare).collect();
    !written.iter().all(String::is_empty) && written == shown
}

/// From now on each side is measured against what it shows of the field.
fn leave(mapping: &Mapping, job: &mut Job, change: &FieldChange) -> Vec<NewBase> {
    let Some(field) = mapping.fields.iter().find(|it| it.name == change.field) else {
        return Vec::new();
    };
    let state = &mut job.pair.state;
    for side in Side::BOTH {
        for name in field.names(side) {
            if let Some(value) = state.images.of(side).get(name).cloned() {
                state.bases.of_mut(side).set(name, value);
            }
        }
    }
    let base = |side: Side| NewBase {
        row: *job.pair.rows.of(side),
        base: (state.bases.of(side) != state.images.of(side)).then(|| state.bases.of(side).clone()),
    };
    Side::BOTH.map(base).into()
}

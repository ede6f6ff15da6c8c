//! `plan -o FILE`: the plan as a file that `apply` carries out.

use super::place;
use crate::cli::exit::Failure;
use crate::cli::output::counted;
use crate::cli::paste;
use crate::cli::watch::say;
use crate::config::Config;
use crate::model::{Kind, Pair, Presence, RecordId, Side};
use crate::plan::{
    Deed, FieldChange, PlannedWrite, Rule, SavedPlan, Seen, Subject, made_in_thought, rewind,
};
use crate::store::{JournalView, Report};
use crate::sync::{CycleOutcome, CycleReport};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

/// Rows that are read at a time.
const PAGE: i64 = 512;

/// What was written in thought to each record that the plan was decided on.
type Touched = BTreeMap<(Side, Kind, RecordId), Vec<FieldChange>>;

/// Saves what `report` planned, which stands in the journal of `state`. A plan that was not made to
/// its end is none.
pub(super) async fn save(
    path: &Path,
    config: &Config,
    report: &CycleReport,
    state: &mut Report,
) -> Result<(), Failure> {
    if report.outcome != CycleOutcome::Done || report.unfinished {
        say("no plan is saved: it could not be made to its end");
        return Ok(());
    }
    let accounts = state.accounts().await?;
    let (mut writes, mut left_out) = (Vec::new(), 0);
    let mut touched = Touched::new();
    let mut after = 0;
    loop {
        let page = state.journal(report.id, after, PAGE).await?;
        for (_, row) in &page {
            match write(row, report.id, state).await? {
                Some(write) => {
                    touch(&write, &mut touched);
                    writes.push(write);
                }
                None => left_out += 1,
            }
        }
        match page.last() {
            Some((last, _)) => after = *last,
            None => break,
        }
    }
    let plan = SavedPlan {
        made_at: report.started_at,
        accounts: Pair {
            crm: accounts.crm.unwrap_or_default(),
            desk: accounts.desk.unwrap_or_default(),
        },
        config: config.plan_digest(),
        records: records(touched, &writes, config, state).await?,
        writes,
    };
    let text = plan
        .to_text()
        .map_err(|error| Failure::machine("writing the plan")(error.into()))?;
    // Once more: somebody may have put something there while everything was read.
    place::free(path, config)?;
    put(path, &text).map_err(place::unwritable(path))?;
    let saved = counted(plan.writes.len() as u64, "write");
    let path = paste::quoted(&path.to_string_lossy());
    say(&format!(
        "{saved} saved: `deskbridge apply {path}` carries them out"
    ));
    if left_out > 0 {
        let summaries = counted(left_out, "support summary");
        say(&format!(
            "{summaries} not saved: the next cycle works them out anew"
        ));
    }
    Ok(())
}

/// A row of the journal as a write to approve; `None` for what no approval is asked for.
async fn write(
    row: &JournalView,
    run: i64,
    state: &mut Report,
) -> Result<Option<PlannedWrite>, Failure> {
    let is_summary = |change: &FieldChange| change.rule == Rule::Summary;
    let known = Subject::read(&row.kind).zip(Deed::read(&row.action));
    let (Some((record, action)), false) = (known, row.fields.iter().any(is_summary)) else {
        return Ok(None);
    };
    let mut write = PlannedWrite {
        record,
        action,
        side: row.side,
        crm_id: row.crm_id.clone().map(RecordId),
        freshdesk_id: row.desk_id.clone().map(RecordId),
        found: None,
        fields: row.fields.clone(),
        customers: Vec::new(),
        unlink: false,
    };
    match (record.kind(), write.id(row.side).cloned()) {
        (Some(kind), Some(id)) if action != Deed::Create => {
            write.found = state.found(run, row.side, kind, &id).await?;
        }
        (None, Some(ticket)) => write.customers = state.customers(&ticket, run).await?,
        _ => {}
    }
    Ok(Some(write))
}

fn touch(write: &PlannedWrite, touched: &mut Touched) {
    for customer in &write.customers {
        for (side, id) in [
            (Side::Crm, &customer.crm_id),
            (Side::Desk, &customer.freshdesk_id),
        ] {
            // What the plan itself makes was seen by nobody.
            if !made_in_thought(&id.0) {
                touched
                    .entry((side, customer.kind, id.clone()))
                    .or_default();
            }
        }
    }
    let Some(kind) = write.record.kind() else {
        return;
    };
    for side in Side::BOTH {
        let Some(id) = write.id(side).filter(|id| !made_in_thought(&id.0)) else {
            continue;
        };
        let changes = touched.entry((side, kind, id.clone())).or_default();
        if side == write.side {
            changes.extend(write.fields.iter().cloned());
        }
    }
}

/// The records as they were before anything was written in thought.
async fn records(
    touched: Touched,
    writes: &[PlannedWrite],
    config: &Config,
    state: &mut Report,
) -> Result<Vec<Seen>, Failure> {
    let mut trashed: Vec<(Side, &RecordId)> = writes
        .iter()
        .filter(|write| write.action == Deed::Delete)
        .filter_map(|write| Some((write.side, write.id(write.side)?)))
        .collect();
    trashed.sort_unstable();
    let mut records = Vec::with_capacity(touched.len());
    for ((side, kind, id), changes) in touched {
        let mapping = config.mappings().find(|mapping| mapping.kind == kind);
        let known = state.as_seen(side, kind, &id).await?;
        let (Some(mapping), Some((version, mut presence, mut image))) = (mapping, known) else {
            continue;
        };
        rewind(mapping, side, &mut image, &changes);
        if trashed.binary_search(&(side, &id)).is_ok() {
            presence = Presence::Live;
        }
        let reads = mapping.reads(side);
        records.push(Seen::new(
            side,
            kind,
            id,
            (version, presence),
            &image,
            &reads,
        ));
    }
    Ok(records)
}

/// Puts the file in its place as a whole; only its owner can read it.
fn put(path: &Path, text: &str) -> io::Result<()> {
    let part = place::part(path)?;
    let written = place::create(&part)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        // What is left of it is nobody's plan; where even that fails, the first error says why.
        let _ = fs::remove_file(&part);
    }
    written
}

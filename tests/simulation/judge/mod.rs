//! What must hold when everything is quiet.

mod agree;
mod ledger;
mod tickets;

use crate::life::Life;
use crate::people::UNTOUCHED;
use crate::systems::place::Row;
use crate::systems::witness::Write;
use agree::agree;
pub(crate) use agree::excused;
use deskbridge::mapping::Mapping;
use deskbridge::model::{Image, Kind, Side, Value};
use deskbridge::plan::FieldChange;
pub(crate) use ledger::Ledger;
use std::collections::BTreeMap;
pub(crate) use tickets::was_vip;

pub(crate) async fn judge(life: &Life) {
    let ledger = Ledger::read(life).await;
    let mut wrong: Vec<String> = life.systems.state().witness.crimes.clone();
    if life.setting.loses_tickets() {
        wrong.retain(|it| !it.starts_with("ticket"));
    }
    journalled(life, &ledger.journal, &mut wrong);
    let mut differ = BTreeMap::new();
    for kind in Kind::BOTH {
        differ.insert(kind.word(), agree(life, kind, &ledger, &mut wrong));
    }
    edits(life, &ledger.journal, &mut wrong);
    untouched(life, &mut wrong);
    certified(life, &ledger, &differ, &mut wrong);
    if !life.setting.loses_tickets() {
        tickets::judge(life, &ledger, &mut wrong);
    }
    if !wrong.is_empty() {
        let Ledger { holds, parked, .. } = &ledger;
        let wrong = wrong.join("\n");
        life.fail(&format!("{wrong}\nholds {holds:?}\nparked {parked:?}"));
    }
}

/// What the state itself says of the last reading of everything.
fn certified(life: &Life, ledger: &Ledger, differ: &BTreeMap<&str, u64>, wrong: &mut Vec<String>) {
    for kind in Kind::BOTH {
        let Some(said) = ledger.certificates.get(kind.word()) else {
            wrong.push(format!("{kind}: nothing is certified"));
            continue;
        };
        let of = |name: &str| said[name].as_u64().unwrap_or(0);
        let links = ledger.links.iter().filter(|it| it.0 == kind.word());
        let links = links.count() as u64;
        let rest = links.saturating_sub(of("equal"));
        let sound = of("linked") == links
            && of("open") == 0
            && of("equal") <= links
            && rest <= of("apart") + of("out_of_scope") + of("held") + of("parked") + of("waiting")
            && differ[kind.word()] <= rest;
        if !sound {
            let differ = differ[kind.word()];
            wrong.push(format!(
                "{links} pairs of {kind}, {differ} differ; certified: {said}"
            ));
        }
        let hushed = life.systems.state().hushes > 0 || life.setting.mishaps.copy > 0.0;
        // What was merged, converted or deleted for good only a listing shows.
        let missed = Side::BOTH.map(|side| said["drifted"][side.word()]["changed"].clone());
        if !hushed && missed != [0, 0] {
            wrong.push(format!("{kind}: polling has missed something: {said}"));
        }
    }
}

/// Each write that reached a system was written down.
fn journalled(life: &Life, journal: &[Row], wrong: &mut Vec<String>) {
    let mut rows: BTreeMap<String, i64> = BTreeMap::new();
    for row in journal.iter().filter(|row| row.kind != "ticket") {
        let changes: Vec<FieldChange> = serde_json::from_str(&row.fields).unwrap();
        let mut set = Image::default();
        for change in &changes {
            set.overlay(&change.set);
        }
        let own = if row.side == "crm" {
            &row.crm_id
        } else {
            &row.desk_id
        };
        let id = own.as_deref().filter(|_| row.action != "create");
        let written = line(&row.side, &row.kind, &row.action, id, &set);
        *rows.entry(written).or_default() += 1;
    }
    for write in &life.systems.state().witness.writes {
        let Write {
            side,
            kind,
            verb,
            id,
            set,
        } = write;
        let id = id.as_ref().map(|id| id.0.as_str());
        let sent = line(side.word(), kind.word(), verb, id, set);
        let left = rows.entry(sent.clone()).or_default();
        *left -= 1;
        if *left < 0 {
            wrong.push(format!("not in the journal: {sent}"));
        }
        if set.0.contains_key(UNTOUCHED)
            || (*side == Side::Crm && set.0.contains_key("customer_tier"))
        {
            wrong.push(format!("must not be written: {sent}"));
        }
    }
}

fn line(side: &str, kind: &str, verb: &str, id: Option<&str>, set: &Image) -> String {
    let set = serde_json::to_string(set).unwrap();
    format!("{side} {kind} {verb} {id:?} {set}")
}

/// What the journal has of each record, by side and id.
type Told<'a> = BTreeMap<(&'a str, &'a str), Vec<FieldChange>>;

fn told(journal: &[Row]) -> Told<'_> {
    let mut told = Told::new();
    for row in journal.iter().filter(|row| row.kind != "ticket") {
        let changes: Vec<FieldChange> = serde_json::from_str(&row.fields).unwrap();
        for (side, id) in [("crm", &row.crm_id), ("freshdesk", &row.desk_id)] {
            if let Some(id) = id {
                told.entry((side, id)).or_default().extend(changes.clone());
            }
        }
    }
    told
}

/// Whether a change was made when this side showed this value under this name.
fn shows(mapping: &Mapping, change: &FieldChange, side: Side, edited: (&str, &Value)) -> bool {
    let field = mapping.fields.iter().find(|it| it.name == change.field);
    let names = field.into_iter().flat_map(|it| it.names(side));
    let shown = match side {
        Side::Crm => &change.crm,
        Side::Desk => &change.freshdesk,
    };
    names.zip(shown).any(|it| it == edited)
}

/// The last thing that people did to each field stands there, or the journal has it as what stood there.
fn edits(life: &Life, journal: &[Row], wrong: &mut Vec<String>) {
    let (told, config) = (told(journal), life.place.config());
    let state = life.systems.state();
    for side in Side::BOTH {
        for mapping in config.mappings() {
            let kind = mapping.kind;
            let records = state.accounts.of(side).of(kind).values();
            for record in records.filter(|it| it.is_live()) {
                let id = record.id.to_string();
                let rows = told.get(&(side.word(), id.as_str()));
                for (field, edit) in &record.edits {
                    let now = record.fields.get(field).cloned().unwrap_or_default();
                    let mut rows = rows.into_iter().flatten();
                    let edited = (field.as_str(), &edit.value);
                    let known = rows.any(|change| shows(mapping, change, side, edited));
                    let what = format!("{side} {kind} {id} {field} {}", edit.value);
                    if now != edit.value && !known && !state.witness.raced.contains(&what) {
                        wrong.push(format!("lost: {what}; it is {now}"));
                    }
                }
            }
        }
    }
}

fn untouched(life: &Life, wrong: &mut Vec<String>) {
    let state = life.systems.state();
    for side in Side::BOTH {
        for kind in Kind::BOTH {
            for record in state.accounts.of(side).of(kind).values() {
                let Some(edit) = record.edits.get(UNTOUCHED) else {
                    continue;
                };
                if record.fields.get(UNTOUCHED) != Some(&edit.value) {
                    wrong.push(format!("{side} {kind} {}: an unmapped field", record.id));
                }
            }
        }
    }
}

//! What must hold when everything is quiet.

use crate::life::Life;
use crate::people::{UNTOUCHED, reference};
use crate::systems::account::{Account, Record};
use crate::systems::place::Row;
use crate::systems::traits::Rewrite;
use crate::systems::witness::Write;
use deskbridge::model::{COMPANY, Image, Kind, Pair, Side, Value};
use deskbridge::plan::FieldChange;
use std::collections::{BTreeMap, BTreeSet};

/// A field under its name on each side.
type Named = (&'static str, &'static str);

const CONTACT: [Named; 4] = [
    ("email", "email"),
    ("phone", "phone"),
    ("jobtitle", "job_title"),
    ("ref", "custom_fields.ref"),
];
const COMPANIES: [Named; 3] = [
    ("name", "name"),
    ("phone", "description"),
    ("ref", "custom_fields.ref"),
];

/// What waits for a person, as (class, CRM's id, field).
type Holds = BTreeSet<(String, String, String)>;

pub(crate) async fn judge(life: &Life) {
    let mut journal = life.journals.clone();
    journal.extend(life.place.journal().await);
    let mut holds = holds(life).await;
    // What is refused for good is listed with the server's words.
    for parked in life.place.report().await.parked(1000).await.unwrap() {
        if parked.state == "refused" {
            holds.insert(("refused".to_owned(), parked.id, parked.action));
        }
    }
    let mut wrong: Vec<String> = life.systems.state().witness.crimes.clone();
    journalled(life, &journal, &mut wrong);
    for kind in Kind::BOTH {
        agree(life, kind, &holds, &mut wrong);
    }
    edits(life, &journal, &mut wrong);
    untouched(life, &mut wrong);
    if !wrong.is_empty() {
        let parked = life.place.report().await.parked(1000).await.unwrap();
        life.fail(&format!(
            "{}\nholds {holds:?}\nparked {parked:?}",
            wrong.join("\n")
        ));
    }
}

async fn holds(life: &Life) -> Holds {
    let views = life.place.report().await.holds(0, 10_000).await.unwrap();
    let mut holds = Holds::new();
    for view in views {
        let id = view.crm_id.or(view.freshdesk_id).unwrap_or_default();
        let fields = view.fields.as_array().cloned().unwrap_or_default();
        if fields.is_empty() {
            holds.insert((view.class.clone(), id.clone(), String::new()));
        }
        for field in fields {
            let name = field["field"].as_str().unwrap_or_default().to_owned();
            holds.insert((view.class.clone(), id.clone(), name));
        }
    }
    holds
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

fn by_ref<'a>(
    account: &'a Account,
    kind: Kind,
    wrong: &mut Vec<String>,
) -> BTreeMap<&'a str, &'a Record> {
    let name = reference(account.side);
    let mut known = BTreeMap::new();
    for record in account.of(kind).values().filter(|it| it.is_live()) {
        let reference = record.text(name);
        if let Some(other) = known.insert(reference, record) {
            let (one, two) = (&other.fields, &record.fields);
            wrong.push(format!(
                "{} {kind} {reference} is there twice: {} {one:?}, {} {two:?}",
                account.side, other.id, record.id
            ));
        }
    }
    known
}

/// Whether somebody with this reference is not live any more on one of the sides.
fn has_ended(accounts: &Pair<Account>, kind: Kind, reference: &str) -> bool {
    Side::BOTH.into_iter().any(|side| {
        let mut records = accounts.of(side).of(kind).values();
        let name = crate::people::reference(side);
        records.any(|it| !it.is_live() && it.text(name) == reference)
    })
}

/// Both sides show the same.
fn agree(life: &Life, kind: Kind, holds: &Holds, wrong: &mut Vec<String>) {
    let state = life.systems.state();
    let crm = by_ref(&state.accounts.crm, kind, wrong);
    let desk = by_ref(&state.accounts.desk, kind, wrong);
    let all: BTreeSet<&str> = crm.keys().chain(desk.keys()).copied().collect();
    let waits = |class: &str, record: &Record, what: &str| {
        let key = (class.to_owned(), record.id.to_string(), what.to_owned());
        holds.contains(&key)
    };
    for reference in all {
        let (Some(mine), Some(theirs)) = (crm.get(reference), desk.get(reference)) else {
            let alone = crm.get(reference).or_else(|| desk.get(reference));
            let refused = alone.is_some_and(|it| waits("refused", it, "create"));
            // It is not settled which of two references somebody has who was merged.
            let two_names = crm.values().any(|it| waits("conflict", it, "ref"));
            // A person has deleted, merged or converted the other one.
            let ended = has_ended(&state.accounts, kind, reference);
            if !(refused || two_names || ended) {
                wrong.push(format!("{kind} {reference} is on one side only"));
            }
            continue;
        };
        // A write that a system refuses for good is listed, with all its fields.
        if waits("refused", mine, "update") || waits("refused", theirs, "update") {
            continue;
        }
        for (name, mine_shows, theirs_shows) in shown(life, &state.accounts, kind, mine, theirs) {
            if mine_shows != theirs_shows && !waits("conflict", mine, name) {
                let ids = format!("{} and {}", mine.id, theirs.id);
                wrong.push(format!(
                    "{kind} {reference} ({ids}): {name} is {mine_shows:?} in the CRM, {theirs_shows:?} in Freshdesk"
                ));
            }
        }
    }
}

/// Each mapped field as both sides show it.
fn shown(
    life: &Life,
    accounts: &Pair<Account>,
    kind: Kind,
    mine: &Record,
    theirs: &Record,
) -> Vec<(&'static str, String, String)> {
    let fields: &[Named] = match kind {
        Kind::Contact => &CONTACT,
        Kind::Company => &COMPANIES,
    };
    let value = |name: &'static str, other: &str| {
        let norm = |text| norm(life, name, text);
        (name, norm(mine.text(name)), norm(theirs.text(other)))
    };
    let mut all: Vec<_> = fields
        .iter()
        .map(|(name, other)| value(name, other))
        .collect();
    if kind == Kind::Contact {
        let name = format!("{} {}", mine.text("firstname"), mine.text("lastname"));
        all.push((
            "name",
            name.trim().to_owned(),
            theirs.text("name").to_owned(),
        ));
        all.push(tier(mine, theirs));
        all.extend(employer(accounts, mine, theirs));
    }
    all
}

fn tier(mine: &Record, theirs: &Record) -> (&'static str, String, String) {
    let shown = theirs.text("custom_fields.tier");
    let wanted = match mine.text("customer_tier") {
        "vip" => "VIP",
        "standard" => "Standard",
        // The first sync clears nothing: what had no value in the CRM then stays in Freshdesk.
        "" if !mine.edits.contains_key("customer_tier") => shown,
        _ => "",
    };
    ("customer_tier", wanted.to_owned(), shown.to_owned())
}

fn employer(
    accounts: &Pair<Account>,
    mine: &Record,
    theirs: &Record,
) -> Option<(&'static str, String, String)> {
    let company = |side: Side, record: &Record| {
        let id: u64 = record.text(COMPANY).parse().unwrap_or(0);
        let company = accounts.of(side).companies.get(&id);
        company.map_or("", |it| it.text(reference(side))).to_owned()
    };
    let (mine, theirs) = (company(Side::Crm, mine), company(Side::Desk, theirs));
    // A company that was deleted takes nobody out of it on the other side.
    let lost =
        |here: &str, there: &str| here.is_empty() && has_ended(accounts, Kind::Company, there);
    let lost = lost(&mine, &theirs) || lost(&theirs, &mine);
    (!lost).then_some(("company", mine, theirs))
}

/// A value as both systems would have it.
fn norm(life: &Life, field: &str, text: &str) -> String {
    if field == "email" {
        return text.trim().to_lowercase();
    }
    let traits = &life.setting.traits;
    let keeps = [traits.crm.rewrite, traits.desk.rewrite] == [Rewrite::Nothing; 2];
    if keeps { text } else { text.trim() }.to_owned()
}

/// The last thing that people did to each field stands there, or the journal has it.
fn edits(life: &Life, journal: &[Row], wrong: &mut Vec<String>) {
    let mut said: BTreeMap<(&str, &str), String> = BTreeMap::new();
    for row in journal {
        for (side, id) in [("crm", &row.crm_id), ("freshdesk", &row.desk_id)] {
            if let Some(id) = id {
                said.entry((side, id)).or_default().push_str(&row.fields);
            }
        }
    }
    let state = life.systems.state();
    for side in Side::BOTH {
        for kind in Kind::BOTH {
            for record in state
                .accounts
                .of(side)
                .of(kind)
                .values()
                .filter(|it| it.is_live())
            {
                for (field, edit) in &record.edits {
                    let now = record.fields.get(field).cloned().unwrap_or_default();
                    let id = record.id.to_string();
                    let rows = said
                        .get(&(side.word(), id.as_str()))
                        .map_or("", String::as_str);
                    let known = match &edit.value {
                        Value::Text(text) => rows.contains(&format!("\"{text}\"")),
                        _ => rows.contains(&format!("\"{field}\"")),
                    };
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

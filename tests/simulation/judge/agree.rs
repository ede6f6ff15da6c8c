//! Whether both sides show the same, but for what is listed.

use super::ledger::Ledger;
use crate::life::Life;
use crate::people::reference;
use crate::systems::account::{Account, Record};
use crate::systems::traits::Rewrite;
use deskbridge::model::{COMPANY, Kind, Pair, Side};
use std::collections::{BTreeMap, BTreeSet};

/// The field of a contact's company in the mapping.
const EMPLOYER: &str = "company";

/// What both sides show of a field, under its name in the mapping.
struct Shown {
    name: &'static str,
    crm: String,
    desk: String,
}

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

/// Everybody by their reference. Whom a list or a look for changes has hidden may have been made twice
/// where nothing is unique; then the one without a counterpart is listed.
fn by_ref<'a>(
    account: &'a Account,
    kind: Kind,
    hidden: impl Fn(u64) -> bool,
    wrong: &mut Vec<String>,
) -> BTreeMap<&'a str, &'a Record> {
    let name = reference(account.side);
    let mut known = BTreeMap::new();
    for record in account.of(kind).values().filter(|it| it.is_live()) {
        if hidden(record.id) {
            continue;
        }
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

/// Whether somebody with this reference is not live any more on this side.
fn has_ended(account: &Account, kind: Kind, reference: &str) -> bool {
    let name = crate::people::reference(account.side);
    let mut records = account.of(kind).values();
    records.any(|it| !it.is_live() && it.text(name) == reference)
}

/// Whether a person has ended this record's counterpart, under whichever reference. Where a merge has put a
/// record into another's place, the pair has two until the next write, and there is none where the
/// counterpart ends first.
fn has_lost(
    accounts: &Pair<Account>,
    ledger: &Ledger,
    kind: Kind,
    side: Side,
    alone: &Record,
) -> bool {
    let others = accounts.of(side.other()).of(kind);
    let half = ledger.lost_half(kind, side, alone);
    half.and_then(|id| others.get(&id))
        .is_some_and(|it| !it.is_live())
}

/// Both sides show the same. Returns how many pairs do not, for reasons that are listed.
pub(super) fn agree(life: &Life, kind: Kind, ledger: &Ledger, wrong: &mut Vec<String>) -> u64 {
    let state = life.systems.state();
    let hidden = |id: u64| (state.hushes > 0 || state.lied) && ledger.is_shadowed(id);
    let crm = by_ref(&state.accounts.crm, kind, hidden, wrong);
    let desk = by_ref(&state.accounts.desk, kind, |_| false, wrong);
    let all: BTreeSet<&str> = crm.keys().chain(desk.keys()).copied().collect();
    let discarded = |it: &Record| life.discarded.contains(&it.id.to_string());
    let mut differ = 0;
    for reference in all {
        let (mine, theirs) = match (crm.get(reference), desk.get(reference)) {
            (Some(mine), Some(theirs)) => (*mine, *theirs),
            (Some(alone), None) if excused(&state.accounts, ledger, kind, Side::Crm, alone) => {
                continue;
            }
            (None, Some(alone)) if excused(&state.accounts, ledger, kind, Side::Desk, alone) => {
                continue;
            }
            (Some(one), None) | (None, Some(one)) if hidden(one.id) => continue,
            (alone, other) => {
                if !alone.or(other).is_some_and(|it| discarded(it)) {
                    wrong.push(format!("{kind} {reference} is on one side only"));
                }
                continue;
            }
        };
        if discarded(mine) || discarded(theirs) {
            continue;
        }
        let mut same = true;
        for shown in shown(life, &state.accounts, kind, mine, theirs) {
            let Shown { name, crm, desk } = shown;
            if crm == desk {
                continue;
            }
            same = false;
            let refused = [mine, theirs];
            let refused = refused.iter().any(|it| ledger.waits("refused", it, name));
            let waits = ledger.waits("conflict", mine, name)
                || (name == EMPLOYER && waits_for_company(&state.accounts, ledger, mine, theirs));
            if !refused && !waits {
                let ids = format!("{} and {}", mine.id, theirs.id);
                wrong.push(format!(
                    "{kind} {reference} ({ids}): {name} is {crm:?} in the CRM, {desk:?} in Freshdesk"
                ));
            }
        }
        differ += u64::from(!same);
    }
    differ
}

/// Whether one of two is in a company that has no counterpart, and the state says so.
fn waits_for_company(
    accounts: &Pair<Account>,
    ledger: &Ledger,
    mine: &Record,
    theirs: &Record,
) -> bool {
    [(Side::Crm, mine), (Side::Desk, theirs)]
        .into_iter()
        .any(|(side, contact)| {
            let company = contact.text(COMPANY);
            let known = accounts
                .of(side)
                .companies
                .get(&company.parse().unwrap_or(0));
            let name = known.map_or("", |it| it.text(reference(side)));
            let other = accounts.of(side.other());
            let alone =
                has_ended(other, Kind::Company, name) || !ledger.is_linked("company", company);
            alone && ledger.waits_for(side, company, contact)
        })
}

/// Whether there is a listed reason why a record is on one side only.
pub(crate) fn excused(
    accounts: &Pair<Account>,
    ledger: &Ledger,
    kind: Kind,
    side: Side,
    alone: &Record,
) -> bool {
    let name = alone.text(reference(side));
    let id = alone.id.to_string();
    // It is not settled which of two references somebody has who was merged: a person has to say, or the
    // counterpart's system refuses it.
    let two_names = || {
        let refused = |half: u64| ledger.waits_of("refused", half, reference(Side::Desk));
        ledger.is_linked(kind.word(), &id)
            && (ledger.waits("conflict", alone, reference(Side::Desk))
                || ledger.half(kind, side, alone).is_some_and(refused))
    };
    // A person has deleted, merged or converted the other one.
    let ended = has_ended(accounts.of(side.other()), kind, name)
        || has_lost(accounts, ledger, kind, side, alone);
    ended || ledger.waits("refused", alone, "create") || two_names()
}

/// Each mapped field as both sides show it.
fn shown(
    life: &Life,
    accounts: &Pair<Account>,
    kind: Kind,
    mine: &Record,
    theirs: &Record,
) -> Vec<Shown> {
    let fields: &[Named] = match kind {
        Kind::Contact => &CONTACT,
        Kind::Company => &COMPANIES,
    };
    let value = |name: &'static str, other: &'static str| {
        let norm = |text| norm(life, name, text);
        Shown {
            name: other,
            crm: norm(mine.text(name)),
            desk: norm(theirs.text(other)),
        }
    };
    let mut all: Vec<_> = fields
        .iter()
        .map(|(name, other)| value(name, other))
        .collect();
    if kind == Kind::Contact {
        let name = format!("{} {}", mine.text("firstname"), mine.text("lastname"));
        all.push(Shown {
            name: "name",
            crm: name.trim().to_owned(),
            desk: theirs.text("name").to_owned(),
        });
        all.push(tier(mine, theirs));
        all.extend(employer(accounts, mine, theirs));
    }
    all
}

fn tier(mine: &Record, theirs: &Record) -> Shown {
    let shown = theirs.text("custom_fields.tier");
    let wanted = match mine.text("customer_tier") {
        "vip" => "VIP",
        "standard" => "Standard",
        // The first sync clears nothing: what had no value in the CRM then stays in Freshdesk.
        "" if !mine.edits.contains_key("customer_tier") => shown,
        _ => "",
    };
    Shown {
        name: "custom_fields.tier",
        crm: wanted.to_owned(),
        desk: shown.to_owned(),
    }
}

fn employer(accounts: &Pair<Account>, mine: &Record, theirs: &Record) -> Option<Shown> {
    let company = |side: Side, record: &Record| {
        let id: u64 = record.text(COMPANY).parse().unwrap_or(0);
        let company = accounts.of(side).companies.get(&id);
        company.map_or("", |it| it.text(reference(side))).to_owned()
    };
    let (crm, desk) = (company(Side::Crm, mine), company(Side::Desk, theirs));
    // A company that was deleted takes nobody out of it on the other side, nor when it is back without them.
    let lost = |side: Side, here: &str, there: &str| {
        let account = accounts.of(side);
        let mut back = account.companies.values().filter(|it| it.back);
        let is_back = back.any(|it| it.text(reference(side)) == there);
        here.is_empty() && (is_back || has_ended(account, Kind::Company, there))
    };
    let lost = lost(Side::Crm, &crm, &desk) || lost(Side::Desk, &desk, &crm);
    let name = EMPLOYER;
    (!lost).then_some(Shown { name, crm, desk })
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

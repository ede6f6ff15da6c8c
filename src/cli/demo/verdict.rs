//! Whether both systems agree: read from the systems themselves, compared field by field, without
//! any help of what is being judged.

use super::stage::Stage;
use crate::sandbox::freshdesk::{Standing, Ticket, TicketStanding};
use crate::sandbox::hubspot::{Kind, Row};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Display;

/// What was to be, and what is.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) act: usize,
    pub(super) rows: Vec<Entry>,
}

/// One thing that was to be.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    /// The act in which.
    pub(super) act: usize,
    pub(super) what: String,
    pub(super) expected: String,
    pub(super) found: String,
    pub(super) ok: bool,
}

impl Ledger {
    /// Notes whether `found` is what was `expected`.
    pub(super) fn check(&mut self, what: &str, expected: impl Display, found: impl Display) {
        let (expected, found) = (expected.to_string(), found.to_string());
        let ok = expected == found;
        self.rows.push(Entry {
            act: self.act,
            what: what.to_owned(),
            expected,
            found,
            ok,
        });
    }

    /// Whether everything is as it was to be.
    pub(super) fn holds(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(|row| row.ok)
    }
}

/// The mapped fields of a record, by names that both sides share.
type Facts = BTreeMap<&'static str, String>;

/// One side's live records by what identifies them, and those of which that is not unique.
#[derive(Debug, Default)]
struct Register {
    records: HashMap<String, Facts>,
    doubled: BTreeSet<String>,
}

impl Register {
    fn enter(&mut self, key: String, facts: Facts) {
        if self.records.insert(key.clone(), facts).is_some() {
            self.doubled.insert(key);
        }
    }
}

/// Compares all contacts and companies of both systems.
pub(super) fn judge(stage: &Stage, ledger: &mut Ledger) {
    let ambiguous = stage.ambiguous_domains();
    let (crm, desk) = companies(stage, &ambiguous);
    compare("companies", &crm, &desk, ledger);
    let (crm, desk) = contacts(stage, &ambiguous);
    compare("contacts", &crm, &desk, ledger);
    tickets(stage, ledger);
}

/// Open and pending tickets of VIPs are urgent and say why; nobody else's say so.
fn tickets(stage: &Stage, ledger: &mut Ledger) {
    let is_vip = |ticket: &Ticket| {
        let requester = stage.desk.contact(ticket.requester_id);
        requester.is_some_and(|it| stage.desk.contact_field(&it, "tier") == "VIP")
    };
    let (mut rises, mut low, mut marked) = (0_u64, Vec::new(), Vec::new());
    for ticket in stage.desk.tickets() {
        let waits = ticket.standing == TicketStanding::Live && matches!(ticket.status, 2 | 3);
        let tagged = ticket.tags.iter().any(|tag| tag == "vip");
        match is_vip(&ticket) {
            true if waits => {
                rises += 1;
                if ticket.priority != 4 || !tagged {
                    low.push(ticket.id.to_string());
                }
            }
            false if tagged => marked.push(ticket.id.to_string()),
            _ => {}
        }
    }
    let low = listed(low.iter().map(String::as_str).collect());
    let title = format!("tickets of VIPs that did not rise, of {rises} open or pending");
    ledger.check(&title, "none", low);
    let marked = listed(marked.iter().map(String::as_str).collect());
    ledger.check(
        "tickets of others that are marked as a VIP's",
        "none",
        marked,
    );
}

fn compare(what: &str, crm: &Register, desk: &Register, ledger: &mut Ledger) {
    let lonely = |one: &Register, other: &Register| {
        let alone = one
            .records
            .keys()
            .filter(|key| !other.records.contains_key(*key));
        listed(alone.map(String::as_str).collect())
    };
    ledger.check(
        &format!("{what} of HubSpot that Freshdesk lacks"),
        "none",
        lonely(crm, desk),
    );
    ledger.check(
        &format!("{what} of Freshdesk that HubSpot lacks"),
        "none",
        lonely(desk, crm),
    );
    let doubled = crm
        .doubled
        .iter()
        .chain(&desk.doubled)
        .map(String::as_str)
        .collect();
    ledger.check(
        &format!("{what} that are there twice"),
        "none",
        listed(doubled),
    );
    let (mut fields, mut different) = (0_u64, Vec::new());
    for (key, here) in &crm.records {
        let Some(there) = desk.records.get(key) else {
            continue;
        };
        let names: BTreeSet<_> = here.keys().chain(there.keys()).collect();
        for name in names {
            fields += 1;
            if here.get(name) != there.get(name) {
                different.push(format!("{key} {name}"));
            }
        }
    }
    let pairs = crm.records.len();
    let different = listed(different.iter().map(String::as_str).collect());
    let title = format!("fields that differ, of {fields} in {pairs} pairs of {what}");
    ledger.check(&title, "none", different);
}

fn listed(mut names: Vec<&str>) -> String {
    names.sort_unstable();
    match names.as_slice() {
        [] => "none".to_owned(),
        [first, _, _, _, ..] => format!("{} ({first}, …)", names.len()),
        few => few.join(", "),
    }
}

/// Companies go by their name; those whose domain is not unique are left out.
fn companies(stage: &Stage, ambiguous: &BTreeSet<String>) -> (Register, Register) {
    let (mut crm, mut desk) = (Register::default(), Register::default());
    for row in stage.crm.portal().rows(Kind::Company) {
        let domain = value(&row, "domain");
        if ambiguous.contains(&domain) {
            continue;
        }
        let facts = facts([("domain", domain), ("plan", value(&row, "plan"))]);
        crm.enter(value(&row, "name"), facts);
    }
    for company in stage.desk.companies() {
        if company
            .domains
            .iter()
            .any(|domain| ambiguous.contains(domain))
        {
            continue;
        }
        let plan = stage.desk.company_field(&company, "plan");
        let domain = company.domains.join(", ");
        let facts = facts([
            ("domain", domain),
            ("plan", plan.as_str().unwrap_or_default().to_owned()),
        ]);
        desk.enter(company.name, facts);
    }
    (crm, desk)
}

/// Contacts go by their address, and where they have none by name and number. The company is
/// compared by its name, except where that company could not be told from another.
fn contacts(stage: &Stage, ambiguous: &BTreeSet<String>) -> (Register, Register) {
    let portal = stage.crm.portal();
    let named: HashMap<u64, (String, bool)> = portal
        .rows(Kind::Company)
        .iter()
        .map(|row| {
            (
                row.id,
                (
                    value(row, "name"),
                    ambiguous.contains(&value(row, "domain")),
                ),
            )
        })
        .collect();
    let (mut crm, mut desk) = (Register::default(), Register::default());
    for row in portal.rows(Kind::Contact) {
        let name = format!("{} {}", value(&row, "firstname"), value(&row, "lastname"));
        let tier = match value(&row, "customer_tier").as_str() {
            "vip" => "VIP",
            "standard" => "Standard",
            _ => "",
        };
        let company = row.companies.first().and_then(|id| named.get(id));
        let company = match company {
            Some((_, true)) => "(twice)".to_owned(),
            Some((name, false)) => name.clone(),
            None => String::new(),
        };
        let (email, phone) = (value(&row, "email"), digits(&value(&row, "phone")));
        let facts = facts([
            ("name", name.trim().to_owned()),
            ("phone", phone),
            ("job_title", value(&row, "jobtitle")),
            ("tier", tier.to_owned()),
            ("company", company),
        ]);
        crm.enter(key(&email, &facts), facts);
    }
    for contact in stage.desk.contacts() {
        if contact.standing != Standing::Live {
            continue;
        }
        let tier = stage.desk.contact_field(&contact, "tier");
        let company = contact.company_id.and_then(|id| stage.desk.company(id));
        let company = company.map(|it| {
            let twice = it.domains.iter().any(|domain| ambiguous.contains(domain));
            if twice { "(twice)".to_owned() } else { it.name }
        });
        let facts = facts([
            ("name", contact.name.trim().to_owned()),
            (
                "phone",
                digits(contact.phone.as_deref().unwrap_or_default()),
            ),
            ("job_title", contact.job_title.unwrap_or_default()),
            ("tier", tier.as_str().unwrap_or_default().to_owned()),
            ("company", company.unwrap_or_default()),
        ]);
        desk.enter(key(&contact.email.unwrap_or_default(), &facts), facts);
    }
    forgive(&mut crm, &mut desk);
    (crm, desk)
}

/// A company that exists twice cannot be carried over: where one side names it, nothing is expected.
fn forgive(crm: &mut Register, desk: &mut Register) {
    for (key, here) in &mut crm.records {
        let Some(there) = desk.records.get_mut(key) else {
            continue;
        };
        let twice = |facts: &Facts| facts.get("company").is_some_and(|name| name == "(twice)");
        if twice(here) || twice(there) {
            here.remove("company");
            there.remove("company");
        }
    }
}

fn facts<const N: usize>(all: [(&'static str, String); N]) -> Facts {
    all.into_iter().collect()
}

fn key(email: &str, facts: &Facts) -> String {
    if email.is_empty() {
        let of = |name| facts.get(name).map_or("", String::as_str);
        format!("{} {}", of("name"), of("phone"))
    } else {
        email.to_lowercase()
    }
}

fn value(row: &Row, property: &str) -> String {
    row.properties.get(property).cloned().unwrap_or_default()
}

/// A number without what people put between its digits, which this Freshdesk does not keep.
fn digits(phone: &str) -> String {
    phone
        .chars()
        .filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '/'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(people: &[(&str, &str)]) -> Register {
        let mut register = Register::default();
        for (email, phone) in people {
            register.enter((*email).to_owned(), facts([("phone", (*phone).to_owned())]));
        }
        register
    }

    fn wrong(crm: &[(&str, &str)], desk: &[(&str, &str)]) -> Vec<String> {
        let mut ledger = Ledger::default();
        compare("contacts", &register(crm), &register(desk), &mut ledger);
        let rows = ledger.rows.into_iter().filter(|row| !row.ok);
        rows.map(|row| format!("{}: {}", row.what, row.found))
            .collect()
    }

    #[test]
    fn a_demo_that_lost_doubled_or_changed_somebody_does_not_end_well() {
        let (ada, bob) = (("ada@post.example", "1"), ("bob@post.example", "2"));
        assert_eq!(wrong(&[ada, bob], &[bob, ada]), [""; 0]);
        assert_eq!(
            wrong(&[ada, bob], &[ada]),
            ["contacts of HubSpot that Freshdesk lacks: bob@post.example"]
        );
        assert_eq!(
            wrong(&[ada], &[ada, bob]),
            ["contacts of Freshdesk that HubSpot lacks: bob@post.example"]
        );
        assert_eq!(
            wrong(&[ada], &[ada, ada]),
            ["contacts that are there twice: ada@post.example"]
        );
        assert_eq!(
            wrong(&[ada], &[("ada@post.example", "9")]),
            ["fields that differ, of 1 in 1 pairs of contacts: ada@post.example phone"]
        );
    }

    #[test]
    fn a_demo_that_checked_nothing_does_not_end_well() {
        assert!(!Ledger::default().holds());
    }
}

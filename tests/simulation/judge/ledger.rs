//! What the state says in the end.

use crate::life::Life;
use crate::systems::place::{Place, Row};
use crate::systems::record::Record;
use deskbridge::model::{Kind, Side};
use deskbridge::plan::FieldChange;
use deskbridge::store::Parked;
use std::collections::{BTreeMap, BTreeSet};

/// What is there to read of a life.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// Also of states that were put aside.
    pub(crate) journal: Vec<Row>,
    /// What waits for a person or is refused for good, as (class, id, field).
    pub(crate) holds: BTreeSet<(String, String, String)>,
    pub(crate) parked: Vec<Parked>,
    /// Each kind's pairs, as the CRM's id and Freshdesk's.
    pub(crate) links: Vec<(String, String, String)>,
    /// Those whom a deletion has parted, likewise.
    parted: Vec<(String, String, String)>,
    /// Companies without a counterpart, as side, company, and the contact who waits for it.
    waiting: BTreeSet<(String, String, String)>,
    /// Unlinked records that are left alone, and how.
    pub(crate) alone: BTreeMap<String, String>,
    /// Tickets with a change that is not made.
    pub(crate) tickets: BTreeSet<String>,
    pub(crate) certificates: BTreeMap<String, serde_json::Value>,
}

impl Ledger {
    pub(crate) async fn read(life: &Life) -> Self {
        Self::of(&life.place, life.journals.clone()).await
    }

    /// What this state says, and the journals of those before it.
    pub(crate) async fn of(place: &Place, mut journal: Vec<Row>) -> Self {
        journal.extend(place.journal().await);
        let mut report = place.report().await;
        let parked = report.parked(1000).await.unwrap();
        let views = report.holds(0, 10_000).await.unwrap();
        let tickets = report.waiting_tickets(1000).await.unwrap();
        let certificates = report.certificates().await.unwrap();
        let mut ledger = Self {
            journal,
            holds: BTreeSet::new(),
            links: Vec::new(),
            parted: Vec::new(),
            waiting: BTreeSet::new(),
            alone: BTreeMap::new(),
            tickets: tickets.into_iter().map(|it| it.id).collect(),
            certificates,
            parked,
        };
        for view in views {
            let fields = view.fields.as_array().cloned().unwrap_or_default();
            let mut names: Vec<&str> = fields
                .iter()
                .filter_map(|field| field["field"].as_str())
                .collect();
            if names.is_empty() {
                names.push("");
            }
            for id in [&view.crm_id, &view.freshdesk_id].into_iter().flatten() {
                for name in &names {
                    let hold = (view.class.clone(), id.clone(), (*name).to_owned());
                    ledger.holds.insert(hold);
                }
            }
        }
        ledger.refused();
        ledger.look(place).await;
        ledger
    }

    /// What is refused for good is listed with the server's words: a create, or fields of an update.
    fn refused(&mut self) {
        for parked in self.parked.iter().filter(|it| it.state == "refused") {
            let mut names = vec![parked.action.clone()];
            let last = self.journal.iter().rev().find(|row| {
                let own = if row.side == "crm" {
                    &row.crm_id
                } else {
                    &row.desk_id
                };
                (&row.action, &row.side, own.as_ref())
                    == (&parked.action, &parked.side, Some(&parked.id))
            });
            if let (Some(row), "update") = (last, parked.action.as_str()) {
                let changes: Vec<FieldChange> = serde_json::from_str(&row.fields).unwrap();
                names = changes.into_iter().map(|it| it.field).collect();
            }
            for name in names {
                let hold = ("refused".to_owned(), parked.id.clone(), name);
                self.holds.insert(hold);
            }
        }
    }

    async fn look(&mut self, place: &Place) {
        let alone: Vec<(String, String)>;
        let waiting: Vec<(String, String, String)>;
        (self.links, self.parted, waiting, alone) = place
            .ask(async |state| {
                let links = sqlx::query_as(
                    "SELECT l.kind, c.remote_id, d.remote_id FROM link AS l JOIN record AS c ON c.id = l.crm
                     JOIN record AS d ON d.id = l.desk",
                );
                let parted = sqlx::query_as(
                    "SELECT c.kind, c.remote_id, d.remote_id FROM parted AS p
                     JOIN record AS c ON c.side = 'crm' AND c.id IN (p.record, p.survivor)
                     JOIN record AS d ON d.side = 'freshdesk' AND d.id IN (p.record, p.survivor)",
                );
                let waiting = sqlx::query_as(
                    "SELECT w.side, w.company, r.remote_id FROM waiting AS w JOIN record AS r ON r.id = w.record",
                );
                let alone = sqlx::query_as(
                    "SELECT remote_id, coalesce(standing, '') FROM record WHERE link IS NULL AND presence = 'live'",
                );
                (
                    links.fetch_all(&mut *state).await.unwrap(),
                    parted.fetch_all(&mut *state).await.unwrap(),
                    waiting.fetch_all(&mut *state).await.unwrap(),
                    alone.fetch_all(&mut *state).await.unwrap(),
                )
            })
            .await;
        self.waiting = waiting.into_iter().collect();
        self.alone = alone.into_iter().collect();
    }

    /// Whether something about a record, or a field of it, waits.
    pub(crate) fn waits(&self, class: &str, record: &Record, what: &str) -> bool {
        self.waits_of(class, record.id, what)
    }

    pub(crate) fn waits_of(&self, class: &str, id: u64, what: &str) -> bool {
        let key = (class.to_owned(), id.to_string(), what.to_owned());
        self.holds.contains(&key)
    }

    pub(crate) fn is_linked(&self, kind: &str, id: &str) -> bool {
        let mut links = self.links.iter().filter(|it| it.0 == kind);
        links.any(|it| it.1 == id || it.2 == id)
    }

    /// Whom the state has as the counterpart of this record although a deletion has ended one of the two: it
    /// waits for a person, or has parted them.
    pub(crate) fn lost_half(&self, kind: Kind, side: Side, record: &Record) -> Option<u64> {
        let held = self.waits("delete", record, "");
        let linked = || self.half(kind, side, record).filter(|_| held);
        half(&self.parted, kind, side, record).or_else(linked)
    }

    /// Whom the state has as the counterpart of this record.
    pub(crate) fn half(&self, kind: Kind, side: Side, record: &Record) -> Option<u64> {
        half(&self.links, kind, side, record)
    }

    /// Whether it is listed that a record shares a key with others and is left alone.
    pub(crate) fn is_shadowed(&self, id: u64) -> bool {
        let standing = self.alone.get(&id.to_string());
        standing.is_some_and(|it| it == "shadowed")
    }

    /// Whether a contact waits for the counterpart of its company.
    pub(crate) fn waits_for(&self, side: Side, company: &str, contact: &Record) -> bool {
        self.waiting.contains(&(
            side.word().to_owned(),
            company.to_owned(),
            contact.id.to_string(),
        ))
    }

    /// The CRM's counterpart of a contact in Freshdesk.
    pub(crate) fn counterpart(&self, contact: &str) -> Option<u64> {
        let mut links = self.links.iter().filter(|it| it.0 == "contact");
        let link = links.find(|it| it.2 == contact)?;
        link.1.parse().ok()
    }
}

/// The other one of a pair.
fn half(
    pairs: &[(String, String, String)],
    kind: Kind,
    side: Side,
    record: &Record,
) -> Option<u64> {
    let id = record.id.to_string();
    let half = pairs.iter().find_map(|(of, crm, desk)| {
        let (mine, theirs) = match side {
            Side::Crm => (crm, desk),
            Side::Desk => (desk, crm),
        };
        (*of == kind.word() && *mine == id).then_some(theirs)
    })?;
    half.parse().ok()
}

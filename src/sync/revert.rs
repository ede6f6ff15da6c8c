//! Taking a run back: what of it still stands, as a plan that is shown, approved and carried out like
//! any other.
//!
//! A field that is taken back is settled: both sides agree that they differ, each against what it
//! shows now. So the next cycle writes nothing, until somebody edits the field again on either side. A support
//! summary that is taken back counts as written, until the customer's tickets come to something else.

mod records;
mod settle;

pub(super) use settle::as_stored;

use super::apply::Unwritten;
use super::{CycleError, Engine, Tally, Trouble};
use crate::mapping::Mapping;
use crate::model::{Kind, Pair, Presence, RecordId, Side, Ticket};
use crate::plan::{
    Deed, FieldChange, LeftWhy, PlannedWrite, Rule, Seen, Step, Subject, revert_ticket,
};
use crate::remote::RemoteError;
use crate::store::{About, JournalRow, Which, is_forgotten};
use std::collections::{BTreeMap, BTreeSet};

/// Why a field whose values were taken out of the journal stays.
const FORGOTTEN: &str = "its values were forgotten";

/// What is to be taken back.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// The writes of this run, or of this time and later.
    pub which: Which,
    /// About this record only.
    pub record: Option<Record>,
    /// In this field only, by its name on either side or in the plan.
    pub field: Option<String>,
    /// Whether records that were made are put into the trash.
    pub delete_created: bool,
}

/// A record as people name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A contact or company by its id on this side.
    Id(Side, RecordId),
    /// The same, where the kind is said, too: one id may be that of a contact and of a company.
    Of(Side, Kind, RecordId),
    /// A ticket.
    Ticket(RecordId),
    /// By one of its match keys, such as its e-mail address.
    Key(String),
}

/// What taking back would do.
#[derive(Debug, Default)]
pub struct Undoing {
    /// The records that it was decided on.
    pub records: Vec<Seen>,
    /// What would be written.
    pub writes: Vec<PlannedWrite>,
    /// What stays, and why.
    pub left: Vec<Unwritten>,
    /// Whether some of that still stands as it was written, and cannot be taken back for another reason.
    pub stands: bool,
    /// Records that were made, and stay since nobody said that they go.
    pub kept: Vec<Unwritten>,
    /// How many writes of the journal are meant.
    pub meant: usize,
    /// Whether the record that was named is a contact and a company: then nothing was worked out.
    pub ambiguous: bool,
    /// What the systems did wrong.
    pub errors: Vec<RemoteError>,
}

/// What the journal says about one record on one side.
#[derive(Debug, Clone, Default)]
struct History {
    rows: Vec<JournalRow>,
}

/// One record on one side.
type Target = (Side, Kind, RecordId);

impl Engine {
    /// Works out what of the selected writes can be taken back: reads each record as it is now, and
    /// writes to neither system.
    ///
    /// # Errors
    ///
    /// Where the state fails. What a system does wrong is in the result.
    pub async fn undo(&mut self, selection: &Selection) -> Result<Undoing, CycleError> {
        let mut tally = Tally::default();
        self.inquire(Pair::default(), &mut tally).await?;
        let mut out = Undoing::default();
        let rows = self.meant(selection).await?;
        out.meant = rows.len();
        let bare_id = matches!(selection.record, Some(Record::Id(..)));
        let kinds: BTreeSet<&str> = rows.iter().map(|row| row.kind.as_str()).collect();
        out.ambiguous = bare_id && kinds.len() > 1;
        if out.ambiguous {
            return Ok(out);
        }
        let (mut records, mut tickets) = (BTreeMap::new(), BTreeMap::new());
        for row in rows {
            let id = match row.side {
                Side::Crm => row.crm_id.clone(),
                Side::Desk => row.desk_id.clone(),
            };
            let Some(id) = id else {
                out.leave_unknown(&row);
                continue;
            };
            match Subject::read(&row.kind).and_then(Subject::kind) {
                Some(kind) => {
                    let target = (row.side, kind, id);
                    let history: &mut History = records.entry(target).or_default();
                    history.rows.push(row);
                }
                None => tickets.entry(id).or_insert_with(Vec::new).push(row),
            }
        }
        self.undo_tickets(tickets, &mut out).await;
        self.undo_records(records, selection, &mut out).await?;
        let troubles = tally
            .troubles
            .into_iter()
            .map(|Trouble { error, .. }| error);
        out.errors.extend(troubles);
        Ok(out)
    }

    /// The rows of the journal that are meant, with the fields that are meant.
    async fn meant(&mut self, selection: &Selection) -> Result<Vec<JournalRow>, CycleError> {
        let about: Option<About> = match &selection.record {
            None => None,
            Some(Record::Id(side, id)) => Some(
                Kind::BOTH
                    .map(|kind| (*side, kind.word(), id.clone()))
                    .into(),
            ),
            Some(Record::Of(side, kind, id)) => Some([(*side, kind.word(), id.clone())].into()),
            Some(Record::Ticket(id)) => {
                Some([(Side::Desk, Subject::Ticket.word(), id.clone())].into())
            }
            Some(Record::Key(key)) => {
                let keyed = self.store.keyed(key).await?.into_iter();
                let named = keyed.map(|(side, kind, id)| (side, kind.word(), id));
                Some(named.collect())
            }
        };
        let (mappings, wanted) = (&self.mappings, selection.field.as_deref());
        let is_meant = |row: &mut JournalRow| {
            // A note cannot be taken back.
            if row.action == Deed::Note.word() {
                return false;
            }
            let kind = row.kind.as_str();
            row.fields.retain(|(change, _)| {
                wanted.is_none_or(|name| is_called(mappings, kind, change, name))
            });
            !row.fields.is_empty() || (wanted.is_none() && row.action == Deed::Delete.word())
        };
        Ok(self
            .store
            .written(selection.which, about.as_ref(), is_meant)
            .await?)
    }

    async fn undo_tickets(&self, tickets: BTreeMap<RecordId, Vec<JournalRow>>, out: &mut Undoing) {
        let Some(helpdesk) = self.connectors.desk.helpdesk() else {
            return;
        };
        for (id, rows) in tickets {
            match helpdesk.ticket(&id).await {
                Ok(Some(ticket)) if ticket.presence == Presence::Live => {
                    undo_ticket(&ticket, &rows, out);
                }
                Ok(_) => out.leave_ticket(&id, None, "the ticket is not there any more"),
                Err(error) => {
                    out.leave_ticket(&id, None, "the ticket could not be read");
                    out.errors.push(error);
                }
            }
        }
    }
}

/// Whether people may call the field that was changed of this kind of record `name`: by the plan's name of it, by
/// that of either side, or by the one that was written then.
fn is_called(mappings: &[Mapping], kind: &str, change: &FieldChange, name: &str) -> bool {
    let field = &change.field;
    let kind = Subject::read(kind).and_then(Subject::kind);
    let mapping = kind.and_then(|kind| mappings.iter().find(|it| it.kind == kind));
    let known = mapping.and_then(|it| it.fields.iter().find(|it| it.name == *field));
    let mut names = known
        .into_iter()
        .flat_map(|field| field.names(Side::Crm).chain(field.names(Side::Desk)));
    field == name || names.any(|it| it == name) || change.set.get(name).is_some()
}

/// What taking `rows` back does to a ticket.
fn undo_ticket(ticket: &Ticket, rows: &[JournalRow], out: &mut Undoing) {
    let changes = rows.iter().flat_map(|row| &row.fields);
    let (forgotten, changes): (Vec<&FieldChange>, Vec<_>) = changes
        .map(|(change, _)| change)
        .partition(|change| is_forgotten(change));
    let forgotten: BTreeSet<&str> = forgotten.iter().map(|it| it.field.as_str()).collect();
    for field in forgotten {
        out.stands = true;
        out.leave_ticket(&ticket.id, Some(field.to_owned()), FORGOTTEN);
    }
    let steps: Vec<Step> = changes
        .iter()
        .map(|change| Step::of_ticket(change))
        .collect();
    let (change, reverted) = revert_ticket(&steps, &ticket.image);
    for left in reverted.left {
        let why = match left.why {
            LeftWhy::Changed => "somebody has changed it since",
            LeftWhy::WasEmpty => "it was empty, and there is no way to empty it again but by hand",
        };
        out.stands |= left.why == LeftWhy::WasEmpty;
        out.leave_ticket(&ticket.id, Some(left.field), why);
    }
    let run = rows.last().map_or(0, |row| row.run);
    let fields: Vec<FieldChange> = reverted
        .restore
        .into_iter()
        .map(|(field, set)| FieldChange {
            base: Vec::new(),
            crm: Vec::new(),
            freshdesk: vec![Step::shown(&ticket.image, &field)],
            field,
            set,
            rule: Rule::Reverted(run),
        })
        .collect();
    if fields.is_empty() {
        return;
    }
    let raises = change.priority.is_some_and(|it| it > ticket.image.priority);
    out.writes.push(PlannedWrite {
        record: Subject::Ticket,
        action: if raises { Deed::Raise } else { Deed::Restore },
        side: Side::Desk,
        crm_id: None,
        freshdesk_id: Some(ticket.id.clone()),
        found: None,
        fields,
        customers: Vec::new(),
        unlink: false,
    });
}

impl Undoing {
    /// A create whose answer was lost: whoever was made was found again by other means.
    fn leave_unknown(&mut self, row: &JournalRow) {
        self.left.push(Unwritten {
            record: Subject::read(&row.kind).unwrap_or(Subject::Contact),
            crm_id: row.crm_id.clone(),
            freshdesk_id: row.desk_id.clone(),
            field: None,
            why: "no answer came to its creation: it is not known which record that made"
                .to_owned(),
        });
    }

    fn leave_ticket(&mut self, id: &RecordId, field: Option<String>, why: &str) {
        self.left.push(Unwritten {
            record: Subject::Ticket,
            crm_id: None,
            freshdesk_id: Some(id.clone()),
            field,
            why: why.to_owned(),
        });
    }
}

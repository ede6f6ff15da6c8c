//! What is known about a ticket, and how the state keeps it.

use super::StoreError;
use super::rows::{bulk, presence, presence_word};
use crate::model::{RecordId, Ticket, TicketImage, Version};
use crate::plan::{FieldChange, Memory, Pending};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Row as _, SqliteConnection};
use std::collections::BTreeSet;

/// A ticket with everything that we know about it.
#[derive(Debug, Clone)]
pub struct TicketRow {
    /// What it shows.
    pub ticket: Ticket,
    /// What we did to it.
    pub memory: Memory,
    /// A change whose outcome is not known, and its journal row.
    pub pending: Option<(Pending, i64)>,
    /// The version that our last confirmed change made.
    pub written_at: Option<Version>,
    /// The rule whose note was sent with an outcome that is not known, and its journal row.
    pub noting: Option<(String, i64)>,
    /// When age alone may change what the rules say.
    pub wake_at: Option<DateTime<Utc>>,
    /// Whether something undid our change at once.
    pub fought: bool,
    /// A change that failed (`failed`) or was refused (`refused`).
    pub parked: Option<ParkedTicket>,
    /// How many changes in a row came to nothing.
    pub attempts: u32,
    /// Whether it has to be planned once more.
    pub again: bool,
    /// Rules whose standing the requester has; `None` where the CRM does not know them.
    pub contact: Option<BTreeSet<String>>,
    /// Rules whose standing the company has; `None` where the CRM does not know it.
    pub company: Option<BTreeSet<String>>,
}

/// A change to a ticket that waits for its next try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedTicket {
    /// `failed` or `refused`.
    pub state: &'static str,
    /// The next try.
    pub due_at: DateTime<Utc>,
    /// In the server's words.
    pub error: String,
}

/// Longer than any pause.
const MOST: TimeDelta = TimeDelta::days(2);

impl ParkedTicket {
    /// Whether it is too early for the next try. A pause that ends after longer than any can take began while
    /// our clock was ahead, and is over.
    #[must_use]
    pub fn waits(&self, now: DateTime<Utc>) -> bool {
        self.due_at > now && self.due_at <= now + MOST
    }
}

impl TicketRow {
    /// Whether there is anything about the ticket that has to be remembered.
    #[must_use]
    pub fn matters(&self) -> bool {
        self.memory != Memory::default()
            || self.pending.is_some()
            || self.wake_at.is_some()
            || self.noting.is_some()
            || self.parked.is_some()
            || self.again
    }

    /// Whether something of ours stands on it that may have to be given back. What stands on a ticket
    /// that is done with is given back if it is opened again while anybody looks.
    fn bears_ours(&self) -> bool {
        let holds = self.memory.priority.is_some() || !self.memory.tags.is_empty();
        self.pending.is_some() || self.owes_notes() || (holds && !self.ticket.image.is_done_with())
    }

    /// Whether a note is still to be posted, or one may have been.
    #[must_use]
    pub fn owes_notes(&self) -> bool {
        self.noting.is_some() || self.memory.notes.values().any(|posted| !posted)
    }
}

/// A write to a ticket that is about to be sent.
#[derive(Debug, Clone)]
pub struct TicketIntent {
    /// Its number in the journal.
    pub journal: i64,
    /// The ticket.
    pub id: RecordId,
    /// `raise`, `restore` or `note`.
    pub action: &'static str,
    /// What changes.
    pub fields: Vec<FieldChange>,
}

/// What became of a write to a ticket.
#[derive(Debug, Clone)]
pub struct TicketFinish {
    /// Its number in the journal.
    pub journal: i64,
    /// The word for the journal.
    pub outcome: &'static str,
    /// The server's name for the call.
    pub request_id: Option<String>,
    /// In the server's words.
    pub message: Option<String>,
}

/// What is written about tickets in one go.
#[derive(Debug, Default)]
pub struct TicketSave {
    /// The tickets as they are to be remembered.
    pub rows: Vec<TicketRow>,
    /// Writes that are about to be sent.
    pub intents: Vec<TicketIntent>,
    /// Writes of which the outcome is known.
    pub finished: Vec<TicketFinish>,
}

/// How far a feed of tickets was read. Times are the server's, in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TicketPass {
    /// When the last complete pass began.
    pub mark: Option<i64>,
    /// When the pass that is under way began, and where it goes on.
    pub running: Option<(i64, String)>,
}

/// How far a page brings its feed.
#[derive(Debug, Clone, Copy)]
pub struct TicketProgress<'a> {
    /// `changes`, or `all` for a sweep.
    pub feed: &'static str,
    /// When the pass began, by the server's clock, in milliseconds.
    pub started_at: i64,
    /// Where it goes on; `None` where this was its last page.
    pub next: Option<&'a str>,
    /// Jobs that had ended before the page was asked for.
    pub ended: &'a [String],
}

/// Writes down what is known about these tickets; of which nothing has to be remembered is forgotten.
pub(super) async fn write_rows(
    tx: &mut SqliteConnection,
    rows: &[TicketRow],
) -> Result<(), StoreError> {
    let (mut kept, mut forgotten) = (Vec::new(), Vec::new());
    for it in rows {
        if !it.matters() {
            forgotten.push(&it.ticket.id);
            continue;
        }
        let (pending, journal) = match &it.pending {
            Some((pending, journal)) => (Some(serde_json::to_string(pending)?), Some(journal)),
            None => (None, None),
        };
        let parked = it.parked.as_ref();
        kept.push((
            (
                &it.ticket.id,
                it.ticket.version,
                presence_word(it.ticket.presence),
                serde_json::to_string(&it.ticket.image)?,
                serde_json::to_string(&it.memory)?,
            ),
            (
                pending,
                journal,
                it.written_at,
                it.noting.as_ref().map(|(rule, _)| rule),
                it.noting.as_ref().map(|(_, journal)| journal),
            ),
            (
                i64::from(it.owes_notes()),
                it.wake_at.map(|time| time.timestamp_millis()),
                i64::from(it.fought),
                i64::from(it.again),
                i64::from(it.bears_ours()),
            ),
            (
                parked.map(|it| it.state),
                it.attempts,
                parked.map(|it| it.due_at.timestamp_millis()),
                parked.map(|it| &it.error),
            ),
        ));
    }
    sqlx::query(
        "UPDATE ticket SET version = v ->> '$[0][1]', presence = v ->> '$[0][2]', image = v ->> '$[0][3]',
           memory = v ->> '$[0][4]', pending = v ->> '$[1][0]', journal = v ->> '$[1][1]',
           written_at = v ->> '$[1][2]', noting = v ->> '$[1][3]', owes = v ->> '$[2][0]',
           wake_at = v ->> '$[2][1]', fought = v ->> '$[2][2]', state = v ->> '$[3][0]',
           attempts = v ->> '$[3][1]', due_at = v ->> '$[3][2]', error = v ->> '$[3][3]', dirty = v ->> '$[2][3]',
           ours = v ->> '$[2][4]', note_journal = v ->> '$[1][4]', in_doubt = v ->> '$[1][0]' IS NOT NULL,
           job = CASE WHEN v ->> '$[1][0]' IS NOT NULL THEN job END
         FROM (SELECT value AS v FROM json_each(?1)) WHERE id = v ->> '$[0][0]'",
    )
    .bind(bulk(&kept)?)
    .execute(&mut *tx)
    .await?;
    if !forgotten.is_empty() {
        sqlx::query("DELETE FROM ticket WHERE id IN (SELECT value FROM json_each(?1))")
            .bind(bulk(&forgotten)?)
            .execute(tx)
            .await?;
    }
    Ok(())
}

/// A row of [`Store::tickets`](super::Store).
pub(super) fn ticket_row(row: &sqlx::sqlite::SqliteRow) -> Result<TicketRow, StoreError> {
    let image: TicketImage = serde_json::from_str(row.get(6))?;
    let pending = match (row.get::<Option<&str>, _>(8), row.get::<Option<i64>, _>(9)) {
        (Some(text), Some(journal)) => Some((serde_json::from_str(text)?, journal)),
        _ => None,
    };
    let standings = |column: usize| -> Result<Option<BTreeSet<String>>, StoreError> {
        let Some(text) = row.get::<Option<&str>, _>(column) else {
            return Ok(None);
        };
        let rules: Vec<Option<String>> = serde_json::from_str(text)?;
        Ok(Some(rules.into_iter().flatten().collect()))
    };
    let time = |millis: i64| Version(millis).time();
    let parked = row
        .get::<Option<&str>, _>(14)
        .zip(row.get::<Option<i64>, _>(16))
        .map(|(state, due_at)| ParkedTicket {
            state: if state == "refused" {
                "refused"
            } else {
                "failed"
            },
            due_at: time(due_at),
            error: row.get::<Option<String>, _>(17).unwrap_or_default(),
        });
    let company = row.get::<Option<String>, _>(2).map(RecordId);
    // A ticket that was opened for no company is no company's, whatever the CRM knows.
    let standings_of_company = match company {
        Some(_) => standings(20)?,
        None => Some(BTreeSet::new()),
    };
    Ok(TicketRow {
        ticket: Ticket {
            id: RecordId(row.get(0)),
            requester: RecordId(row.get(1)),
            company,
            version: Version(row.get(3)),
            created_at: time(row.get(4)),
            presence: presence(row.get(5)),
            first_answered_at: None,
            image,
        },
        memory: serde_json::from_str(row.get(7))?,
        pending,
        written_at: row.get::<Option<i64>, _>(10).map(Version),
        noting: row
            .get::<Option<String>, _>(11)
            .zip(row.get::<Option<i64>, _>(18)),
        wake_at: row.get::<Option<i64>, _>(12).map(time),
        fought: row.get(13),
        parked,
        attempts: u32::try_from(row.get::<i64, _>(15)).unwrap_or(u32::MAX),
        again: false,
        contact: standings(19)?,
        company: standings_of_company,
    })
}

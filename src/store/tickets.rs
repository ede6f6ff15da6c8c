//! Tickets that rules have to do with: what they show, what we did to them, and how far they were read.

use super::rows::{bulk, presence, presence_word, stamp};
use super::{Store, StoreError, generation};
use crate::model::{Image, Kind, Pair, RecordId, Ticket, TicketImage, Version};
use crate::plan::{FieldChange, Memory, Pending};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{AssertSqlSafe, Connection as _, Row as _, SqliteConnection};
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
}

/// How long a ticket may come back from the trash: 30 days, as the documentation of the Terraform provider
/// has it, and a little.
const TRASH_KEEPS: TimeDelta = TimeDelta::days(31);

impl Store {
    /// The number of a ticket's journal row that is about to be written.
    pub fn number_journal(&mut self) -> i64 {
        self.next_journal += 1;
        self.next_journal - 1
    }

    /// How far a feed of tickets was read: `changes`, or `all` for a sweep.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn ticket_pass(&mut self, feed: &'static str) -> Result<TicketPass, StoreError> {
        let row: Option<(Option<i64>, Option<i64>, Option<String>)> = sqlx::query_as(
            "SELECT mark, started_at, cursor FROM pass WHERE side = 'freshdesk' AND kind = 'ticket' AND feed = ?1",
        )
        .bind(feed)
        .fetch_optional(&mut self.connection)
        .await?;
        let (mark, started_at, cursor) = row.unwrap_or_default();
        Ok(TicketPass {
            mark,
            running: started_at.zip(cursor),
        })
    }

    /// Forgets how far tickets were read: nobody needs to know of them any more.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn forget_ticket_passes(&mut self) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM pass WHERE kind = 'ticket'")
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    /// Whether any ticket matters to anybody: a customer has a standing, or something of ours stands on
    /// a ticket that somebody may still work on, or take out of the trash.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn tickets_matter(&mut self, now: DateTime<Utc>) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM standing)
                    OR EXISTS (SELECT 1 FROM ticket WHERE ours = 1
                               AND (presence = 'live' OR (presence = 'trashed' AND version >= ?1)))
                    OR EXISTS (SELECT 1 FROM ticket WHERE dirty = 1 AND presence = 'live')",
        )
        .bind((now - TRASH_KEEPS).timestamp_millis())
        .fetch_one(&mut self.connection)
        .await?)
    }

    /// Takes in tickets that were read: those that are `wanted` where their requester or company has
    /// a standing, and every one that is remembered. `customers` had all of theirs read with these.
    ///
    /// # Errors
    ///
    /// Where the database fails; then nothing of it is in.
    pub async fn take_tickets(
        &mut self,
        tickets: &[(Ticket, bool)],
        progress: Option<TicketProgress<'_>>,
        customers: &[i64],
    ) -> Result<(), StoreError> {
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        if !tickets.is_empty() {
            take(&mut tx, tickets).await?;
        }
        if let Some(progress) = progress {
            advance(&mut tx, progress).await?;
        }
        if !customers.is_empty() {
            sqlx::query("UPDATE standing SET phase = 'read' WHERE record IN (SELECT value FROM json_each(?1))")
                .bind(bulk(customers)?)
                .execute(&mut *tx)
                .await?;
        }
        Ok(tx.commit().await?)
    }

    /// Up to `limit` tickets that have to be planned, with ids above `after` in the order of text. One
    /// that was not looked at since a change was sent is not among them: what it showed before says
    /// nothing about what became of the change.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn tickets_due(
        &mut self,
        now: DateTime<Utc>,
        after: &str,
        limit: i64,
    ) -> Result<Vec<TicketRow>, StoreError> {
        let which = "t.id IN (SELECT id FROM ticket WHERE dirty = 1 UNION SELECT id FROM ticket WHERE wake_at <= ?1
               UNION SELECT id FROM ticket WHERE due_at <= ?1 UNION SELECT id FROM ticket WHERE owes = 1)
             AND t.id > ?2 AND t.presence = 'live' AND t.in_doubt = 0 ORDER BY t.id LIMIT ?3";
        self.tickets(which, now, after, limit).await
    }

    /// The tickets that `which` says, by `?1` to `?3`: a time, an id and how many.
    pub(super) async fn tickets(
        &mut self,
        which: &'static str,
        now: DateTime<Utc>,
        after: &str,
        limit: i64,
    ) -> Result<Vec<TicketRow>, StoreError> {
        let sql = format!(
            "SELECT t.id, t.requester, t.company, t.version, t.created_at, t.presence, t.image, t.memory,
               t.pending, t.journal, t.written_at, t.noting, t.wake_at, t.fought, t.state, t.attempts, t.due_at, t.error, t.note_journal,
               (SELECT json_group_array(s.rule) FROM record AS d JOIN link AS l ON l.id = d.link
                  JOIN record AS c ON c.id = l.crm AND c.presence = 'live' LEFT JOIN standing AS s ON s.record = c.id
                WHERE d.side = 'freshdesk' AND d.kind = 'contact' AND d.remote_id = t.requester HAVING count(*) > 0),
               (SELECT json_group_array(s.rule) FROM record AS d JOIN link AS l ON l.id = d.link
                  JOIN record AS c ON c.id = l.crm AND c.presence = 'live' LEFT JOIN standing AS s ON s.record = c.id
                WHERE d.side = 'freshdesk' AND d.kind = 'company' AND d.remote_id = t.company HAVING count(*) > 0)
             FROM ticket AS t WHERE {which}"
        );
        // Both halves of the statement are texts of this file.
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(now.timestamp_millis())
            .bind(after)
            .bind(limit)
            .fetch_all(&mut self.connection)
            .await?;
        rows.iter().map(ticket_row).collect()
    }

    /// Writes down what is known about tickets, what is about to be sent, and what became of what was
    /// sent, in one transaction. With intents it waits for the disk: what stood there before must
    /// never be forgotten.
    ///
    /// # Errors
    ///
    /// Where the database fails; then nothing of it is written, and nothing may be sent.
    pub async fn save_tickets(
        &mut self,
        cycle: i64,
        now: DateTime<Utc>,
        save: &TicketSave,
    ) -> Result<(), StoreError> {
        let sends = !save.intents.is_empty();
        if sends {
            self.durable(true).await?;
        }
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        write_rows(&mut tx, &save.rows).await?;
        open_journal(&mut tx, cycle, now, &save.intents).await?;
        close_journal(&mut tx, &save.finished).await?;
        let grown = if sends {
            generation::advance(&mut tx).await?
        } else {
            None
        };
        tx.commit().await?;
        if sends {
            self.durable(false).await?;
            self.generation.keep(grown)?;
        }
        Ok(())
    }
}

async fn take(tx: &mut SqliteConnection, tickets: &[(Ticket, bool)]) -> Result<(), StoreError> {
    let mut rows = Vec::with_capacity(tickets.len());
    for (it, wanted) in tickets {
        rows.push((
            &it.id,
            &it.requester,
            &it.company,
            it.version,
            it.created_at.timestamp_millis(),
            presence_word(it.presence),
            serde_json::to_string(&it.image)?,
            wanted,
        ));
    }
    // A lagging read must not look like an edit: what is older than what is known says nothing. What
    // was refused is tried again after any change, for what it lacked may be a field that we do not read.
    // Where all that a job is to change stands there, it has done so, whatever becomes of its other tickets:
    // until it ends somebody may decide otherwise.
    sqlx::query(
        "INSERT INTO ticket (id, requester, company, version, created_at, presence, image)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
         FROM json_each(?1) AS news
         WHERE EXISTS (SELECT 1 FROM ticket WHERE id = value ->> 0)
            OR (value ->> 7 AND value ->> 5 = 'live' AND EXISTS (
                 SELECT 1 FROM record AS d JOIN link AS l ON l.id = d.link JOIN standing AS s ON s.record = l.crm
                 WHERE d.side = 'freshdesk' AND ((d.kind = 'contact' AND d.remote_id = value ->> 1)
                                              OR (d.kind = 'company' AND d.remote_id = value ->> 2))))
         ON CONFLICT (id) DO UPDATE SET
           dirty = dirty OR pending IS NOT NULL OR image <> excluded.image OR requester <> excluded.requester
                   OR company IS NOT excluded.company OR presence <> excluded.presence
                   OR (state IS NOT NULL AND version < excluded.version),
           state = CASE WHEN version = excluded.version THEN state END,
           due_at = CASE WHEN version = excluded.version THEN due_at END,
           attempts = CASE WHEN image = excluded.image THEN attempts ELSE 0 END,
           in_doubt = in_doubt AND job IS NOT NULL
                      AND json_patch(excluded.image, pending ->> '$.change') IS NOT excluded.image,
           pending = CASE WHEN json_patch(excluded.image, pending ->> '$.change') = excluded.image
                          THEN json_set(pending, '$.shown', json('true')) ELSE pending END,
           requester = excluded.requester, company = excluded.company, version = excluded.version,
           presence = excluded.presence, image = excluded.image
         WHERE excluded.version >= version",
    )
    .bind(bulk(&rows)?)
    .execute(tx)
    .await?;
    Ok(())
}

async fn advance(tx: &mut SqliteConnection, to: TicketProgress<'_>) -> Result<(), StoreError> {
    let sql = if to.next.is_some() {
        "INSERT INTO pass (side, kind, feed, started_at, cursor) VALUES ('freshdesk', 'ticket', ?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET started_at = excluded.started_at, cursor = excluded.cursor"
    } else {
        "INSERT INTO pass (side, kind, feed, mark, cursor) VALUES ('freshdesk', 'ticket', ?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET mark = excluded.mark, started_at = NULL, cursor = NULL"
    };
    sqlx::query(sql)
        .bind(to.feed)
        .bind(to.started_at)
        .bind(to.next)
        .execute(tx)
        .await?;
    Ok(())
}

async fn write_rows(tx: &mut SqliteConnection, rows: &[TicketRow]) -> Result<(), StoreError> {
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

async fn open_journal(
    tx: &mut SqliteConnection,
    cycle: i64,
    now: DateTime<Utc>,
    intents: &[TicketIntent],
) -> Result<(), StoreError> {
    let mut rows = Vec::with_capacity(intents.len());
    for it in intents {
        rows.push((
            it.journal,
            it.action,
            &it.id,
            serde_json::to_string(&it.fields)?,
        ));
    }
    sqlx::query(
        "INSERT INTO journal (id, cycle, at, side, kind, action, desk_id, fields)
         SELECT value ->> 0, ?2, ?3, 'freshdesk', 'ticket', value ->> 1, value ->> 2, value ->> 3 FROM json_each(?1)",
    )
    .bind(bulk(&rows)?)
    .bind(cycle)
    .bind(stamp(now))
    .execute(tx)
    .await?;
    Ok(())
}

async fn close_journal(
    tx: &mut SqliteConnection,
    finished: &[TicketFinish],
) -> Result<(), StoreError> {
    let rows: Vec<_> = finished
        .iter()
        .map(|it| (it.journal, it.outcome, &it.request_id, &it.message))
        .collect();
    sqlx::query(
        "UPDATE journal SET outcome = news.value ->> 1, request_id = news.value ->> 2, message = news.value ->> 3
         FROM json_each(?1) AS news WHERE journal.id = news.value ->> 0",
    )
    .bind(bulk(&rows)?)
    .execute(tx)
    .await?;
    Ok(())
}

fn ticket_row(row: &sqlx::sqlite::SqliteRow) -> Result<TicketRow, StoreError> {
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

impl Store {
    /// What both sides show of the contact or company that has this id in Freshdesk.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn images_of(
        &mut self,
        kind: Kind,
        desk: &RecordId,
    ) -> Result<Pair<Option<Image>>, StoreError> {
        let row: Option<(String, Option<String>)> = sqlx::query_as(
            "SELECT d.image, c.image FROM record AS d LEFT JOIN link AS l ON l.id = d.link
             LEFT JOIN record AS c ON c.id = l.crm AND c.presence = 'live'
             WHERE d.side = 'freshdesk' AND d.kind = ?1 AND d.remote_id = ?2",
        )
        .bind(kind.word())
        .bind(&desk.0)
        .fetch_optional(&mut self.connection)
        .await?;
        let Some((desk, crm)) = row else {
            return Ok(Pair::default());
        };
        Ok(Pair {
            crm: crm.as_deref().map(serde_json::from_str).transpose()?,
            desk: Some(serde_json::from_str(&desk)?),
        })
    }
}

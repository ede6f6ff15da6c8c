//! Tickets that rules have to do with: taken in, looked up and written down, and how far they were read.

use super::rows::{bulk, presence_word, stamp};
use super::ticket_row::{
    TicketFinish, TicketIntent, TicketPass, TicketProgress, TicketRow, TicketSave, ticket_row,
    write_rows,
};
use super::{Store, StoreError, generation};
use crate::model::{Image, Kind, Pair, RecordId, Ticket};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

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
            let ended = progress.map(|it| it.ended).unwrap_or_default();
            take(&mut tx, tickets, ended).await?;
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
               UNION SELECT id FROM ticket WHERE due_at <= ?1 UNION SELECT id FROM ticket WHERE due_at > ?1 + 2 * 86400000
               UNION SELECT id FROM ticket WHERE owes = 1)
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

/// Takes in what tickets show after these jobs have `ended`.
async fn take(
    tx: &mut SqliteConnection,
    tickets: &[(Ticket, bool)],
    ended: &[String],
) -> Result<(), StoreError> {
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
    // until it ends somebody may decide otherwise. And where none of it stands there once it has ended, it
    // has passed the ticket by, whatever somebody sets before this is acted on.
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
                          THEN json_set(pending, '$.shown', json('true'))
                          WHEN excluded.presence = 'live' AND (job IS NULL OR job IN (SELECT value FROM json_each(?2)))
                               AND NOT EXISTS (SELECT 1 FROM json_each(pending, '$.change') AS asked WHERE
                                 excluded.image ->> asked.key IS NOT pending -> '$.before' ->> asked.key)
                          THEN json_set(pending, '$.passed_by', json('true')) ELSE pending END,
           requester = excluded.requester, company = excluded.company, version = excluded.version,
           presence = excluded.presence, image = excluded.image
         WHERE excluded.version >= version",
    )
    .bind(bulk(&rows)?)
    .bind(bulk(ended)?)
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

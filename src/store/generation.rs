//! Whether the state is the newest of its copies, or an old one that was put back.
//!
//! A number grows in the state and in a small file beside it, at every start and before anything is
//! sent. The file is made anew each time and knows its own inode and time of birth, so that a copy of
//! it is told from the original ([`mark`]). A state that is behind the file, or has none of its own, may lack
//! writes that were made since: what it takes for agreed is not, and what it never saw made may exist.

mod mark;

use super::{Store, StoreError};
use crate::model::Kind;
pub(super) use mark::Beside;
pub(super) use mark::beside;
use mark::{Doubt, write};
use sqlx::{Connection as _, SqliteConnection};
use std::path::PathBuf;

/// What an open store knows of its own generation.
#[derive(Debug)]
pub(super) struct Generation {
    /// What was found when the store was opened.
    beside: Beside,
    /// The file to keep; `None` for a copy that is thrown away.
    keep: Option<PathBuf>,
    /// The state's name, once it has begun.
    state: Option<String>,
    /// Whether everything has to be read before anything is written.
    distrusted: bool,
    /// What is still to be said in the log.
    unsaid: Vec<String>,
}

/// A state's own row: name, number, last row of the journal, doubt.
type Row = (String, i64, i64, Option<String>);

impl Generation {
    pub(super) const fn new(beside: Beside, keep: Option<PathBuf>) -> Self {
        Self {
            beside,
            keep,
            state: None,
            distrusted: false,
            unsaid: Vec::new(),
        }
    }

    /// Writes the number down beside the state, so that it outlives the state itself. What comes of
    /// [`advance`], after its transaction and before anything is sent.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written; then nothing may be sent.
    pub(super) fn keep(&self, grown: Option<(i64, i64)>) -> Result<(), StoreError> {
        let (Some(path), Some(state), Some((generation, journal))) =
            (&self.keep, &self.state, grown)
        else {
            return Ok(());
        };
        let path = beside(path);
        write(&path, state, generation, journal)
            .map_err(|source| StoreError::Unopenable { path, source })
    }
}

/// The number grows; returns it and the journal's last row. `None` where the state has none yet.
pub(super) async fn advance(tx: &mut SqliteConnection) -> Result<Option<(i64, i64)>, StoreError> {
    let row = sqlx::query_as(
        "UPDATE generation SET number = number + 1, journal = (SELECT coalesce(max(id), 0) FROM journal)
         RETURNING number, journal",
    );
    Ok(row.fetch_optional(tx).await?)
}

impl Store {
    /// Finds out whether the state is the newest of its copies, and counts this start; once a store.
    pub(super) async fn begin_generation(&mut self) -> Result<(), StoreError> {
        if self.generation.state.is_some() {
            return Ok(());
        }
        let row: Option<Row> =
            sqlx::query_as("SELECT state, number, journal, doubt FROM generation")
                .fetch_optional(&mut self.connection)
                .await?;
        let (linked, drawn): (bool, String) =
            sqlx::query_as("SELECT EXISTS (SELECT 1 FROM link), lower(hex(randomblob(16)))")
                .fetch_one(&mut self.connection)
                .await?;
        let rows = self.next_journal - 1;
        let beside = self.generation.beside.clone();
        let doubt = match (&row, &beside) {
            (Some((name, number, ..)), _) => beside.judge(name, *number, rows),
            // An earlier version left it, and a later one ran here since.
            (None, Beside::Mark { journal, .. }) if linked => Some(Doubt::Older {
                missing: (journal - rows).max(0),
            }),
            (None, _) => None,
        };
        let (name, number, journalled, before) = row.unwrap_or((drawn, 0, 0, None));
        let torn = journalled - rows;
        let lost = self.lost_rows().await? - torn.max(0);
        if lost > 0 {
            self.generation.unsaid.push(format!(
                "{lost} rows of the journal are gone, and cannot be shown or taken back: somebody or something else took them out"
            ));
        }
        let doubt = doubt.or_else(|| (torn > 0).then_some(Doubt::Torn { lost: torn }));
        let mut number = number;
        if let Beside::Mark {
            generation,
            journal,
            ..
        } = &beside
            && doubt != Some(Doubt::Replaced)
        {
            number = number.max(*generation);
            // No number of a row that this state has lost is used for another.
            self.next_journal = self.next_journal.max(journal + 1);
        }
        self.next_journal = self.next_journal.max(journalled + 1);
        self.generation.state = Some(name.clone());
        self.generation.distrusted = doubt.is_some() || before.is_some();
        let text = doubt.map(|doubt| doubt.to_string()).or(before);
        if let Some(text) = &text {
            self.generation.unsaid.push(format!("{text}: everything is read before anything is written, nothing is deleted, and where both sides differ the conflict policy decides"));
        }
        self.write_generation(&name, number, text.as_deref(), doubt.is_some())
            .await
    }

    async fn write_generation(
        &mut self,
        name: &str,
        number: i64,
        doubt: Option<&str>,
        is_new: bool,
    ) -> Result<(), StoreError> {
        self.durable(true).await?;
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "INSERT INTO generation (id, state, number, journal, doubt, rows)
             VALUES (1, ?1, ?2, 0, ?3, (SELECT count(*) FROM journal))
             ON CONFLICT DO UPDATE SET number = excluded.number, doubt = excluded.doubt,
               rows = coalesce(rows, excluded.rows)",
        )
        .bind(name)
        .bind(number)
        .bind(doubt)
        .execute(&mut *tx)
        .await?;
        if is_new {
            distrust(&mut tx).await?;
        }
        let grown = advance(&mut tx).await?;
        tx.commit().await?;
        self.durable(false).await?;
        self.generation.keep(grown)
    }

    /// Whether everything has to be read before anything is written: the state is an old copy, or
    /// was moved, and no cycle has been through since.
    #[must_use]
    pub const fn is_distrusted(&self) -> bool {
        self.generation.distrusted
    }

    /// How many rows the journal should have and has not. An earlier version has not counted them.
    async fn lost_rows(&mut self) -> Result<i64, StoreError> {
        let lost: Option<i64> = sqlx::query_scalar(
            "SELECT rows - (SELECT count(*) FROM journal) FROM generation WHERE rows IS NOT NULL",
        )
        .fetch_optional(&mut self.connection)
        .await?;
        Ok(lost.unwrap_or(0))
    }

    /// What the log has to be told of the state itself, once.
    pub fn take_sayings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.generation.unsaid)
    }

    /// What is missing from the journal was told: from now on it is measured against what is there.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn count_journal(&mut self) -> Result<(), StoreError> {
        sqlx::query("UPDATE generation SET rows = (SELECT count(*) FROM journal)")
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    /// In a state that is distrusted, once everything of a kind was read: a record without a match key may have
    /// a counterpart that was made after this copy. It is left alone until somebody edits it.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn spare_keyless(&mut self, kind: Kind) -> Result<u64, StoreError> {
        let spared = sqlx::query(
            "UPDATE record SET standing = 'spared', dirty = 0,
               because = 'it has no match key, and may have a counterpart that this older copy of the state does not know; it is left alone until it is edited'
             WHERE kind = ?1 AND link IS NULL AND presence = 'live' AND dirty = 1 AND keys = '[]'
               AND version <> -1",
        )
        .bind(kind.word())
        .execute(&mut self.connection)
        .await?;
        Ok(spared.rows_affected())
    }

    /// Whether this record is left alone until it is edited, since an older copy of the state cannot say
    /// whether it has a counterpart.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn is_spared(&mut self, row: i64) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM record WHERE id = ?1 AND standing = 'spared')",
        )
        .bind(row)
        .fetch_one(&mut self.connection)
        .await?)
    }

    /// The state is trusted again: a cycle has read everything and was through. What is not there any
    /// more is never deleted across by itself, now or later: nobody knows what happened since.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn trust(&mut self) -> Result<(), StoreError> {
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        for sql in [
            "UPDATE record SET standing = 'unsure', because = NULL, dirty = 1
             WHERE link IS NOT NULL AND presence <> 'live' AND standing IS NULL",
            "UPDATE generation SET doubt = NULL",
        ] {
            sqlx::query(sql).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        self.generation.distrusted = false;
        Ok(())
    }
}

/// What the state takes for agreed is forgotten: every pair is planned as at a first sync. So is which versions
/// are our own: what was changed since and changed back is a person's doing. And so is what was approved: it may
/// have been done since, and what is wanted now was shown to nobody.
async fn distrust(tx: &mut SqliteConnection) -> Result<(), StoreError> {
    for sql in [
        "UPDATE record SET base = '{}', edited = NULL, dirty = 1 WHERE link IS NOT NULL",
        "UPDATE pass SET started_at = NULL, since = NULL, cursor = NULL",
        "DELETE FROM seen",
        "DELETE FROM asking",
        "DELETE FROM missing",
        "UPDATE standing SET phase = 'begun'",
        "UPDATE ticket SET dirty = 1",
        "INSERT OR IGNORE INTO unjudged (record) SELECT id FROM record WHERE side = 'crm'
           AND EXISTS (SELECT 1 FROM meta WHERE key = 'ticket_rules' AND value <> '{}')",
        "DELETE FROM support_written",
        "DELETE FROM guarded WHERE answer = 'approve'",
        "UPDATE hold SET answer = NULL WHERE record IS NULL AND class IN ('ticket', 'summary', 'summary_clear')",
        "INSERT OR REPLACE INTO support_due (kind, desk) SELECT 'contact', requester FROM support
           UNION SELECT 'company', company FROM support WHERE company IS NOT NULL",
    ] {
        sqlx::query(sql).execute(&mut *tx).await?;
    }
    Ok(())
}

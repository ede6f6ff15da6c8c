//! What the tickets of one customer come to, as the state has it.

use super::{Report, Story};
use crate::model::{Image, Kind};
use crate::plan::{Class, TicketsOf};
use crate::store::support::{of_late, tickets_of};
use crate::store::{Answer, StoreError};
use chrono::{DateTime, Utc};

/// What a summary of one customer is worked out from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SummaryView {
    /// Their tickets.
    pub tickets: TicketsOf,
    /// What each field of the CRM was last given.
    pub written: Image,
    /// Whether the next cycle works it out.
    pub due: bool,
}

impl Report {
    /// What the summary of this pair is worked out from; `None` where there is no pair, or no ticket was summed up
    /// yet.
    ///
    /// # Errors
    ///
    /// Where the database fails, or holds what we did not write.
    pub async fn summary_of(
        &mut self,
        story: &Story,
        now: DateTime<Utc>,
    ) -> Result<Option<SummaryView>, StoreError> {
        let (Some(crm), Some(desk)) = (&story.records.crm, &story.records.desk) else {
            return Ok(None);
        };
        // A state that an earlier version left knows none.
        if !self.has_table("support_due").await? {
            return Ok(None);
        }
        let tickets = tickets_of(story.kind, "?1");
        let sql = format!(
            "SELECT ({tickets}), (SELECT facts FROM support_written WHERE record = ?3),
               EXISTS (SELECT 1 FROM support_due WHERE kind = ?4 AND desk = ?1)
             WHERE EXISTS (SELECT 1 FROM meta WHERE key = 'support')"
        );
        // Nothing but one of two names of columns and words of ours is put into the statement's text.
        let row: Option<(String, Option<String>, bool)> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(&desk.id.0)
            .bind(of_late(now))
            .bind(crm.row)
            .bind(story.kind.word())
            .fetch_optional(&mut self.connection)
            .await
            .map_err(self.damaged())?;
        let Some((tickets, written, due)) = row else {
            return Ok(None);
        };
        Ok(Some(SummaryView {
            tickets: serde_json::from_str(&tickets)?,
            written: match written {
                Some(facts) => serde_json::from_str(&facts)?,
                None => Image::default(),
            },
            due,
        }))
    }

    /// What a person has said about a whole class of `kind`'s changes, and what is not carried out yet.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn answer_of_class(
        &mut self,
        kind: Kind,
        class: Class,
    ) -> Result<Option<Answer>, StoreError> {
        let said: Option<String> = sqlx::query_scalar(
            "SELECT answer FROM hold WHERE record IS NULL AND kind = ?1 AND class = ?2 AND answer IS NOT NULL",
        )
        .bind(kind.word())
        .bind(class.word())
        .fetch_optional(&mut self.connection)
        .await
        .map_err(self.damaged())?;
        Ok(said.map(|word| Answer::of_word(&word)))
    }
}

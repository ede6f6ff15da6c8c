//! What the journal has of one record.

use super::{Report, Story};
use crate::model::Side;
use crate::plan::FieldChange;
use crate::store::StoreError;
use crate::store::rows::side as side_of;

/// A write in the journal.
#[derive(Debug, Clone)]
pub struct Past {
    /// When.
    pub at: String,
    /// In which cycle.
    pub cycle: i64,
    /// The side written.
    pub side: Side,
    /// `create`, `update`, `delete`, `relink`, `keep` (both sides were left to differ), or what a rule did to a ticket.
    pub action: String,
    /// What became of it; `None` where nobody knows yet.
    pub outcome: Option<String>,
    /// The server's name for the call.
    pub request_id: Option<String>,
    /// In the server's words.
    pub message: Option<String>,
    /// The fields.
    pub fields: Vec<FieldChange>,
}

impl Report {
    /// The journal of a record and its counterpart, the newest first, at most `limit` writes.
    ///
    /// # Errors
    ///
    /// Where the database fails, or holds what we did not write.
    pub async fn past(&mut self, story: &Story, limit: i64) -> Result<Vec<Past>, StoreError> {
        let id = |side: Side| story.records.of(side).as_ref().map(|it| it.id.0.as_str());
        // By link it is quick, and shows what was written to the one whose place a record has taken as
        // well; a record without one has few enough writes, wherever they are.
        let which = match story.link {
            Some(_) => "link = ?4 AND kind = ?1",
            None => "?4 IS NULL AND kind = ?1 AND (crm_id = ?2 OR desk_id = ?3)",
        };
        let link = story.link.as_ref().map(|link| link.id.0);
        self.journal_rows(
            which,
            story.kind.word(),
            id(Side::Crm),
            id(Side::Desk),
            link,
            limit,
        )
        .await
    }

    /// What rules did to a ticket, the newest first, at most `limit` writes.
    ///
    /// # Errors
    ///
    /// Where the database fails, or holds what we did not write.
    pub async fn ticket_past(&mut self, id: &str, limit: i64) -> Result<Vec<Past>, StoreError> {
        let which = "kind = ?1 AND desk_id = ?3 AND ?2 IS NULL AND ?4 IS NULL";
        self.journal_rows(which, "ticket", None, Some(id), None, limit)
            .await
    }

    async fn journal_rows(
        &mut self,
        which: &'static str,
        kind: &str,
        crm: Option<&str>,
        desk: Option<&str>,
        link: Option<i64>,
        limit: i64,
    ) -> Result<Vec<Past>, StoreError> {
        type Row = (
            String,
            i64,
            String,
            String,
            Option<String>,
            Option<String>,
            Option<String>,
            String,
        );
        let sql = format!(
            "SELECT at, cycle, side, action, outcome, request_id, message, fields FROM journal
             WHERE {which} ORDER BY id DESC LIMIT ?5"
        );
        // Both halves of the statement are texts of this file.
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(kind)
            .bind(crm)
            .bind(desk)
            .bind(link)
            .bind(limit)
            .fetch_all(&mut self.connection)
            .await
            .map_err(self.damaged())?;
        rows.into_iter()
            .map(
                |(at, cycle, side, action, outcome, request_id, message, fields)| {
                    Ok(Past {
                        at,
                        cycle,
                        side: side_of(&side),
                        action,
                        outcome,
                        request_id,
                        message,
                        fields: serde_json::from_str(&fields)?,
                    })
                },
            )
            .collect()
    }
}

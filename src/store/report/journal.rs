//! What one cycle linked and wrote, in order.

use super::Report;
use crate::model::Side;
use crate::plan::FieldChange;
use crate::store::StoreError;
use sqlx::Row as _;

/// A link as a plan shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkView {
    /// Of which kind.
    pub kind: String,
    /// The CRM's id.
    pub crm_id: String,
    /// Freshdesk's id.
    pub desk_id: String,
    /// How it was found.
    pub found: String,
}

/// One write as the journal has it.
#[derive(Debug, Clone, PartialEq)]
pub struct JournalView {
    /// The side written.
    pub side: Side,
    /// Of which kind.
    pub kind: String,
    /// `create`, `update` or `delete`.
    pub action: String,
    /// The CRM's id.
    pub crm_id: Option<String>,
    /// Freshdesk's id.
    pub desk_id: Option<String>,
    /// The fields.
    pub fields: Vec<FieldChange>,
    /// What became of it.
    pub outcome: Option<String>,
}

impl Report {
    /// The links that a cycle found (not those that its creates made), in order, from number `after`
    /// on; at most `limit`, each with its number.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn links(
        &mut self,
        cycle: i64,
        after: i64,
        limit: i64,
    ) -> Result<Vec<(i64, LinkView)>, StoreError> {
        let rows: Vec<(i64, String, String, String, String)> = sqlx::query_as(
            "SELECT l.id, l.kind, c.remote_id, d.remote_id, l.found FROM link AS l
             JOIN record AS c ON c.id = l.crm JOIN record AS d ON d.id = l.desk
             WHERE l.cycle = ?1 AND l.id > ?2 AND l.found NOT LIKE 'created in %' ORDER BY l.id LIMIT ?3",
        )
        .bind(cycle)
        .bind(after)
        .bind(limit)
        .fetch_all(&mut self.connection)
        .await
        .map_err(self.damaged())?;
        Ok(rows
            .into_iter()
            .map(|(number, kind, crm_id, desk_id, found)| {
                let link = LinkView {
                    kind,
                    crm_id,
                    desk_id,
                    found,
                };
                (number, link)
            })
            .collect())
    }

    /// The writes of a cycle (records that took another's place are among its links, and what was left as it
    /// is was not written), in order, from journal number `after` on; at most `limit`, each with
    /// its number.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn journal(
        &mut self,
        cycle: i64,
        after: i64,
        limit: i64,
    ) -> Result<Vec<(i64, JournalView)>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, side, kind, action, crm_id, desk_id, fields, outcome FROM journal
             WHERE cycle = ?1 AND id > ?2 AND action NOT IN ('relink', 'keep') ORDER BY id LIMIT ?3",
        )
        .bind(cycle)
        .bind(after)
        .bind(limit)
        .fetch_all(&mut self.connection)
        .await
        .map_err(self.damaged())?;
        rows.iter()
            .map(|row| {
                Ok((
                    row.get(0),
                    JournalView {
                        side: crate::store::rows::side(row.get(1)),
                        kind: row.get(2),
                        action: row.get(3),
                        crm_id: row.get(4),
                        desk_id: row.get(5),
                        fields: serde_json::from_str(row.get(6))?,
                        outcome: row.get(7),
                    },
                ))
            })
            .collect()
    }
}

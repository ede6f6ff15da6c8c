//! What a saved plan says of the records that it was decided on.

use super::Report;
use crate::model::{Image, Kind, Presence, RecordId, Side, Version};
use crate::plan::Customer;
use crate::store::StoreError;
use crate::store::rows::presence;

impl Report {
    /// A record as the state has it.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn as_seen(
        &mut self,
        side: Side,
        kind: Kind,
        id: &RecordId,
    ) -> Result<Option<(Version, Presence, Image)>, StoreError> {
        let row: Option<(i64, String, String)> = sqlx::query_as(
            "SELECT version, presence, image FROM record WHERE side = ?1 AND kind = ?2 AND remote_id = ?3",
        )
        .bind(side.word())
        .bind(kind.word())
        .bind(&id.0)
        .fetch_optional(&mut self.connection)
        .await
        .map_err(self.damaged())?;
        let Some((version, word, image)) = row else {
            return Ok(None);
        };
        let image = serde_json::from_str(&image)?;
        Ok(Some((Version(version), presence(&word), image)))
    }

    /// How the pair of which this is a record was found, where that was in run `run`.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn found(
        &mut self,
        run: i64,
        side: Side,
        kind: Kind,
        id: &RecordId,
    ) -> Result<Option<String>, StoreError> {
        sqlx::query_scalar(
            "SELECT l.found FROM record AS r JOIN link AS l ON l.id = r.link
             WHERE r.side = ?1 AND r.kind = ?2 AND r.remote_id = ?3 AND l.cycle = ?4 AND l.found NOT LIKE 'created in %'",
        )
        .bind(side.word())
        .bind(kind.word())
        .bind(&id.0)
        .bind(run)
        .fetch_optional(&mut self.connection)
        .await
        .map_err(self.damaged())
    }

    /// Whose ticket it is: its requester and its company, as far as they are linked.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn customers(
        &mut self,
        ticket: &RecordId,
        run: i64,
    ) -> Result<Vec<Customer>, StoreError> {
        let rows: Vec<(String, String, String, Option<String>)> = sqlx::query_as(
            "SELECT d.kind, c.remote_id, d.remote_id,
                    CASE WHEN l.cycle = ?2 AND l.found NOT LIKE 'created in %' THEN l.found END
             FROM ticket AS t JOIN record AS d ON d.side = 'freshdesk'
               AND ((d.kind = 'contact' AND d.remote_id = t.requester) OR (d.kind = 'company' AND d.remote_id = t.company))
             JOIN link AS l ON l.id = d.link JOIN record AS c ON c.id = l.crm WHERE t.id = ?1 ORDER BY d.kind",
        )
        .bind(&ticket.0)
        .bind(run)
        .fetch_all(&mut self.connection)
        .await
        .map_err(self.damaged())?;
        let read = |(kind, crm, desk, found): (String, String, String, Option<String>)| Customer {
            kind: if kind == Kind::Company.word() {
                Kind::Company
            } else {
                Kind::Contact
            },
            crm_id: RecordId(crm),
            freshdesk_id: RecordId(desk),
            found,
        };
        Ok(rows.into_iter().map(read).collect())
    }
}

//! Taking one record's values out of the state, the journal and the file itself.

use super::rows::{bulk, side as side_of};
use super::{Report, Store, StoreError, pragma};
use crate::model::{Image, Kind, Pair, RecordId, Side, Value};
use crate::plan::FieldChange;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};
use std::collections::BTreeSet;

/// What stands in the journal in a value's place.
pub const FORGOTTEN: &str = "[forgotten]";
/// Rows of the journal that are rewritten in one go.
const CHUNK: usize = 500;

/// The fields whose values are a record's own, by side, kind and name. What else a record shows may be the address
/// of whoever looks after it, and of hundreds of others with it.
pub type Naming = BTreeSet<(Side, Kind, String)>;

/// What was taken out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Records.
    pub records: u64,
    /// Rows of the journal that had values.
    pub journal: u64,
    /// Whether the file's unused parts were overwritten as well; not while somebody else reads it.
    pub cleaned: bool,
}

/// A record and its counterpart, as `forget` needs them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The records' handles.
    pub rows: Vec<i64>,
    /// Contact or company.
    pub kind: Kind,
    /// The ids.
    pub ids: Pair<Option<RecordId>>,
    /// Whether each is there, as far as was seen.
    pub live: Pair<bool>,
    /// Whether a write about it was sent whose outcome is not known.
    pub in_doubt: bool,
}

/// Of a row of the journal: number, fields, message, cycle.
type JournalRow = (i64, String, Option<String>, i64);

impl Report {
    /// The records that have, or had when both sides last agreed, this address in a field of their own.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn known_by(
        &mut self,
        address: &str,
        naming: &Naming,
    ) -> Result<Vec<i64>, StoreError> {
        showing(&mut self.connection, address, naming).await
    }
}

impl Store {
    /// The record with this handle and its counterpart; `None` where there is none.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn remembered(&mut self, row: i64) -> Result<Option<Remembered>, StoreError> {
        let found: Vec<(i64, String, String, String, bool)> = sqlx::query_as(
            "SELECT r.id, r.side, r.kind, r.remote_id, r.presence = 'live' FROM record AS r
             WHERE r.id = ?1 OR r.id IN (
               SELECT l.crm + l.desk - ?1 FROM record AS me JOIN link AS l ON l.id = me.link WHERE me.id = ?1)",
        )
        .bind(row)
        .fetch_all(&mut self.connection)
        .await?;
        let Some((_, _, kind, ..)) = found.first() else {
            return Ok(None);
        };
        let kind = if kind == Kind::Company.word() {
            Kind::Company
        } else {
            Kind::Contact
        };
        let mut remembered = Remembered {
            rows: found.iter().map(|(row, ..)| *row).collect(),
            kind,
            ids: Pair::default(),
            live: Pair::default(),
            in_doubt: false,
        };
        for (_, side, _, id, live) in found {
            let side = side_of(&side);
            *remembered.ids.of_mut(side) = Some(RecordId(id));
            *remembered.live.of_mut(side) = live;
        }
        remembered.in_doubt = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM outbox WHERE state = 'sent' AND record IN (SELECT value FROM json_each(?1)))",
        )
        .bind(bulk(&remembered.rows)?)
        .fetch_one(&mut self.connection)
        .await?;
        Ok(Some(remembered))
    }

    /// Records without a counterpart that were this one's, or have one of its own addresses: who was
    /// deleted in both systems has no link any more.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn kin(&mut self, who: &Remembered, naming: &Naming) -> Result<Vec<i64>, StoreError> {
        let id = |side: Side| who.ids.of(side).as_ref().map(|id| id.0.as_str());
        let mut kin: BTreeSet<i64> = sqlx::query_scalar(
            "SELECT DISTINCT r.id FROM journal AS j JOIN record AS r ON r.kind = j.kind AND r.link IS NULL
               AND r.remote_id = CASE r.side WHEN 'crm' THEN j.crm_id ELSE j.desk_id END
             WHERE j.kind = ?1 AND (j.crm_id = ?2 OR j.desk_id = ?3)",
        )
        .bind(who.kind.word())
        .bind(id(Side::Crm))
        .bind(id(Side::Desk))
        .fetch_all(&mut self.connection)
        .await?
        .into_iter()
        .collect();
        for address in addresses(&mut self.connection, who, Some(naming)).await? {
            let same = showing(&mut self.connection, &address, naming).await?;
            let same: Vec<i64> = sqlx::query_scalar(
                "SELECT r.id FROM json_each(?1) AS it CROSS JOIN record AS r ON r.id = it.value
                 WHERE r.kind = ?2 AND r.link IS NULL",
            )
            .bind(bulk(&same)?)
            .bind(who.kind.word())
            .fetch_all(&mut self.connection)
            .await?;
            kin.extend(same);
        }
        Ok(kin.into_iter().collect())
    }

    /// Takes the values of a record and of its counterpart out of everything: the records, what they
    /// agreed on, their keys, what waits about them, what the journal and the reports of cycles quote.
    /// The journal keeps when which field was written and what came of it. Deleted bytes are
    /// overwritten.
    ///
    /// # Errors
    ///
    /// Where the database fails; then nothing is taken out, or all of it is, but the file's unused
    /// parts may still have it.
    pub async fn forget(&mut self, who: &Remembered) -> Result<Forgotten, StoreError> {
        pragma(&mut self.connection, "PRAGMA secure_delete = ON").await?;
        self.across.forget();
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let addresses = addresses(&mut tx, who, None).await?;
        let (journal, cycles) = redact_journal(&mut tx, who).await?;
        redact_reports(&mut tx, &addresses, &cycles).await?;
        take_out(&mut tx, who).await?;
        tx.commit().await?;
        // What was overwritten in place before lies in unused parts of the file; a new file has none.
        pragma(&mut self.connection, "VACUUM").await?;
        let (busy, ..): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)")
            .fetch_one(&mut self.connection)
            .await?;
        Ok(Forgotten {
            records: who.rows.len() as u64,
            journal,
            cleaned: busy == 0,
        })
    }
}

/// The records that show an address in one of the fields that are their own.
async fn showing(
    connection: &mut SqliteConnection,
    address: &str,
    naming: &Naming,
) -> Result<Vec<i64>, StoreError> {
    let naming: Vec<_> = naming.iter().collect();
    Ok(sqlx::query_scalar(
        "SELECT record FROM match_key WHERE value = ?1
         UNION SELECT r.id FROM record AS r
           CROSS JOIN json_each(json_array(json(r.image), json(coalesce(r.base, '{}')))) AS shown
           CROSS JOIN json_each(shown.value) AS field
         WHERE (instr(lower(r.image), ?1) > 0 OR instr(lower(r.base), ?1) > 0)
           AND (r.side, r.kind, field.key) IN (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?2))
           AND (lower(trim(field.value)) = ?1 OR EXISTS (
                  SELECT 1 FROM json_each(CASE field.type WHEN 'array' THEN field.value ELSE '[]' END) AS member
                  WHERE lower(trim(member.value)) = ?1))
         ORDER BY 1",
    )
    .bind(address.trim().to_lowercase())
    .bind(bulk(&naming)?)
    .fetch_all(connection)
    .await?)
}

/// Every text of the records that is an address: reports may quote those. With `naming`, of the fields that are
/// their own.
async fn addresses(
    tx: &mut SqliteConnection,
    who: &Remembered,
    naming: Option<&Naming>,
) -> Result<BTreeSet<String>, StoreError> {
    let images: Vec<(String, String, Option<String>)> = sqlx::query_as(
        "SELECT side, image, base FROM record WHERE id IN (SELECT value FROM json_each(?1))",
    )
    .bind(bulk(&who.rows)?)
    .fetch_all(tx)
    .await?;
    let mut found = BTreeSet::new();
    let texts = images.into_iter().flat_map(|(side, image, base)| {
        let side = side_of(&side);
        [Some(image), base]
            .into_iter()
            .flatten()
            .map(move |text| (side, text))
    });
    for (side, text) in texts {
        let image: Image = serde_json::from_str(&text)?;
        for (name, value) in image.0 {
            if naming.is_some_and(|it| !it.contains(&(side, who.kind, name))) {
                continue;
            }
            let texts = match value {
                Value::Text(text) => vec![text],
                Value::List(members) => members,
                _ => continue,
            };
            found.extend(texts.into_iter().filter(|text| text.contains('@')));
        }
    }
    Ok(found)
}

/// Puts [`FORGOTTEN`] in the place of every value that the journal has of these records, and of their
/// tickets.
/// Returns how many rows that are, and the cycles in which a system said something about one of them.
async fn redact_journal(
    tx: &mut SqliteConnection,
    who: &Remembered,
) -> Result<(u64, BTreeSet<i64>), StoreError> {
    let id = |side: Side| who.ids.of(side).as_ref().map(|id| id.0.as_str());
    let rows: Vec<JournalRow> = sqlx::query_as(
        "SELECT id, fields, message, cycle FROM journal
         WHERE (kind = ?1 AND (crm_id = ?2 OR desk_id = ?3))
            OR (kind = 'ticket' AND desk_id IN (
                  SELECT id FROM ticket WHERE CASE ?1 WHEN 'contact' THEN requester ELSE company END = ?3
                  UNION SELECT ticket FROM support WHERE CASE ?1 WHEN 'contact' THEN requester ELSE company END = ?3))",
    )
    .bind(who.kind.word())
    .bind(id(Side::Crm))
    .bind(id(Side::Desk))
    .fetch_all(&mut *tx)
    .await?;
    for chunk in rows.chunks(CHUNK) {
        let mut news = Vec::with_capacity(chunk.len());
        for (number, fields, message, _) in chunk {
            let fields: Vec<FieldChange> = serde_json::from_str(fields)?;
            let fields: Vec<FieldChange> = fields.into_iter().map(redacted).collect();
            let message = message.as_ref().map(|_| FORGOTTEN);
            news.push((number, serde_json::to_string(&fields)?, message));
        }
        // The link's number may become another pair's.
        sqlx::query(
            "UPDATE journal SET fields = news.value ->> 1, message = news.value ->> 2, link = NULL
             FROM json_each(?1) AS news WHERE journal.id = news.value ->> 0",
        )
        .bind(bulk(&news)?)
        .execute(&mut *tx)
        .await?;
    }
    let said = rows.iter().filter(|(_, _, message, _)| message.is_some());
    let cycles = said.map(|(_, _, _, cycle)| *cycle).collect();
    Ok((rows.len() as u64, cycles))
}

/// The change as it is told without its values. What was empty stays empty: that says nothing.
fn redacted(mut change: FieldChange) -> FieldChange {
    let hide = |value: &mut Value| {
        if !value.is_empty() {
            *value = Value::text(FORGOTTEN);
        }
    };
    let shown = [&mut change.base, &mut change.crm, &mut change.freshdesk];
    shown.into_iter().flatten().for_each(hide);
    change.set.0.values_mut().for_each(hide);
    change
}

/// Whether a value of this change was forgotten: there is nothing left to take back.
#[must_use]
pub fn is_forgotten(change: &FieldChange) -> bool {
    let mark = Value::text(FORGOTTEN);
    let shown = [&change.base, &change.crm, &change.freshdesk];
    let mut values = shown.into_iter().flatten().chain(change.set.0.values());
    values.any(|value| *value == mark)
}

async fn redact_reports(
    tx: &mut SqliteConnection,
    addresses: &BTreeSet<String>,
    cycles: &BTreeSet<i64>,
) -> Result<(), StoreError> {
    // What a system says about a refused write may be any value of it.
    for (table, text, of) in [
        ("cycle", "report", "id"),
        ("meta", "value", "key = 'last_cycle' AND value ->> '$.id'"),
    ] {
        let sql = format!(
            "UPDATE {table} SET {text} = json_set({text}, '$.troubles', json_array(?2))
             WHERE {of} IN (SELECT value FROM json_each(?1)) AND json_array_length({text}, '$.troubles') > 0"
        );
        // Nothing but words of this function is in the statement's text.
        sqlx::query(AssertSqlSafe(sql))
            .bind(bulk(&cycles.iter().collect::<Vec<_>>())?)
            .bind(FORGOTTEN)
            .execute(&mut *tx)
            .await?;
    }
    for address in addresses {
        for sql in [
            "UPDATE cycle SET report = replace(report, ?1, ?2) WHERE instr(report, ?1) > 0",
            "UPDATE meta SET value = replace(value, ?1, ?2) WHERE key = 'last_cycle' AND instr(value, ?1) > 0",
        ] {
            sqlx::query(sql)
                .bind(address)
                .bind(FORGOTTEN)
                .execute(&mut *tx)
                .await?;
        }
    }
    Ok(())
}

/// Takes the records out, and all that hangs on them. Others that shared a key with them are planned
/// anew.
async fn take_out(tx: &mut SqliteConnection, who: &Remembered) -> Result<(), StoreError> {
    let rows = bulk(&who.rows)?;
    for sql in [
        "UPDATE record SET dirty = 1, standing = NULL, because = NULL
         WHERE standing = 'shadowed' AND id IN (
           SELECT theirs.record FROM match_key AS mine JOIN match_key AS theirs USING (kind, key, value)
           WHERE mine.record IN (SELECT value FROM json_each(?1)))",
        "DELETE FROM match_key WHERE record IN (SELECT value FROM json_each(?1))",
        "DELETE FROM waiting WHERE record IN (SELECT value FROM json_each(?1))",
        "DELETE FROM seen WHERE record IN (SELECT value FROM json_each(?1))",
        "DELETE FROM missing WHERE record IN (SELECT value FROM json_each(?1))",
        "DELETE FROM outbox WHERE record IN (SELECT value FROM json_each(?1))",
        "DELETE FROM hold WHERE record IN (SELECT value FROM json_each(?1))",
        "DELETE FROM guarded WHERE record IN (SELECT value FROM json_each(?1))",
        "DELETE FROM notice WHERE record IN (SELECT value FROM json_each(?1))",
        "DELETE FROM standing WHERE record IN (SELECT value FROM json_each(?1))",
        "DELETE FROM unjudged WHERE record IN (SELECT value FROM json_each(?1))",
        "DELETE FROM support_written WHERE record IN (SELECT value FROM json_each(?1))",
        "DELETE FROM parted WHERE record IN (SELECT value FROM json_each(?1)) OR survivor IN (SELECT value FROM json_each(?1))",
        "DELETE FROM link WHERE crm IN (SELECT value FROM json_each(?1)) OR desk IN (SELECT value FROM json_each(?1))",
        "DELETE FROM unread WHERE (side, kind, remote_id) IN (
           SELECT side, kind, remote_id FROM record WHERE id IN (SELECT value FROM json_each(?1)))",
        "DELETE FROM record WHERE id IN (SELECT value FROM json_each(?1))",
    ] {
        sqlx::query(sql).bind(&rows).execute(&mut *tx).await?;
    }
    let Some(desk) = &who.ids.desk else {
        return Ok(());
    };
    // What rules did to the tickets is no value of theirs, and is still to be given back.
    for sql in [
        "UPDATE ticket SET error = ?3 WHERE error IS NOT NULL
         AND ((?1 = 'contact' AND requester = ?2) OR (?1 = 'company' AND company = ?2))",
        "DELETE FROM support_due WHERE kind = ?1 AND desk = ?2 AND ?3 IS NOT NULL",
    ] {
        sqlx::query(sql)
            .bind(who.kind.word())
            .bind(&desk.0)
            .bind(FORGOTTEN)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Rule;

    #[test]
    fn a_change_that_is_forgotten_still_tells_which_field_was_cleared() {
        let before = FieldChange {
            field: "name".to_owned(),
            base: vec!["Ada".into(), Value::Empty],
            crm: vec![Value::Empty],
            freshdesk: vec![Value::list(vec!["a".to_owned()])],
            set: Image::from([("name", Value::from("Ada")), ("other", Value::Empty)]),
            rule: Rule::Filled,
        };
        assert!(!is_forgotten(&before));
        let after = redacted(before);
        assert!(is_forgotten(&after));
        let text = serde_json::to_string(&after).unwrap();
        assert!(!text.contains("Ada"), "{text}");
        assert_eq!(after.crm, [Value::Empty]);
        assert_eq!(after.set.get("other"), Some(&Value::Empty));
        let read: FieldChange = serde_json::from_str(&text).unwrap();
        assert_eq!(read, after);
    }
}

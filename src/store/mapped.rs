//! Which mapping the state was made with, and what becomes of what it knows under another one.

use super::rows::{bulk, parse};
use super::{Store, StoreError};
use crate::mapping::{Field, Mapping};
use crate::model::{Image, Kind, Pair, fingerprint};
use crate::plan::is_no_agreement;
use serde_json::Value as Json;
use sqlx::{Connection as _, SqliteConnection};
use std::collections::BTreeMap;

/// How many pairs' bases are looked at in one go.
const CHUNK: i64 = 1_000;

/// What each kind's fields mean, as fingerprints by the fields' names.
type Meanings = BTreeMap<Kind, BTreeMap<String, String>>;

impl Store {
    /// Takes note of the mappings and of their digest. With others than before, everything is read again, then
    /// planned again, before anything is written; and a field that means something else than before is met anew
    /// by the pairs that agreed on something that it does not mean any more. Returns whether they are others.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn mapped_by<'a>(
        &mut self,
        digest: &str,
        mappings: impl Iterator<Item = &'a Mapping>,
    ) -> Result<bool, StoreError> {
        let mappings: Vec<&Mapping> = mappings.collect();
        let meanings: Meanings = mappings
            .iter()
            .map(|it| (it.kind, fingerprints(it)))
            .collect();
        let told = serde_json::to_string(&meanings)?;
        let known = self.meta("mapping").await?;
        let meant = self.meta("fields").await?;
        if known.as_deref() == Some(digest) {
            // A state of an earlier version does not say what the fields mean.
            self.set_meta("fields", &told).await?;
            return Ok(false);
        }
        let meant: Option<Meanings> = meant.map(|text| serde_json::from_str(&text)).transpose()?;
        // An old copy has to ask for each record that a listing does not show: its marks stay.
        let passes = if self.is_distrusted() {
            "UPDATE pass SET started_at = NULL, since = NULL, cursor = NULL"
        } else {
            "DELETE FROM pass WHERE kind <> 'ticket'"
        };
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        // A version that no record has makes the next pass take every row for news, keys included. What
        // became of a record, and what people have decided about it, is found nowhere else.
        for statement in [
            "UPDATE record SET version = -1, dirty = 1, keys = '[]' WHERE standing IS NOT 'spared'",
            "UPDATE record SET standing = NULL, because = NULL
             WHERE standing NOT IN ('detached', 'moved', 'converted', 'unsure', 'spared')",
        ] {
            sqlx::query(statement).execute(&mut *tx).await?;
        }
        for statement in [
            "DELETE FROM match_key",
            passes,
            "DELETE FROM seen",
            "DELETE FROM asking",
            "DELETE FROM missing",
            "DELETE FROM notice",
            "DELETE FROM waiting",
        ] {
            sqlx::query(statement).execute(&mut *tx).await?;
        }
        // What is approved and not written yet was shown as the other mappings had it.
        sqlx::query("DELETE FROM guarded WHERE answer = 'approve'")
            .execute(&mut *tx)
            .await?;
        // Of a kind that is not mapped any more nobody is asked, and nothing is tried again; what was sent without
        // an answer is looked at should it be mapped once more.
        let kinds: Vec<Kind> = meanings.keys().copied().collect();
        for statement in [
            "DELETE FROM hold WHERE kind <> 'ticket' AND kind NOT IN (SELECT value FROM json_each(?1))",
            "DELETE FROM guarded WHERE kind NOT IN (SELECT value FROM json_each(?1))",
            "DELETE FROM outbox WHERE state <> 'sent' AND kind NOT IN (SELECT value FROM json_each(?1))",
            "DELETE FROM unread WHERE kind NOT IN (SELECT value FROM json_each(?1))",
            "DELETE FROM certificate WHERE kind NOT IN (SELECT value FROM json_each(?1))",
        ] {
            let query = sqlx::query(statement).bind(bulk(&kinds)?);
            query.execute(&mut *tx).await?;
        }
        for mapping in mappings {
            let before = meant.as_ref().and_then(|meant| meant.get(&mapping.kind));
            let now = meanings.get(&mapping.kind);
            let changed = |field: &&Field| {
                let known = before.and_then(|it| it.get(&field.name));
                known.is_none() || known != now.and_then(|it| it.get(&field.name))
            };
            let fields: Vec<&Field> = mapping.fields.iter().filter(changed).collect();
            meet_anew(&mut tx, mapping.kind, &fields).await?;
        }
        for (key, value) in [("mapping", digest), ("fields", told.as_str())] {
            sqlx::query(
                "INSERT INTO meta (key, value) VALUES (?1, ?2)
                 ON CONFLICT DO UPDATE SET value = excluded.value",
            )
            .bind(key)
            .bind(value)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(known.is_some())
    }
}

fn fingerprints(mapping: &Mapping) -> BTreeMap<String, String> {
    let fields = mapping.fields.iter();
    fields
        .map(|field| {
            (
                field.name.clone(),
                fingerprint(&Json::Array(field.meaning()).to_string()),
            )
        })
        .collect()
}

/// Takes `fields` out of the bases of the pairs that have not agreed on what they mean now.
///
/// Freshdesk's base loses them alone, which is enough: its names are in one field each, a CRM's may be in others,
/// which mean what they did.
async fn meet_anew(
    tx: &mut SqliteConnection,
    kind: Kind,
    fields: &[&Field],
) -> Result<(), StoreError> {
    let mut after = 0;
    while !fields.is_empty() {
        let text: Option<String> = sqlx::query_scalar(
            "SELECT json_group_array(json_array(id, row, json(crm), json(desk), company)) FROM (
               SELECT l.id AS id, d.id AS row, coalesce(c.base, c.image) AS crm, coalesce(d.base, d.image) AS desk,
                      (SELECT there.remote_id FROM record AS here CROSS JOIN link AS both ON both.crm = here.id
                         CROSS JOIN record AS there ON there.id = both.desk
                       WHERE here.side = 'crm' AND here.kind = 'company'
                         AND here.remote_id = coalesce(c.base, c.image) ->> '@company') AS company
               FROM link AS l CROSS JOIN record AS c ON c.id = l.crm CROSS JOIN record AS d ON d.id = l.desk
               WHERE l.kind = ?1 AND l.id > ?2 ORDER BY l.id LIMIT ?3)",
        )
        .bind(kind.word())
        .bind(after)
        .bind(CHUNK)
        .fetch_one(&mut *tx)
        .await?;
        let pairs: Vec<(i64, i64, Image, Image, Option<String>)> = parse(text)?;
        let Some(last) = pairs.iter().map(|(link, ..)| *link).max() else {
            return Ok(());
        };
        after = last;
        let mut rebased = Vec::new();
        for (_, row, crm, desk, company) in pairs {
            let mut bases = Pair { crm, desk };
            let company = company.as_deref();
            let stale = |field: &&&Field| is_no_agreement(field, &bases, company);
            let stale: Vec<&str> = fields
                .iter()
                .filter(stale)
                .map(|it| it.desk.as_str())
                .collect();
            if !stale.is_empty() {
                bases
                    .desk
                    .0
                    .retain(|name, _| !stale.contains(&name.as_str()));
                rebased.push((row, serde_json::to_string(&bases.desk)?));
            }
        }
        sqlx::query(
            "UPDATE record SET base = news.value ->> 1 FROM json_each(?1) AS news
             WHERE record.id = news.value ->> 0",
        )
        .bind(bulk(&rebased)?)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

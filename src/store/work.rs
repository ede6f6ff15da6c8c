//! What is to be planned, in chunks, as the planner wants it.

use super::parted::{Parted, parted};
use super::rows::{bulk, parse};
use super::{Store, StoreError};
use crate::model::{Image, Kind, LinkId, Pair, Presence, RecordId, Side, Version};
use crate::plan::{Index, Known, PairState};
use sqlx::SqliteConnection;

/// An unlinked record that has to be planned.
#[derive(Debug, Clone)]
pub struct LooseRow {
    /// Its handle in the state.
    pub row: i64,
    /// Whose record it is.
    pub side: Side,
    /// Its id there.
    pub id: RecordId,
    /// When it was last changed.
    pub version: Version,
    /// What it shows.
    pub image: Image,
    /// Its match keys, `(which key, value)`.
    pub keys: Vec<(usize, String)>,
    /// Whether it lost its counterpart and is to be left without one.
    pub detached: bool,
    /// The companies across, as in [`PairState::companies`].
    pub companies: Pair<Option<RecordId>>,
}

/// A linked pair that has to be planned.
#[derive(Debug, Clone)]
pub struct PairRow {
    /// The handles of its two records.
    pub rows: Pair<i64>,
    /// What the planner needs.
    pub state: PairState,
    /// What became of a record that is gone, where more is known than that.
    pub fates: Pair<Option<Fate>>,
    /// Whether the base of a record was moved while it was looked at, so that it has to be kept.
    pub moved: Pair<bool>,
}

/// What became of a record that is not there any more under its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It lives on as this record of its side.
    MovedTo(RecordId),
    /// It is something else now that blocks its unique values: on Freshdesk, an agent.
    Converted,
    /// It was found missing by an old copy of the state: nobody knows what happened since.
    Unsure,
}

impl Fate {
    /// As the state keeps it.
    pub(super) fn words(&self) -> (&'static str, &str) {
        match self {
            Self::MovedTo(id) => ("moved", &id.0),
            Self::Converted => ("converted", ""),
            Self::Unsure => ("unsure", ""),
        }
    }

    pub(super) fn read(standing: Option<&str>, because: Option<&str>) -> Option<Self> {
        match standing {
            Some("moved") => Some(Self::MovedTo(RecordId::from(because?))),
            Some("converted") => Some(Self::Converted),
            Some("unsure") => Some(Self::Unsure),
            _ => None,
        }
    }
}

/// A record with match keys: its handle, its side, whether it is linked (0 or 1), its keys.
pub(super) type Keyed = (i64, Side, u8, Vec<(usize, String)>);

impl Store {
    /// Records without a counterpart that are not there themselves need no planning.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn pass_over_absent(&mut self, kind: Kind) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE record SET dirty = 0 WHERE kind = ?1 AND dirty = 1 AND link IS NULL AND presence <> 'live'",
        )
        .bind(kind.word())
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }

    /// Up to `limit` pairs of `kind` with links above `after` of which a side is not what it was when both
    /// last agreed, and that wait for nothing. Of those that wait behind a hold over their class that is known:
    /// marked, they would pass for changed since, and an answer would not be one to them.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn moved_away(
        &mut self,
        kind: Kind,
        after: LinkId,
        limit: i64,
    ) -> Result<Vec<LinkId>, StoreError> {
        let links: Vec<i64> = sqlx::query_scalar(
            "SELECT l.id FROM link AS l CROSS JOIN record AS c ON c.id = l.crm CROSS JOIN record AS d ON d.id = l.desk
             WHERE l.kind = ?1 AND l.id > ?2 AND (c.base <> c.image OR d.base <> d.image)
               AND NOT EXISTS (SELECT 1 FROM guarded AS g WHERE g.record = l.crm AND g.answer IS NULL)
             ORDER BY l.id LIMIT ?3",
        )
        .bind(kind.word())
        .bind(after.0)
        .bind(limit)
        .fetch_all(&mut self.connection)
        .await?;
        Ok(links.into_iter().map(LinkId).collect())
    }

    /// Marks for planning the records of these pairs that are not what they were when both last agreed. Returns
    /// how many that are.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn plan_again(&mut self, links: &[LinkId]) -> Result<u64, StoreError> {
        if links.is_empty() {
            return Ok(0);
        }
        let found = sqlx::query(
            "UPDATE record SET dirty = 1 WHERE base <> image AND id IN (
               SELECT id FROM (SELECT l.crm AS id FROM json_each(?1) AS it CROSS JOIN link AS l ON l.id = it.value
                               UNION ALL
                               SELECT l.desk FROM json_each(?1) AS it CROSS JOIN link AS l ON l.id = it.value))",
        )
        .bind(bulk(links)?)
        .execute(&mut self.connection)
        .await?;
        Ok(found.rows_affected())
    }

    /// How many records of `kind` wait to be planned, linked ones or not; `most` where it is more.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn waits_for_planning(
        &mut self,
        kind: Kind,
        linked: bool,
        most: i64,
    ) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar(
            "SELECT count(*) FROM (SELECT 1 FROM record
             WHERE kind = ?1 AND dirty = 1 AND (link IS NOT NULL) = ?2 LIMIT ?3)",
        )
        .bind(kind.word())
        .bind(linked)
        .bind(most)
        .fetch_one(&mut self.connection)
        .await?)
    }

    /// Up to `limit` unlinked records of `kind` that have to be planned, with handles above `after`.
    /// One of which nobody knows whether a write about it was carried out is left for later.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn loose(
        &mut self,
        kind: Kind,
        after: i64,
        limit: i64,
    ) -> Result<Vec<LooseRow>, StoreError> {
        let text: Option<String> = sqlx::query_scalar(
            "SELECT '[' || group_concat('[' || id || ',\"' || side || '\",' || json_quote(remote_id) || ',' || version
                      || ',' || image || ',' || (standing IS 'detached')
                      || ',' || keys || ']') || ']'
             FROM (SELECT * FROM record
                   WHERE kind = ?1 AND dirty = 1 AND link IS NULL AND id > ?2 AND presence = 'live'
                     AND NOT EXISTS (SELECT 1 FROM outbox AS o WHERE o.record = record.id AND o.state = 'sent')
                   ORDER BY id LIMIT ?3)",
        )
        .bind(kind.word())
        .bind(after)
        .bind(limit)
        .fetch_one(&mut self.connection)
        .await?;
        loose_rows(text)
    }

    /// The unlinked records with these handles.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn records(&mut self, rows: &[i64]) -> Result<Vec<LooseRow>, StoreError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let text: Option<String> = sqlx::query_scalar(
            "SELECT '[' || group_concat('[' || r.id || ',\"' || r.side || '\",' || json_quote(r.remote_id) || ','
                      || r.version || ',' || r.image || ',' || (r.standing IS 'detached')
                      || ',' || r.keys || ']') || ']'
             FROM json_each(?1) AS wanted CROSS JOIN record AS r ON r.id = wanted.value",
        )
        .bind(bulk(rows)?)
        .fetch_one(&mut self.connection)
        .await?;
        loose_rows(text)
    }

    /// All that identity needs to know to judge `records` of `kind`.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn index(&mut self, kind: Kind, records: &[LooseRow]) -> Result<Index, StoreError> {
        let rows: Vec<i64> = records.iter().map(|it| it.row).collect();
        let parted = parted(&mut self.connection, &rows).await?;
        let own = records.iter().map(|it| it.keys.as_slice());
        let asked = distinct(own.chain(parted.iter().map(|(_, (.., keys))| keys.as_slice())));
        let mut near = sharing(&mut self.connection, kind, &asked).await?;
        // A counterpart may have further keys, by which it finds further records.
        let further = distinct(near.iter().map(|(.., keys)| keys.as_slice()));
        let is_new = |key: &(usize, &str)| asked.binary_search(key).is_err();
        if further.iter().any(is_new) {
            near = sharing(&mut self.connection, kind, &further).await?;
        }
        Ok(indexed(near, parted))
    }

    /// Up to `limit` linked pairs of `kind` that have to be planned, with links above `after`. One of
    /// which nobody knows whether a write to it was carried out is left for later.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn pairs(
        &mut self,
        kind: Kind,
        after: LinkId,
        limit: i64,
    ) -> Result<Vec<PairRow>, StoreError> {
        let text: Option<String> = sqlx::query_scalar(
            "WITH work AS (SELECT DISTINCT link FROM record
                           WHERE kind = ?1 AND dirty = 1 AND link > ?2
                             AND NOT EXISTS (SELECT 1 FROM link AS mine JOIN outbox AS o ON o.record IN (mine.crm, mine.desk)
                                             WHERE mine.id = record.link AND o.state = 'sent')
                           ORDER BY link LIMIT ?3)
             SELECT '[' || group_concat('[' || l.id
               || ',[' || c.id || ',' || json_quote(c.remote_id) || ',' || coalesce(c.edited, c.version) || ',\"' || c.presence || '\",' || c.image
               || ',' || coalesce(c.base, 'null') || ',' || json_quote(c.standing) || ',' || json_quote(c.because)
               || '],[' || d.id || ',' || json_quote(d.remote_id) || ',' || coalesce(d.edited, d.version) || ',\"' || d.presence || '\",' || d.image
               || ',' || coalesce(d.base, 'null') || ',' || json_quote(d.standing) || ',' || json_quote(d.because)
               || ']]') || ']'
             FROM work CROSS JOIN link AS l ON l.id = work.link
             CROSS JOIN record AS c ON c.id = l.crm CROSS JOIN record AS d ON d.id = l.desk",
        )
        .bind(kind.word())
        .bind(after.0)
        .bind(limit)
        .fetch_one(&mut self.connection)
        .await?;
        let rows: Vec<(LinkId, HalfRow, HalfRow)> = parse(text)?;
        let mut pairs: Vec<PairRow> = rows
            .into_iter()
            .map(|(link, crm, desk)| pair_row(link, crm, desk))
            .collect();
        pairs.sort_by_key(|it| it.state.link.0);
        if kind == Kind::Contact {
            let states: Vec<&mut PairState> = pairs.iter_mut().map(|it| &mut it.state).collect();
            self.companies(states).await?;
        }
        Ok(pairs)
    }
}

/// Records that share keys, and those whom a deletion has parted from some of them.
pub(super) fn indexed(near: Vec<Keyed>, parted: Vec<Parted>) -> Index {
    let mut index = Index::default();
    for (record, other) in parted {
        index.part(record, other.0);
        // It may have no key by which it would be near.
        insert(&mut index, other);
    }
    for keyed in near {
        insert(&mut index, keyed);
    }
    index
}

fn insert(index: &mut Index, (record, side, linked, keys): Keyed) {
    let known = Known {
        side,
        linked: linked != 0,
        keys,
    };
    index.insert(record, known);
}

/// Every record that has one of these keys.
pub(super) async fn sharing(
    connection: &mut SqliteConnection,
    kind: Kind,
    keys: &[(usize, &str)],
) -> Result<Vec<Keyed>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let text: Option<String> = sqlx::query_scalar(
        "WITH near AS (
           SELECT DISTINCT k.record FROM json_each(?2) AS asked
           CROSS JOIN match_key AS k
             ON k.kind = ?1 AND k.key = asked.value ->> 0 AND k.value = asked.value ->> 1)
         SELECT '[' || group_concat('[' || r.id || ',\"' || r.side || '\",' || (r.link IS NOT NULL) || ','
                  || r.keys || ']') || ']'
         FROM near CROSS JOIN record AS r ON r.id = near.record",
    )
    .bind(kind.word())
    .bind(bulk(keys)?)
    .fetch_one(connection)
    .await?;
    parse(text)
}

/// Keys of several records, each once.
fn distinct<'a>(keys: impl Iterator<Item = &'a [(usize, String)]>) -> Vec<(usize, &'a str)> {
    let flat = keys.flatten().map(|(key, value)| (*key, value.as_str()));
    let mut all: Vec<_> = flat.collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn loose_rows(text: Option<String>) -> Result<Vec<LooseRow>, StoreError> {
    type Row = (
        i64,
        Side,
        RecordId,
        Version,
        Image,
        u8,
        Vec<(usize, String)>,
    );
    let rows: Vec<Row> = parse(text)?;
    let mut rows: Vec<LooseRow> = rows
        .into_iter()
        .map(|(row, side, id, version, image, detached, keys)| LooseRow {
            row,
            side,
            id,
            version,
            image,
            keys,
            detached: detached != 0,
            companies: Pair::default(),
        })
        .collect();
    rows.sort_by_key(|it| it.row);
    Ok(rows)
}

/// One side of a pair as it stands in the state: handle, id, version, presence, image, base where it
/// is not the image, standing and why.
pub(super) type HalfRow = (
    i64,
    RecordId,
    Version,
    Presence,
    Image,
    Option<Image>,
    Option<String>,
    Option<String>,
);

pub(super) fn pair_row(link: LinkId, crm: HalfRow, desk: HalfRow) -> PairRow {
    let (crm_row, crm_id, crm_version, crm_presence, crm_image, crm_base, crm_standing, crm_why) =
        crm;
    let (desk_row, desk_id, desk_version, desk_presence, desk_image, desk_base, standing, why) =
        desk;
    PairRow {
        moved: Pair::default(),
        rows: Pair {
            crm: crm_row,
            desk: desk_row,
        },
        state: PairState {
            link,
            ids: Pair {
                crm: crm_id,
                desk: desk_id,
            },
            versions: Pair {
                crm: crm_version,
                desk: desk_version,
            },
            presence: Pair {
                crm: crm_presence,
                desk: desk_presence,
            },
            bases: Pair {
                crm: crm_base.unwrap_or_else(|| crm_image.clone()),
                desk: desk_base.unwrap_or_else(|| desk_image.clone()),
            },
            images: Pair {
                crm: crm_image,
                desk: desk_image,
            },
            companies: Pair::default(),
        },
        fates: Pair {
            crm: Fate::read(crm_standing.as_deref(), crm_why.as_deref()),
            desk: Fate::read(standing.as_deref(), why.as_deref()),
        },
    }
}

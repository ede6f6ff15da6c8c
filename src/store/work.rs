//! What is to be planned, in chunks, as the planner wants it.

use super::rows::{bulk, presence};
use super::{Store, StoreError};
use crate::model::{COMPANY, Image, Kind, LinkId, Pair, RecordId, Side, Version};
use crate::plan::{Index, Known, PairState};
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use std::collections::{HashMap, HashSet};

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
}

/// What became of a record that is not there any more under its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It lives on as this record of its side.
    MovedTo(RecordId),
    /// It is something else now that blocks its unique values: on Freshdesk, an agent.
    Converted,
}

impl Fate {
    /// As the state keeps it.
    pub(super) fn words(&self) -> (&'static str, &str) {
        match self {
            Self::MovedTo(id) => ("moved", &id.0),
            Self::Converted => ("converted", ""),
        }
    }

    fn read(standing: Option<&str>, because: Option<&str>) -> Option<Self> {
        match standing {
            Some("moved") => Some(Self::MovedTo(RecordId::from(because?))),
            Some("converted") => Some(Self::Converted),
            _ => None,
        }
    }
}

/// One key of one record.
struct Posting {
    record: i64,
    side: Side,
    linked: bool,
    key: i64,
    value: String,
}

fn image(text: &str) -> Result<Image, StoreError> {
    Ok(serde_json::from_str(text)?)
}

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

    /// Goes through all linked pairs of `kind` and marks those for planning of which a side is not
    /// what it was when both last agreed. Returns how many records that are.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn audit(&mut self, kind: Kind) -> Result<u64, StoreError> {
        let found = sqlx::query(
            "UPDATE record SET dirty = 1
             WHERE kind = ?1 AND link IS NOT NULL AND base IS NOT NULL AND base <> image",
        )
        .bind(kind.word())
        .execute(&mut self.connection)
        .await?;
        Ok(found.rows_affected())
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
                      || ',' || image || ',' || (standing IS 'detached') || ']') || ']'
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
        loose_rows(text.as_deref())
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
                      || r.version || ',' || r.image || ',' || (r.standing IS 'detached') || ']') || ']'
             FROM json_each(?1) AS wanted CROSS JOIN record AS r ON r.id = wanted.value",
        )
        .bind(bulk(rows)?)
        .fetch_one(&mut self.connection)
        .await?;
        loose_rows(text.as_deref())
    }

    /// All that identity needs to know to judge `records`.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn index(&mut self, records: &[i64]) -> Result<Index, StoreError> {
        let near = self.sharing(records).await?;
        let asked: HashSet<(i64, &str)> = {
            let mine: HashSet<i64> = records.iter().copied().collect();
            let of_mine = near.iter().filter(|it| mine.contains(&it.record));
            of_mine.map(|it| (it.key, it.value.as_str())).collect()
        };
        // A counterpart may have further keys, by which it finds further records.
        let closed = near
            .iter()
            .all(|it| asked.contains(&(it.key, it.value.as_str())));
        let rows = if closed {
            near
        } else {
            let mut ids: Vec<i64> = near.iter().map(|it| it.record).collect();
            ids.dedup();
            self.sharing(&ids).await?
        };
        let mut index = Index::default();
        for same in rows.chunk_by(|a, b| a.record == b.record) {
            let Some(first) = same.first() else { continue };
            let keys = same
                .iter()
                .map(|it| (usize::try_from(it.key).unwrap_or(0), it.value.clone()))
                .collect();
            let known = Known {
                side: first.side,
                linked: first.linked,
                keys,
            };
            index.insert(first.record, known);
        }
        Ok(index)
    }

    /// Every key of every record that shares one with `records`, those themselves included.
    async fn sharing(&mut self, records: &[i64]) -> Result<Vec<Posting>, StoreError> {
        let text: Option<String> = sqlx::query_scalar(
            "WITH near AS (
               SELECT DISTINCT b.record FROM json_each(?1) AS me
               CROSS JOIN match_key AS a ON a.record = me.value
               CROSS JOIN match_key AS b ON (b.kind, b.key, b.value) = (a.kind, a.key, a.value))
             SELECT '[' || group_concat('[' || k.record || ',\"' || r.side || '\",' || (r.link IS NOT NULL) || ','
                      || k.key || ',' || json_quote(k.value) || ']') || ']'
             FROM near CROSS JOIN record AS r ON r.id = near.record
             CROSS JOIN match_key AS k ON k.record = near.record",
        )
        .bind(bulk(records)?)
        .fetch_one(&mut self.connection)
        .await?;
        let rows: Vec<(i64, Side, i64, i64, String)> = parse(text.as_deref())?;
        let posting = |(record, side, linked, key, value)| Posting {
            record,
            side,
            linked: linked != 0,
            key,
            value,
        };
        let mut postings: Vec<Posting> = rows.into_iter().map(posting).collect();
        postings.sort_by_key(|it| it.record);
        Ok(postings)
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
        let rows = sqlx::query(
            "WITH work AS (SELECT DISTINCT link FROM record
                           WHERE kind = ?1 AND dirty = 1 AND link > ?2
                             AND NOT EXISTS (SELECT 1 FROM link AS mine JOIN outbox AS o ON o.record IN (mine.crm, mine.desk)
                                             WHERE mine.id = record.link AND o.state = 'sent')
                           ORDER BY link LIMIT ?3)
             SELECT l.id, c.id, c.remote_id, c.version, c.presence, c.image, c.base,
                          d.id, d.remote_id, d.version, d.presence, d.image, d.base,
                          c.standing, c.because, d.standing, d.because
             FROM work CROSS JOIN link AS l ON l.id = work.link
             CROSS JOIN record AS c ON c.id = l.crm CROSS JOIN record AS d ON d.id = l.desk",
        )
        .bind(kind.word())
        .bind(after.0)
        .bind(limit)
        .fetch_all(&mut self.connection)
        .await?;
        let mut pairs = rows.iter().map(pair_row).collect::<Result<Vec<_>, _>>()?;
        if kind == Kind::Contact {
            let states: Vec<&mut PairState> = pairs.iter_mut().map(|it| &mut it.state).collect();
            self.companies(states).await?;
        }
        Ok(pairs)
    }

    /// Fills in each pair's companies: the counterparts of those that its images name.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn companies(&mut self, mut pairs: Vec<&mut PairState>) -> Result<(), StoreError> {
        // Most pairs agree on their company, so one side's look-up tells both.
        for side in Side::BOTH {
            let open = pairs
                .iter()
                .filter(|it| it.companies.of(side.other()).is_none());
            let mut named: Vec<(&str, String)> = open
                .filter_map(|pair| company_of(pair.images.of(side)))
                .map(|id| (side.word(), id.to_owned()))
                .collect();
            named.sort_unstable();
            named.dedup();
            let counterparts = self.counterparts(&named).await?;
            for pair in &mut pairs {
                let Some(here) = company_of(pair.images.of(side)).map(RecordId::from) else {
                    continue;
                };
                let Some((_, there)) = counterparts.get(&(side, here.0.clone())) else {
                    continue;
                };
                if company_of(pair.images.of(side.other())) == Some(there.0.as_str()) {
                    *pair.companies.of_mut(side) = Some(here);
                }
                *pair.companies.of_mut(side.other()) = Some(there.clone());
            }
        }
        Ok(())
    }

    /// The counterparts of companies: `(side, id)` → the company's handle, the id across. One that is
    /// not there any more is none: no contact can be put into it.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn counterparts(
        &mut self,
        named: &[(&str, String)],
    ) -> Result<HashMap<(Side, String), (i64, RecordId)>, StoreError> {
        if named.is_empty() {
            return Ok(HashMap::new());
        }
        let text: Option<String> = sqlx::query_scalar(
            "SELECT json_group_array(json_array(mine.side, mine.remote_id, mine.id, theirs.remote_id))
             FROM json_each(?1) AS named CROSS JOIN record AS mine
               ON mine.side = named.value ->> 0 AND mine.kind = 'company' AND mine.remote_id = named.value ->> 1
             CROSS JOIN link AS l ON l.id = mine.link
             CROSS JOIN record AS theirs ON theirs.id = l.crm + l.desk - mine.id AND theirs.presence = 'live'",
        )
        .bind(bulk(named)?)
        .fetch_one(&mut self.connection)
        .await?;
        let rows: Vec<(Side, String, i64, RecordId)> = parse(text.as_deref())?;
        Ok(rows
            .into_iter()
            .map(|(side, mine, row, theirs)| ((side, mine), (row, theirs)))
            .collect())
    }
}

/// The company that an image names.
fn company_of(image: &Image) -> Option<&str> {
    image.get(COMPANY)?.as_text()
}

/// Rows that `SQLite` put together as one JSON text: what a bulk read would otherwise spend on
/// handing over value by value is more than the read itself.
fn parse<T: DeserializeOwned>(text: Option<&str>) -> Result<Vec<T>, StoreError> {
    text.map_or_else(|| Ok(Vec::new()), |text| Ok(serde_json::from_str(text)?))
}

fn loose_rows(text: Option<&str>) -> Result<Vec<LooseRow>, StoreError> {
    let rows: Vec<(i64, Side, RecordId, Version, Image, i64)> = parse(text)?;
    let mut rows: Vec<LooseRow> = rows
        .into_iter()
        .map(|(row, side, id, version, image, detached)| LooseRow {
            row,
            side,
            id,
            version,
            image,
            detached: detached != 0,
            companies: Pair::default(),
        })
        .collect();
    rows.sort_by_key(|it| it.row);
    Ok(rows)
}

fn pair_row(row: &sqlx::sqlite::SqliteRow) -> Result<PairRow, StoreError> {
    let images = Pair {
        crm: image(row.get(5))?,
        desk: image(row.get(11))?,
    };
    let base = |column: usize, side: Side| -> Result<Image, StoreError> {
        match row.get::<Option<&str>, _>(column) {
            Some(text) => image(text),
            None => Ok(images.of(side).clone()),
        }
    };
    let bases = Pair {
        crm: base(6, Side::Crm)?,
        desk: base(12, Side::Desk)?,
    };
    Ok(PairRow {
        rows: Pair {
            crm: row.get(1),
            desk: row.get(7),
        },
        state: PairState {
            link: LinkId(row.get(0)),
            ids: Pair {
                crm: RecordId(row.get(2)),
                desk: RecordId(row.get(8)),
            },
            versions: Pair {
                crm: Version(row.get(3)),
                desk: Version(row.get(9)),
            },
            presence: Pair {
                crm: presence(row.get(4)),
                desk: presence(row.get(10)),
            },
            images,
            bases,
            companies: Pair::default(),
        },
        fates: Pair {
            crm: Fate::read(row.get(13), row.get(14)),
            desk: Fate::read(row.get(15), row.get(16)),
        },
    })
}

//! Everything that the state knows of one record and its counterpart.

use super::Report;
use crate::model::{COMPANY, Image, Kind, LinkId, Pair, Presence, RecordId, Side, Version};
use crate::plan::{Index, PairState};
use crate::store::parted::parted;
use crate::store::rows::{presence, side as side_of};
use crate::store::{Fate, StoreError, work};
use serde::Serialize;
use sqlx::AssertSqlSafe;

/// Which record is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Every one that shows this text in a field, or is found by it.
    Text(String),
    /// This one of this side: a contact, or a company.
    Record(Side, String),
    /// This one of this side and kind.
    Of(Side, Kind, String),
}

/// A record as it stands in the state.
#[derive(Debug, Clone)]
pub struct RecordView {
    /// Its handle.
    pub row: i64,
    /// Whose it is.
    pub side: Side,
    /// Contact or company.
    pub kind: Kind,
    /// Its id there.
    pub id: RecordId,
    /// When it was last changed.
    pub version: Version,
    /// When it was last changed by somebody else than us.
    pub edited: Version,
    /// Whether it is there.
    pub presence: Presence,
    /// What it showed last.
    pub image: Image,
    /// What it showed when both sides last agreed.
    pub base: Image,
    /// Why it is left alone (`shadowed`, `detached`, `single`, `out_of_scope`), or what became of it
    /// (`moved`, `converted`, `unsure`).
    pub standing: Option<String>,
    /// The same in words.
    pub because: Option<String>,
    /// Whether it is to be planned.
    pub dirty: bool,
    /// The keys under which it can be found.
    pub keys: Vec<(usize, String)>,
    link: Option<i64>,
}

/// How a pair came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkOrigin {
    /// Its number.
    #[serde(skip)]
    pub id: LinkId,
    /// How it was found.
    pub found: String,
    /// When.
    pub since: String,
    /// In which cycle.
    pub cycle: i64,
}

/// A record and its counterpart, if it has one.
#[derive(Debug, Clone)]
pub struct Story {
    /// Contact or company.
    pub kind: Kind,
    /// The records.
    pub records: Pair<Option<RecordView>>,
    /// What holds them together.
    pub link: Option<LinkOrigin>,
    /// As in [`PairState::companies`].
    pub companies: Pair<Option<RecordId>>,
}

impl Story {
    /// The records' handles.
    #[must_use]
    pub fn rows(&self) -> Vec<i64> {
        let records = [&self.records.crm, &self.records.desk];
        records.into_iter().flatten().map(|it| it.row).collect()
    }

    /// The pair as the planner wants it; `None` where there is no counterpart.
    #[must_use]
    pub fn pair(&self) -> Option<PairState> {
        let (crm, desk) = (self.records.crm.as_ref()?, self.records.desk.as_ref()?);
        let of = Pair { crm, desk };
        Some(PairState {
            link: self.link.as_ref()?.id,
            ids: of.map(|it| it.id.clone()),
            versions: of.map(|it| it.edited),
            presence: of.map(|it| it.presence),
            images: of.map(|it| it.image.clone()),
            bases: of.map(|it| it.base.clone()),
            companies: self.companies.clone(),
        })
    }

    /// What became of the record of `side`, where more is known than that it is gone.
    #[must_use]
    pub fn fate(&self, side: Side) -> Option<Fate> {
        let record = self.records.of(side).as_ref()?;
        Fate::read(record.standing.as_deref(), record.because.as_deref())
    }
}

type Columns = (
    i64,
    String,
    String,
    String,
    i64,
    i64,
    String,
    String,
    Option<String>,
    Option<i64>,
    Option<String>,
    Option<String>,
    bool,
    String,
);

impl Report {
    /// The handles of the records that are meant; of a pair, of both.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn find(&mut self, wanted: &Wanted) -> Result<Vec<i64>, StoreError> {
        let rows = match wanted {
            Wanted::Record(side, id) => {
                sqlx::query_scalar("SELECT id FROM record WHERE side = ?1 AND remote_id = ?2 ORDER BY id")
                    .bind(side.word())
                    .bind(id)
                    .fetch_all(&mut self.connection)
                    .await
            }
            Wanted::Of(side, kind, id) => {
                sqlx::query_scalar("SELECT id FROM record WHERE side = ?1 AND kind = ?2 AND remote_id = ?3")
                    .bind(side.word())
                    .bind(kind.word())
                    .bind(id)
                    .fetch_all(&mut self.connection)
                    .await
            }
            // Old addresses count as well: what a side showed when both last agreed.
            Wanted::Text(text) => {
                sqlx::query_scalar(
                    "SELECT record FROM match_key WHERE value = ?1
                     UNION SELECT r.id FROM record AS r, json_each(r.image) AS field
                       WHERE instr(lower(r.image), ?1) > 0 AND lower(trim(field.value)) = ?1
                     UNION SELECT r.id FROM record AS r, json_each(r.base) AS field
                       WHERE instr(lower(r.base), ?1) > 0 AND lower(trim(field.value)) = ?1
                     UNION SELECT r.id FROM record AS r, json_each(r.image) AS field, json_each(CASE field.type WHEN 'array' THEN field.value ELSE '[]' END) AS member
                       WHERE instr(lower(r.image), ?1) > 0 AND lower(trim(member.value)) = ?1
                     ORDER BY 1",
                )
                .bind(text.trim().to_lowercase())
                .fetch_all(&mut self.connection)
                .await
            }
        };
        rows.map_err(self.damaged())
    }

    /// All about a record and its counterpart. `None` where there is no such record.
    ///
    /// # Errors
    ///
    /// Where the database fails, or holds what we did not write.
    pub async fn story(&mut self, row: i64) -> Result<Option<Story>, StoreError> {
        let Some(record) = self.record(row).await? else {
            return Ok(None);
        };
        let mut story = Story {
            kind: record.kind,
            records: Pair::default(),
            link: None,
            companies: Pair::default(),
        };
        if let Some(number) = record.link {
            let found: Option<(i64, i64, String, String, i64)> =
                sqlx::query_as("SELECT crm, desk, found, since, cycle FROM link WHERE id = ?1")
                    .bind(number)
                    .fetch_optional(&mut self.connection)
                    .await
                    .map_err(self.damaged())?;
            if let Some((crm, desk, found, since, cycle)) = found {
                let other = if crm == row { desk } else { crm };
                if let Some(other) = self.record(other).await? {
                    let side = other.side;
                    *story.records.of_mut(side) = Some(other);
                }
                story.link = Some(LinkOrigin {
                    id: LinkId(number),
                    found,
                    since,
                    cycle,
                });
            }
        }
        let side = record.side;
        *story.records.of_mut(side) = Some(record);
        for side in Side::BOTH {
            let shown = story.records.of(side.other()).as_ref();
            let named = shown.and_then(|it| it.image.get(COMPANY)?.as_text());
            if let Some(named) = named.map(str::to_owned) {
                *story.companies.of_mut(side) = self.company_across(side.other(), &named).await?;
            }
        }
        Ok(Some(story))
    }

    /// One record.
    ///
    /// # Errors
    ///
    /// Where the database fails, or holds what we did not write.
    pub async fn record(&mut self, row: i64) -> Result<Option<RecordView>, StoreError> {
        // An earlier version has not told our own writes from others' edits.
        let tells: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM pragma_table_info('record') WHERE name = 'edited')",
        )
        .fetch_one(&mut self.connection)
        .await
        .map_err(self.damaged())?;
        let edited = if tells {
            "coalesce(edited, version)"
        } else {
            "version"
        };
        let sql = format!(
            "SELECT id, side, kind, remote_id, version, {edited}, presence, image, base, link, standing, because, dirty, keys
             FROM record WHERE id = ?1"
        );
        // Nothing but one of two words of ours is put into the statement's text.
        let found: Option<Columns> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(row)
            .fetch_optional(&mut self.connection)
            .await
            .map_err(self.damaged())?;
        let Some((
            row,
            side,
            kind,
            id,
            version,
            edited,
            here,
            image,
            base,
            link,
            standing,
            because,
            dirty,
            keys,
        )) = found
        else {
            return Ok(None);
        };
        let image: Image = serde_json::from_str(&image)?;
        Ok(Some(RecordView {
            row,
            side: side_of(&side),
            kind: if kind == Kind::Company.word() {
                Kind::Company
            } else {
                Kind::Contact
            },
            id: RecordId(id),
            version: Version(version),
            edited: Version(edited),
            presence: presence(&here),
            base: match base {
                Some(base) => serde_json::from_str(&base)?,
                None => image.clone(),
            },
            image,
            standing,
            because,
            dirty,
            keys: serde_json::from_str(&keys)?,
            link,
        }))
    }

    async fn company_across(
        &mut self,
        side: Side,
        company: &str,
    ) -> Result<Option<RecordId>, StoreError> {
        let id: Option<String> = sqlx::query_scalar(
            "SELECT theirs.remote_id FROM record AS mine JOIN link AS l ON l.id = mine.link
             JOIN record AS theirs ON theirs.id = l.crm + l.desk - mine.id AND theirs.presence = 'live'
             WHERE mine.side = ?1 AND mine.kind = 'company' AND mine.remote_id = ?2",
        )
        .bind(side.word())
        .bind(company)
        .fetch_optional(&mut self.connection)
        .await
        .map_err(self.damaged())?;
        Ok(id.map(RecordId))
    }

    /// All that identity needs to know to judge `record`.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn index(&mut self, record: &RecordView) -> Result<Index, StoreError> {
        let parted = parted(&mut self.connection, &[record.row]).await?;
        let others = parted.iter().flat_map(|(_, (.., keys))| keys);
        let keys: Vec<(usize, String)> = record.keys.iter().chain(others).cloned().collect();
        let mut near = work::sharing(&mut self.connection, record.kind, &flat(&keys)).await?;
        let further: Vec<(usize, String)> =
            near.iter().flat_map(|(.., keys)| keys.clone()).collect();
        if !further.is_empty() {
            near = work::sharing(&mut self.connection, record.kind, &flat(&further)).await?;
        }
        Ok(work::indexed(near, parted))
    }
}

fn flat(keys: &[(usize, String)]) -> Vec<(usize, &str)> {
    let mut all: Vec<(usize, &str)> = keys
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

//! A person's answers to what is held: given beside a running daemon, carried out by its next cycle.

use crate::model::Side;
use crate::plan::{Class, Told};
use crate::store::report::hold_of;
use crate::store::rows::bulk;
use crate::store::{HoldView, Store, StoreError, connect, damage, inspect, rights};
use sqlx::{Connection as _, SqliteConnection};
use std::collections::HashMap;
use std::path::Path;

/// What a person says to a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is to be done. Of a conflict: the side that was changed later wins.
    Approve,
    /// It is not to be done.
    Discard,
    /// Of a conflict: this side's value stands.
    Take(Side),
}

impl Answer {
    /// The word in the state.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Discard => "discard",
            Self::Take(side) => side.word(),
        }
    }

    /// What it says of a conflict.
    #[must_use]
    pub const fn told(self) -> Told {
        match self {
            Self::Approve => Told::Newest,
            Self::Discard => Told::Keep,
            Self::Take(side) => Told::Take(side),
        }
    }

    pub(in crate::store) fn of_word(word: &str) -> Self {
        let sides = Side::BOTH.into_iter();
        match sides.into_iter().find(|side| side.word() == word) {
            Some(side) => Self::Take(side),
            None if word == Self::Approve.word() => Self::Approve,
            // Whatever it is, nothing is written on it.
            None => Self::Discard,
        }
    }
}

/// The answers about some records that are not carried out yet.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// By record, class and field: the answer, and the detail and reason that the person was shown.
    holds: HashMap<(i64, String, String), (Answer, String, String)>,
    /// By record and class.
    guarded: HashMap<(i64, Class), Answer>,
}

impl Said {
    /// The answer to a hold over one record, if what it is about is still what the person was shown.
    #[must_use]
    pub fn to(
        &self,
        row: i64,
        class: &str,
        field: &str,
        detail: &str,
        reason: &str,
    ) -> Option<Answer> {
        let key = (row, class.to_owned(), field.to_owned());
        let (answer, shown, why) = self.holds.get(&key)?;
        (shown == detail && why == reason).then_some(*answer)
    }

    /// The answer to a field that was fought over, while it shows the same values, and the reason that
    /// the person was shown.
    #[must_use]
    pub fn to_flap(&self, row: i64, field: &str, detail: &str) -> Option<(Answer, &str)> {
        let key = (row, "flap".to_owned(), field.to_owned());
        let (answer, shown, why) = self.holds.get(&key)?;
        (shown == detail).then_some((*answer, why.as_str()))
    }

    /// Whether nobody has said anything.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.holds.is_empty() && self.guarded.is_empty()
    }

    /// The answer to a refused create.
    #[must_use]
    pub fn to_duplicate(&self, row: i64) -> Option<Answer> {
        let key = (row, "duplicate".to_owned(), String::new());
        self.holds.get(&key).map(|(answer, ..)| *answer)
    }

    /// Whether this class of changes of a record was held and was approved.
    #[must_use]
    pub fn approves(&self, row: i64, class: Class) -> bool {
        self.guarded.get(&(row, class)) == Some(&Answer::Approve)
    }

    /// Whether this class of changes of a record was held and was discarded.
    #[must_use]
    pub fn discards(&self, row: i64, class: Class) -> bool {
        self.guarded.get(&(row, class)) == Some(&Answer::Discard)
    }
}

impl Store {
    /// The answers about these records that are not carried out yet.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn said(&mut self, rows: &[i64]) -> Result<Said, StoreError> {
        type Held = (i64, String, String, String, String, String);
        let rows = bulk(rows)?;
        let holds: Vec<Held> = sqlx::query_as(
            "SELECT record, class, field, answer, detail, reason FROM hold
             WHERE answer IS NOT NULL AND record IN (SELECT value FROM json_each(?1))",
        )
        .bind(&rows)
        .fetch_all(&mut self.connection)
        .await?;
        let guarded: Vec<(i64, String, String)> = sqlx::query_as(
            "SELECT g.record, g.class, g.answer FROM json_each(?1) AS asked
             CROSS JOIN guarded AS g ON g.record = asked.value WHERE g.answer IS NOT NULL",
        )
        .bind(&rows)
        .fetch_all(&mut self.connection)
        .await?;
        Ok(Said {
            holds: holds
                .into_iter()
                .map(|(row, class, field, answer, detail, reason)| {
                    let answer = Answer::of_word(&answer);
                    ((row, class, field), (answer, detail, reason))
                })
                .collect(),
            guarded: guarded
                .into_iter()
                .filter_map(|(row, class, answer)| {
                    Some(((row, Class::of_word(&class)?), Answer::of_word(&answer)))
                })
                .collect(),
        })
    }
}

/// A state to which answers are given, while somebody else may be at work on it: it writes nothing
/// but answers, each a word beside its hold.
#[derive(Debug)]
pub struct Answers {
    connection: SqliteConnection,
    /// By hold: what giving the last answers came to.
    given: HashMap<i64, Given>,
}

/// What giving an answer to a hold came to.
#[derive(Debug, Clone, Copy)]
struct Given {
    /// Over a class of records' changes: how many were answered.
    count: u64,
    /// What had been answered before.
    before: Option<Answer>,
}

impl Answers {
    /// Opens the state at `path` without taking it from whoever has it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Absent`] where there is none, [`StoreError::Damaged`] where it is no whole state,
    /// [`StoreError::Older`] where this version has not worked on it yet.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            return Err(StoreError::absent(path));
        }
        rights::writable(path)?;
        // To connect for writing already changes a file that is empty or another program's.
        inspect(path).await?;
        let mut reader = connect(path, true).await?;
        let knows: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM pragma_table_info('guarded') WHERE name = 'answering')",
        )
        .fetch_one(&mut reader)
        .await
        .map_err(|error| damage(path, error))?;
        reader.close().await?;
        if knows {
            Ok(Self {
                connection: connect(path, false).await?,
                given: HashMap::new(),
            })
        } else {
            Err(StoreError::Older(path.to_owned()))
        }
    }

    /// The hold of this number, also where it was answered and the answer is not carried out yet.
    ///
    /// # Errors
    ///
    /// Where the database fails.
    pub async fn hold(&mut self, id: i64) -> Result<Option<HoldView>, StoreError> {
        hold_of(&mut self.connection, id).await
    }

    /// Writes these answers down, all or none: none where one of the holds is not there any more,
    /// which is returned then. Of a class of changes, those are answered that wait now.
    ///
    /// # Errors
    ///
    /// Where the database fails; then none is written.
    pub async fn give(&mut self, answers: &[(i64, Answer)]) -> Result<Result<(), i64>, StoreError> {
        let mut given = HashMap::new();
        let mut tx = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        for (id, answer) in answers {
            if is_void(&mut tx, *id).await? {
                return Ok(Err(*id));
            }
            let before: Option<Option<String>> =
                sqlx::query_scalar("SELECT answer FROM hold WHERE id = ?1")
                    .bind(id)
                    .fetch_optional(&mut *tx)
                    .await?;
            let Some(before) = before else {
                return Ok(Err(*id));
            };
            sqlx::query("UPDATE hold SET answer = ?2 WHERE id = ?1")
                .bind(id)
                .bind(answer.word())
                .execute(&mut *tx)
                .await?;
            let changes: Vec<i64> = sqlx::query_scalar(
                "UPDATE guarded SET answering = ?1 WHERE answer IS NULL AND (kind, class) IN (
                   SELECT kind, class FROM hold WHERE id = ?1 AND record IS NULL)
                 RETURNING count",
            )
            .bind(id)
            .fetch_all(&mut *tx)
            .await?;
            let it = Given {
                count: changes.into_iter().map(i64::unsigned_abs).sum(),
                before: before.map(|word| Answer::of_word(&word)),
            };
            given.insert(*id, it);
        }
        tx.commit().await?;
        self.given = given;
        Ok(Ok(()))
    }

    /// How many changes of records the answer that was just given to this hold over a class is about.
    #[must_use]
    pub fn answered(&self, id: i64) -> u64 {
        self.given.get(&id).map_or(0, |it| it.count)
    }

    /// What had been answered to this hold before the answer that was just given, and was not carried out.
    #[must_use]
    pub fn before(&self, id: i64) -> Option<Answer> {
        self.given.get(&id)?.before
    }
}

/// Whether this hold is over a class of records' changes of which none waits any more: an approved plan has
/// written them, and the next cycle will find that out.
async fn is_void(tx: &mut SqliteConnection, id: i64) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM hold AS h
           WHERE h.id = ?1 AND h.record IS NULL AND h.whole = 1 AND h.class IN ('create', 'update', 'clear', 'delete')
             AND NOT EXISTS (
               SELECT 1 FROM guarded AS g JOIN record AS r ON r.id = g.record
               WHERE g.kind = h.kind AND g.class = h.class AND g.answer IS NULL
                 AND CASE g.class WHEN 'create' THEN r.link IS NULL AND r.presence = 'live'
                                  ELSE r.link IS NOT NULL END))",
    )
    .bind(id)
    .fetch_one(tx)
    .await?)
}

//! How our nouns stand in columns.

use super::StoreError;
use crate::model::{Image, Presence, Side};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Sqlite, SqliteConnection};

/// A time as the database writes it: of one width, so that text order is time order.
pub(super) fn stamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Rows as one JSON parameter.
pub(super) fn bulk<T: Serialize>(rows: &[T]) -> Result<String, StoreError> {
    Ok(serde_json::to_string(rows)?)
}

/// Rows that `SQLite` put together as one JSON text: what a bulk read would otherwise spend on
/// handing over value by value is more than the read itself.
pub(super) fn parse<T: DeserializeOwned>(text: Option<String>) -> Result<Vec<T>, StoreError> {
    text.map_or_else(|| Ok(Vec::new()), |text| Ok(serde_json::from_str(&text)?))
}

/// How many bound rows a statement has: few different statements, so that `SQLite` compiles each once.
/// The pages of the systems have 100 rows, chunks of planning multiples of 128.
const ROWS_BOUND: [usize; 5] = [128, 100, 32, 8, 1];

/// `rows` in slices of the few lengths that [`bound_rows`] is made for.
pub(super) fn in_bound<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = ROWS_BOUND.into_iter().find(|size| *size <= rows.len())?;
        let (now, later) = rows.split_at(size);
        rows = later;
        Some(now)
    })
}

/// The rows of a `VALUES`, each as `row` says. For bulk that is mostly text: as JSON it would be quoted
/// here and taken apart again there. All parameters are bare `?`s: those with a number are looked up
/// by their names, which takes longer than the insert.
pub(super) fn bound_rows(rows: usize, row: &str) -> String {
    vec![row; rows].join(",")
}

/// A statement with rows bound to it.
pub(super) type Bound = Query<'static, Sqlite, SqliteArguments>;

/// Runs `statement`, given the rows of its `VALUES`, for all of `rows`: each of the form `row`, its
/// parameters bound by `bind`.
pub(super) async fn write<T>(
    tx: &mut SqliteConnection,
    rows: &[T],
    row: &str,
    statement: impl Fn(String) -> String,
    bind: impl Fn(Bound, &T) -> Bound,
) -> Result<(), StoreError> {
    for rows in in_bound(rows) {
        // Nothing but words of ours and the number of rows is in the statement's text.
        let sql = AssertSqlSafe(statement(bound_rows(rows.len(), row)));
        let query = rows.iter().fold(sqlx::query(sql), &bind);
        query.execute(&mut *tx).await?;
    }
    Ok(())
}

/// An image as the database writes it; equal images are equal text.
pub(super) fn image_text(image: &Image) -> Result<String, StoreError> {
    Ok(serde_json::to_string(image)?)
}

/// The base column: NULL where it is the image itself.
pub(super) fn base_text(base: &Image, image: &Image) -> Result<Option<String>, StoreError> {
    if base == image {
        Ok(None)
    } else {
        Ok(Some(serde_json::to_string(base)?))
    }
}

pub(super) const fn presence_word(presence: Presence) -> &'static str {
    match presence {
        Presence::Live => "live",
        Presence::Trashed => "trashed",
        Presence::Gone => "gone",
    }
}

pub(super) fn presence(word: &str) -> Presence {
    match word {
        "live" => Presence::Live,
        "trashed" => Presence::Trashed,
        _ => Presence::Gone,
    }
}

pub(super) fn side(word: &str) -> Side {
    if word == Side::Crm.word() {
        Side::Crm
    } else {
        Side::Desk
    }
}

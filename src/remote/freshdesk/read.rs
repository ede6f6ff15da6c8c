//! Single reads, several at once, and what a 404 among them proves.

use super::row::{Row, Wanted};
use super::{Endpoints, Freshdesk, IN_FLIGHT};
use crate::model::{Kind, RecordId};
use crate::remote::http::Call;
use crate::remote::{ErrorKind, Fetched, RemoteError};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use reqwest::StatusCode;

impl Freshdesk {
    /// Each of `ids` as it is now.
    pub(super) async fn fetch_all(
        &self,
        kind: Kind,
        fields: &[String],
        ids: &[RecordId],
    ) -> Result<Vec<Fetched>, RemoteError> {
        let wanted = Wanted::new(fields.iter().map(String::as_str));
        let rows = self.views(kind, &wanted, ids).await?;
        if rows.iter().any(Option::is_none) {
            // Every path answers 404 where API v2 is off or the account's name is wrong.
            self.who_am_i().await?;
        }
        Ok(rows
            .into_iter()
            .map(|row| row.map_or(Fetched::Gone, |row| Fetched::Found(row.observed(false))))
            .collect())
    }

    /// The rows of a list, with the fields that only a single read shows. A record that has gone
    /// since the list was read stays as the list showed it.
    pub(super) async fn read_again(
        &self,
        kind: Kind,
        fields: &[String],
        rows: Vec<Row>,
    ) -> Result<Vec<Row>, RemoteError> {
        let wanted = Wanted::new(fields.iter().map(String::as_str));
        let ids: Vec<RecordId> = rows.iter().map(|row| row.id.clone()).collect();
        let views = self.views(kind, &wanted, &ids).await?;
        Ok(rows
            .into_iter()
            .zip(views)
            .map(|(row, view)| view.unwrap_or(row))
            .collect())
    }

    /// A row an id, in the order of `ids`; none for a 404.
    pub(super) async fn views(
        &self,
        kind: Kind,
        wanted: &Wanted<'_>,
        ids: &[RecordId],
    ) -> Result<Vec<Option<Row>>, RemoteError> {
        let calls: Vec<_> = ids.iter().map(|id| self.view(kind, wanted, id)).collect();
        stream::iter(calls).buffered(IN_FLIGHT).try_collect().await
    }

    pub(super) async fn view(
        &self,
        kind: Kind,
        wanted: &Wanted<'_>,
        id: &RecordId,
    ) -> Result<Option<Row>, RemoteError> {
        let endpoints = Endpoints::of(kind);
        let call = Call::get(endpoints.view, endpoints.record(id)?);
        let reply = self.http.send(call).await?;
        if reply.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let reply = reply.ok()?;
        let row = wanted.row(&reply)?;
        if row.id != *id {
            return Err(reply.error(ErrorKind::Garbled, "the answer is another record"));
        }
        Ok(Some(row))
    }
}

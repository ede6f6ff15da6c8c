//! Single reads, several at once, and what a 404 among them proves.

use super::row::{Row, Wanted};
use super::{Endpoints, Freshdesk, IN_FLIGHT, attribute};
use crate::model::{Kind, RecordId};
use crate::remote::http::Call;
use crate::remote::{ErrorKind, Fetched, RemoteError};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use reqwest::StatusCode;

/// After so many in a row that cannot be read, it has to be shown that it is the records.
const FEW: usize = 5;

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

    /// As [`Self::read_again`], and beside it the rows whose own read fails while those of others
    /// succeed: as the list shows them, without what it does not show.
    ///
    /// # Errors
    ///
    /// Where it is not the records: none of many can be read, or one no more that could be.
    pub(super) async fn read_apart(
        &self,
        kind: Kind,
        fields: &[String],
        rows: Vec<Row>,
    ) -> Result<(Vec<Row>, Vec<(Row, RemoteError)>), RemoteError> {
        let wanted = Wanted::new(fields.iter().map(String::as_str));
        let ids: Vec<RecordId> = rows.iter().map(|row| row.id.clone()).collect();
        let calls: Vec<_> = ids.iter().map(|id| self.view(kind, &wanted, id)).collect();
        let mut views = stream::iter(calls)
            .buffered(IN_FLIGHT)
            .zip(stream::iter(rows));
        let (mut whole, mut broken) = (Vec::with_capacity(ids.len()), Vec::new());
        let (mut witness, mut in_a_row) = (None, 0);
        while let Some((view, mut row)) = views.next().await {
            match view {
                Ok(view) => {
                    (witness, in_a_row) = (Some(row.id.clone()), 0);
                    whole.push(view.unwrap_or(row));
                }
                Err(error) if error.kind.may_be_one_records() => {
                    in_a_row += 1;
                    if in_a_row > FEW {
                        match &witness {
                            Some(witness) => self.view(kind, &wanted, witness).await?,
                            None => return Err(error),
                        };
                        in_a_row = 0;
                    }
                    row.image
                        .0
                        .retain(|field, _| !attribute::needs_single_read(kind, field));
                    broken.push((row, error));
                }
                Err(error) => return Err(error),
            }
        }
        Ok((whole, broken))
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

    async fn view(
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

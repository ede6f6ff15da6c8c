//! Contacts and companies that cannot be read: the rest of their page goes on without them.

use super::row::{Row, Wanted};
use super::{Endpoints, Freshdesk, IN_FLIGHT, attribute};
use crate::model::{Kind, RecordId};
use crate::remote::apart::{Apart, FEW};
use crate::remote::http::Call;
use crate::remote::reply::Reply;
use crate::remote::{ErrorKind, PageRequest, RemoteError, Unread};
use futures_util::stream::{self, StreamExt as _};

/// How many others are looked at where a page shows no whole record.
const WITNESSES: &str = "20";

/// The records of a page of the trash: who is there is there, whatever else a row shows.
///
/// # Errors
///
/// Where too many of the rows are `odd`: no whole records.
pub(super) fn in_trash(reply: &Reply, rows: Vec<Row>, odd: Vec<Row>) -> Result<Apart, RemoteError> {
    let rows = rows.into_iter().map(|row| row.observed(true));
    let mut apart = Apart::of(rows.collect());
    for row in odd {
        apart.set_apart(row.observed(true), no_record(reply))?;
    }
    Ok(apart)
}

fn no_record(reply: &Reply) -> RemoteError {
    reply.error(ErrorKind::Garbled, "a row without a stamp")
}

impl Freshdesk {
    /// The live records of a page. Those are read singly whose row is `odd`, no whole record; and all, where
    /// fields are wanted that no list shows. Of whom that fails is set apart.
    ///
    /// # Errors
    ///
    /// Where it is not single records.
    pub(super) async fn complete(
        &self,
        request: &PageRequest<'_>,
        reply: &Reply,
        mut rows: Vec<Row>,
        odd: Vec<Row>,
    ) -> Result<Apart, RemoteError> {
        if odd.len() > FEW {
            return Err(no_record(reply));
        }
        let is_odd = !odd.is_empty();
        let mut fields = request.fields.iter();
        let singly = fields.any(|field| attribute::needs_single_read(request.kind, field));
        let listed = if singly {
            rows.extend(odd);
            Vec::new()
        } else {
            std::mem::replace(&mut rows, odd)
        };
        let (read, broken) = self.read_apart(request.kind, request.fields, rows).await?;
        let read = listed.into_iter().chain(read);
        let records: Vec<_> = read.map(|row| row.observed(false)).collect();
        let unread = broken.into_iter().map(|(row, error)| Unread {
            shown: row.observed(false),
            error,
        });
        let mut apart = Apart::of(records);
        apart.unread.extend(unread);
        if is_odd && apart.records.is_empty() && !apart.unread.is_empty() {
            self.see_others(request.kind, &apart, no_record(reply))
                .await?;
        }
        Ok(apart)
    }

    /// Makes sure, where no row of a page is a whole record, that others are.
    ///
    /// # Errors
    ///
    /// `all`, where none is.
    async fn see_others(
        &self,
        kind: Kind,
        apart: &Apart,
        all: RemoteError,
    ) -> Result<(), RemoteError> {
        let endpoints = Endpoints::of(kind);
        let call = Call::get(endpoints.list, endpoints.path).with("per_page", WITNESSES);
        let reply = match self.http.send(call).await.and_then(Reply::ok) {
            Ok(reply) => reply,
            Err(error) if error.kind.may_be_one_records() => return Err(all),
            Err(error) => return Err(error),
        };
        let is_broken = |row: &Row| apart.unread.iter().any(|it| it.shown.id == row.id);
        let shown = Wanted::new([]).shown(&reply)?;
        if shown.iter().any(|row| row.dated && !is_broken(row)) {
            return Ok(());
        }
        Err(all)
    }

    /// As [`Self::read_again`], and beside it the rows whose own read fails while those of others
    /// succeed: as the list shows them, without what it does not show.
    ///
    /// # Errors
    ///
    /// Where it is not the records: none of many can be read, or one no more that could be.
    async fn read_apart(
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
}

//! Rows that are no records: the rest of their page goes on without them.

use super::wire::{Listing, Row, Wanted, decode, no_record};
use super::{Hubspot, Verb, endpoint, plural};
use crate::model::Presence;
use crate::remote::apart::{Apart, FEW, in_halves};
use crate::remote::http::Call;
use crate::remote::reply::Reply;
use crate::remote::{Fetched, RemoteError};

/// How many others are looked at where a page shows no whole record.
const WITNESSES: &str = "20";

impl Hubspot {
    /// The records of a page, of live ones or of archived ones. A row that makes no sense is read by itself.
    ///
    /// # Errors
    ///
    /// Where it is not single records: too many rows make no sense, or nobody at all can be read.
    pub(super) async fn sift(
        &self,
        reply: &Reply,
        rows: &[Row<'_>],
        wanted: &Wanted<'_>,
        archived: bool,
    ) -> Result<Apart, RemoteError> {
        let (mut apart, mut odd) = (Apart::default(), Vec::new());
        for row in rows {
            match row.observed(wanted) {
                Some(record) => apart.records.push(record),
                None => odd.push(row.shown(wanted).ok_or_else(|| no_record(reply))?),
            }
        }
        if odd.len() > FEW {
            return Err(no_record(reply));
        }
        for mut shown in odd {
            if archived {
                shown.presence = Presence::Trashed;
                apart.set_apart(shown, no_record(reply))?;
                continue;
            }
            match self.read_one(wanted, &shown.id).await {
                Ok(Fetched::Found(record)) => apart.records.push(record),
                Ok(Fetched::Gone | Fetched::MovedTo(_)) => {
                    apart.set_apart(shown, no_record(reply))?;
                }
                Err(error) if error.kind.may_be_one_records() => apart.set_apart(shown, error)?,
                Err(error) => return Err(error),
            }
        }
        let all = no_record(reply);
        self.bear_witness(wanted, apart, all).await
    }

    /// The records that `rows` name, live ones or archived ones, read by their ids.
    ///
    /// # Errors
    ///
    /// As [`Self::sift`].
    pub(super) async fn read_named(
        &self,
        reply: &Reply,
        rows: &[Row<'_>],
        wanted: &Wanted<'_>,
        archived: bool,
    ) -> Result<Apart, RemoteError> {
        let ids: Vec<&str> = rows.iter().map(|row| &*row.id).collect();
        let read = |ids| self.read_part(wanted, ids, archived);
        let (records, broken) = in_halves(&ids, read).await?;
        let mut apart = Apart::of(records);
        let all = broken.first().map(|(_, error)| error.clone());
        for (id, error) in broken {
            let row = rows.iter().find(|row| row.id == *id);
            let shown = row.and_then(|row| row.shown(wanted));
            let mut shown = shown.ok_or_else(|| no_record(reply))?;
            if archived {
                shown.presence = Presence::Trashed;
            }
            apart.set_apart(shown, error)?;
        }
        match all {
            Some(all) => self.bear_witness(wanted, apart, all).await,
            None => Ok(apart),
        }
    }

    /// Makes sure, where nobody of a page could be read, that others can.
    ///
    /// # Errors
    ///
    /// `all`, where none can.
    pub(super) async fn bear_witness(
        &self,
        wanted: &Wanted<'_>,
        apart: Apart,
        all: RemoteError,
    ) -> Result<Apart, RemoteError> {
        let broken = apart.without_witness();
        if broken.is_empty() {
            return Ok(apart);
        }
        let path = format!("/crm/v3/objects/{}", plural(wanted.kind));
        let call = Call::get(endpoint(wanted.kind, Verb::List), path).with("limit", WITNESSES);
        let reply = self.http.send(wanted.ask(call)).await.and_then(Reply::ok);
        let page = reply.as_ref().map_err(RemoteError::clone).and_then(decode);
        let listing: Listing<'_> = match page {
            Ok(listing) => listing,
            // One of those may stand on this page too.
            Err(error) if error.kind.may_be_one_records() => {
                let ids: Vec<&str> = broken.iter().map(|it| it.shown.id.0.as_str()).collect();
                let another = self.shows_another(wanted, &ids).await?;
                return if another { Ok(apart) } else { Err(all) };
            }
            Err(error) => return Err(error),
        };
        let is_broken = |row: &Row<'_>| broken.iter().any(|it| it.shown.id.0 == row.id);
        let mut others = listing.results.iter().filter(|row| !is_broken(row));
        if others.any(|row| row.observed(wanted).is_some()) {
            return Ok(apart);
        }
        Err(all)
    }
}

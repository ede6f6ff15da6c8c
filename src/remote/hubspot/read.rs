//! Reading by id and by key.

use super::refusal::Refusal;
use super::wire::{Listing, Row, Wanted, decode, is_id, no_record, observe};
use super::{BATCH, Hubspot, Verb, endpoint, plural};
use crate::model::{Kind, Observed, RecordId};
use crate::remote::http::Call;
use crate::remote::{ErrorKind, Fetched, Lookup, RemoteError};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::StatusCode;
use serde_json::json;
use std::collections::{HashMap, HashSet};

/// Lists, on the survivor of a merge, the ids that it has swallowed.
const MERGED: &str = "hs_merged_object_ids";
/// Lists the addresses of a contact beside its e-mail, which block a create like the e-mail itself.
const OTHER_EMAILS: &str = "hs_additional_emails";

/// What a read found, and which other ids or addresses it answers to.
struct Seen {
    record: Observed,
    also: Vec<String>,
}

/// The values of a property that holds several.
fn several(row: &Row<'_>, property: &str) -> Vec<String> {
    row.text(property)
        .split(';')
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

impl Hubspot {
    /// Each record of `ids`, in their order.
    ///
    /// A batch read answers for what is there, so three steps tell the rest apart: the survivor of
    /// a merge names the ids that it swallowed; archived records are in a read of their own; and
    /// what is left is asked for alone, because only that answers with 404.
    pub(super) async fn read_each(
        &self,
        wanted: &Wanted<'_>,
        ids: &[RecordId],
    ) -> Result<Vec<Fetched>, RemoteError> {
        let mut found: HashMap<RecordId, Fetched> = HashMap::with_capacity(ids.len());
        for archived in [false, true] {
            let asked: HashSet<&str> = ids
                .iter()
                .filter(|id| is_id(&id.0) && !found.contains_key(*id))
                .map(|id| id.0.as_str())
                .collect();
            if asked.is_empty() {
                break;
            }
            let keys: Vec<&str> = asked.iter().copied().collect();
            for seen in self.read_batches(wanted, &keys, archived, true).await? {
                for loser in seen.also.iter().filter(|id| asked.contains(id.as_str())) {
                    let moved = Fetched::MovedTo(seen.record.clone());
                    found.insert(RecordId(loser.clone()), moved);
                }
                if asked.contains(seen.record.id.0.as_str()) {
                    found.insert(seen.record.id.clone(), Fetched::Found(seen.record));
                }
            }
        }
        let absent: Vec<RecordId> = ids
            .iter()
            .filter(|id| !found.contains_key(*id))
            .cloned()
            .collect();
        let single: Vec<(RecordId, Fetched)> = stream::iter(absent)
            .map(|id| async move {
                let one = self.read_one(wanted, &id).await?;
                Ok((id, one))
            })
            .buffered(self.caps.in_flight)
            .try_collect()
            .await?;
        found.extend(single);
        if !ids.is_empty() && found.values().all(|it| matches!(it, Fetched::Gone)) {
            self.see_any(wanted.kind).await?;
        }
        let each = ids.iter().filter_map(|id| found.get(id).cloned());
        Ok(each.collect())
    }

    /// The records of `ids` that are there: live ones, or archived ones.
    pub(super) async fn read_present(
        &self,
        wanted: &Wanted<'_>,
        ids: &[&str],
        archived: bool,
    ) -> Result<Vec<Observed>, RemoteError> {
        let seen = self.read_batches(wanted, ids, archived, true).await?;
        Ok(seen.into_iter().map(|seen| seen.record).collect())
    }

    /// As [`Self::read_present`], for one who asks for fewer of them where that fails: several are not
    /// asked for again before.
    pub(super) async fn read_part(
        &self,
        wanted: &Wanted<'_>,
        ids: &[&str],
        archived: bool,
    ) -> Result<Vec<Observed>, RemoteError> {
        let alone = ids.len() == 1;
        let seen = self.read_batches(wanted, ids, archived, alone).await?;
        Ok(seen.into_iter().map(|seen| seen.record).collect())
    }

    async fn read_batches(
        &self,
        wanted: &Wanted<'_>,
        ids: &[&str],
        archived: bool,
        repeatable: bool,
    ) -> Result<Vec<Seen>, RemoteError> {
        let mut seen = Vec::with_capacity(ids.len());
        for keys in ids.chunks(BATCH) {
            let mut call =
                batch_read(wanted, keys, None, MERGED).with("archived", archived.to_string());
            call.repeatable = repeatable;
            seen.extend(self.batch(wanted, call, MERGED).await?);
        }
        Ok(seen)
    }

    async fn batch(
        &self,
        wanted: &Wanted<'_>,
        call: Call,
        also: &str,
    ) -> Result<Vec<Seen>, RemoteError> {
        let reply = self.http.send(call).await?;
        // A batch of which nothing is there may be a 404, in HubSpot's own words.
        if reply.status == StatusCode::NOT_FOUND
            && Refusal::of(&reply).is_some_and(|refusal| refusal.not_found())
        {
            return Ok(Vec::new());
        }
        let reply = reply.ok()?;
        let listing: Listing<'_> = decode(&reply)?;
        let records = observe(&reply, &listing.results, wanted)?;
        let rows = listing.results.iter();
        Ok(records
            .into_iter()
            .zip(rows)
            .map(|(record, row)| Seen {
                record,
                also: several(row, also),
            })
            .collect())
    }

    pub(super) async fn read_one(
        &self,
        wanted: &Wanted<'_>,
        id: &RecordId,
    ) -> Result<Fetched, RemoteError> {
        if !is_id(&id.0) {
            return Ok(Fetched::Gone);
        }
        let path = format!("/crm/v3/objects/{}/{id}", plural(wanted.kind));
        let call = Call::get(endpoint(wanted.kind, Verb::Read), path);
        let reply = self.http.send(wanted.ask(call)).await?;
        if reply.status == StatusCode::NOT_FOUND {
            return Ok(Fetched::Gone);
        }
        let reply = reply.ok()?;
        let row: Row<'_> = decode(&reply)?;
        let record = row.observed(wanted).ok_or_else(|| no_record(&reply))?;
        Ok(if record.id == *id {
            Fetched::Found(record)
        } else {
            Fetched::MovedTo(record)
        })
    }

    /// Makes sure that some record can be read: an account that shows nobody at all proves of
    /// nobody that he is gone.
    async fn see_any(&self, kind: Kind) -> Result<(), RemoteError> {
        let path = format!("/crm/v3/objects/{}", plural(kind));
        let call = Call::get(endpoint(kind, Verb::List), path).with("limit", "1");
        let reply = self.http.send(call).await?.ok()?;
        let listing: Listing<'_> = decode(&reply)?;
        if listing.results.is_empty() {
            let detail = "none of these records can be read, nor any other of their kind";
            return Err(reply.error(ErrorKind::Garbled, detail));
        }
        Ok(())
    }

    /// The records whose `field` is `value`. A contact's e-mail is a key, and the answer current;
    /// any other field is searched, and the answer lags. Neither shows archived records: those do
    /// not block a create.
    pub(super) async fn look_up(
        &self,
        wanted: &Wanted<'_>,
        field: &str,
        value: &str,
    ) -> Result<Lookup, RemoteError> {
        if wanted.kind == Kind::Contact && field == "email" {
            self.by_email(wanted, value).await
        } else {
            self.by_search(wanted, field, value).await
        }
    }

    async fn by_email(&self, wanted: &Wanted<'_>, email: &str) -> Result<Lookup, RemoteError> {
        let fields = with_field(wanted.fields, "email");
        let all = Wanted {
            fields: &fields,
            ..*wanted
        };
        let call = batch_read(&all, &[email], Some("email"), OTHER_EMAILS);
        let mut lookup = Lookup {
            found: Vec::new(),
            also: Vec::new(),
            taken_by_other: false,
        };
        for seen in self.batch(&all, call, OTHER_EMAILS).await? {
            let also = seen.also;
            if let Some(record) = exactly(seen.record, "email", email, wanted) {
                lookup.found.push(record);
            } else {
                // The contact goes by another e-mail, so it is not a match; but while it has this
                // one as well, no other contact can.
                lookup.taken_by_other |= also.iter().any(|other| same(other, email));
            }
        }
        Ok(lookup)
    }

    async fn by_search(
        &self,
        wanted: &Wanted<'_>,
        field: &str,
        value: &str,
    ) -> Result<Lookup, RemoteError> {
        let fields = with_field(wanted.fields, field);
        let all = Wanted {
            fields: &fields,
            ..*wanted
        };
        let (mut found, mut last) = (Vec::new(), 0);
        loop {
            let filters = [json!({"propertyName": field, "operator": "EQ", "value": value})];
            let page = self.search_page(&all, &filters, last).await?;
            last = page.last;
            // Whoever cannot be read may be the one.
            if let Some(unread) = page.apart.unread.into_iter().next() {
                return Err(unread.error);
            }
            // The index shows for a while what a record was before our own write to it: taken for what it is,
            // that would look like somebody's edit.
            let ids: Vec<&str> = page
                .apart
                .records
                .iter()
                .map(|it| it.id.0.as_str())
                .collect();
            let rows = self.read_present(&all, &ids, false).await?.into_iter();
            found.extend(rows.filter_map(|row| exactly(row, field, value, wanted)));
            // Two are as ambiguous as two thousand.
            if page.complete || found.len() > 1 {
                return Ok(Lookup {
                    found,
                    also: Vec::new(),
                    taken_by_other: false,
                });
            }
        }
    }
}

fn batch_read(wanted: &Wanted<'_>, keys: &[&str], key: Option<&str>, also: &str) -> Call {
    let mut properties = wanted.properties();
    if !properties.contains(&also) {
        properties.push(also);
    }
    let inputs: Vec<_> = keys.iter().map(|key| json!({ "id": key })).collect();
    let mut body = json!({
        "properties": properties,
        "propertiesWithHistory": [],
        "inputs": inputs,
    });
    if let (Some(key), Some(body)) = (key, body.as_object_mut()) {
        body.insert("idProperty".to_owned(), json!(key));
    }
    let path = format!("/crm/v3/objects/{}/batch/read", plural(wanted.kind));
    Call::query_by_post(endpoint(wanted.kind, Verb::Read), path, body)
}

fn with_field(fields: &[String], field: &str) -> Vec<String> {
    let mut fields = fields.to_vec();
    if !fields.iter().any(|name| name == field) {
        fields.push(field.to_owned());
    }
    fields
}

fn same(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

/// The record, if its `field` really is `value`, with the fields that were asked for alone.
fn exactly(
    mut record: Observed,
    field: &str,
    value: &str,
    wanted: &Wanted<'_>,
) -> Option<Observed> {
    let hit = same(record.image.get(field)?.as_text()?, value);
    if !wanted.fields.iter().any(|name| name == field) {
        record.image.0.remove(field);
    }
    hit.then_some(record)
}

//! The reads: pages, records by id, look-ups by key, the account.

use super::super::http::Call;
use super::super::reply::Reply;
use super::super::{
    Account, Cursor, ErrorKind, Feed, Fetched, Lookup, Page, PageRequest, RemoteError, Shape,
};
use super::record::{Reading, Row, TIME, database_id, row_id, time};
use super::schema::Form;
use super::verdict::{Verdict, verdict};
use super::{Method, Odoo, PAGE, path};
use crate::model::{Image, Kind, Observed, Presence, RecordId, Side, Value, Version};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// Who we are, as `res.users/context_get` says.
#[derive(Deserialize)]
struct WhoAmI {
    uid: i64,
}

/// A row of the installation.
#[derive(Deserialize)]
struct Installed {
    create_date: String,
}

impl Odoo {
    /// A read's answer, if it is a success.
    pub(super) async fn answer(&self, call: Call) -> Result<Reply, RemoteError> {
        let reply = self.http.send(call).await?;
        match verdict(&reply) {
            None => Ok(reply),
            Some(Verdict::Failed(error) | Verdict::Crashed(error) | Verdict::NoRight(error)) => {
                Err(error)
            }
            Some(Verdict::Refused(message) | Verdict::NotThere(message)) => {
                Err(reply.error(ErrorKind::Rejected(reply.status.as_u16()), &message))
            }
        }
    }

    /// The host, and when the database was made: a server rebuilt under the same name is another
    /// account. What names a database better (`database.uuid`) is for administrators alone, and the
    /// identity must not change with the rights of our user. Countries can be read by everybody and
    /// are there from the first second on.
    pub(super) async fn read_account(&self) -> Result<Account, RemoteError> {
        let call = |path: &str, body| Call::query_by_post("account", path, body);
        let reply = self
            .answer(call("/json/2/res.users/context_get", json!({})))
            .await?;
        let who: WhoAmI = reply.json()?;
        let oldest = json!({
            "domain": [["create_date", "!=", false]], "fields": ["create_date"],
            "order": "id", "limit": 1,
        });
        let reply = self
            .answer(call("/json/2/res.country/search_read", oldest))
            .await?;
        let rows: Vec<Installed> = reply.json()?;
        let Some(installed) = rows.first() else {
            return Err(reply.error(ErrorKind::Garbled, "a database without countries"));
        };
        if time(&installed.create_date).is_none() {
            return Err(reply.error(ErrorKind::Garbled, "a country that was never made"));
        }
        let digits: String = installed
            .create_date
            .chars()
            .filter(char::is_ascii_digit)
            .collect();
        Ok(Account {
            identity: format!("odoo:{}/{digits}", self.http.host()),
            acting_as: format!("user {}", who.uid),
        })
    }

    /// What `fields` are read as.
    pub(super) async fn reading<'a>(
        &'a self,
        fields: &'a [String],
    ) -> Result<Reading<'a>, RemoteError> {
        let definitions = self.definitions().await?;
        Reading::new(definitions, fields).map_err(|name| RemoteError {
            side: Side::Crm,
            call: "res.partner".to_owned(),
            kind: ErrorKind::Rejected(422),
            detail: format!("there is no field {name:?}"),
            request_id: None,
        })
    }

    /// A window of ids, in their order: whatever happens between two pages, nothing shifts. Every
    /// call is one transaction that sees one state (`REPEATABLE READ`), so a page that is not full is
    /// the last.
    pub(super) async fn read_page(
        &self,
        request: &PageRequest<'_>,
        cursor: Option<&Cursor>,
    ) -> Result<Page, RemoteError> {
        let reading = self.reading(request.fields).await?;
        let after = cursor.and_then(|at| database_id(&at.0)).unwrap_or(0);
        let mut domain = members(request.kind);
        domain.push(json!(["id", ">", after]));
        let since = |time: chrono::DateTime<chrono::Utc>| {
            json!(["write_date", ">=", time.format(TIME).to_string()])
        };
        match request.feed {
            Feed::All | Feed::Again => domain.push(json!(["active", "=", true])),
            Feed::Changes(time) => domain.push(since(time)),
            Feed::Trash(time) => {
                domain.push(json!(["active", "=", false]));
                domain.extend(time.map(since));
            }
        }
        let (reply, rows) = self.rows(request, &reading, &domain).await?;
        let ordered = rows
            .iter()
            .try_fold(after, |before, row| (row.id > before).then_some(row.id));
        let Some(last) = ordered else {
            return Err(reply.error(ErrorKind::Garbled, "the rows are not in the order of ids"));
        };
        let next = (rows.len() >= PAGE).then(|| Cursor(last.to_string()));
        let apart = self.sift(request, &reading, rows).await?;
        Ok(Page {
            records: apart.records,
            unread: apart.unread,
            next,
            server_time: reply.server_time,
        })
    }

    /// Records by id, whatever became of them.
    pub(super) async fn read_by_id(
        &self,
        kind: Kind,
        fields: &[String],
        ids: &[RecordId],
    ) -> Result<Vec<Fetched>, RemoteError> {
        let numbers: Vec<i64> = ids.iter().filter_map(|id| database_id(&id.0)).collect();
        let mut found = self.present(kind, fields, &numbers).await?;
        let absent: Vec<i64> = numbers
            .into_iter()
            .filter(|id| !found.contains_key(id))
            .collect();
        let hidden = self.hidden(kind, absent).await?;
        Ok(ids
            .iter()
            .map(|id| match database_id(&id.0) {
                Some(number) if hidden.contains(&number) => Fetched::Found(veiled(number)),
                Some(number) => found.remove(&number).map_or(Fetched::Gone, Fetched::Found),
                None => Fetched::Gone,
            })
            .collect())
    }

    /// Those of `ids` that our user can see, archived ones included.
    pub(super) async fn present(
        &self,
        kind: Kind,
        fields: &[String],
        ids: &[i64],
    ) -> Result<BTreeMap<i64, Observed>, RemoteError> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let reading = self.reading(fields).await?;
        let domain = [json!(["id", "in", ids])];
        let reply = self
            .answer(search_read(kind, &domain, &reading.columns(), None))
            .await?;
        Ok(reading.rows(&reply)?.into_iter().collect())
    }

    /// Those of `ids` that exist although a search did not show them. A search leaves out what a
    /// record rule hides (a partner of another company of the group); a read of it is refused, while
    /// one of a deleted record is only shorter.
    async fn hidden(&self, kind: Kind, ids: Vec<i64>) -> Result<BTreeSet<i64>, RemoteError> {
        let mut hidden = BTreeSet::new();
        let mut batches = vec![ids];
        while let Some(mut batch) = batches.pop() {
            if batch.is_empty() {
                continue;
            }
            let reply = self
                .http
                .send(Call::query_by_post(
                    Method::Read.endpoint(kind),
                    path(Method::Read.name()),
                    json!({ "ids": batch, "fields": ["active"] }),
                ))
                .await?;
            match verdict(&reply) {
                None => {
                    let rows: Vec<Row> = reply.json()?;
                    hidden.extend(rows.iter().filter_map(|row| row_id(row.get("id")?)));
                }
                Some(Verdict::NoRight(_)) if batch.len() == 1 => hidden.extend(batch),
                Some(Verdict::NoRight(_)) => {
                    let rest = batch.split_off(batch.len() / 2);
                    batches.extend([batch, rest]);
                }
                Some(Verdict::Failed(error) | Verdict::Crashed(error)) => return Err(error),
                Some(Verdict::Refused(message) | Verdict::NotThere(message)) => {
                    let kind = ErrorKind::Rejected(reply.status.as_u16());
                    return Err(reply.error(kind, &message));
                }
            }
        }
        Ok(hidden)
    }

    /// Partners by a key. Staff with that value is no record of ours, and a second partner for the
    /// same person would be wrong.
    pub(super) async fn look_up(
        &self,
        kind: Kind,
        fields: &[String],
        field: &str,
        value: &str,
    ) -> Result<Lookup, RemoteError> {
        let mut wanted = fields.to_vec();
        wanted.extend([field.to_owned(), STAFF.to_owned()]);
        let reading = self.reading(&wanted).await?;
        let mut lookup = Lookup {
            found: Vec::new(),
            also: Vec::new(),
            taken_by_other: false,
        };
        let form = self.definitions().await?.form(field);
        let Some(condition) = form.and_then(|form| equals(form, field, value)) else {
            return Ok(lookup);
        };
        let mut domain = members(kind);
        domain.retain(|term| term.get(0) != Some(&json!(STAFF)));
        domain.push(condition);
        let reply = self
            .answer(search_read(kind, &domain, &reading.columns(), None))
            .await?;
        for (_, mut record) in reading.rows(&reply)? {
            let same = match record.image.get(field) {
                Some(Value::Text(text)) => text.to_lowercase() == value.to_lowercase(),
                // Odoo compared it itself.
                Some(_) => true,
                None => false,
            };
            let staff = record.image.get(STAFF) == Some(&Value::Bool(false));
            if same && kind == Kind::Contact && staff {
                lookup.taken_by_other = true;
            } else if same {
                record.image.0.retain(|name, _| fields.contains(name));
                lookup.found.push(record);
            }
        }
        Ok(lookup)
    }
}

/// `false` for the partners of internal users and of the system.
const STAFF: &str = "partner_share";

/// The domain of those that count as `kind`.
pub(super) fn members(kind: Kind) -> Vec<Json> {
    match kind {
        Kind::Company => vec![json!(["is_company", "=", true])],
        Kind::Contact => vec![
            json!(["is_company", "=", false]),
            json!(["type", "in", ["contact", false]]),
            json!([STAFF, "=", true]),
        ],
    }
}

/// A search that also sees archived records, unless `domain` says otherwise.
pub(super) fn search_read(
    kind: Kind,
    domain: &[Json],
    columns: &[&str],
    limit: Option<usize>,
) -> Call {
    let mut body = json!({
        "domain": domain, "fields": columns, "order": "id", "context": { "active_test": false },
    });
    if let (Some(limit), Some(body)) = (limit, body.as_object_mut()) {
        body.insert("limit".to_owned(), json!(limit));
    }
    Call::query_by_post(
        Method::SearchRead.endpoint(kind),
        path(Method::SearchRead.name()),
        body,
    )
}

/// The domain's term for "has this value, letter case aside"; `None` where no record can.
fn equals(form: &Form, field: &str, value: &str) -> Option<Json> {
    if value.is_empty() {
        return None;
    }
    match form {
        Form::Text(Shape::Text) => Some(json!([field, "=ilike", escaped(value)])),
        Form::Text(_) => Some(json!([field, "=", value])),
        Form::Number => {
            let number: serde_json::Number = value.parse().ok()?;
            Some(json!([field, "=", number]))
        }
        Form::Boolean | Form::Link | Form::Other(_) => None,
    }
}

/// `value` as a pattern that stands for itself.
fn escaped(value: &str) -> String {
    let mut pattern = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '\\' | '%' | '_') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

/// A record that is there and shows nothing.
fn veiled(id: i64) -> Observed {
    Observed {
        id: RecordId::from(id),
        version: Version::default(),
        presence: Presence::Live,
        image: Image::default(),
    }
}

//! Look-ups by key: from strongly consistent lists where there is a filter for the key; from the
//! search index, which lags by minutes, only together with the latest changes.

use super::attribute::Place;
use super::list::{Filter, Stage, whole_seconds};
use super::row::{Row, Wanted};
use super::value::identity;
use super::{Endpoints, Freshdesk, attribute, garbled};
use crate::clock::{Clock as _, SystemClock};
use crate::model::{Kind, Observed, Presence, RecordId, Value};
use crate::remote::http::Call;
use crate::remote::reply::Reply;
use crate::remote::{ErrorKind, Lookup, RemoteError, Shape};
use reqwest::StatusCode;
use serde_json::Value as Json;
use std::time::Duration;

/// Pages of a filtered list that a look-up reads at most.
const PAGES: u32 = 10;
/// Pages of the latest changes that a look-up reads at most.
const LATEST_PAGES: u32 = 5;
/// Rows that a filter for an address shows beside the one that it belongs to, and that are looked at:
/// addresses are unique, so that there is at most one.
const FEW: usize = 3;
/// The addresses of a contact beside the one that it goes by.
const OTHERS: &str = "other_emails";
/// What the search index may not show yet ("a few minutes", "Search Contacts").
const INDEX_LAG: Duration = Duration::from_mins(10);
/// Rows in a page of a search, and pages that it has at most.
const SEARCH: (usize, u32) = (30, 10);
/// The longest query of a search.
const LONGEST_QUERY: usize = 512;

impl Freshdesk {
    /// The records of `kind` whose `field` is `value`, letter case and runs of blanks aside.
    pub(super) async fn look_up(
        &self,
        kind: Kind,
        fields: &[String],
        field: &str,
        value: &str,
    ) -> Result<Lookup, RemoteError> {
        let query = Query {
            kind,
            fields,
            field,
            value,
        };
        if normal(value).is_empty() {
            return Ok(Lookup {
                found: Vec::new(),
                also: Vec::new(),
                taken_by_other: false,
            });
        }
        let (found, also) = match query.parameter() {
            Some(parameter) => self.by_parameter(&query, parameter).await?,
            None if field == "name" => {
                let ids = self.by_name(&query).await?;
                (self.matching(&query, &ids).await?, Vec::new())
            }
            None => (self.by_index(&query).await?, Vec::new()),
        };
        let taken_by_other = kind == Kind::Contact
            && field == "email"
            && found.is_empty()
            && also.is_empty()
            && self.agent_has(value).await?;
        Ok(Lookup {
            found,
            also,
            taken_by_other,
        })
    }

    /// By a filter of the list. A live record has its unique values alone; only where there is none
    /// can one in the trash hold them. The second list is that of [`Lookup::also`].
    async fn by_parameter(
        &self,
        query: &Query<'_>,
        parameter: &'static str,
    ) -> Result<(Vec<Observed>, Vec<Observed>), RemoteError> {
        for stage in [Stage::Live, Stage::Deleted, Stage::Blocked] {
            let filter = (parameter, query.value);
            let listed = self
                .short_list(query.kind, stage, filter, &query.wanted(), PAGES)
                .await;
            let rows = match listed {
                // A filter that is not documented for contacts, and may not be there.
                Err(error)
                    if parameter == "unique_external_id"
                        && error.kind == ErrorKind::Rejected(400) =>
                {
                    return Ok((self.by_index(query).await?, Vec::new()));
                }
                listed => listed?,
            };
            let rows = if query.single_reads() {
                self.read_again(query.kind, &query.all_fields(), rows)
                    .await?
            } else {
                rows
            };
            let others: Vec<RecordId> = rows.iter().map(|row| row.id.clone()).collect();
            let found = query.keep(rows, stage != Stage::Live);
            if !found.is_empty() {
                return Ok((found, Vec::new()));
            }
            if stage == Stage::Live && query.kind == Kind::Contact && query.field == "email" {
                let also = self.among_others(query, &others).await?;
                if !also.is_empty() {
                    return Ok((Vec::new(), also));
                }
            }
        }
        Ok((Vec::new(), Vec::new()))
    }

    /// Those of the first of `ids` that have the address among their `other_emails`, where the filter
    /// looks as well, and where a merge puts it ("Merge Contacts"). A list does not show them.
    async fn among_others(
        &self,
        query: &Query<'_>,
        ids: &[RecordId],
    ) -> Result<Vec<Observed>, RemoteError> {
        let others = Query {
            field: OTHERS,
            ..*query
        };
        let few: Vec<RecordId> = ids.iter().take(FEW).cloned().collect();
        self.matching(&others, &few).await
    }

    /// The ids of records that may have this name.
    async fn by_name(&self, query: &Query<'_>) -> Result<Vec<RecordId>, RemoteError> {
        let endpoints = Endpoints::of(query.kind);
        let parameter = match query.kind {
            Kind::Contact => "term",
            Kind::Company => "name",
        };
        let path = format!("{}/autocomplete", endpoints.path);
        let call = Call::get(endpoints.autocomplete, path).with(parameter, query.value);
        let reply = self.http.send(call).await?.ok()?;
        let rows = rows_in(&reply, "companies")?;
        let same_name = |row: &&Json| {
            row.get("name")
                .and_then(Json::as_str)
                .is_none_or(|name| normal(name) == normal(query.value))
        };
        rows.iter()
            .filter(same_name)
            .map(|row| id_of(&reply, row))
            .collect()
    }

    /// By the search index, which knows what is older, and by the latest changes, which it may not
    /// know yet.
    async fn by_index(&self, query: &Query<'_>) -> Result<Vec<Observed>, RemoteError> {
        let ids = self.search(query).await?;
        let found = self.matching(query, &ids).await?;
        if !found.is_empty() {
            return Ok(found);
        }
        let Filter::By(spelling) = self.filter(query.kind).await? else {
            return Ok(found);
        };
        let since = whole_seconds(SystemClock.now() - INDEX_LAG);
        let latest = (spelling, since.as_str());
        let rows = self
            .short_list(
                query.kind,
                Stage::Live,
                latest,
                &query.wanted(),
                LATEST_PAGES,
            )
            .await?;
        let rows = if query.single_reads() {
            self.read_again(query.kind, &query.all_fields(), rows)
                .await?
        } else {
            rows
        };
        Ok(query.keep(rows, false))
    }

    async fn search(&self, query: &Query<'_>) -> Result<Vec<RecordId>, RemoteError> {
        let number = self
            .schema(query.kind)
            .and_then(|schema| Some(schema.fields.get(query.field)?.shape.clone()))
            .is_some_and(|shape| matches!(shape, Shape::Number | Shape::Boolean));
        let Some(text) = query.search_text(number) else {
            return Ok(Vec::new());
        };
        let endpoints = Endpoints::of(query.kind);
        let mut ids = Vec::new();
        for page in 1..=SEARCH.1 {
            let call = Call::get(endpoints.search, format!("/search{}", endpoints.path))
                .with("query", text.as_str())
                .with("page", page.to_string());
            let reply = self.http.send(call).await?;
            if reply.status == StatusCode::BAD_REQUEST {
                // The field is not searchable here: the index says nothing.
                break;
            }
            let reply = reply.ok()?;
            let rows = rows_in(&reply, "results")?;
            for row in &rows {
                ids.push(id_of(&reply, row)?);
            }
            if rows.len() < SEARCH.0 {
                break;
            }
        }
        Ok(ids)
    }

    /// Those of `ids` that really match, as a single read shows them.
    async fn matching(
        &self,
        query: &Query<'_>,
        ids: &[RecordId],
    ) -> Result<Vec<Observed>, RemoteError> {
        let rows = self.views(query.kind, &query.wanted(), ids).await?;
        Ok(query.keep(rows.into_iter().flatten().collect(), false))
    }

    /// Whether an agent has this address. Only an administrator's key may ask; for others the
    /// answer is no, and a create will be refused.
    async fn agent_has(&self, email: &str) -> Result<bool, RemoteError> {
        let call = Call::get("agents.list", "/agents").with("email", email);
        let reply = self.http.send(call).await?;
        if matches!(reply.status.as_u16(), 400 | 403 | 404) {
            return Ok(false);
        }
        let reply = reply.ok()?;
        let agents = rows_in(&reply, "agents")?;
        Ok(agents.iter().any(|agent| {
            ["/contact/email", "/email"]
                .iter()
                .filter_map(|place| agent.pointer(place)?.as_str())
                .any(|address| normal(address) == normal(email))
        }))
    }
}

#[derive(Clone, Copy)]
struct Query<'a> {
    kind: Kind,
    fields: &'a [String],
    field: &'a str,
    value: &'a str,
}

impl Query<'_> {
    /// The filter of the list that finds the field, where there is one ("List All Contacts").
    fn parameter(&self) -> Option<&'static str> {
        match (self.kind, self.field) {
            (Kind::Contact, "email" | "other_emails") => Some("email"),
            (Kind::Contact, "phone") => Some("phone"),
            (Kind::Contact, "mobile") => Some("mobile"),
            (Kind::Contact, "unique_external_id") => Some("unique_external_id"),
            _ => None,
        }
    }

    /// What has to be read: the fields asked for, and the one that is compared.
    fn all_fields(&self) -> Vec<String> {
        let mut fields = self.fields.to_vec();
        if !fields.iter().any(|field| field == self.field) {
            fields.push(self.field.to_owned());
        }
        fields
    }

    fn wanted(&self) -> Wanted<'_> {
        let extra = (!self.fields.iter().any(|field| field == self.field)).then_some(self.field);
        Wanted::new(self.fields.iter().map(String::as_str).chain(extra))
    }

    fn single_reads(&self) -> bool {
        self.fields
            .iter()
            .map(String::as_str)
            .chain([self.field])
            .any(|field| attribute::needs_single_read(self.kind, field))
    }

    /// The rows that match, without what was not asked for.
    fn keep(&self, rows: Vec<Row>, in_trash: bool) -> Vec<Observed> {
        let mut found: Vec<Observed> = Vec::new();
        for row in rows {
            if !self.matches(row.image.get(self.field)) || found.iter().any(|it| it.id == row.id) {
                continue;
            }
            let mut record = row.observed(in_trash);
            if !self.fields.iter().any(|field| field == self.field) {
                record.image.0.remove(self.field);
            }
            found.push(record);
        }
        // Live ones first: they are what can be linked.
        found.sort_by_key(|record| record.presence != Presence::Live);
        found
    }

    fn matches(&self, shown: Option<&Value>) -> bool {
        let sought = normal(self.value);
        match shown {
            Some(Value::Text(text)) => normal(text) == sought,
            Some(Value::List(members)) => members.iter().any(|member| normal(member) == sought),
            Some(Value::Number(number)) => number.to_string() == sought,
            Some(Value::Bool(truth)) => truth.to_string() == sought,
            Some(Value::Empty) | None => false,
        }
    }

    /// The query of a search; nothing where the index does not know the field, or the value cannot
    /// be quoted: how to escape a quote is not documented.
    fn search_text(&self, bare: bool) -> Option<String> {
        let key = match (self.kind, Place::of(self.field)) {
            (Kind::Company, Place::Own("domains")) => "domain",
            (Kind::Contact, Place::Own("tags")) => "tag",
            (_, Place::Custom(key))
            | (Kind::Contact, Place::Own(key @ ("twitter_id" | "language" | "time_zone"))) => key,
            _ => return None,
        };
        let value = self.value;
        if value.contains(['\'', '"', '\\']) {
            return None;
        }
        let text = if bare {
            format!("\"{key}:{value}\"")
        } else {
            format!("\"{key}:'{value}'\"")
        };
        (text.len() <= LONGEST_QUERY).then_some(text)
    }
}

/// The form in which two values are compared.
fn normal(text: &str) -> String {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    words.join(" ")
}

/// The rows of an answer that is an array, or an object with one under `key`.
fn rows_in(reply: &Reply, key: &str) -> Result<Vec<Json>, RemoteError> {
    let json: Json = serde_json::from_slice(&reply.body).map_err(|error| garbled(reply, &error))?;
    let rows = match json {
        Json::Array(rows) => Some(rows),
        Json::Object(mut object) => match object.remove(key) {
            Some(Json::Array(rows)) => Some(rows),
            _ => None,
        },
        _ => None,
    };
    rows.ok_or_else(|| reply.error(ErrorKind::Garbled, "no rows where rows are due"))
}

fn id_of(reply: &Reply, row: &Json) -> Result<RecordId, RemoteError> {
    row.get("id")
        .and_then(Value::from_json)
        .and_then(|id| identity(&id))
        .ok_or_else(|| reply.error(ErrorKind::Garbled, "a row without an id"))
}

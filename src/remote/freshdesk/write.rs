//! Writes: only what is to change, each value in the type that the API insists on, and what became
//! of it.

use super::attribute::{self, CUSTOM, Place};
use super::row::Wanted;
use super::schema::payload_name;
use super::value::identity;
use super::{Endpoints, Freshdesk};
use crate::model::{COMPANY, Changes, Image, Kind, Observed, Presence, RecordId, Value, Version};
use crate::remote::http::Call;
use crate::remote::reply::Reply;
use crate::remote::{ErrorKind, Op, Outcome, RemoteError, Schema, Shape};
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value as Json};

impl Freshdesk {
    /// Carries out one operation.
    pub(super) async fn write_one(&self, kind: Kind, fields: &[String], op: &Op) -> Outcome {
        let result = match op {
            Op::Create { fields: values } => self.create(kind, fields, values).await,
            Op::Update {
                id, fields: values, ..
            } => self.update(kind, fields, id, values).await,
            Op::Delete { id } => self.delete(kind, id).await,
        };
        result.unwrap_or_else(Outcome::Failed)
    }

    async fn create(
        &self,
        kind: Kind,
        fields: &[String],
        values: &Changes,
    ) -> Result<Outcome, RemoteError> {
        let filled = values.0.iter().filter(|(_, value)| !value.is_empty());
        let body = match self.body(kind, filled) {
            Ok(body) => body,
            Err(refused) => return Ok(refused),
        };
        let endpoints = Endpoints::of(kind);
        let call = Call::send(Method::POST, endpoints.create, endpoints.path, body);
        let reply = self.http.send(call).await?;
        if let Some(outcome) = stored(fields, &reply) {
            return outcome;
        }
        let complaint = Complaint::of(&reply);
        if complaint.is_duplicate(reply.status) {
            return Ok(Outcome::Duplicate {
                of: complaint.holder,
                message: reply.message(),
            });
        }
        Ok(self.refusal(kind, values, &reply, complaint))
    }

    async fn update(
        &self,
        kind: Kind,
        fields: &[String],
        id: &RecordId,
        values: &Changes,
    ) -> Result<Outcome, RemoteError> {
        let endpoints = Endpoints::of(kind);
        let body = match self.body(kind, &values.0) {
            Ok(body) => body,
            Err(refused) => return Ok(refused),
        };
        let path = endpoints.record(id)?;
        let call = Call::send(Method::PUT, endpoints.update, path, body);
        let reply = self.http.send(call).await?;
        if let Some(outcome) = stored(fields, &reply) {
            let another = |outcome: &Outcome| match outcome {
                Outcome::Done { stored, .. } => stored.id != *id,
                _ => false,
            };
            if outcome.as_ref().is_ok_and(another) {
                return Err(reply.error(ErrorKind::Garbled, "the answer is another record"));
            }
            return outcome;
        }
        let complaint = Complaint::of(&reply);
        Ok(self.refusal(kind, values, &reply, complaint))
    }

    async fn delete(&self, kind: Kind, id: &RecordId) -> Result<Outcome, RemoteError> {
        let endpoints = Endpoints::of(kind);
        if kind == Kind::Company {
            return Ok(Outcome::Refused {
                field: None,
                message: "Freshdesk has no trash for companies: a deletion could not be undone"
                    .to_owned(),
                request_id: None,
            });
        }
        let mut call = Call::get(endpoints.delete, endpoints.record(id)?);
        call.method = Method::DELETE;
        call.repeatable = false;
        let reply = self.http.send(call).await?;
        if reply.status.is_success() {
            return Ok(Outcome::Done {
                request_id: reply.request_id(),
                stored: Observed {
                    id: id.clone(),
                    version: Version::from(reply.server_time),
                    presence: Presence::Trashed,
                    image: Image::default(),
                },
            });
        }
        let complaint = Complaint::of(&reply);
        Ok(self.refusal(kind, &Changes::default(), &reply, complaint))
    }

    fn refusal(&self, kind: Kind, sent: &Changes, reply: &Reply, complaint: Complaint) -> Outcome {
        match reply.status {
            StatusCode::NOT_FOUND => Outcome::Missing,
            StatusCode::METHOD_NOT_ALLOWED => Outcome::Trashed,
            // A 400 without a word of explanation comes from something in between.
            StatusCode::BAD_REQUEST | StatusCode::CONFLICT if complaint.understood => {
                let schema = self.schema(kind);
                Outcome::Refused {
                    field: complaint
                        .field
                        .map(|name| field_name(kind, &name, sent, schema.as_deref())),
                    message: reply.message(),
                    request_id: reply.request_id(),
                }
            }
            _ => Outcome::Failed(reply.failure()),
        }
    }

    /// The request's body, or the refusal of a field that cannot be written.
    fn body<'a>(
        &self,
        kind: Kind,
        values: impl IntoIterator<Item = (&'a String, &'a Value)>,
    ) -> Result<Json, Outcome> {
        let schema = self.schema(kind);
        let mut body = Map::new();
        let mut custom = Map::new();
        for (field, value) in values {
            let json = if field == COMPANY && kind == Kind::Contact {
                company(value)
            } else {
                let shape = writable(kind, field, schema.as_deref());
                shape.map(|shape| encode(shape.as_ref(), value))
            };
            let Some(json) = json else {
                return Err(Outcome::Refused {
                    field: Some(field.clone()),
                    message: "Freshdesk does not let this be written".to_owned(),
                    request_id: None,
                });
            };
            match Place::of(field) {
                Place::Own(key) => body.insert(key.to_owned(), json),
                Place::Custom(key) => custom.insert(key.to_owned(), json),
            };
        }
        if !custom.is_empty() {
            body.insert("custom_fields".to_owned(), Json::Object(custom));
        }
        Ok(Json::Object(body))
    }
}

/// The record that a successful answer shows.
fn stored(fields: &[String], reply: &Reply) -> Option<Result<Outcome, RemoteError>> {
    reply.status.is_success().then(|| {
        let row = Wanted::new(fields.iter().map(String::as_str)).row(reply)?;
        Ok(Outcome::Done {
            stored: row.observed(false),
            request_id: reply.request_id(),
        })
    })
}

/// What `field` holds (the inner nothing: we do not know), if it may be written at all.
#[expect(
    clippy::option_option,
    reason = "two questions, and each can be answered with no"
)]
fn writable(kind: Kind, field: &str, schema: Option<&Schema>) -> Option<Option<Shape>> {
    let info = schema.and_then(|schema| schema.fields.get(field));
    match (Place::of(field), attribute::named(kind, field)) {
        (Place::Custom(_), _) => Some(info.map(|info| info.shape.clone())),
        (Place::Own(_), Some(attribute)) if attribute.writable => Some(Some(
            info.map_or_else(|| attribute.shape.clone(), |info| info.shape.clone()),
        )),
        (Place::Own(_), _) => None,
    }
}

/// The company's id as the number that the API wants.
fn company(value: &Value) -> Option<Json> {
    match value {
        Value::Empty => Some(Json::Null),
        other => identity(other)?.0.parse::<u64>().ok().map(Json::from),
    }
}

/// A value in the type of its field. The API converts nothing: a number as text is refused.
fn encode(shape: Option<&Shape>, value: &Value) -> Json {
    match (shape, value) {
        // Text is cleared by a blank; null is what clears the rest.
        (Some(Shape::Text), Value::Empty) => Json::from(""),
        (Some(Shape::List), Value::Empty) => Json::Array(Vec::new()),
        (Some(Shape::List), Value::Text(text)) => Json::from(vec![text.as_str()]),
        (Some(Shape::Number), Value::Text(text)) => text
            .trim()
            .parse()
            .map_or_else(|_| Json::from(text.as_str()), Json::Number),
        (Some(Shape::Boolean), Value::Text(text)) => text
            .trim()
            .parse::<bool>()
            .map_or_else(|_| Json::from(text.as_str()), Json::Bool),
        (Some(Shape::Date), Value::Text(text)) => match text.split_once('T') {
            Some((day, _)) if day.len() == 10 => Json::from(day),
            _ => Json::from(text.as_str()),
        },
        (Some(Shape::Text | Shape::Choice(_)), Value::Number(number)) => {
            Json::from(number.to_string())
        }
        (Some(Shape::Text | Shape::Choice(_)), Value::Bool(truth)) => Json::from(truth.to_string()),
        (_, value) => value.to_json(),
    }
}

/// What an error's body says that decides something.
#[derive(Debug, Default)]
pub(super) struct Complaint {
    /// Whether the body is an error in one of the documented forms.
    pub(super) understood: bool,
    /// The first field that it names, by the payload's name.
    pub(super) field: Option<String>,
    pub(super) codes: Vec<String>,
    /// The record that has the unique value already.
    holder: Option<RecordId>,
}

impl Complaint {
    pub(super) fn of(reply: &Reply) -> Self {
        serde_json::from_slice::<Json>(&reply.body)
            .map_or_else(|_| Self::default(), |json| Self::read(&json))
    }

    fn read(json: &Json) -> Self {
        let errors = json.get("errors").and_then(Json::as_array);
        let errors = errors.map(Vec::as_slice).unwrap_or_default();
        let said = |error: &Json, key: &str| error.get(key)?.as_str().map(str::to_owned);
        Self {
            understood: !errors.is_empty()
                || ["code", "message", "description"]
                    .iter()
                    .any(|key| said(json, key).is_some()),
            field: errors
                .iter()
                .find_map(|error| said(error, "field"))
                .filter(|field| !field.is_empty()),
            codes: errors
                .iter()
                .chain([json])
                .filter_map(|error| said(error, "code"))
                .collect(),
            holder: errors.iter().find_map(|error| {
                let id = error.pointer("/additional_info/user_id")?;
                identity(&Value::from_json(id)?)
            }),
        }
    }

    fn is_duplicate(&self, status: StatusCode) -> bool {
        let says_so = self.codes.iter().any(|code| code == "duplicate_value");
        match status {
            StatusCode::CONFLICT => says_so || self.codes.is_empty(),
            StatusCode::BAD_REQUEST => says_so,
            _ => false,
        }
    }
}

/// The name in `sync.toml` of the field that an error calls `name`.
fn field_name(kind: Kind, name: &str, sent: &Changes, schema: Option<&Schema>) -> String {
    let bare = name.strip_prefix(CUSTOM).unwrap_or(name);
    let own = payload_name(kind, bare);
    if kind == Kind::Contact && own == "company_id" {
        return COMPANY.to_owned();
    }
    let custom = format!("{CUSTOM}{bare}");
    let known = |field: &str| {
        sent.get(field).is_some() || schema.is_some_and(|schema| schema.fields.contains_key(field))
    };
    if name != bare || (known(&custom) && sent.get(own).is_none()) {
        custom
    } else {
        own.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_cleared_field_is_cleared_in_the_way_its_type_takes() {
        let clear = |shape: Shape| encode(Some(&shape), &Value::Empty);
        assert_eq!(clear(Shape::Text), json!(""));
        assert_eq!(clear(Shape::List), json!([]));
        for shape in [
            Shape::Number,
            Shape::Boolean,
            Shape::Date,
            Shape::Choice(vec!["a".into()]),
        ] {
            assert_eq!(clear(shape), json!(null));
        }
        assert_eq!(encode(None, &Value::Empty), json!(null));
        assert_eq!(company(&Value::Empty), Some(json!(null)));
    }

    #[test]
    fn values_go_out_in_the_field_s_own_type_or_the_whole_write_is_refused() {
        let out = |shape: Shape, value: Value| encode(Some(&shape), &value);
        assert_eq!(out(Shape::Number, "42".into()), json!(42));
        assert_eq!(out(Shape::Number, "many".into()), json!("many"));
        assert_eq!(out(Shape::Boolean, "true".into()), json!(true));
        assert_eq!(out(Shape::Text, 49.into()), json!("49"));
        assert_eq!(out(Shape::List, "a.example".into()), json!(["a.example"]));
        assert_eq!(
            out(Shape::Date, "2026-11-05T00:00:00Z".into()),
            json!("2026-11-05")
        );
        assert_eq!(
            company(&"501001204038".into()),
            Some(json!(501_001_204_038_u64))
        );
        assert_eq!(company(&"Acme".into()), None);
    }

    #[test]
    fn an_error_names_the_field_as_sync_toml_does() {
        let sent = Changes::from([("custom_fields.tier", "VIP".into()), ("email", "x".into())]);
        let name = |name: &str| field_name(Kind::Contact, name, &sent, None);
        assert_eq!(name("tier"), "custom_fields.tier");
        assert_eq!(name("custom_fields.tier"), "custom_fields.tier");
        assert_eq!(name("email"), "email");
        assert_eq!(name("company_id"), COMPANY);
        assert_eq!(name("tag_names"), "tags");
        assert_eq!(name("unheard_of"), "unheard_of");
    }

    #[test]
    fn a_conflict_without_that_code_is_no_duplicate() {
        let other =
            Complaint::read(&json!({"errors": [{"field": "x", "code": "inconsistent_state"}]}));
        assert!(!other.is_duplicate(StatusCode::CONFLICT));
        let duplicate = Complaint::read(&json!({"description": "Validation failed", "errors": [
            {"field": "email", "additional_info": {"user_id": 2_043_042_684_973_u64}, "code": "duplicate_value"}]}));
        assert!(duplicate.is_duplicate(StatusCode::CONFLICT));
        assert_eq!(duplicate.holder, Some(RecordId::from("2043042684973")));
        assert!(!duplicate.is_duplicate(StatusCode::FORBIDDEN));
    }

    proptest! {
        #[test]
        fn no_error_body_makes_it_panic(text in ".{0,80}", number in any::<i64>()) {
            for odd in [json!(text), json!(number), json!([text]), json!({"user_id": text}), json!(null)] {
                Complaint::read(&odd);
                Complaint::read(&json!({"errors": odd}));
                Complaint::read(&json!({"errors": [odd]}));
                Complaint::read(&json!({"errors": [{"field": odd, "code": odd, "additional_info": odd}]}));
            }
        }
    }
}

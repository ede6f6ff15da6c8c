//! One partner: Odoo's row into an image, and changes into Odoo's values.

use super::super::reply::Reply;
use super::super::{ErrorKind, RemoteError};
use super::schema::{Definitions, Form};
use crate::model::{COMPANY, Changes, Image, Kind, Observed, Presence, RecordId, Value, Version};
use chrono::{Datelike as _, NaiveDateTime};
use serde_json::{Map, Value as Json, json};

/// How Odoo writes a point in time, in UTC.
pub(super) const TIME: &str = "%Y-%m-%d %H:%M:%S";

/// What tells a contact's company. The name is there because it alone says that the entity above is
/// a company and not another person.
const ABOVE: [&str; 3] = [
    "parent_id",
    "commercial_partner_id",
    "commercial_company_name",
];

/// A row of `search_read` or `read`.
pub(super) type Row = Map<String, Json>;

/// What a row shows.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) id: i64,
    /// Whether nothing is missing, or of another type, that makes it a record.
    pub(super) whole: bool,
    pub(super) record: Observed,
}

/// What to read, and how to understand it.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    definitions: &'a Definitions,
    fields: &'a [String],
}

impl<'a> Reading<'a> {
    /// Of these fields; the name of the first that does not exist, where one does not.
    pub(super) fn new(definitions: &'a Definitions, fields: &'a [String]) -> Result<Self, &'a str> {
        let unknown = |name: &&String| *name != COMPANY && definitions.form(name).is_none();
        match fields.iter().find(unknown) {
            Some(name) => Err(name),
            None => Ok(Self {
                definitions,
                fields,
            }),
        }
    }

    /// The names to ask for, and no others.
    pub(super) fn columns(&self) -> Vec<&str> {
        let above = self.fields.iter().any(|name| name == COMPANY);
        let mut columns: Vec<&str> = self
            .fields
            .iter()
            .map(String::as_str)
            .filter(|name| *name != COMPANY)
            .chain(["active", "write_date"])
            .chain(ABOVE.into_iter().filter(|_| above))
            .collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// All rows of an answer, with their ids.
    pub(super) fn rows(&self, reply: &Reply) -> Result<Vec<(i64, Observed)>, RemoteError> {
        let rows = self.shown(reply, Presence::Live)?;
        let whole = |shown: Shown| shown.whole.then_some((shown.id, shown.record));
        rows.into_iter()
            .map(|row| whole(row).ok_or_else(|| no_partner(reply)))
            .collect()
    }

    /// All rows of an answer, also those that are no whole record. `otherwise` is where one is that does not
    /// say it.
    pub(super) fn shown(
        &self,
        reply: &Reply,
        otherwise: Presence,
    ) -> Result<Vec<Shown>, RemoteError> {
        let rows: Vec<Row> = reply.json()?;
        rows.iter()
            .map(|row| {
                let shown = self.row(row, otherwise);
                shown.ok_or_else(|| no_partner(reply))
            })
            .collect()
    }

    /// What a row shows; `None` where it does not say of whom.
    fn row(&self, row: &Row, otherwise: Presence) -> Option<Shown> {
        let id = row_id(row.get("id")?)?;
        let presence = row.get("active").and_then(Json::as_bool);
        let presence = presence.map(|active| {
            if active {
                Presence::Live
            } else {
                Presence::Trashed
            }
        });
        let version = row.get("write_date").and_then(version);
        let mut image = Image::default();
        for name in self.fields {
            let value = if name == COMPANY {
                company(row)
            } else {
                self.definitions
                    .form(name)
                    .and_then(|form| decode(form, row.get(name)?))
            };
            if let Some(value) = value {
                image.set(name, value);
            }
        }
        Some(Shown {
            id,
            whole: presence.is_some() && version.is_some(),
            record: Observed {
                id: RecordId::from(id),
                version: version.unwrap_or_default(),
                presence: presence.unwrap_or(otherwise),
                image,
            },
        })
    }
}

/// The error of a row of which something is missing that makes it a record.
fn no_partner(reply: &Reply) -> RemoteError {
    reply.error(ErrorKind::Garbled, "a row is no partner")
}

/// `false` stands for a row that was never written through Odoo, such as one of the installation.
fn version(write_date: &Json) -> Option<Version> {
    match write_date {
        Json::Bool(false) => Some(Version::default()),
        Json::String(text) => Some(Version::from(time(text)?.and_utc())),
        _ => None,
    }
}

/// A point in time of a year of four digits, which is all that a database can have.
pub(super) fn time(text: &str) -> Option<NaiveDateTime> {
    let time = NaiveDateTime::parse_from_str(text, TIME).ok()?;
    (0..=9999).contains(&time.year()).then_some(time)
}

/// The nearest company above; `None` where the row does not say.
fn company(row: &Row) -> Option<Value> {
    let [parent, entity, name] = ABOVE.map(|column| row.get(column));
    let (parent, entity, name) = (parent?, entity?, name?);
    if nothing(parent) || nothing(name) {
        return Some(Value::Empty);
    }
    let id = row_id(entity.get(0)?)?;
    Some(Value::text(id.to_string()))
}

fn nothing(json: &Json) -> bool {
    matches!(json, Json::Null | Json::Bool(false)) || json.as_str() == Some("")
}

/// A field's value; `None`, which is unknown, where it is of another form than it should be.
fn decode(form: &Form, json: &Json) -> Option<Value> {
    match (form, json) {
        (Form::Boolean, json) => json.as_bool().map(Value::Bool),
        (_, json) if nothing(json) => Some(Value::Empty),
        (_, Json::Bool(_)) => None,
        (Form::Text(_), json) => json.as_str().map(Value::text),
        (Form::Number, json) => Value::from_json(json).filter(|_| json.is_number()),
        (Form::Link, json) => json.get(1)?.as_str().map(Value::text),
        (Form::Other(_), json) => Value::from_json(json),
    }
}

/// What Odoo is sent for `changes`; the field at fault where one cannot be said in Odoo's terms.
pub(super) fn encode(changes: &Changes) -> Result<Row, String> {
    changes
        .0
        .iter()
        .map(|(name, value)| {
            let (column, json) = if name == COMPANY {
                ("parent_id", company_id(value))
            } else {
                (name.as_str(), plain(value))
            };
            let json = json.ok_or_else(|| name.clone())?;
            Ok((column.to_owned(), json))
        })
        .collect()
}

fn company_id(value: &Value) -> Option<Json> {
    match value {
        Value::Empty => Some(json!(false)),
        Value::Text(text) => database_id(text).map(Json::from),
        _ => None,
    }
}

/// Odoo would store a list as its Python notation.
fn plain(value: &Value) -> Option<Json> {
    match value {
        Value::Empty => Some(json!(false)),
        Value::List(_) => None,
        other => Some(other.to_json()),
    }
}

/// What a new record has besides its fields.
pub(super) fn born_as(kind: Kind, mut values: Row) -> Row {
    values.insert("is_company".to_owned(), json!(kind == Kind::Company));
    values.insert("type".to_owned(), json!("contact"));
    values
}

/// An id that the database can have: the database's `integer` (32 bits), from 1 on. It faults on others.
pub(super) fn database_id(text: &str) -> Option<i64> {
    text.parse::<i32>().ok().filter(|id| *id > 0).map(i64::from)
}

/// The same in an answer. A record with another id could never be asked for again.
pub(super) fn row_id(json: &Json) -> Option<i64> {
    let id = i32::try_from(json.as_i64()?).ok()?;
    (id > 0).then(|| i64::from(id))
}

#[cfg(test)]
mod tests {
    use super::super::schema::tests::definitions;
    use super::super::verdict::tests::reply;
    use super::*;

    fn read(row: &Json) -> Option<Observed> {
        let fields = [
            "name",
            "comment",
            "x_vip",
            "x_score",
            "x_since",
            "country_id",
            "category_id",
            COMPANY,
        ]
        .map(str::to_owned);
        let definitions = definitions();
        let reading = Reading::new(&definitions, &fields).unwrap();
        let body = json!([row]).to_string();
        let mut rows = reading.rows(&reply(200, &body)).ok()?;
        rows.pop().map(|(_, observed)| observed)
    }

    #[test]
    fn false_is_no_only_for_a_yes_or_no_field() {
        let seen = read(&json!({
            "id": 7, "active": true, "write_date": "2026-11-22 10:42:55", "name": "Ann",
            "comment": false, "x_vip": false, "x_score": 0, "x_since": false,
            "country_id": [20, "Belgium"], "category_id": [3, 4],
            "parent_id": [9, "Acme"], "commercial_partner_id": [9, "Acme"],
            "commercial_company_name": "Acme",
        }))
        .unwrap();
        assert_eq!(
            seen.image,
            Image::from([
                ("name", "Ann".into()),
                ("comment", Value::Empty),
                ("x_vip", Value::Bool(false)),
                ("x_score", Value::from(0)),
                ("x_since", Value::Empty),
                ("country_id", "Belgium".into()),
                ("category_id", Value::List(vec!["3".into(), "4".into()])),
                (COMPANY, "9".into()),
            ])
        );
        assert_eq!(seen.version.time().to_string(), "2026-11-22 10:42:55 UTC");
    }

    #[test]
    fn the_company_is_the_nearest_one_above_and_a_person_above_is_none() {
        let row = |parent: Json, entity: Json, name: Json| {
            let row = json!({
                "id": 7, "active": true, "write_date": false, "parent_id": parent,
                "commercial_partner_id": entity, "commercial_company_name": name,
            });
            read(&row).unwrap().image.get(COMPANY).cloned()
        };
        let (person, company) = (json!([5, "Bob"]), json!([9, "Acme"]));
        let text = |id: &str| Some(Value::from(id));
        assert_eq!(row(person.clone(), company, json!("Acme")), text("9"));
        assert_eq!(
            row(person.clone(), person, json!(false)),
            Some(Value::Empty)
        );
        let alone = json!([7, "Ann"]);
        assert_eq!(
            row(json!(false), alone, json!("typed by hand")),
            Some(Value::Empty)
        );
    }

    #[test]
    fn a_value_of_the_wrong_type_or_left_out_is_unknown_and_never_a_clear() {
        let seen = read(&json!({
            "id": 7, "active": false, "write_date": false, "name": 12, "comment": {"a": 1},
            "x_vip": "yes", "x_score": "many", "x_since": true, "country_id": 3, "parent_id": 8,
        }))
        .unwrap();
        assert_eq!(
            (seen.image, seen.presence),
            (Image::default(), Presence::Trashed)
        );
    }

    #[test]
    fn a_row_that_is_no_record_fails_the_call_instead_of_vanishing() {
        let good = json!({"id": 7, "active": true, "write_date": "2026-11-22 10:42:55"});
        assert!(read(&good).is_some());
        for (key, wrong) in [
            ("id", json!("7")),
            ("id", json!(0)),
            ("id", json!(-7)),
            ("id", json!(2_147_483_648_i64)),
            ("active", json!(null)),
            ("active", json!("t")),
            ("write_date", json!("yesterday")),
            ("write_date", json!("-262143-01-01 00:00:00")),
            ("write_date", json!("+12026-11-22 10:42:55")),
            ("write_date", json!(7)),
        ] {
            let mut row = good.clone();
            row[key] = wrong;
            assert_eq!(read(&row), None, "{key}");
        }
        let definitions = definitions();
        let reading = Reading::new(&definitions, &[]).unwrap();
        for body in ["", "<html>", "{}", "[{\"id\":", "[7]", "null", "false"] {
            assert!(reading.rows(&reply(200, body)).is_err(), "{body}");
        }
    }

    #[test]
    fn what_is_cleared_is_sent_as_false_and_what_cannot_be_said_is_named() {
        let changes = Changes::from([
            ("name", "Ann".into()),
            ("comment", Value::Empty),
            ("x_vip", Value::Bool(true)),
            (COMPANY, "9".into()),
        ]);
        let sent = encode(&changes).unwrap();
        let expected = json!({"name": "Ann", "comment": false, "x_vip": true, "parent_id": 9});
        assert_eq!(Json::Object(sent), expected);
        let wrong = Changes::from([(COMPANY, "hubspot-9".into())]);
        assert_eq!(encode(&wrong), Err(COMPANY.to_owned()));
        let wrong = Changes::from([("name", Value::List(vec!["a".into()]))]);
        assert_eq!(encode(&wrong), Err("name".to_owned()));
    }

    #[test]
    fn ids_that_would_fault_the_database_are_no_ids() {
        for text in ["0", "-3", "99999999999", "7a", ""] {
            assert_eq!(database_id(text), None, "{text}");
        }
        assert_eq!(database_id("2147483647"), Some(2_147_483_647));
    }
}

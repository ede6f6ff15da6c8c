//! The shapes of `HubSpot`'s bodies, read without a tree per row: strings are borrowed from the body
//! until a wanted one becomes a value.

use super::property::{Properties, Property};
use crate::model::{COMPANY, Image, Kind, Observed, Presence, RecordId, Value, Version};
use crate::remote::http::Call;
use crate::remote::reply::Reply;
use crate::remote::{ErrorKind, RemoteError};
use chrono::DateTime;
use serde::Deserialize;
use std::borrow::Cow;

/// The contact property that shows the id of the primary company.
pub(super) const PRIMARY_COMPANY: &str = "associatedcompanyid";

/// What is asked of every row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// Of this kind.
    pub kind: Kind,
    /// By their names in `sync.toml`.
    pub fields: &'a [String],
}

impl Wanted<'_> {
    /// The properties to ask for, [`PRIMARY_COMPANY`] in the place of [`COMPANY`].
    pub(super) fn properties(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .fields
            .iter()
            .map(String::as_str)
            .filter(|name| *name != COMPANY)
            .collect();
        if self.company() && !names.contains(&PRIMARY_COMPANY) {
            names.push(PRIMARY_COMPANY);
        }
        names
    }

    /// `call` with the properties to ask for as a parameter.
    pub(super) fn ask(&self, call: Call) -> Call {
        let properties = self.properties();
        if properties.is_empty() {
            return call;
        }
        call.with("properties", properties.join(","))
    }

    /// Whether something that is wanted is read from this property.
    fn is_read_from(&self, property: &str) -> bool {
        self.fields.iter().any(|field| field == property)
            || property == PRIMARY_COMPANY && self.company()
    }

    fn company(&self) -> bool {
        self.kind == Kind::Contact && self.fields.iter().any(|name| name == COMPANY)
    }
}

/// One page of a list, a search or a batch read.
#[derive(Debug, Deserialize)]
pub(super) struct Listing<'a> {
    /// The rows. Never optional: a body without them is no page.
    #[serde(borrow)]
    pub results: Vec<Row<'a>>,
    /// Where it goes on.
    #[serde(borrow, default)]
    pub paging: Option<Paging<'a>>,
    /// How many rows the whole search has.
    #[serde(default)]
    pub total: Option<usize>,
}

impl Listing<'_> {
    /// The cursor of the next page.
    pub(super) fn after(&self) -> Option<&str> {
        let next = self.paging.as_ref()?.next.as_ref()?;
        Some(&next.after)
    }
}

/// Says where a listing goes on.
#[derive(Debug, Deserialize)]
pub(super) struct Paging<'a> {
    /// Absent on the last page.
    #[serde(borrow, default)]
    next: Option<Next<'a>>,
}

/// The next page.
#[derive(Debug, Deserialize)]
struct Next<'a> {
    /// Opaque.
    #[serde(borrow)]
    after: Cow<'a, str>,
}

/// One record.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row<'a> {
    /// Not always the id that was asked for.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    #[serde(borrow, default)]
    properties: Properties<'a>,
    #[serde(borrow, default)]
    updated_at: Property<'a>,
    #[serde(borrow, default)]
    archived: Property<'a>,
    /// Which input of a batch it answers.
    #[serde(default)]
    pub object_write_trace_id: Option<String>,
}

impl Row<'_> {
    /// The row as a record; `None` where its id, its time or something that is wanted makes no sense.
    pub(super) fn observed(&self, wanted: &Wanted<'_>) -> Option<Observed> {
        let properties = self.properties.0.as_ref()?;
        let odd = |(name, value): &(Cow<'_, str>, Property<'_>)| {
            matches!(value, Property::Odd) && wanted.is_read_from(name)
        };
        let whole =
            self.version().is_some() && self.is_archived().is_some() && !properties.iter().any(odd);
        whole.then(|| self.shown(wanted)).flatten()
    }

    /// As far as the row makes sense; `None` where its id is none.
    pub(super) fn shown(&self, wanted: &Wanted<'_>) -> Option<Observed> {
        is_id(&self.id).then(|| Observed {
            id: RecordId(self.id.clone().into_owned()),
            version: self.version().unwrap_or_default(),
            presence: if self.is_archived() == Some(true) {
                Presence::Trashed
            } else {
                Presence::Live
            },
            image: self.image(wanted),
        })
    }

    fn version(&self) -> Option<Version> {
        let time = DateTime::parse_from_rfc3339(self.updated_at.as_text()?).ok()?;
        Some(Version(time.timestamp_millis()))
    }

    /// Whether it is in the trash; `None` where it does not say so in words that make sense.
    pub(super) fn is_archived(&self) -> Option<bool> {
        match &self.archived {
            Property::Empty => Some(false),
            Property::Text(text) => text.parse().ok(),
            Property::Odd => None,
        }
    }

    fn image(&self, wanted: &Wanted<'_>) -> Image {
        let mut image = Image::default();
        for (name, property) in self.properties.0.iter().flatten() {
            let Some(value) = property.to_value() else {
                continue;
            };
            if let Some(field) = wanted.fields.iter().find(|field| **field == *name) {
                image.set(field.as_str(), value.clone());
            }
            if *name == PRIMARY_COMPANY && wanted.company() {
                image.set(COMPANY, value);
            }
        }
        image
    }

    /// The text of a property, empty where there is none.
    pub(super) fn text(&self, property: &str) -> &str {
        let mut properties = self.properties.0.iter().flatten();
        let found = properties.find(|(name, _)| *name == property);
        found
            .and_then(|(_, value)| value.as_text())
            .unwrap_or_default()
    }
}

/// The body as `T`, which may borrow from it.
pub(super) fn decode<'a, T: Deserialize<'a>>(reply: &'a Reply) -> Result<T, RemoteError> {
    serde_json::from_slice(&reply.body).map_err(|error| {
        // serde_json quotes the offending value, which may be a customer's: keep the place alone.
        let place = format!("at line {} column {}", error.line(), error.column());
        reply.error(ErrorKind::Garbled, &place)
    })
}

/// The rows as records.
pub(super) fn observe(
    reply: &Reply,
    rows: &[Row<'_>],
    wanted: &Wanted<'_>,
) -> Result<Vec<Observed>, RemoteError> {
    rows.iter()
        .map(|row| row.observed(wanted).ok_or_else(|| no_record(reply)))
        .collect()
}

/// The error of a row that [`Row::observed`] makes nothing of.
pub(super) fn no_record(reply: &Reply) -> RemoteError {
    reply.error(ErrorKind::Garbled, "a row without an id or a time")
}

/// Whether `HubSpot` can have given out this id. Any other one would be refused together with the
/// batch that it is in.
pub(super) fn is_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit())
}

/// A value as `HubSpot` takes it: text, of which an empty one clears.
pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::Empty => String::new(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::List(members) => members.join(";"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PAGE: &str = r#"{"results":[{"id":"51","properties":{"email":"ada@example.com",
        "phone":"","jobtitle":null,"firstname":"A\u0064a","associatedcompanyid":"9","num":3},
        "createdAt":"2026-01-01T00:00:00.000Z","updatedAt":"2026-01-02T03:04:05.678Z","archived":false}],
        "paging":{"next":{"after":"52","link":"https://…"}}}"#;

    fn fields(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_a_row_leaves_out_stays_unknown_and_what_it_empties_is_empty() {
        let page: Listing<'_> = serde_json::from_str(PAGE).unwrap();
        let names = fields(&[
            "email",
            "firstname",
            "phone",
            "jobtitle",
            "city",
            "num",
            COMPANY,
        ]);
        let wanted = Wanted {
            kind: Kind::Contact,
            fields: &names,
        };
        let row = page.results[0].observed(&wanted).unwrap();
        assert_eq!(row.id, RecordId::from("51"));
        assert_eq!(row.version, Version(1_767_323_045_678));
        assert_eq!(
            row.image,
            Image::from([
                ("email", Value::from("ada@example.com")),
                ("firstname", Value::from("Ada")),
                ("phone", Value::Empty),
                ("jobtitle", Value::Empty),
                ("num", Value::from("3")),
                (COMPANY, Value::from("9")),
            ])
        );
        assert_eq!(page.after(), Some("52"));
    }

    #[test]
    fn a_company_has_no_company_whatever_its_row_holds() {
        let page: Listing<'_> = serde_json::from_str(PAGE).unwrap();
        let names = fields(&[COMPANY]);
        let wanted = Wanted {
            kind: Kind::Company,
            fields: &names,
        };
        assert!(page.results[0].observed(&wanted).unwrap().image.is_empty());
        assert!(wanted.properties().is_empty());
    }

    #[test]
    fn bodies_that_are_no_page_are_errors_and_never_an_empty_page() {
        for body in [
            "",
            "{}",
            "null",
            "[]",
            "<html>Bad gateway</html>",
            r#"{"results":null}"#,
            r#"{"results":{}}"#,
            r#"{"results":[{}]}"#,
            r#"{"results":[{"id":7,"properties":{},"updatedAt":"2026-01-01T00:00:00Z"}]}"#,
            r#"{"results":[],"paging":{"next":{}}}"#,
            r#"{"results":[],"paging":{"next":{"after":3}}}"#,
        ] {
            assert!(serde_json::from_str::<Listing<'_>>(body).is_err(), "{body}");
        }
        for end in 0..PAGE.len() {
            assert!(serde_json::from_slice::<Listing<'_>>(&PAGE.as_bytes()[..end]).is_err());
        }
    }

    #[test]
    fn a_row_of_which_something_makes_no_sense_is_no_record_and_stops_no_other() {
        let names = fields(&["email", "phone"]);
        let wanted = Wanted {
            kind: Kind::Contact,
            fields: &names,
        };
        let time = r#""updatedAt":"2026-01-01T00:00:00Z""#;
        for odd in [
            format!(r#""properties":[],{time}"#),
            format!(r#""properties":null,{time}"#),
            format!(r#""properties":"email",{time}"#),
            time.to_owned(),
            format!(r#""properties":{{"email":{{}},"phone":"1"}},{time}"#),
            format!(r#""properties":{{"email":["a"],"phone":"1"}},{time}"#),
            r#""properties":{"phone":"1"}"#.to_owned(),
            r#""properties":{"phone":"1"},"updatedAt":null"#.to_owned(),
            r#""properties":{"phone":"1"},"updatedAt":"yesterday""#.to_owned(),
            r#""properties":{"phone":"1"},"updatedAt":{"at":1}"#.to_owned(),
            format!(r#""properties":{{"phone":"1"}},{time},"archived":"perhaps""#),
            format!(r#""properties":{{"phone":"1"}},{time},"archived":[]"#),
        ] {
            let good = format!(r#"{{"id":"8","properties":{{"phone":"2"}},{time}}}"#);
            let body = format!(r#"{{"results":[{{"id":"7",{odd}}},{good}]}}"#);
            let page: Listing<'_> = serde_json::from_str(&body).unwrap();
            assert_eq!(page.results[0].observed(&wanted), None, "{odd}");
            let shown = page.results[0].shown(&wanted).unwrap();
            assert_eq!(shown.id, RecordId::from("7"));
            assert_eq!(shown.image.get("email"), None, "{odd}");
            assert!(page.results[1].observed(&wanted).is_some(), "{odd}");
            // What nobody wants may look like anything.
            let unwanted = Wanted {
                kind: Kind::Company,
                fields: &[],
            };
            let whole = page.results[0].observed(&unwanted).is_some();
            assert_eq!(whole, odd.contains(r#""email":"#), "{odd}");
        }
    }

    proptest! {
        #[test]
        fn a_damaged_body_is_an_error_or_a_page_and_never_a_panic(
            at in 0..PAGE.len(),
            bytes in proptest::collection::vec(any::<u8>(), 0..8),
        ) {
            let mut body = PAGE.as_bytes().to_vec();
            body.splice(at..(at + bytes.len()).min(PAGE.len()), bytes);
            let names = fields(&["email", COMPANY]);
            let wanted = Wanted { kind: Kind::Contact, fields: &names };
            if let Ok(page) = serde_json::from_slice::<Listing<'_>>(&body) {
                for row in &page.results {
                    let _ = row.observed(&wanted);
                }
            }
        }

        #[test]
        fn any_bytes_are_an_error_or_a_page_and_never_a_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(serde_json::from_slice::<Listing<'_>>(&body).is_err());
        }
    }

    #[test]
    fn a_row_with_an_id_that_cannot_be_asked_for_is_no_record() {
        let wanted = Wanted {
            kind: Kind::Contact,
            fields: &[],
        };
        for id in ["", " ", "-7", "7a", "../7", "NaN"] {
            let row =
                format!(r#"{{"id":"{id}","properties":{{}},"updatedAt":"2026-01-01T00:00:00Z"}}"#);
            let row: Row<'_> = serde_json::from_str(&row).unwrap();
            assert_eq!(row.observed(&wanted), None, "{id}");
        }
    }

    #[test]
    fn a_clear_is_sent_as_an_empty_text_and_a_list_as_one_text() {
        assert_eq!(text_of(&Value::Empty), "");
        assert_eq!(text_of(&Value::from(true)), "true");
        assert_eq!(text_of(&Value::from(42)), "42");
        assert_eq!(
            text_of(&Value::List(vec!["a".to_owned(), "b".to_owned()])),
            "a;b"
        );
    }
}

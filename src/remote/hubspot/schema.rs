//! What the account says about itself: who it is, and which properties it has.

use super::Hubspot;
use super::wire::decode;
use crate::clock::monotonic;
use crate::model::Kind;
use crate::remote::http::Call;
use crate::remote::{Account, ErrorKind, FieldInfo, RemoteError, Schema, Shape};
use serde::Deserialize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Zones' clocks are set at night: what they show is known in time for the next midnight.
const ZONE_HOLDS: Duration = Duration::from_hours(6);
const AGAIN: Duration = Duration::from_mins(10);

/// When the account's zone is to be read again; never where nobody has read it.
#[derive(Debug, Default)]
pub(super) struct Zone(Mutex<Option<Instant>>);

impl Zone {
    fn is_due(&self) -> bool {
        let due = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        due.is_some_and(|due| monotonic() >= due)
    }

    fn look_again(&self, wait: Duration) {
        let mut due = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *due = Some(monotonic() + wait);
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Details {
    portal_id: u64,
    utc_offset_milliseconds: Option<i32>,
}

#[derive(Deserialize)]
struct Properties {
    results: Vec<Property>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Property {
    name: String,
    #[serde(default)]
    label: String,
    #[serde(rename = "type")]
    holds: String,
    #[serde(default)]
    field_type: String,
    #[serde(default)]
    options: Vec<Choice>,
    #[serde(default)]
    has_unique_value: bool,
    #[serde(default)]
    calculated: bool,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    modification_metadata: Option<Modification>,
}

#[derive(Deserialize)]
struct Choice {
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Modification {
    #[serde(default)]
    read_only_value: bool,
}

impl Property {
    fn shape(&self) -> Shape {
        match (self.holds.as_str(), self.field_type.as_str()) {
            ("bool", _) | (_, "booleancheckbox") => Shape::Boolean,
            // Several options at once, as one text with semicolons.
            ("enumeration", "checkbox") => Shape::List,
            // Options that are kept elsewhere, such as the account's users.
            ("enumeration", _) if self.options.is_empty() => Shape::Other("enumeration".to_owned()),
            ("enumeration", _) => {
                Shape::Choice(self.options.iter().map(|it| it.value.clone()).collect())
            }
            ("string" | "phone_number", _) => Shape::Text,
            ("number", _) => Shape::Number,
            ("date", _) => Shape::Date,
            ("datetime", _) => Shape::DateTime,
            (other, _) => Shape::Other(other.to_owned()),
        }
    }

    fn info(self, kind: Kind) -> (String, FieldInfo) {
        let info = FieldInfo {
            shape: self.shape(),
            label: self.label,
            read_only: self.calculated
                || self
                    .modification_metadata
                    .is_some_and(|it| it.read_only_value),
            // A contact's e-mail is its second key, whatever its metadata says.
            unique: self.has_unique_value || (kind == Kind::Contact && self.name == "email"),
            // Required properties are an affair of HubSpot's forms; the API takes a record without.
            required: false,
        };
        (self.name, info)
    }
}

impl Hubspot {
    pub(super) async fn details(&self) -> Result<Account, RemoteError> {
        self.zone.look_again(AGAIN);
        let call = Call::get("account", "/account-info/v3/details");
        let reply = self.http.send(call).await?.ok()?;
        let details: Details = decode(&reply)?;
        // The day's quota comes back at the account's own midnight (API usage guidelines).
        if let Some(millis) = details.utc_offset_milliseconds {
            self.http.lies_east(millis / 60_000);
        }
        self.zone.look_again(ZONE_HOLDS);
        Ok(Account {
            identity: format!("hubspot:{}", details.portal_id),
            acting_as: "private app".to_owned(),
        })
    }

    /// A daemon runs for longer than a summer. Where the account does not say, its zone stays what it was.
    pub(super) async fn keep_the_zone(&self) {
        if self.zone.is_due()
            && let Err(error) = self.details().await
        {
            tracing::debug!(%error, "the account's zone cannot be read");
        }
    }

    pub(super) async fn properties(&self, kind: Kind) -> Result<Schema, RemoteError> {
        let path = format!("/crm/v3/properties/{}", super::plural(kind));
        let reply = self.http.send(Call::get("properties", path)).await?.ok()?;
        let properties: Properties = decode(&reply)?;
        if properties.results.is_empty() {
            return Err(reply.error(ErrorKind::Garbled, "an account without any properties"));
        }
        Ok(Schema {
            fields: properties
                .results
                .into_iter()
                .filter(|property| !property.archived)
                .map(|property| property.info(kind))
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(json: &str) -> FieldInfo {
        let property: Property = serde_json::from_str(json).unwrap();
        property.info(Kind::Contact).1
    }

    #[test]
    fn a_choice_is_known_by_the_values_that_the_api_takes_not_by_their_labels() {
        let tier = info(
            r#"{"name":"tier","label":"Tier","type":"enumeration","fieldType":"select",
                "options":[{"label":"Very important","value":"vip","hidden":false}]}"#,
        );
        assert_eq!(tier.shape, Shape::Choice(vec!["vip".to_owned()]));
        assert!(!tier.read_only && !tier.unique && !tier.required);
    }

    #[test]
    fn what_hubspot_computes_itself_is_known_as_read_only() {
        for json in [
            r#"{"name":"a","type":"number","modificationMetadata":{"readOnlyValue":true}}"#,
            r#"{"name":"a","type":"number","calculated":true}"#,
        ] {
            assert!(info(json).read_only);
        }
    }

    #[test]
    fn every_type_of_property_has_a_shape() {
        for (holds, field, shape) in [
            ("string", "textarea", Shape::Text),
            ("phone_number", "phonenumber", Shape::Text),
            ("number", "number", Shape::Number),
            ("bool", "booleancheckbox", Shape::Boolean),
            ("enumeration", "booleancheckbox", Shape::Boolean),
            ("enumeration", "checkbox", Shape::List),
            ("date", "date", Shape::Date),
            ("datetime", "date", Shape::DateTime),
            ("json", "text", Shape::Other("json".to_owned())),
            (
                "enumeration",
                "select",
                Shape::Other("enumeration".to_owned()),
            ),
        ] {
            let json = format!(r#"{{"name":"a","type":"{holds}","fieldType":"{field}"}}"#);
            assert_eq!(info(&json).shape, shape, "{json}");
        }
    }
}

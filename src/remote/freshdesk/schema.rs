//! The fields of an account: metadata in their many forms, under the names that payloads use.

use super::Endpoints;
use super::attribute::{self, CUSTOM};
use crate::model::{COMPANY, Kind};
use crate::remote::http::{Call, Http};
use crate::remote::{ErrorKind, FieldInfo, RemoteError, Schema, Shape};
use serde_json::Value as Json;

/// Reads the fields of `kind`.
///
/// # Errors
///
/// Those of the call; [`ErrorKind::Garbled`] where the answer is no array of objects.
pub(super) async fn read(http: &Http, kind: Kind) -> Result<Schema, RemoteError> {
    let (endpoint, path) = Endpoints::of(kind).fields;
    let reply = http.send(Call::get(endpoint, path)).await?.ok()?;
    let rows: Vec<serde_json::Map<String, Json>> = reply.json()?;
    if rows.is_empty() {
        return Err(reply.error(ErrorKind::Garbled, "an account without any fields"));
    }
    Ok(compose(kind, &rows))
}

fn compose(kind: Kind, rows: &[serde_json::Map<String, Json>]) -> Schema {
    let mut schema = Schema::default();
    for row in rows {
        if let Some((name, info)) = field(kind, row) {
            schema.fields.insert(name, info);
        }
    }
    for attribute in attribute::all(kind) {
        if attribute.everywhere && !schema.fields.contains_key(attribute.name) {
            schema.fields.insert(
                attribute.name.to_owned(),
                FieldInfo {
                    label: attribute.label.to_owned(),
                    shape: attribute.shape.clone(),
                    read_only: !attribute.writable,
                    unique: attribute.unique,
                    required: attribute.name == "name",
                },
            );
        }
    }
    if kind == Kind::Contact
        && let Some(company) = schema.fields.get_mut("company_id")
    {
        let link = FieldInfo {
            shape: Shape::Other("company".to_owned()),
            read_only: false,
            ..company.clone()
        };
        // The link is written through its own name, so that nobody maps ids of one system onto
        // those of the other.
        company.read_only = true;
        company.required = false;
        schema.fields.insert(COMPANY.to_owned(), link);
    }
    schema
}

fn field(kind: Kind, row: &serde_json::Map<String, Json>) -> Option<(String, FieldInfo)> {
    let text = |keys: &[&str]| keys.iter().find_map(|key| row.get(*key)?.as_str());
    let truth = |keys: &[&str]| {
        keys.iter()
            .any(|key| row.get(*key).and_then(Json::as_bool) == Some(true))
    };
    let given = text(&["name"])?;
    let sort = text(&["type", "field_type"]).unwrap_or_default();
    let custom = if sort.starts_with("custom_") {
        true
    } else if sort.starts_with("default_") {
        false
    } else {
        row.get("default").and_then(Json::as_bool) == Some(false)
    };
    let name = if custom {
        format!("{CUSTOM}{given}")
    } else {
        payload_name(kind, given).to_owned()
    };
    let standard = (!custom).then(|| attribute::named(kind, &name)).flatten();
    let shape = match standard {
        Some(attribute) if attribute.shape != Shape::Choice(Vec::new()) => attribute.shape.clone(),
        _ => shape(sort, row.get("choices")),
    };
    let info = FieldInfo {
        label: text(&["label"]).unwrap_or(given).to_owned(),
        shape,
        read_only: !custom && standard.is_none_or(|attribute| !attribute.writable),
        unique: truth(&["unique"]) || standard.is_some_and(|attribute| attribute.unique),
        required: truth(&["required_for_agents", "required_for_agent"])
            || (!custom && name == "name"),
    };
    Some((name, info))
}

/// What payloads call the attribute that the metadata call `name`.
pub(super) fn payload_name(kind: Kind, name: &str) -> &str {
    match (kind, name) {
        (Kind::Contact, "company_name" | "company") => "company_id",
        (Kind::Contact, "tag_names") => "tags",
        (Kind::Contact, "client_manager") => "view_all_tickets",
        (_, name) => name,
    }
}

fn shape(sort: &str, choices: Option<&Json>) -> Shape {
    let sort = sort
        .strip_prefix("custom_")
        .or_else(|| sort.strip_prefix("default_"))
        .unwrap_or(sort);
    match sort {
        "checkbox" => Shape::Boolean,
        "number" | "decimal" => Shape::Number,
        "date" | "renewal_date" => Shape::Date,
        "date_time" => Shape::DateTime,
        "multi_select_dropdown" => Shape::List,
        "text" | "paragraph" | "phone_number" | "url" => Shape::Text,
        _ => match choices.and_then(words) {
            Some(words) => Shape::Choice(words),
            None if sort == "dropdown" => Shape::Other(sort.to_owned()),
            None => Shape::Text,
        },
    }
}

/// The words among which a payload's value is chosen, from any of the forms of `choices`; nothing
/// where they cannot be told.
fn words(choices: &Json) -> Option<Vec<String>> {
    let words: Vec<String> = match choices {
        Json::Array(choices) => choices.iter().map(word).collect::<Option<_>>()?,
        Json::Object(choices) => choices
            .iter()
            .map(|(label, value)| match value {
                Json::String(value) => Some(value.clone()),
                Json::Number(_) | Json::Null => Some(label.clone()),
                _ => None,
            })
            .collect::<Option<_>>()?,
        _ => return None,
    };
    (!words.is_empty()).then_some(words)
}

pub(super) fn word(choice: &Json) -> Option<String> {
    match choice {
        Json::String(word) => Some(word.clone()),
        Json::Object(choice) => ["value", "label"]
            .iter()
            .find_map(|key| choice.get(*key)?.as_str().map(str::to_owned)),
        Json::Array(pair) => pair.first()?.as_str().map(str::to_owned),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn schema(kind: Kind, rows: &Json) -> Schema {
        compose(
            kind,
            &serde_json::from_value::<Vec<_>>(rows.clone()).unwrap(),
        )
    }

    #[test]
    fn fields_carry_the_names_that_sync_toml_spells() {
        let schema = schema(
            Kind::Contact,
            &json!([
                {"name": "name", "label": "Full name", "type": "default_name", "default": true, "required_for_agents": true},
                {"name": "company_name", "label": "Company", "type": "default_company_name", "default": true},
                {"name": "tag_names", "label": "Tags", "type": "default_tag_names", "default": true},
                {"name": "mobile", "label": "Mobile", "type": "default_mobile", "default": true, "unique": true},
                {"name": "language", "label": "Language", "type": "default_language", "default": true,
                 "choices": {"English": "en", "German": "de"}},
                {"name": "tier", "label": "Tier", "type": "custom_dropdown", "default": false,
                 "choices": ["VIP", "Standard"], "required_for_agents": true},
                {"name": "seats", "label": "Seats", "field_type": "custom_number", "required_for_agent": true},
            ]),
        );
        let field = |name: &str| schema.fields.get(name).unwrap_or_else(|| panic!("{name}"));
        assert!(field("name").required);
        assert_eq!(field("tags").shape, Shape::List);
        assert!(field("mobile").unique && field("email").unique);
        assert!(field("company_id").read_only && !field(COMPANY).read_only);
        assert_eq!(
            field("language").shape,
            Shape::Choice(vec!["en".into(), "de".into()])
        );
        assert_eq!(
            field("custom_fields.tier").shape,
            Shape::Choice(vec!["VIP".into(), "Standard".into()])
        );
        assert!(field("custom_fields.tier").required);
        assert_eq!(field("custom_fields.seats").shape, Shape::Number);
        assert!(field("custom_fields.seats").required);
        assert!(!schema.fields.contains_key("tag_names"));
    }

    #[test]
    fn choices_are_read_in_each_of_their_forms() {
        for choices in [
            json!(["a", "b"]),
            json!([{"id": 1, "label": "A", "value": "a", "position": 1}, {"id": 2, "value": "b"}]),
            json!([["a", 0], ["b", 1]]),
            json!({"a": 1, "b": 2}),
            json!({"A": "a", "B": "b"}),
        ] {
            assert_eq!(
                words(&choices),
                Some(vec!["a".into(), "b".into()]),
                "{choices}"
            );
        }
        for choices in [
            json!([]),
            json!({}),
            json!(null),
            json!({"2": ["Open", "x"]}),
            json!([[]]),
        ] {
            assert_eq!(words(&choices), None, "{choices}");
        }
    }

    #[test]
    fn a_dropdown_of_a_company_offers_its_words_and_a_plan_without_it_does_not_have_it() {
        let with = schema(
            Kind::Company,
            &json!([{"name": "health_score", "type": "default_health_score", "choices": ["Happy"]}]),
        );
        assert_eq!(
            with.fields["health_score"].shape,
            Shape::Choice(vec!["Happy".into()])
        );
        assert!(!with.fields.contains_key("account_tier"));
        assert!(with.fields["name"].required && with.fields["name"].unique);
    }

    proptest! {
        #[test]
        fn no_metadata_make_it_panic(text in ".{0,40}", number in any::<i64>(), flag in any::<bool>()) {
            for odd in [json!(text), json!(number), json!(flag), json!([text]), json!({"a": [number]}), json!(null)] {
                for key in ["name", "label", "type", "default", "choices", "unique", "required_for_agents"] {
                    let mut row = json!({"name": "x", "type": "custom_dropdown"});
                    row[key] = odd.clone();
                    let _ = schema(Kind::Contact, &json!([row]));
                    let _ = schema(Kind::Company, &json!([row]));
                }
            }
        }
    }
}

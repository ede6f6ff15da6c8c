//! The account's own words for what tickets have: statuses, types, groups, agents, tags.

use super::list::{PER_PAGE, ended, whole_seconds};
use super::schema::word;
use super::tickets::{EVER, LIST};
use super::value::identity;
use super::{Freshdesk, ticket_row};
use crate::model::Value;
use crate::remote::http::Call;
use crate::remote::{ErrorKind, RemoteError, Vocabulary, Wanted};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value as Json;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Pages of groups or agents that are read at most: 10,000 of them.
const PAGES: u32 = 100;

impl Freshdesk {
    /// The words that are `wanted`; statuses and types always.
    pub(super) async fn words(&self, wanted: &Wanted) -> Result<Vocabulary, RemoteError> {
        let mut words = self.statuses_and_types().await?;
        if wanted.groups {
            for group in self.all_of("groups", "groups").await? {
                let id = number(group.get("id"));
                let name = group.get("name").and_then(Json::as_str);
                words.groups.extend(id.zip(name.map(str::to_owned)));
            }
        }
        if wanted.agents {
            words.agents = self.agents().await?;
        }
        if wanted.tags {
            words.tags = self.tags().await?;
        }
        Ok(words)
    }

    /// From the form ("List All Ticket Fields").
    async fn statuses_and_types(&self) -> Result<Vocabulary, RemoteError> {
        let call = Call::get("ticket_fields", "/ticket_fields");
        let reply = self.http.send(call).await?.ok()?;
        let fields: Vec<Field> = reply.json()?;
        let choices = |name: &str| {
            let field = fields.iter().find(|field| field.is(name))?;
            Some(&field.choices)
        };
        let words = Vocabulary {
            statuses: choices("status").map(Choices::numbered).unwrap_or_default(),
            categories: choices("ticket_type")
                .map(Choices::words)
                .unwrap_or_default(),
            ..Vocabulary::default()
        };
        if words.statuses.is_empty() {
            return Err(reply.error(ErrorKind::Garbled, "an account without ticket statuses"));
        }
        Ok(words)
    }

    /// "List All Agents".
    async fn agents(&self) -> Result<BTreeMap<i64, Vec<String>>, RemoteError> {
        let rows = self.all_of("agents.list", "agents").await?;
        Ok(rows
            .iter()
            .filter_map(|agent| {
                let names = ["/contact/name", "/contact/email"]
                    .iter()
                    .filter_map(|place| agent.pointer(place)?.as_str())
                    .filter(|name| !name.is_empty());
                Some((number(agent.get("id"))?, names.map(str::to_owned).collect()))
            })
            .collect())
    }

    /// Every row of a list that only an administrator's key may read.
    async fn all_of(&self, endpoint: &'static str, what: &str) -> Result<Vec<Json>, RemoteError> {
        let mut all = Vec::new();
        for page in 1..=PAGES {
            let call = Call::get(endpoint, format!("/{what}"))
                .with("per_page", PER_PAGE.to_string())
                .with("page", page.to_string());
            let reply = self.http.send(call).await?;
            if reply.status == reqwest::StatusCode::FORBIDDEN {
                let detail = format!("the {what} are shown to an administrator's key only");
                return Err(reply.error(ErrorKind::Forbidden, &detail));
            }
            let reply = reply.ok()?;
            let rows: Vec<Json> = reply.json()?;
            let ended = ended(&reply, rows.len())?;
            all.extend(rows);
            if ended {
                break;
            }
        }
        Ok(all)
    }

    /// Those of the tickets that changed last, in the order of the alphabet.
    async fn tags(&self) -> Result<Vec<String>, RemoteError> {
        let call = Call::get(LIST, "/tickets")
            .with("updated_since", whole_seconds(EVER))
            .with("order_by", "updated_at")
            .with("order_type", "desc")
            .with("per_page", PER_PAGE.to_string());
        let reply = self.http.send(call).await?.ok()?;
        let tickets = ticket_row::tickets(&reply, false)?;
        let tags: BTreeSet<String> = tickets.into_iter().flat_map(|it| it.image.tags).collect();
        Ok(tags.into_iter().collect())
    }
}

/// An id as the model has them.
fn number(id: Option<&Json>) -> Option<i64> {
    identity(&Value::from_json(id?)?)?.0.parse().ok()
}

/// A row of the form.
#[derive(Debug, Deserialize)]
struct Field {
    #[serde(default, deserialize_with = "ticket_row::lenient")]
    name: Option<Value>,
    #[serde(default, rename = "type", deserialize_with = "ticket_row::lenient")]
    sort: Option<Value>,
    #[serde(default)]
    choices: Choices,
}

impl Field {
    /// Whether it is the account's own field `name`, and no custom one that is called so.
    fn is(&self, name: &str) -> bool {
        let text = |value: &Option<Value>| value.as_ref()?.as_text().map(str::to_owned);
        let sort = text(&self.sort).unwrap_or_default();
        match sort.strip_prefix("default_") {
            Some(sort) => sort == name,
            None => !sort.starts_with("custom_") && text(&self.name).as_deref() == Some(name),
        }
    }
}

/// What a field offers, in whatever form, in the order of the account.
#[derive(Debug, Default)]
struct Choices {
    /// With their keys, where it is an object.
    pairs: Vec<(String, Json)>,
    members: Vec<Json>,
}

impl Choices {
    /// Number and agents' name of each.
    fn numbered(&self) -> Vec<(u32, String)> {
        let pairs = self.pairs.iter().filter_map(|(key, value)| {
            let number = key.parse().ok();
            match (number, value) {
                (Some(number), Json::String(name)) => Some((number, name.clone())),
                (Some(number), value) => Some((number, word(value)?)),
                (None, value) => Some((small(value)?, key.clone())),
            }
        });
        let members = self.members.iter().filter_map(|choice| match choice {
            Json::Array(pair) => {
                let number = pair.iter().find_map(small)?;
                let name = pair.iter().find_map(Json::as_str)?;
                Some((number, name.to_owned()))
            }
            choice => {
                let number = ["value", "id"]
                    .iter()
                    .find_map(|key| small(choice.get(*key)?));
                let name = ["label", "value", "name"]
                    .iter()
                    .find_map(|key| choice.get(*key)?.as_str());
                Some((number?, name?.to_owned()))
            }
        });
        pairs.chain(members).collect()
    }

    /// The words that a payload may have.
    fn words(&self) -> Vec<String> {
        let pairs = self.pairs.iter().map(|(key, value)| match value {
            Json::String(value) => value.clone(),
            _ => key.clone(),
        });
        pairs.chain(self.members.iter().filter_map(word)).collect()
    }
}

fn small(value: &Json) -> Option<u32> {
    value.as_u64()?.try_into().ok()
}

impl<'de> Deserialize<'de> for Choices {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(json)?;
        let pairs = serde_json::from_str(raw.get()).map(|Pairs(pairs)| pairs);
        let members = serde_json::from_str(raw.get());
        Ok(Self {
            pairs: pairs.unwrap_or_default(),
            members: members.unwrap_or_default(),
        })
    }
}

/// An object in its own order: a map of `serde_json` would put 10 before 2.
struct Pairs(Vec<(String, Json)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_map(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn choices(text: &str) -> Choices {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn statuses_are_known_by_the_names_that_agents_see_in_every_form() {
        let expected = vec![(2, "Open".to_owned()), (10, "On hold".to_owned())];
        for text in [
            r#"{"2": ["Open", "Being processed"], "10": ["On hold", "Waiting"]}"#,
            r#"{"2": "Open", "10": "On hold"}"#,
            r#"{"Open": 2, "On hold": 10}"#,
            r#"[{"id": 2, "label": "Open", "value": "Open"}, {"id": 10, "value": "On hold"}]"#,
            r#"[{"id": 99, "label": "Open", "value": 2}, {"id": 98, "label": "On hold", "value": 10}]"#,
            r#"[["Open", 2], ["On hold", 10]]"#,
        ] {
            assert_eq!(choices(text).numbered(), expected, "{text}");
        }
        for text in [
            "null",
            "[]",
            "{}",
            "1",
            "-1",
            "1.5",
            "\"x\"",
            "true",
            "[null, [], {}]",
        ] {
            assert!(choices(text).numbered().is_empty(), "{text}");
        }
    }

    #[test]
    fn types_are_the_words_that_a_ticket_may_have() {
        for text in [
            r#"["Question", "Incident"]"#,
            r#"[{"label": "Question", "value": "Question"}, {"value": "Incident"}]"#,
            r#"{"Question": "Question", "Incident": "Incident"}"#,
        ] {
            assert_eq!(choices(text).words(), ["Question", "Incident"], "{text}");
        }
    }

    #[test]
    fn a_custom_field_called_status_is_not_taken_for_the_status() {
        let field = |json: Json| serde_json::from_value::<Field>(json).unwrap();
        assert!(field(json!({"name": "status", "type": "default_status"})).is("status"));
        assert!(field(json!({"name": "status"})).is("status"));
        assert!(!field(json!({"name": "status", "type": "custom_dropdown"})).is("status"));
        assert!(!field(json!({"name": 7, "type": []})).is("status"));
    }

    proptest! {
        #[test]
        fn no_choices_make_it_panic(text in ".{0,20}", number in any::<i64>()) {
            for odd in [json!(text), json!(number), json!([text]), json!({text.clone(): [number]}), json!({number.to_string(): {}}), json!(null)] {
                for json in [odd.clone(), json!([odd.clone()]), json!({"2": odd})] {
                    let choices = choices(&json.to_string());
                    let _ = (choices.numbered(), choices.words());
                }
            }
        }
    }
}

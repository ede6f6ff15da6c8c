//! What `HubSpot` says when it refuses: which operations of a batch are meant, and why.

use crate::model::{COMPANY, Changes, RecordId};
use crate::remote::reply::Reply;
use crate::remote::{Op, Outcome};
use serde::Deserialize;
use serde_json::Value as Json;

/// How much of a message is kept.
const LONGEST_MESSAGE: usize = 400;

/// What the message about a unique property says after the id of the record that has the value.
const TAKEN: &str = " already has that value";

/// An error body, or one of the `errors` of a partial success.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Refusal {
    message: String,
    category: Json,
    sub_category: Json,
    code: Json,
    correlation_id: Option<String>,
    /// Who and what is meant: names to lists of texts, at times to a text.
    context: Json,
    errors: Vec<Refusal>,
}

/// One entry of "Property values were not valid: [...]".
#[derive(Debug, Deserialize)]
struct Invalid {
    #[serde(default)]
    name: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    error: String,
}

/// What a refusal means for one operation.
#[derive(Debug)]
pub(super) enum Verdict {
    /// This.
    Outcome(Outcome),
    /// The record is not among the live ones; whether it is archived has to be looked up.
    NotFound,
}

impl Refusal {
    /// What the body of a refusal says; `None` where it is not one of `HubSpot`'s.
    pub(super) fn of(reply: &Reply) -> Option<Self> {
        let refusal: Self = serde_json::from_slice(&reply.body).ok()?;
        let said = !refusal.message.is_empty() || refusal.category.is_string();
        said.then_some(refusal)
    }

    /// All texts that `context` has under `name`, here and in what lies below.
    fn about(&self, name: &str) -> Vec<&str> {
        let own = match self.context.get(name) {
            Some(Json::String(text)) => vec![text.as_str()],
            Some(Json::Array(texts)) => texts.iter().filter_map(Json::as_str).collect(),
            _ => Vec::new(),
        };
        let below = self.errors.iter().flat_map(|error| error.about(name));
        own.into_iter().chain(below).collect()
    }

    /// The trace ids of the inputs that are meant, where the server returns them.
    pub(super) fn traces(&self) -> Vec<&str> {
        self.about("objectWriteTraceId")
    }

    /// The ids or e-mails that are meant.
    pub(super) fn keys(&self) -> Vec<&str> {
        ["id", "ids", "objectId", "objectIds", "email"]
            .iter()
            .flat_map(|name| self.about(name))
            .collect()
    }

    /// The ids at both ends of an association that are meant.
    pub(super) fn ends(&self) -> (Vec<&str>, Vec<&str>) {
        (self.about("fromObjectId"), self.about("toObjectId"))
    }

    /// Whether it says that records are not there.
    pub(super) fn not_found(&self) -> bool {
        let words = [&self.category, &self.sub_category, &self.code];
        words.iter().any(|word| {
            word.as_str()
                .is_some_and(|word| word.ends_with("NOT_FOUND"))
        })
    }

    /// The id of the record that has the unique value already.
    fn existing(&self) -> Option<RecordId> {
        let digits = |text: &str| -> String {
            let text = text.trim_start().chars();
            text.take_while(char::is_ascii_digit).collect()
        };
        let id = if let Some((_, rest)) = self.message.split_once("Existing ID:") {
            digits(rest)
        } else {
            let (before, _) = self.message.split_once(TAKEN)?;
            digits(before.rsplit([' ', '"']).find(|word| !word.is_empty())?)
        };
        (!id.is_empty()).then_some(RecordId(id))
    }

    /// Whether another record has a value that only one may have.
    fn conflict(&self) -> bool {
        self.category.as_str() == Some("CONFLICT")
            || self.message.contains("already exists")
            || self.message.contains(TAKEN)
    }

    /// What is wrong with which properties, as the message of a validation error lists it.
    fn invalid(&self) -> Vec<Invalid> {
        self.message
            .find('[')
            .and_then(|start| serde_json::from_str(self.message.get(start..)?).ok())
            .unwrap_or_default()
    }

    /// The properties that cannot be written whatever their value: every operation with one of
    /// them is refused, and asking for each again would only cost calls.
    pub(super) fn unwritable(&self) -> Vec<String> {
        let hopeless = |code: &str| {
            [
                "PROPERTY_DOESNT_EXIST",
                "READ_ONLY_VALUE",
                "READ_ONLY_PROPERTY",
            ]
            .contains(&code)
        };
        let listed = self.invalid();
        let listed = listed
            .into_iter()
            .filter(|it| hopeless(&it.error))
            .map(|it| it.name);
        let coded = std::iter::once(self)
            .chain(&self.errors)
            .filter(|error| error.code.as_str().is_some_and(hopeless))
            .flat_map(|error| error.about("propertyName"))
            .map(str::to_owned);
        listed.chain(coded).collect()
    }

    /// The field of `fields` that is at fault, where the server names one.
    fn field(&self, fields: &Changes) -> Option<String> {
        let invalid = self.invalid();
        let named = invalid.iter().map(|it| it.name.as_str());
        let named = named.chain(self.about("propertyName"));
        let quoted = self.message.split('"').skip(1).step_by(2);
        if let Some(field) = named.chain(quoted).find(|name| fields.get(name).is_some()) {
            return Some(field.to_owned());
        }
        let link = self.message.to_lowercase().contains("associat");
        if link && fields.get(COMPANY).is_some() {
            return Some(COMPANY.to_owned());
        }
        (self.conflict() && fields.get("email").is_some()).then(|| "email".to_owned())
    }

    /// The server's words, those about single properties in the place of the list that holds them.
    pub(super) fn words(&self) -> String {
        let mut words: Vec<String> = self.invalid().into_iter().map(|it| it.message).collect();
        if words.is_empty() {
            let below = self.errors.iter().map(|error| &error.message);
            words.extend(std::iter::once(&self.message).chain(below).cloned());
        }
        words.retain(|word| !word.is_empty());
        words.dedup();
        let words = words.join("; ");
        words
            .chars()
            .filter(|c| !c.is_control())
            .take(LONGEST_MESSAGE)
            .collect()
    }

    /// What it means for `op`, which it is about.
    pub(super) fn verdict(&self, op: &Op, request_id: Option<&str>) -> Verdict {
        let nothing = Changes::default();
        let fields = match op {
            Op::Create { fields } | Op::Update { fields, .. } => fields,
            Op::Delete { .. } => &nothing,
        };
        if matches!(op, Op::Create { .. }) && (self.conflict() || self.existing().is_some()) {
            return Verdict::Outcome(Outcome::Duplicate {
                of: self.existing(),
                message: self.words(),
            });
        }
        if self.not_found() && !matches!(op, Op::Create { .. }) {
            return Verdict::NotFound;
        }
        let company = self.not_found() && fields.get(COMPANY).is_some();
        Verdict::Outcome(Outcome::Refused {
            field: self
                .field(fields)
                .or_else(|| company.then(|| COMPANY.to_owned())),
            message: self.words(),
            request_id: request_id
                .map(str::to_owned)
                .or_else(|| self.correlation_id.clone()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Value;

    fn refusal(json: &Json) -> Refusal {
        serde_json::from_value(json.clone()).unwrap()
    }

    fn create(fields: &[&str]) -> Op {
        let mut image = Changes::default();
        for field in fields {
            image.set(*field, Value::from("x"));
        }
        Op::Create { fields: image }
    }

    fn invalid(list: &Json) -> Refusal {
        refusal(&serde_json::json!({
            "category": "VALIDATION_ERROR",
            "message": format!("Property values were not valid: {list}"),
        }))
    }

    #[test]
    fn a_taken_value_leads_to_the_record_that_has_it() {
        let email = serde_json::json!({"category": "CONFLICT",
            "message": "Contact already exists. Existing ID: 4711"});
        let unique = serde_json::json!([{"isValid": false, "name": "number",
            "message": "4711 already has that value.", "error": "CONFLICTING_UNIQUE_VALUE"}]);
        for refusal in [refusal(&email), invalid(&unique)] {
            let verdict = refusal.verdict(&create(&["email"]), None);
            let Verdict::Outcome(Outcome::Duplicate { of, .. }) = verdict else {
                panic!("{verdict:?}");
            };
            assert_eq!(of, Some(RecordId::from("4711")));
        }
    }

    #[test]
    fn a_refusal_names_the_field_and_says_it_in_a_sentence() {
        let list = serde_json::json!([{"isValid": false, "name": "tier", "error": "INVALID_OPTION",
            "message": "gold was not one of the allowed options: [vip, standard]"}]);
        let verdict = invalid(&list).verdict(&create(&["email", "tier"]), Some("r-1"));
        let Verdict::Outcome(Outcome::Refused {
            field,
            message,
            request_id,
        }) = verdict
        else {
            panic!("{verdict:?}");
        };
        assert_eq!(field.as_deref(), Some("tier"));
        assert_eq!(
            message,
            "gold was not one of the allowed options: [vip, standard]"
        );
        assert_eq!(request_id.as_deref(), Some("r-1"));
        assert!(invalid(&list).unwritable().is_empty());
    }

    #[test]
    fn odd_errors_are_refusals_all_the_same() {
        for json in [
            serde_json::json!({"message": "Property values were not valid: [torn"}),
            serde_json::json!({"category": 7, "context": null, "message": "no"}),
            serde_json::json!({"message": "x", "context": {"propertyName": "email"}}),
            serde_json::json!({"message": " already has that value"}),
        ] {
            let refusal = refusal(&json);
            refusal.verdict(&create(&["email"]), None);
            assert!(!refusal.words().is_empty(), "{json}");
        }
    }
}

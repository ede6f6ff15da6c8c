//! What the fields of `res.partner` are (`fields_get`), and what that means for us.

use super::super::reply::Reply;
use super::super::{ErrorKind, FieldInfo, RemoteError, Schema, Shape};
use crate::model::{COMPANY, Kind};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// What is asked of `fields_get` about each field.
pub(super) const ATTRIBUTES: [&str; 5] = ["type", "string", "required", "readonly", "selection"];

/// What the connector itself decides by: a mapping may read it, not write it.
const OURS: [&str; 4] = ["active", "id", "is_company", "type"];

/// How a field's values look in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    /// `char`, `text`, `html`; and days, times and words, which come as text.
    Text(Shape),
    /// `integer`, `float`, `monetary`.
    Number,
    /// `boolean`: the only form whose `false` says more than "nothing".
    Boolean,
    /// `many2one`: `[id, name]`.
    Link,
    /// Whatever else there is, by Odoo's name for it.
    Other(String),
}

/// One field as `fields_get` describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Definition {
    form: Form,
    label: String,
    read_only: bool,
    required: bool,
}

/// All fields of the partner model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Definitions(BTreeMap<String, Definition>);

impl Definitions {
    /// The body of a `fields_get`. A field that is described in no sense that we know is left out.
    pub(super) fn decode(reply: &Reply) -> Result<Self, RemoteError> {
        let body: BTreeMap<String, Json> = reply.json()?;
        let all: BTreeMap<_, _> = body
            .into_iter()
            .filter_map(|(name, about)| Some((name, Definition::decode(about.as_object()?)?)))
            .collect();
        let here = |name| all.contains_key(name);
        if here("write_date") && here("active") {
            return Ok(Self(all));
        }
        Err(reply.error(ErrorKind::Garbled, "the fields are not those of a partner"))
    }

    /// How the values of `field` look; `None` where there is no such field.
    pub(super) fn form(&self, field: &str) -> Option<&Form> {
        self.0.get(field).map(|definition| &definition.form)
    }

    /// What an admin can map for `kind`.
    pub(super) fn schema(&self, kind: Kind) -> Schema {
        let mut fields: BTreeMap<_, _> = self
            .0
            .iter()
            .map(|(name, definition)| (name.clone(), definition.info(name)))
            .collect();
        if kind == Kind::Contact
            && let Some(parent) = fields.remove("parent_id")
        {
            let company = FieldInfo {
                read_only: false,
                ..parent
            };
            fields.insert(COMPANY.to_owned(), company);
        }
        Schema { fields }
    }
}

impl Definition {
    fn decode(about: &Map<String, Json>) -> Option<Self> {
        let says = |name: &str| about.get(name).and_then(Json::as_bool).unwrap_or(false);
        let form = match about.get("type")?.as_str()? {
            "char" | "text" | "html" => Form::Text(Shape::Text),
            "date" => Form::Text(Shape::Date),
            "datetime" => Form::Text(Shape::DateTime),
            "selection" => Form::Text(Shape::Choice(words(about.get("selection")))),
            "integer" | "float" | "monetary" => Form::Number,
            "boolean" => Form::Boolean,
            "many2one" => Form::Link,
            other => Form::Other(other.to_owned()),
        };
        Some(Self {
            form,
            label: about
                .get("string")
                .and_then(Json::as_str)
                .unwrap_or_default()
                .to_owned(),
            read_only: says("readonly"),
            required: says("required"),
        })
    }

    fn info(&self, name: &str) -> FieldInfo {
        // Other models' records are shown, by name or id; we do not turn a text into one.
        let (shape, ours_to_write) = match &self.form {
            Form::Text(shape) => (shape.clone(), true),
            Form::Number => (Shape::Number, true),
            Form::Boolean => (Shape::Boolean, true),
            Form::Link => (Shape::Other("many2one".to_owned()), false),
            Form::Other(form) => (Shape::Other(form.clone()), false),
        };
        FieldInfo {
            label: self.label.clone(),
            shape,
            read_only: self.read_only || !ours_to_write || OURS.contains(&name),
            unique: false,
            // The database insists on a contact's name; `fields_get` does not say so.
            required: self.required || name == "name",
        }
    }
}

/// The keys of `[[key, label], …]`.
fn words(selection: Option<&Json>) -> Vec<String> {
    selection
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter_map(|choice| choice.get(0)?.as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::remote::odoo::verdict::tests::reply;
    use serde_json::json;

    /// A partner model with one field of each form.
    pub(in crate::remote::odoo) fn definitions() -> Definitions {
        let field = |form: &str| json!({ "type": form, "string": form, "readonly": false });
        let body = json!({
            "active": field("boolean"), "write_date": field("datetime"), "name": field("char"),
            "comment": field("html"), "x_vip": field("boolean"), "x_score": field("integer"),
            "x_since": field("date"), "parent_id": field("many2one"), "country_id": field("many2one"),
            "category_id": field("many2many"),
            "type": { "type": "selection", "selection": [["contact", "Contact"], [false, 1], 3] },
            "broken": 7, "nameless": { "type": null },
        });
        Definitions::decode(&reply(200, &body.to_string())).unwrap()
    }

    #[test]
    fn an_admin_sees_which_fields_can_be_written_and_which_words_they_take() {
        let schema = definitions().schema(Kind::Contact);
        let info = |name: &str| &schema.fields[name];
        assert_eq!(
            info("type").shape,
            Shape::Choice(vec!["contact".to_owned()])
        );
        assert!(info("type").read_only && info("active").read_only);
        assert!(info("country_id").read_only && !info("name").read_only);
        assert!(info("name").required);
        assert!(!info(COMPANY).read_only);
        assert!(!schema.fields.contains_key("parent_id") && !schema.fields.contains_key("broken"));
        let schema = definitions().schema(Kind::Company);
        assert!(schema.fields["parent_id"].read_only && !schema.fields.contains_key(COMPANY));
    }

    #[test]
    fn a_body_that_is_no_partner_model_is_an_error_and_not_an_empty_model() {
        for body in [
            "",
            "[]",
            "{}",
            "<html>",
            "{\"name\":",
            "{\"name\": {\"type\": \"char\"}}",
        ] {
            let error = Definitions::decode(&reply(200, body)).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Garbled, "{body}");
        }
    }
}

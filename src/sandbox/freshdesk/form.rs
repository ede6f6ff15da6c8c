//! Reads one request body strictly: every key known, every value of its type, all mistakes at once.

use super::fields::{CustomField, FieldType};
use super::reply::{Problem, Reply};
use super::service::Body;
use chrono::NaiveDate;
use serde_json::Value;

/// The longest single-line text, in characters.
const LINE: usize = 255;
/// The longest text of several lines, in characters.
const PARAGRAPH: usize = 65_535;

/// The mistakes found so far, and how strict the server is.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) problems: Vec<Problem>,
    pub(super) strict: bool,
    /// Whether the server stores numbers without blanks, brackets and dashes.
    pub(super) rewrites: bool,
}

impl Form {
    pub(super) fn wrong(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// A text that the request has to have.
    pub(super) fn demand(&mut self, body: &Body, field: &str) {
        if !body.contains_key(field) {
            self.wrong(Problem::missing(field, "String"));
        }
    }

    /// 400 with every mistake, where there is one.
    pub(super) fn accept(self) -> Result<(), Reply> {
        if self.problems.is_empty() {
            return Ok(());
        }
        Err(Reply::invalid(&self.problems))
    }

    /// A text; `""` empties the field, and so does `null` where the server is lenient.
    pub(super) fn text(&mut self, field: &str, value: &Value, into: &mut Option<String>) {
        self.text_up_to(LINE, field, value, into);
    }

    /// A text of several lines.
    pub(super) fn paragraph(&mut self, field: &str, value: &Value, into: &mut Option<String>) {
        self.text_up_to(PARAGRAPH, field, value, into);
    }

    fn text_up_to(&mut self, most: usize, field: &str, value: &Value, into: &mut Option<String>) {
        match value {
            Value::String(text) if text.len() > most && text.chars().count() > most => {
                let n = text.chars().count();
                let message =
                    format!("Has {n} characters, it can have maximum of {most} characters");
                self.wrong(Problem::new(field, "invalid_value", message));
            }
            Value::String(text) => {
                let text = if self.rewrites { text.trim() } else { text };
                *into = (!text.is_empty()).then(|| text.to_owned());
            }
            Value::Null if !self.strict => *into = None,
            _ => self.wrong(Problem::mismatch(field, value, "String")),
        }
    }

    /// A telephone number: any text.
    pub(super) fn number(&mut self, field: &str, value: &Value, into: &mut Option<String>) {
        self.text(field, value, into);
        if self.rewrites
            && let Some(number) = into
        {
            number.retain(|c| !matches!(c, ' ' | '-' | '(' | ')' | '/'));
        }
    }

    /// A text that must not be empty.
    pub(super) fn name(&mut self, field: &str, value: &Value, into: &mut String) {
        let mut text = Some(into.clone());
        self.text(field, value, &mut text);
        match text {
            Some(text) if !text.trim().is_empty() => *into = text,
            _ => {
                let message = "It should not be blank as this is a mandatory field";
                self.wrong(Problem::new(field, "invalid_value", message));
            }
        }
    }

    /// An address, kept in lower case.
    pub(super) fn email(&mut self, field: &str, value: &Value, into: &mut Option<String>) {
        self.text(field, value, into);
        let Some(email) = into else { return };
        *email = email.to_lowercase();
        if !is_email(email) {
            let message = "It should be in the 'valid email address' format";
            self.wrong(Problem::new(field, "invalid_value", message));
        }
    }

    pub(super) fn flag(&mut self, field: &str, value: &Value, into: &mut bool) {
        match value {
            Value::Bool(flag) => *into = *flag,
            _ => self.wrong(Problem::mismatch(field, value, "Boolean")),
        }
    }

    pub(super) fn id(&mut self, field: &str, value: &Value) -> Option<u64> {
        let id = value.as_u64();
        if id.is_none() {
            self.wrong(Problem::mismatch(field, value, "Positive Integer"));
        }
        id
    }

    /// A list of texts that takes the place of the old one.
    pub(super) fn texts(&mut self, field: &str, value: &Value) -> Option<Vec<String>> {
        let Value::Array(items) = value else {
            self.wrong(Problem::mismatch(field, value, "Array"));
            return None;
        };
        let mut texts: Vec<String> = Vec::with_capacity(items.len());
        for item in items {
            match item {
                Value::String(text) if text.is_empty() || texts.contains(text) => {}
                Value::String(text) => texts.push(text.clone()),
                _ => {
                    self.wrong(Problem::mismatch(field, item, "String"));
                    return None;
                }
            }
        }
        Some(texts)
    }

    /// One of the field's choices; `null` empties it, and `""` where the server is lenient.
    pub(super) fn choice<T: AsRef<str>>(
        &mut self,
        field: &str,
        value: &Value,
        choices: &[T],
        into: &mut Option<String>,
    ) {
        match value {
            Value::Null => *into = None,
            Value::String(text) if text.is_empty() && !self.strict => *into = None,
            Value::String(text) if choices.iter().any(|choice| choice.as_ref() == text) => {
                *into = Some(text.clone());
            }
            Value::String(_) => self.wrong(Problem::not_a_choice(field, choices)),
            _ => self.wrong(Problem::mismatch(field, value, "String")),
        }
    }

    /// `YYYY-MM-DD`; `null` empties it.
    pub(super) fn day(&mut self, field: &str, value: &Value, into: &mut Option<String>) {
        match value {
            Value::Null => *into = None,
            Value::String(text) if text.len() == 10 && text.parse::<NaiveDate>().is_ok() => {
                *into = Some(text.clone());
            }
            Value::String(_) => {
                let message = "It should be in the 'yyyy-mm-dd' format";
                self.wrong(Problem::new(field, "invalid_value", message));
            }
            _ => self.wrong(Problem::mismatch(field, value, "String")),
        }
    }

    /// The keys given inside `custom_fields`; the others stay.
    pub(super) fn custom(&mut self, fields: &[CustomField], value: &Value, into: &mut [Value]) {
        let Value::Object(given) = value else {
            self.wrong(Problem::mismatch("custom_fields", value, "key/value pair"));
            return;
        };
        for (name, value) in given {
            let path = format!("custom_fields.{name}");
            let place = fields.iter().zip(into.iter_mut());
            match place.into_iter().find(|(field, _)| field.name == *name) {
                Some((field, slot)) => self.one_custom(field, &path, value, slot),
                None => self.wrong(Problem::unknown(&path)),
            }
        }
    }

    fn one_custom(&mut self, field: &CustomField, path: &str, value: &Value, into: &mut Value) {
        let mut text = into.as_str().map(str::to_owned);
        match field.kind {
            FieldType::Checkbox | FieldType::Number => {
                return self.scalar(field, path, value, into);
            }
            FieldType::Text | FieldType::Url | FieldType::Phone => {
                self.text(path, value, &mut text);
            }
            FieldType::Paragraph => self.paragraph(path, value, &mut text),
            FieldType::Dropdown => self.choice(path, value, &field.choices, &mut text),
            FieldType::Date => self.day(path, value, &mut text),
        }
        *into = text.map_or(Value::Null, Value::String);
    }

    fn scalar(&mut self, field: &CustomField, path: &str, value: &Value, into: &mut Value) {
        let (fits, expected) = match field.kind {
            FieldType::Checkbox => (value.is_boolean(), "Boolean"),
            _ => (value.is_i64(), "Integer"),
        };
        if fits || value.is_null() {
            *into = value.clone();
        } else {
            self.wrong(Problem::mismatch(path, value, expected));
        }
    }
}

/// Whether a mail server could take it.
pub(super) fn is_email(text: &str) -> bool {
    let well_formed = |(name, host): (&str, &str)| {
        !name.is_empty() && host.contains('.') && !host.starts_with('.') && !host.ends_with('.')
    };
    text.matches('@').count() == 1
        && !text.contains(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '<' | '>'))
        && text.split_once('@').is_some_and(well_formed)
}

//! Answers that say no.

use super::super::state::Refused;
use super::super::value::Invalid;
use super::super::write;

/// An error answer, or one item of a batch's errors.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub(super) status: u16,
    pub(super) category: &'static str,
    pub(super) message: String,
    pub(super) sub_category: Option<&'static str>,
    pub(super) context: Vec<(&'static str, Vec<String>)>,
    pub(super) details: Vec<Detail>,
}

/// One of several reasons.
#[derive(Debug, Clone)]
pub(super) struct Detail {
    pub(super) message: String,
    pub(super) code: Option<&'static str>,
    pub(super) context: (&'static str, Vec<String>),
}

impl Problem {
    pub(super) fn new(status: u16, category: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            category,
            message: message.into(),
            sub_category: None,
            context: Vec::new(),
            details: Vec::new(),
        }
    }

    /// 400 `VALIDATION_ERROR`.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "VALIDATION_ERROR", message)
    }

    /// 404 for records.
    pub(super) fn missing(ids: Vec<String>) -> Self {
        let message = "resource not found";
        Self::new(404, "OBJECT_NOT_FOUND", message).with("ids", ids)
    }

    pub(super) fn with(mut self, name: &'static str, values: Vec<String>) -> Self {
        self.context.push((name, values));
        self
    }

    /// The body of an error answer.
    pub(super) fn body(&self, correlation: &str) -> String {
        let mut out = String::from("{");
        write::text(&mut out, "status", "error");
        write::text(&mut out, "message", &self.message);
        write::text(&mut out, "correlationId", correlation);
        self.rest(&mut out);
        out.push('}');
        out
    }

    /// One item of a batch's `errors`.
    pub(super) fn item(&self, out: &mut String, trace: Option<&str>) {
        out.push('{');
        write::text(out, "status", "error");
        write::text(out, "message", &self.message);
        let mut traced = self.clone();
        if let Some(trace) = trace {
            traced = traced.with("objectWriteTraceId", vec![trace.to_owned()]);
        }
        traced.rest(out);
        write::bare(out, "links", "{}");
        out.push('}');
    }

    fn rest(&self, out: &mut String) {
        write::text(out, "category", self.category);
        if let Some(sub_category) = self.sub_category {
            write::text(out, "subCategory", sub_category);
        }
        if !self.context.is_empty() {
            write::key(out, "context");
            out.push('{');
            for (name, values) in &self.context {
                write::bare(out, name, serde_json::json!(values));
            }
            out.push('}');
        }
        if !self.details.is_empty() {
            write::key(out, "errors");
            out.push('[');
            for detail in &self.details {
                if !out.ends_with('[') {
                    out.push(',');
                }
                out.push('{');
                write::text(out, "message", &detail.message);
                if let Some(code) = detail.code {
                    write::text(out, "code", code);
                }
                let (name, values) = &detail.context;
                write::bare(out, "context", serde_json::json!({ *name: values }));
                out.push('}');
            }
            out.push(']');
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Missing(id) => Self::missing(vec![id.to_string()]),
            Refused::Invalid(invalid) => values(invalid),
            Refused::Duplicate { property, existing } if property == "email" => {
                let message = format!("Contact already exists. Existing ID: {existing}");
                Self::new(409, "CONFLICT", message)
            }
            Refused::Duplicate { property, existing } => {
                let message = format!("record {existing} already has that value");
                let code = "CONFLICTING_UNIQUE_VALUE";
                values(vec![Invalid::new(&property, code, message)])
            }
            Refused::Blocked => Self::invalid("This address was deleted on request"),
            Refused::Nameless(needed) => Self::invalid(format!(
                "At least one of these properties is needed: {needed}"
            )),
            Refused::Same => Self::invalid("A record cannot be merged with itself"),
        }
    }
}

/// The message carries the list as JSON text, the details carry it again.
fn values(invalid: Vec<Invalid>) -> Problem {
    let list: Vec<_> = invalid
        .iter()
        .map(|one| {
            serde_json::json!({
                "isValid": false, "message": one.message, "error": one.code, "name": one.property,
            })
        })
        .collect();
    let message = format!(
        "Property values were not valid: {}",
        serde_json::json!(list)
    );
    let mut problem = Problem::invalid(message);
    problem.details = invalid
        .into_iter()
        .map(|one| Detail {
            message: one.message,
            code: Some(one.code),
            context: ("propertyName", vec![one.property]),
        })
        .collect();
    problem
}

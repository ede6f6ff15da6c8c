//! The answers' outer form: statuses, error bodies of both shapes, empty bodies.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};

/// An answer before the headers that all answers have.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
}

/// One entry of `errors`.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) field: String,
    pub(super) message: String,
    pub(super) code: &'static str,
    pub(super) holder: Option<u64>,
}

impl Problem {
    pub(super) fn new(field: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            field: field.to_owned(),
            message: message.into(),
            code,
            holder: None,
        }
    }

    /// A key or parameter that the endpoint does not take.
    pub(super) fn unknown(field: &str) -> Self {
        Self::new(
            field,
            "invalid_field",
            "Unexpected/invalid field in request",
        )
    }

    /// An attribute or parameter that the endpoint cannot do without.
    pub(super) fn missing(field: &str, expected: &str) -> Self {
        let message = format!("It should be a/an {expected}");
        Self::new(field, "missing_field", message)
    }

    /// A value of the wrong JSON type.
    pub(super) fn mismatch(field: &str, value: &Value, expected: &str) -> Self {
        let given = match value {
            Value::Null => "Null",
            Value::Bool(_) => "Boolean",
            Value::Number(number) if number.is_f64() => "Float",
            Value::Number(_) => "Integer",
            Value::String(_) => "String",
            Value::Array(_) => "Array",
            Value::Object(_) => "key/value pair",
        };
        let message = format!("Value set is of type {given}. It should be a/an {expected}.");
        Self::new(field, "datatype_mismatch", message)
    }

    /// A value outside the field's choices.
    pub(super) fn not_a_choice<T: AsRef<str>>(field: &str, choices: &[T]) -> Self {
        let choices: Vec<&str> = choices.iter().map(AsRef::as_ref).collect();
        let message = format!("It should be one of these values: '{}'", choices.join(","));
        Self::new(field, "invalid_value", message)
    }

    /// A value that another record holds.
    pub(super) fn taken(field: String, holder: Option<u64>) -> Self {
        Self {
            field,
            message: "It should be a unique value".to_owned(),
            code: "duplicate_value",
            holder,
        }
    }
}

impl Reply {
    pub(super) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            body: Vec::new(),
            headers: Vec::new(),
        }
    }

    pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Self {
        Self {
            body: serde_json::to_vec(value).unwrap_or_default(),
            ..Self::empty(status)
        }
    }

    /// No such thing, and not a word about it.
    pub(super) fn missing() -> Self {
        Self::empty(StatusCode::NOT_FOUND)
    }

    /// `{"code", "message"}`.
    pub(super) fn coded(status: StatusCode, code: &str, message: &str) -> Self {
        Self::json(status, &json!({"code": code, "message": message}))
    }

    /// 403: the key's agent may not.
    pub(super) fn denied() -> Self {
        let message = "You are not authorized to perform this action.";
        Self::coded(StatusCode::FORBIDDEN, "access_denied", message)
    }

    /// 405, with the verbs that would do.
    pub(super) fn wrong_verb(verb: &str, allowed: &'static str) -> Self {
        let message =
            format!("{verb} method is not allowed. It should be one of these method(s): {allowed}");
        Self::coded(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            &message,
        )
        .with(header::ALLOW, HeaderValue::from_static(allowed))
    }

    /// 400 with every problem.
    pub(super) fn invalid(problems: &[Problem]) -> Self {
        Self::failed(StatusCode::BAD_REQUEST, problems)
    }

    /// 409 with every problem.
    pub(super) fn conflict(problems: &[Problem]) -> Self {
        Self::failed(StatusCode::CONFLICT, problems)
    }

    fn failed(status: StatusCode, problems: &[Problem]) -> Self {
        let errors = problems.iter().map(|problem| {
            let (field, message, code) = (&problem.field, &problem.message, problem.code);
            match problem.holder {
                None => json!({"field": field, "message": message, "code": code}),
                Some(holder) => json!({
                    "field": field,
                    "additional_info": {"user_id": holder},
                    "message": message,
                    "code": code,
                }),
            }
        });
        let errors: Value = errors.collect();
        Self::json(
            status,
            &json!({"description": "Validation failed", "errors": errors}),
        )
    }

    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn into_response(self) -> Response {
        let kind = if self.body.is_empty() {
            "text/html; charset=utf-8"
        } else {
            "application/json; charset=utf-8"
        };
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if self.status != StatusCode::NO_CONTENT {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        headers.extend(
            self.headers
                .into_iter()
                .map(|(name, value)| (Some(name), value)),
        );
        response
    }
}

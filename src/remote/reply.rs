//! What came back from a server, and what is made of it.

use super::{ErrorKind, RemoteError};
use crate::clock::{Clock as _, SystemClock};
use crate::model::Side;
use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use reqwest::header::{self, HeaderMap};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// How much of a server's message is kept.
const LONGEST_DETAIL: usize = 400;

/// What came back, whatever the status.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, complete.
    pub body: Vec<u8>,
    /// The server's clock (`Date`); ours where it sent none.
    pub server_time: DateTime<Utc>,
    pub(super) side: Side,
    pub(super) call: String,
}

impl Reply {
    /// A reply that no server gave, for tests of what is made of replies.
    #[cfg(test)]
    pub(crate) fn made_up(side: Side, status: u16, body: &str) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: body.as_bytes().to_vec(),
            server_time: DateTime::default(),
            side,
            call: "made up".to_owned(),
        }
    }

    /// The server's name for the call: `X-Request-Id`, else a vendor's own `…-Correlation-Id`.
    #[must_use]
    pub fn request_id(&self) -> Option<String> {
        let own = || {
            let mut headers = self.headers.iter();
            headers.find(|(name, _)| name.as_str().ends_with("-correlation-id"))
        };
        self.headers
            .get("x-request-id")
            .or_else(|| own().map(|(_, value)| value))
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    }

    /// The body as `T`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Garbled`] where it is not.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, RemoteError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            // serde_json quotes the offending value, which may be a customer's: keep the place alone.
            let place = format!("at line {} column {}", error.line(), error.column());
            self.error(ErrorKind::Garbled, &place)
        })
    }

    /// This reply if its status is 2xx, else the error that its status stands for.
    ///
    /// # Errors
    ///
    /// By status; the detail is the body's own message where it has one.
    pub fn ok(self) -> Result<Self, RemoteError> {
        if self.status.is_success() {
            return Ok(self);
        }
        Err(self.failure())
    }

    /// The error that the status stands for.
    #[must_use]
    pub fn failure(&self) -> RemoteError {
        let kind = match self.status.as_u16() {
            401 => ErrorKind::Denied,
            403 => ErrorKind::Forbidden,
            404 => ErrorKind::Missing,
            429 => ErrorKind::Throttled(None),
            status @ 500..=599 => ErrorKind::Fault(status),
            status @ 400..=499 => ErrorKind::Rejected(status),
            _ => ErrorKind::Garbled,
        };
        self.error(kind, &self.message())
    }

    /// An error about this reply.
    #[must_use]
    pub fn error(&self, kind: ErrorKind, detail: &str) -> RemoteError {
        RemoteError {
            side: self.side,
            call: self.call.clone(),
            kind,
            detail: cut(detail),
            request_id: self.request_id(),
        }
    }

    /// What the body says went wrong; nothing where it is empty, HTML or otherwise no message.
    #[must_use]
    pub fn message(&self) -> String {
        let Ok(json) = serde_json::from_slice::<serde_json::Value>(&self.body) else {
            return String::new();
        };
        let mut said: Vec<String> = ["message", "description"]
            .iter()
            .filter_map(|key| json.get(key)?.as_str().map(str::to_owned))
            .collect();
        for error in json
            .get("errors")
            .and_then(|it| it.as_array())
            .into_iter()
            .flatten()
        {
            let field = error.get("field").and_then(|it| it.as_str()).unwrap_or("");
            let text = error
                .get("message")
                .and_then(|it| it.as_str())
                .unwrap_or("");
            said.push(
                format!("{field}: {text}")
                    .trim_matches([':', ' '])
                    .to_owned(),
            );
        }
        cut(&said.join("; "))
    }
}

pub(super) fn cut(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(LONGEST_DETAIL)
        .collect()
}

/// The server's clock (`Date`); ours where it sent none.
pub(super) fn server_time(headers: &HeaderMap) -> DateTime<Utc> {
    headers
        .get(header::DATE)
        .and_then(|date| DateTime::parse_from_rfc2822(date.to_str().ok()?).ok())
        .map_or_else(|| SystemClock.now(), |date| date.with_timezone(&Utc))
}

/// `Retry-After` in seconds (whole or decimal) or as a date; nothing where it makes no sense.
pub(super) fn retry_after(reply: &Reply) -> Option<Duration> {
    let text = reply
        .headers
        .get(header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return (seconds >= 0.0)
            .then(|| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX));
    }
    let date = DateTime::parse_from_rfc2822(text).ok()?;
    (date.with_timezone(&Utc) - reply.server_time).to_std().ok()
}

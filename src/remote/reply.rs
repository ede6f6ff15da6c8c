//! What came back from a server, and what is made of it.

use super::{ErrorKind, RemoteError};
use crate::clock::{Clock as _, SystemClock};
use crate::model::Side;
use chrono::{DateTime, NaiveDateTime, Utc};
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
        .and_then(|date| http_date(date.to_str().ok()?))
        .unwrap_or_else(|| SystemClock.now())
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
    (http_date(text)? - reply.server_time).to_std().ok()
}

/// A date in a header, in one of the three forms that have to be understood (RFC 9110, 5.6.7).
fn http_date(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(date) = DateTime::parse_from_rfc2822(text) {
        return Some(date.with_timezone(&Utc));
    }
    ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .map(|date| date.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read out of this `Retry-After`, on a server whose clock says so.
    fn wait(text: &str, date: &str) -> Option<Duration> {
        let mut reply = Reply::made_up(Side::Desk, 429, "");
        reply
            .headers
            .insert(header::RETRY_AFTER, text.parse().unwrap());
        reply.headers.insert(header::DATE, date.parse().unwrap());
        reply.server_time = server_time(&reply.headers);
        retry_after(&reply)
    }

    const NOW: &str = "Sun, 22 Nov 2026 10:00:00 GMT";

    #[test]
    fn a_wait_is_understood_in_every_way_that_http_has_for_it() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (text, expected) in [
            ("34", seconds(34)),
            (" 34 ", seconds(34)),
            ("0", seconds(0)),
            ("1.5", Some(Duration::from_millis(1500))),
            ("604800", seconds(7 * 24 * 3600)),
            ("Sun, 22 Nov 2026 10:00:34 GMT", seconds(34)),
            ("Sun, 22 Nov 2026 10:00:00 GMT", seconds(0)),
            ("Sun, 29 Nov 2026 10:00:00 GMT", seconds(7 * 24 * 3600)),
            // The two older forms, which have to be understood (RFC 9110, 5.6.7).
            ("Sunday, 22-Nov-26 10:00:34 GMT", seconds(34)),
            ("Sun Nov 22 10:00:34 2026", seconds(34)),
            ("Tue Dec  1 10:00:00 2026", seconds(9 * 24 * 3600)),
        ] {
            assert_eq!(wait(text, NOW), expected, "{text}");
        }
        // By the server's clock, whatever ours says.
        let late = "Fri, 01 Jan 2038 00:00:00 GMT";
        assert_eq!(wait("Fri, 01 Jan 2038 00:00:05 GMT", late), seconds(5));
        let older = "Sunday, 22-Nov-26 10:00:00 GMT";
        assert_eq!(wait("Sun, 22 Nov 2026 10:00:05 GMT", older), seconds(5));
    }

    #[test]
    fn a_wait_that_makes_no_sense_is_none_and_no_wait_is_too_long_to_be_counted() {
        for text in [
            "",
            "soon",
            "-1",
            "-0.5",
            "NaN",
            "34 s",
            "1,5",
            // Over already, on another day of the week than it says, and on none that there is.
            "Sun, 22 Nov 2026 09:59:59 GMT",
            "Mon, 22 Nov 2026 10:00:34 GMT",
            "Sun, 32 Nov 2026 10:00:34 GMT",
            "Sun, 22 Nov 999999999 10:00:34 GMT",
        ] {
            assert_eq!(wait(text, NOW), None, "{text}");
        }
        for text in ["inf", "1e400", "99999999999999999999999999"] {
            assert_eq!(wait(text, NOW), Some(Duration::MAX), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_header_makes_it_panic(
            text in "[\\x20-\\x7e]{0,40}", date in "[\\x20-\\x7e]{0,40}",
            year in -400_000_i64..400_000, number in proptest::num::f64::ANY,
        ) {
            wait(&text, &date);
            wait(&number.to_string(), &date);
            let far = format!("01 Jan {year} 00:00:00 GMT");
            wait(&far, &text);
            wait(NOW, &far);
            wait(&far, NOW);
        }
    }
}

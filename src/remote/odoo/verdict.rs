//! What an answer that is no success means.

use super::super::reply::Reply;
use super::super::{ErrorKind, RemoteError};
use serde_json::Value as Json;

/// How much of a message is kept.
const LONGEST_MESSAGE: usize = 400;

/// What an unsuccessful answer means. Odoo's transaction was rolled back in all cases but
/// [`Verdict::Failed`].
#[derive(Debug, Clone)]
pub(super) enum Verdict {
    /// These values, or this record in its state, are not acceptable.
    Refused(String),
    /// A record that the call names is not there: one of its ids, or one that a value points at.
    NotThere(String),
    /// The user lacks a right: on the model, or on one of the records.
    NoRight(RemoteError),
    /// Odoo's own code broke down: over this record (a module's mistake), or for a moment (while a
    /// model is loaded anew, calls fail so).
    Crashed(RemoteError),
    /// The call as such failed.
    Failed(RemoteError),
}

/// Exceptions behind an error that come and go with the server's state, whatever the record.
const PASSING: [&str; 16] = [
    "Serialization",
    "Deadlock",
    "LockNotAvailable",
    "LockError",
    "Concurrency",
    "QueryCanceled",
    "OperationalError",
    "InterfaceError",
    "PoolError",
    "Shutdown",
    "Timeout",
    "Connection",
    "DiskFull",
    "InsufficientResources",
    "MemoryError",
    "OSError",
];

/// What `reply` means; `None` on success.
///
/// The body is that of the JSON-2 reference, "Error": `name` is the exception's full Python name,
/// `message` its text. `debug` is a traceback and never repeated.
pub(super) fn verdict(reply: &Reply) -> Option<Verdict> {
    if reply.status.is_success() {
        return None;
    }
    let body: Json = serde_json::from_slice(&reply.body).unwrap_or_default();
    let Some(name) = body.get("name").and_then(Json::as_str) else {
        return Some(Verdict::Failed(foreign(reply)));
    };
    let passing = PASSING.iter().any(|part| name.contains(part));
    Some(match (reply.status.as_u16(), name) {
        (status, _) if passing => Verdict::Failed(fault(reply, status)),
        (_, "odoo.exceptions.MissingError") => Verdict::NotThere(message(&body)),
        (_, "odoo.exceptions.AccessError") => Verdict::NoRight(reply.failure()),
        // Werkzeug's own: the request, not the record.
        (_, name) if name.starts_with("werkzeug.") => Verdict::Failed(reply.failure()),
        (500, name) if name.starts_with("builtins.") && name != "builtins.ValueError" => {
            Verdict::Crashed(reply.failure())
        }
        (422 | 500, _) => Verdict::Refused(message(&body)),
        _ => Verdict::Failed(reply.failure()),
    })
}

/// A conflict over a lock is worth another try, whatever its status.
fn fault(reply: &Reply, status: u16) -> RemoteError {
    reply.error(ErrorKind::Fault(status), &reply.message())
}

/// Something else than Odoo's JSON-2 answered.
fn foreign(reply: &Reply) -> RemoteError {
    let failure = reply.failure();
    if failure.kind == ErrorKind::Missing {
        let hint =
            "no JSON-2 API of this database (Odoo 19 or later) there; check url and database";
        return reply.error(ErrorKind::Missing, hint);
    }
    failure
}

/// The text for people. A warning that leads somewhere has the place behind it in `message`, and the
/// bare text as its first argument.
fn message(body: &Json) -> String {
    let text = body
        .pointer("/arguments/0")
        .and_then(Json::as_str)
        .or_else(|| body.get("message")?.as_str())
        .unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(LONGEST_MESSAGE).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::Side;
    use crate::remote::Applied;

    pub(in crate::remote::odoo) fn reply(status: u16, body: &str) -> Reply {
        Reply::made_up(Side::Crm, status, body)
    }

    fn raised(status: u16, name: &str) -> Option<Verdict> {
        let body = serde_json::json!({
            "name": name, "message": "Not so.\n('x',)", "arguments": ["Not so.\n\nReally."],
            "context": {}, "debug": "Traceback: secret",
        });
        verdict(&reply(status, &body.to_string()))
    }

    #[test]
    fn a_record_that_odoo_will_not_have_is_told_from_a_server_in_trouble() {
        for (status, name) in [
            (422, "odoo.exceptions.UserError"),
            (422, "odoo.exceptions.ValidationError"),
            (500, "odoo.exceptions.RedirectWarning"),
            (500, "builtins.ValueError"),
            (500, "psycopg2.errors.NumericValueOutOfRange"),
        ] {
            let Some(Verdict::Refused(message)) = raised(status, name) else {
                panic!("{name}");
            };
            assert_eq!(message, "Not so. Really.");
        }
        for (status, name) in [
            (500, "psycopg2.errors.SerializationFailure"),
            (500, "psycopg2.errors.DeadlockDetected"),
            (409, "odoo.exceptions.LockError"),
        ] {
            let Some(Verdict::Failed(error)) = raised(status, name) else {
                panic!("{name}");
            };
            assert_eq!(error.kind, ErrorKind::Fault(status));
        }
    }

    #[test]
    fn rights_keys_and_absence_are_told_apart() {
        let kind = |verdict| match verdict {
            Some(Verdict::NoRight(error) | Verdict::Failed(error)) => error.kind,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            kind(raised(403, "odoo.exceptions.AccessError")),
            ErrorKind::Forbidden
        );
        assert_eq!(
            kind(raised(401, "werkzeug.exceptions.Unauthorized")),
            ErrorKind::Denied
        );
        assert_eq!(
            kind(raised(404, "werkzeug.exceptions.NotFound")),
            ErrorKind::Missing
        );
        assert!(matches!(
            raised(404, "odoo.exceptions.MissingError"),
            Some(Verdict::NotThere(_))
        ));
        assert!(matches!(
            raised(500, "builtins.KeyError"),
            Some(Verdict::Crashed(_))
        ));
    }

    #[test]
    fn a_server_that_is_no_odoo_never_looks_like_a_deleted_record() {
        for body in ["", "<html>", "[]", "null", "{\"name\": 3}", "{\"name\":"] {
            for (status, expected) in [(404, ErrorKind::Missing), (502, ErrorKind::Fault(502))] {
                let Some(Verdict::Failed(error)) = verdict(&reply(status, body)) else {
                    panic!("{status} {body}");
                };
                assert_eq!(error.kind, expected);
            }
        }
        assert!(verdict(&reply(200, "")).is_none());
    }

    #[test]
    fn a_fault_after_sending_leaves_the_outcome_open() {
        let Some(Verdict::Failed(error)) = verdict(&reply(502, "<html>")) else {
            panic!("a fault");
        };
        assert_eq!(error.applied(), Applied::Unknown);
    }
}

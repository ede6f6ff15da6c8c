//! Which endpoint a verb and a path name.

use super::super::Kind;
use super::Problem;
use axum::http::Method;

/// The two ends of association endpoints.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) from: Kind,
    pub(super) to: Kind,
    /// Whether the v4 spelling was used.
    pub(super) v4: bool,
}

/// What is done to associations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkCall {
    Read,
    Create,
    Default,
    Archive,
}

/// An endpoint.
#[derive(Debug, Clone)]
pub(super) enum Route {
    Account,
    Properties(Kind),
    Property(Kind, String),
    List(Kind),
    Create(Kind),
    Get(Kind, String),
    Patch(Kind, String),
    Delete(Kind, String),
    Merge(Kind),
    Erase,
    Search(Kind),
    BatchRead(Kind),
    BatchArchive(Kind),
    BatchCreate(Kind),
    BatchUpdate(Kind),
    BatchUpsert(Kind),
    Links(Ends, LinkCall),
    LinksOf(Ends, String),
    Link(Ends, String, String, LinkCall),
}

macro_rules! class {
    ($kind:expr, $verb:literal) => {
        match $kind {
            Kind::Contact => concat!("contacts.", $verb),
            Kind::Company => concat!("companies.", $verb),
        }
    };
}

impl Route {
    /// The class under which the request log counts it.
    pub(super) const fn class(&self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Properties(kind) | Self::Property(kind, _) => class!(kind, "properties"),
            Self::List(kind) => class!(kind, "list"),
            Self::Create(kind) => class!(kind, "create"),
            Self::Get(kind, _) => class!(kind, "get"),
            Self::Patch(kind, _) => class!(kind, "update"),
            Self::Delete(kind, _) => class!(kind, "archive"),
            Self::Merge(kind) => class!(kind, "merge"),
            Self::Erase => "contacts.gdpr_delete",
            Self::Search(kind) => class!(kind, "search"),
            Self::BatchRead(kind) => class!(kind, "batch_read"),
            Self::BatchArchive(kind) => class!(kind, "batch_archive"),
            Self::BatchCreate(kind) => class!(kind, "batch_create"),
            Self::BatchUpdate(kind) => class!(kind, "batch_update"),
            Self::BatchUpsert(kind) => class!(kind, "batch_upsert"),
            Self::LinksOf(..) | Self::Links(_, LinkCall::Read) => "associations.read",
            Self::Links(_, LinkCall::Archive) | Self::Link(_, _, _, LinkCall::Archive) => {
                "associations.archive"
            }
            Self::Links(..) | Self::Link(..) => "associations.create",
        }
    }

    /// The scopes that it takes, as "Scopes" of the vendor's reference lists them.
    pub(super) fn scopes(&self) -> Vec<String> {
        let object = |kind: Kind, right: &str| format!("crm.objects.{kind}.{right}");
        match self {
            Self::Account => Vec::new(),
            Self::Properties(kind) | Self::Property(kind, _) => {
                vec![format!("crm.schemas.{kind}.read")]
            }
            Self::List(kind) | Self::Get(kind, _) | Self::Search(kind) | Self::BatchRead(kind) => {
                vec![object(*kind, "read")]
            }
            Self::Erase => vec![object(Kind::Contact, "write")],
            Self::Create(kind)
            | Self::Patch(kind, _)
            | Self::Delete(kind, _)
            | Self::Merge(kind)
            | Self::BatchArchive(kind)
            | Self::BatchCreate(kind)
            | Self::BatchUpdate(kind)
            | Self::BatchUpsert(kind) => vec![object(*kind, "write")],
            Self::LinksOf(ends, _) | Self::Links(ends, LinkCall::Read) => {
                vec![object(ends.from, "read"), object(ends.to, "read")]
            }
            Self::Links(ends, _) | Self::Link(ends, ..) => {
                vec![object(ends.from, "write"), object(ends.to, "write")]
            }
        }
    }
}

/// The endpoint, or 404 and 405.
pub(super) fn find(method: &Method, path: &str) -> Result<Route, Problem> {
    let segments: Vec<String> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| decoded(segment, false))
        .collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let found = match segments.as_slice() {
        ["account-info", "v3", "details"] => Some(only(method, &Method::GET, Route::Account)),
        ["crm", "v3", "properties", kind, rest @ ..] => properties(method, kind, rest),
        ["crm", "v3", "objects", kind, rest @ ..] => objects(method, kind, rest),
        [
            "crm",
            version @ ("v3" | "v4"),
            "associations",
            from,
            to,
            "batch",
            rest @ ..,
        ] => links(method, *version == "v4", [from, to], rest),
        ["crm", "v4", "objects", from, id, "associations", rest @ ..] => {
            links_of(method, from, id, rest)
        }
        _ => None,
    };
    found.unwrap_or_else(|| {
        Err(Problem::new(
            404,
            "NOT_FOUND",
            "Unable to find that resource",
        ))
    })
}

type Found = Option<Result<Route, Problem>>;

fn only(method: &Method, right: &Method, route: Route) -> Result<Route, Problem> {
    if method == right {
        Ok(route)
    } else {
        Err(wrong_method())
    }
}

fn wrong_method() -> Problem {
    Problem::new(405, "METHOD_NOT_ALLOWED", "HTTP 405 Method Not Allowed")
}

fn properties(method: &Method, kind: &str, rest: &[&str]) -> Found {
    let kind = Kind::from_path(kind)?;
    match rest {
        [] => Some(only(method, &Method::GET, Route::Properties(kind))),
        [name] => {
            let route = Route::Property(kind, (*name).to_owned());
            Some(only(method, &Method::GET, route))
        }
        _ => None,
    }
}

fn objects(method: &Method, kind: &str, rest: &[&str]) -> Found {
    let kind = Kind::from_path(kind)?;
    let post = |route| Some(only(method, &Method::POST, route));
    match rest {
        [] => Some(match *method {
            Method::GET => Ok(Route::List(kind)),
            Method::POST => Ok(Route::Create(kind)),
            _ => Err(wrong_method()),
        }),
        ["search"] => post(Route::Search(kind)),
        ["merge"] => post(Route::Merge(kind)),
        ["gdpr-delete"] if kind == Kind::Contact => post(Route::Erase),
        ["batch", "read"] => post(Route::BatchRead(kind)),
        ["batch", "create"] => post(Route::BatchCreate(kind)),
        ["batch", "update"] => post(Route::BatchUpdate(kind)),
        ["batch", "upsert"] => post(Route::BatchUpsert(kind)),
        ["batch", "archive"] => post(Route::BatchArchive(kind)),
        [id] => Some(match *method {
            Method::GET => Ok(Route::Get(kind, (*id).to_owned())),
            Method::PATCH => Ok(Route::Patch(kind, (*id).to_owned())),
            Method::DELETE => Ok(Route::Delete(kind, (*id).to_owned())),
            _ => Err(wrong_method()),
        }),
        _ => None,
    }
}

fn ends(from: &str, to: &str, v4: bool) -> Option<Ends> {
    let (from, to) = (Kind::from_path(from)?, Kind::from_path(to)?);
    (from != to).then_some(Ends { from, to, v4 })
}

fn links(method: &Method, v4: bool, [from, to]: [&str; 2], rest: &[&str]) -> Found {
    let call = match rest {
        ["read"] => LinkCall::Read,
        ["create"] => LinkCall::Create,
        ["archive"] => LinkCall::Archive,
        ["associate", "default"] if v4 => LinkCall::Default,
        _ => return None,
    };
    let route = Route::Links(ends(from, to, v4)?, call);
    Some(only(method, &Method::POST, route))
}

fn links_of(method: &Method, from: &str, id: &str, rest: &[&str]) -> Found {
    let id = id.to_owned();
    match rest {
        [to] => {
            let route = Route::LinksOf(ends(from, to, true)?, id);
            Some(only(method, &Method::GET, route))
        }
        ["default", to, other] => {
            let route = Route::Link(
                ends(from, to, true)?,
                id,
                (*other).to_owned(),
                LinkCall::Default,
            );
            Some(only(method, &Method::PUT, route))
        }
        [to, other] => {
            let (ends, other) = (ends(from, to, true)?, (*other).to_owned());
            Some(match *method {
                Method::PUT => Ok(Route::Link(ends, id, other, LinkCall::Create)),
                Method::DELETE => Ok(Route::Link(ends, id, other, LinkCall::Archive)),
                _ => Err(wrong_method()),
            })
        }
        _ => None,
    }
}

/// Percent-decoding; in queries `+` is a blank.
pub(super) fn decoded(text: &str, plus: bool) -> String {
    if !text.contains(['%', '+']) {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'+' if plus => bytes.push(b' '),
            b'%' => {
                let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
                if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
                    bytes.push(byte);
                    rest = tail.get(2..).unwrap_or_default();
                } else {
                    bytes.push(b'%');
                }
            }
            byte => bytes.push(*byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

//! `/search/*` and `/*/autocomplete`: the query language, the lag of the index, 30 rows by 10 pages.

use super::fields::{CustomField, FieldType};
use super::list::{Query, instant};
use super::record::{Company, Contact, Shape, Shown, Standing};
use super::reply::{Problem, Reply};
use super::service::Service;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

/// Rows of a page.
const ROWS: usize = 30;
/// The last page.
const PAGES: usize = 10;
/// The longest query, in characters.
const LONGEST: usize = 512;

/// `field:value`, or several with AND and OR.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Term {
    Is {
        field: String,
        order: Order,
        value: Value,
    },
    All(Vec<Term>),
    Any(Vec<Term>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Same,
    AtLeast,
    AtMost,
}

/// What a field of a record is to search.
pub(super) enum Found<'a> {
    Text(Option<&'a str>),
    Many(Vec<&'a str>),
    Json(&'a Value),
    Flag(bool),
    Id(Option<u64>),
    Number(u64),
    Day(i64),
    Unknown,
}

impl Service<'_> {
    pub(super) fn search_contacts(&mut self, query: &Query) -> Result<Reply, Reply> {
        let fields = &self.options.schema.contact;
        let known = |field: &str| {
            matches!(
                field,
                "active"
                    | "company_id"
                    | "twitter_id"
                    | "email"
                    | "phone"
                    | "mobile"
                    | "tag"
                    | "language"
                    | "time_zone"
                    | "created_at"
                    | "updated_at"
            )
        };
        let (term, page) = asked(query, fields, known)?;
        self.account.old_contacts.catch_up(self.now);
        let old = &self.account.old_contacts;
        let fresh = self.account.contacts.iter().filter(|it| !old.hides(it.id));
        let rows = fresh
            .chain(old.iter())
            .filter(|it| it.standing == Standing::Live);
        let mut rows: Vec<&Contact> = rows
            .filter(|it| holds(&term, &|field| contact_field(it, fields, field)))
            .collect();
        rows.sort_unstable_by_key(|it| it.id);
        let (total, rows) = page_of(&rows, page);
        let rows: Vec<_> = rows.iter().map(|&record| shown(record, fields)).collect();
        Ok(Reply::json(
            StatusCode::OK,
            &Results {
                total,
                results: rows,
            },
        ))
    }

    pub(super) fn search_companies(&mut self, query: &Query) -> Result<Reply, Reply> {
        let fields = &self.options.schema.company;
        let known = |field: &str| matches!(field, "domain" | "created_at" | "updated_at");
        let (term, page) = asked(query, fields, known)?;
        self.account.old_companies.catch_up(self.now);
        let old = &self.account.old_companies;
        let fresh = self.account.companies.iter().filter(|it| !old.hides(it.id));
        let mut rows: Vec<&Company> = fresh
            .chain(old.iter())
            .filter(|it| holds(&term, &|field| company_field(it, fields, field)))
            .collect();
        rows.sort_unstable_by_key(|it| it.id);
        let (total, rows) = page_of(&rows, page);
        let rows: Vec<_> = rows.iter().map(|&record| shown(record, fields)).collect();
        Ok(Reply::json(
            StatusCode::OK,
            &Results {
                total,
                results: rows,
            },
        ))
    }

    pub(super) fn complete_contacts(&self, query: &Query) -> Result<Reply, Reply> {
        let term = single(query, "term")?;
        let rows = self.account.contacts.by_name(Standing::Live, 0);
        let rows = rows.filter(|it| has_word(&it.name, &term));
        let rows: Value = rows
            .map(|it| json!({"id": it.id, "name": it.name}))
            .collect();
        Ok(super::api::ok(&rows))
    }

    pub(super) fn complete_companies(&self, query: &Query) -> Result<Reply, Reply> {
        let name = single(query, "name")?;
        let rows = self
            .account
            .companies
            .by_name(0)
            .filter(|it| has_word(&it.name, &name));
        let rows: Value = rows
            .map(|it| json!({"id": it.id, "name": it.name}))
            .collect();
        Ok(super::api::ok(&json!({"companies": rows})))
    }
}

#[derive(Serialize)]
pub(super) struct Results<T> {
    pub(super) results: Vec<T>,
    pub(super) total: usize,
}

fn shown<'a, T>(record: &'a T, fields: &'a [CustomField]) -> Shown<'a, T> {
    Shown {
        record,
        fields,
        shape: Shape::Found,
        nonce: 0,
    }
}

pub(super) fn page_of<T>(rows: &[T], page: usize) -> (usize, &[T]) {
    let start = ((page - 1) * ROWS).min(rows.len());
    let end = (start + ROWS).min(rows.len());
    (rows.len(), rows.get(start..end).unwrap_or_default())
}

/// Whether `term` begins the name or, over several words, one of its words.
fn has_word(name: &str, term: &str) -> bool {
    let (name, term) = (name.to_lowercase(), term.trim().to_lowercase());
    let starts = name.match_indices(&term).map(|(at, _)| at);
    let at_word = |at: usize| at == 0 || name.get(..at).is_some_and(|it| it.ends_with([' ', '-']));
    !term.is_empty() && starts.into_iter().any(at_word)
}

fn single(query: &Query, wanted: &str) -> Result<String, Reply> {
    if let Some((name, _)) = query.iter().find(|(name, _)| name != wanted) {
        return Err(Reply::invalid(&[Problem::unknown(name)]));
    }
    let value = query.last().map(|(_, value)| value.clone());
    value.ok_or_else(|| Reply::invalid(&[Problem::missing(wanted, "String")]))
}

pub(super) fn asked(
    query: &Query,
    fields: &[CustomField],
    known: impl Fn(&str) -> bool,
) -> Result<(Term, usize), Reply> {
    let (mut text, mut page) = (None, 1);
    for (name, value) in query {
        match name.as_str() {
            "query" => text = Some(value.as_str()),
            "page" => page = value.parse().unwrap_or(0),
            _ => return Err(Reply::invalid(&[Problem::unknown(name)])),
        }
    }
    if !(1..=PAGES).contains(&page) {
        let message = format!("It should be a Positive Integer less than or equal to {PAGES}");
        return Err(Reply::invalid(&[Problem::new(
            "page",
            "invalid_value",
            message,
        )]));
    }
    let bad = |message: &str| Reply::invalid(&[Problem::new("query", "invalid_value", message)]);
    let text = text.unwrap_or_default();
    if text.chars().count() > LONGEST {
        return Err(bad("It can have maximum of 512 characters"));
    }
    let inner = text.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    let inner = inner.ok_or_else(|| bad("Query should be enclosed in double quotes"))?;
    let mut parser = Parser(inner);
    let term = parser.any().filter(|_| parser.0.trim().is_empty());
    let term = term.ok_or_else(|| bad("Given query is invalid"))?;
    if let Some(field) = unknown(&term, &|field| {
        known(field)
            || fields
                .iter()
                .any(|it| it.name == field && is_searchable(it.kind))
    }) {
        return Err(Reply::invalid(&[Problem::unknown(field)]));
    }
    Ok((term, page))
}

const fn is_searchable(kind: FieldType) -> bool {
    matches!(
        kind,
        FieldType::Text | FieldType::Number | FieldType::Checkbox | FieldType::Dropdown
    )
}

fn unknown<'a>(term: &'a Term, known: &impl Fn(&str) -> bool) -> Option<&'a str> {
    match term {
        Term::Is { field, .. } => (!known(field)).then_some(field),
        Term::All(terms) | Term::Any(terms) => terms.iter().find_map(|it| unknown(it, known)),
    }
}

pub(super) fn holds<'a>(term: &Term, of: &impl Fn(&str) -> Found<'a>) -> bool {
    match term {
        Term::All(terms) => terms.iter().all(|it| holds(it, of)),
        Term::Any(terms) => terms.iter().any(|it| holds(it, of)),
        Term::Is {
            field,
            order,
            value,
        } => fits(&of(field), *order, value),
    }
}

fn fits(found: &Found<'_>, order: Order, value: &Value) -> bool {
    let same_text = |text: &str| {
        value
            .as_str()
            .is_some_and(|it| it.eq_ignore_ascii_case(text))
    };
    match found {
        Found::Text(text) => text.map_or(value.is_null(), same_text),
        Found::Many(texts) if value.is_null() => texts.is_empty(),
        Found::Many(texts) => texts.iter().any(|text| same_text(text)),
        Found::Json(Value::String(text)) => same_text(text),
        Found::Json(held) => match (held.as_i64(), value.as_i64()) {
            (Some(held), Some(value)) => compare(held, order, value),
            _ => *held == value,
        },
        Found::Flag(flag) => value.as_bool() == Some(*flag),
        Found::Id(id) => id.map_or(value.is_null(), |id| value.as_u64() == Some(id)),
        Found::Number(held) => match (i64::try_from(*held), value.as_i64()) {
            (Ok(held), Some(value)) => compare(held, order, value),
            _ => false,
        },
        Found::Day(second) => {
            let day = value
                .as_str()
                .and_then(instant)
                .map(|it| it.div_euclid(86_400_000));
            day.is_some_and(|day| compare(second.div_euclid(86_400), order, day))
        }
        Found::Unknown => false,
    }
}

fn compare(held: i64, order: Order, value: i64) -> bool {
    match order {
        Order::Same => held == value,
        Order::AtLeast => held >= value,
        Order::AtMost => held <= value,
    }
}

fn contact_field<'a>(it: &'a Contact, fields: &[CustomField], field: &str) -> Found<'a> {
    match field {
        "active" => Found::Flag(it.active),
        "company_id" => Found::Id(it.company_id),
        "twitter_id" => Found::Text(it.twitter_id.as_deref()),
        "email" => Found::Text(it.email.as_deref()),
        "phone" => Found::Text(it.phone.as_deref()),
        "mobile" => Found::Text(it.mobile.as_deref()),
        "tag" => Found::Many(it.tags.iter().map(String::as_str).collect()),
        "language" => Found::Text(Some(&it.language)),
        "time_zone" => Found::Text(Some(&it.time_zone)),
        "created_at" => Found::Day(it.created_at),
        "updated_at" => Found::Day(it.updated_at),
        _ => custom_field(fields, &it.custom, field),
    }
}

fn company_field<'a>(it: &'a Company, fields: &[CustomField], field: &str) -> Found<'a> {
    match field {
        "domain" => Found::Many(it.domains.iter().map(String::as_str).collect()),
        "created_at" => Found::Day(it.created_at),
        "updated_at" => Found::Day(it.updated_at),
        _ => custom_field(fields, &it.custom, field),
    }
}

pub(super) fn custom_field<'a>(
    fields: &[CustomField],
    values: &'a [Value],
    field: &str,
) -> Found<'a> {
    let mut both = fields.iter().zip(values);
    both.find(|(it, _)| it.name == field)
        .map_or(Found::Unknown, |(_, value)| Found::Json(value))
}

/// Reads `a:'x' AND (b:>1 OR c:null)`; AND binds tighter.
struct Parser<'a>(&'a str);

impl Parser<'_> {
    fn any(&mut self) -> Option<Term> {
        let mut terms = vec![self.all()?];
        while self.word("OR") {
            terms.push(self.all()?);
        }
        Some(if terms.len() == 1 {
            terms.pop()?
        } else {
            Term::Any(terms)
        })
    }

    fn all(&mut self) -> Option<Term> {
        let mut terms = vec![self.one()?];
        while self.word("AND") {
            terms.push(self.one()?);
        }
        Some(if terms.len() == 1 {
            terms.pop()?
        } else {
            Term::All(terms)
        })
    }

    fn one(&mut self) -> Option<Term> {
        self.0 = self.0.trim_start();
        if let Some(rest) = self.0.strip_prefix('(') {
            self.0 = rest;
            let term = self.any()?;
            self.0 = self.0.trim_start().strip_prefix(')')?;
            return Some(term);
        }
        let (field, rest) = self.0.split_once(':')?;
        let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if field.is_empty() || !field.chars().all(name) {
            return None;
        }
        let (order, rest) = match rest.as_bytes().first()? {
            b'>' => (Order::AtLeast, rest.get(1..)?),
            b'<' => (Order::AtMost, rest.get(1..)?),
            _ => (Order::Same, rest),
        };
        let field = field.to_owned();
        self.0 = rest.trim_start();
        let value = self.value()?;
        Some(Term::Is {
            field,
            order,
            value,
        })
    }

    fn value(&mut self) -> Option<Value> {
        if let Some(rest) = self.0.strip_prefix('\'') {
            let (text, rest) = rest.split_once('\'')?;
            self.0 = rest;
            return Some(Value::from(text));
        }
        let end = self.0.find([' ', ')']).unwrap_or(self.0.len());
        let (word, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        match word {
            "null" => Some(Value::Null),
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            number => number.parse::<i64>().ok().map(Value::from),
        }
    }

    fn word(&mut self, word: &str) -> bool {
        let rest = self.0.trim_start().strip_prefix(word);
        match rest.filter(|it| it.starts_with([' ', '('])) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }
}

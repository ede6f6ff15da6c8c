//! `POST …/search`.

use super::super::Kind;
use super::super::schema::{Property, Schema};
use super::super::search::{self, Filter, Operand, Query, Test};
use super::super::state::State;
use super::super::write::{self, Columns, Extras};
use super::objects::paging;
use super::{Ask, Problem, Reply};
use serde::Deserialize;

/// The largest page.
const LARGEST_PAGE: usize = 200;
/// How far one query may be paged.
const DEEPEST: usize = 10_000;
/// The longest body, in characters.
const LONGEST_BODY: usize = 3_000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    #[serde(default)]
    filter_groups: Vec<Group>,
    #[serde(default)]
    sorts: Vec<SortInput>,
    #[serde(default)]
    properties: Vec<String>,
    query: Option<String>,
    limit: Option<usize>,
    after: Option<After>,
}

#[derive(Debug, Deserialize)]
struct Group {
    #[serde(default)]
    filters: Vec<FilterInput>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FilterInput {
    property_name: String,
    operator: String,
    value: Option<String>,
    high_value: Option<String>,
    values: Option<Vec<String>>,
}

/// The generated types have a string, the guides an object.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum SortInput {
    Short(String),
    #[serde(rename_all = "camelCase")]
    Long {
        property_name: String,
        direction: Option<String>,
    },
}

/// Documented as a string; numbers are taken too.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum After {
    Text(String),
    Number(usize),
}

/// Answers a search with what the index has by now.
pub(super) fn search(state: &mut State, kind: Kind, ask: &Ask<'_>) -> Result<Reply, Problem> {
    let request: Request = ask.json()?;
    if ask.body.len() > LONGEST_BODY
        && String::from_utf8_lossy(ask.body).chars().count() > LONGEST_BODY
    {
        return Err(Problem::invalid(format!(
            "The request is longer than {LONGEST_BODY} characters"
        )));
    }
    let take = request.limit.unwrap_or(10);
    if take > LARGEST_PAGE {
        return Err(Problem::invalid(format!(
            "limit must be at most {LARGEST_PAGE}"
        )));
    }
    let skip = match &request.after {
        None => 0,
        Some(After::Number(skip)) => *skip,
        Some(After::Text(text)) if text.is_empty() => 0,
        Some(After::Text(text)) => text
            .parse()
            .map_err(|_| Problem::invalid("after is not a cursor"))?,
    };
    if skip.saturating_add(take) > DEEPEST {
        return Err(Problem::invalid(format!(
            "A query can be paged to {DEEPEST} results"
        )));
    }
    let table = state.table_mut(kind);
    let query = compiled(&table.schema, &request)?;
    table.index.settle(ask.now);
    let (total, ids) = search::run(table, &query, skip, take);
    let names: Vec<&str> = request.properties.iter().map(String::as_str).collect();
    let columns = Columns {
        plain: table.schema.columns(&names),
        with_history: Vec::new(),
    };
    let mut out = String::with_capacity(64 * 1024);
    out.push('{');
    write::bare(&mut out, "total", total);
    write::bare(&mut out, "results", "[");
    let count = ids.len();
    for id in ids {
        if let Some(record) = table.index.view(id, &table.live) {
            if !out.ends_with('[') {
                out.push(',');
            }
            write::record(&mut out, table, record, &columns, &Extras::default());
        }
    }
    out.push(']');
    if skip + count < total && count > 0 {
        paging(&mut out, &(skip + count).to_string());
    }
    out.push('}');
    Ok(Reply::with(200, out))
}

fn compiled(schema: &Schema, request: &Request) -> Result<Query, Problem> {
    let groups = &request.filter_groups;
    let sizes = groups.iter().map(|group| group.filters.len());
    if groups.len() > 5 || sizes.clone().any(|size| size > 6) || sizes.sum::<usize>() > 18 {
        return Err(Problem::invalid(
            "At most 5 groups, 6 filters in each and 18 in all",
        ));
    }
    let mut query = Query::default();
    for group in groups {
        let filters = group
            .filters
            .iter()
            .map(|filter| compiled_filter(schema, filter));
        query.groups.push(filters.collect::<Result<_, _>>()?);
    }
    let words = request.query.as_deref().unwrap_or_default().to_lowercase();
    query.words = words.split_whitespace().map(str::to_owned).collect();
    query.sort = match request.sorts.as_slice() {
        [] => None,
        [SortInput::Short(name)] => {
            let bare = name.trim_start_matches('-');
            Some((sortable(schema, bare)?, bare.len() < name.len()))
        }
        [
            SortInput::Long {
                property_name,
                direction,
            },
        ] => {
            let falls = direction.as_deref() == Some("DESCENDING");
            Some((sortable(schema, property_name)?, falls))
        }
        _ => return Err(Problem::invalid("Only one sort is allowed")),
    };
    Ok(query)
}

fn sortable(schema: &Schema, name: &str) -> Result<u16, Problem> {
    let property = schema.get(name);
    let unknown = || Problem::invalid(format!("Cannot sort by {name}"));
    property.map(|property| property.slot).ok_or_else(unknown)
}

/// A property that this kind does not have finds nothing and is no error: `lastmodifieddate` on
/// companies, `hs_lastmodifieddate` on contacts.
fn compiled_filter(schema: &Schema, input: &FilterInput) -> Result<Filter, Problem> {
    let property = schema.get(&input.property_name);
    let value = |text: Option<&String>| operand(property, input, text);
    let values = || {
        let given = input.values.iter().flatten();
        let values: Result<Vec<_>, _> = given.map(|text| value(Some(text))).collect();
        match values {
            Ok(values) if values.is_empty() => Err(invalid(input, "needs values")),
            values => values,
        }
    };
    let given = input.value.as_ref();
    let word = || {
        let word = given.map(|word| word.to_lowercase());
        word.ok_or_else(|| invalid(input, "needs a value"))
    };
    let low = |low, included| Test::Within {
        low: Some((low, included)),
        high: None,
    };
    let high = |high, included| Test::Within {
        low: None,
        high: Some((high, included)),
    };
    let test = match input.operator.as_str() {
        "EQ" => Test::In(vec![value(given)?]),
        "NEQ" => Test::NotIn(vec![value(given)?]),
        "GT" => low(value(given)?, false),
        "GTE" => low(value(given)?, true),
        "LT" => high(value(given)?, false),
        "LTE" => high(value(given)?, true),
        "BETWEEN" => Test::Within {
            low: Some((value(given)?, true)),
            high: Some((value(input.high_value.as_ref())?, true)),
        },
        "IN" => Test::In(values()?),
        "NOT_IN" => Test::NotIn(values()?),
        "HAS_PROPERTY" => Test::Has,
        "NOT_HAS_PROPERTY" => Test::HasNot,
        "CONTAINS_TOKEN" => Test::Word(word()?),
        "NOT_CONTAINS_TOKEN" => Test::NotWord(word()?),
        _ => return Err(invalid(input, "is not an operator")),
    };
    Ok(Filter {
        property: property.map(|property| property.slot),
        test,
    })
}

fn operand(
    property: Option<&Property>,
    input: &FilterInput,
    text: Option<&String>,
) -> Result<Operand, Problem> {
    let text = text.ok_or_else(|| invalid(input, "needs a value"))?;
    let parsed = match property {
        Some(property) => Operand::parse(property, text),
        None => Some(Operand::Text(String::new())),
    };
    parsed.ok_or_else(|| invalid(input, "has a value of another type"))
}

fn invalid(input: &FilterInput, what: &str) -> Problem {
    Problem::invalid(format!(
        "Filter {} {} {what}",
        input.property_name, input.operator
    ))
}

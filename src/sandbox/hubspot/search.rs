//! Which records a search finds.

use super::record::Record;
use super::schema::{Property, Slot, Source, ValueType};
use super::table::{Kept, Table};
use super::time::{self, Millis};
use std::borrow::Cow;
use std::cmp::Ordering;

/// How many results are kept for their next pages.
const KEPT_RESULTS: usize = 8;

/// A value in the order of its property.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub(super) enum Operand {
    Whole(i64),
    Number(f64),
    Text(String),
}

impl Operand {
    /// The value as this property compares it; `None` if it is none.
    pub(super) fn parse(property: &Property, text: &str) -> Option<Self> {
        match (property.source, property.value_type) {
            (Source::Id, _) => text.trim().parse().ok().map(Self::Whole),
            (_, ValueType::Date | ValueType::DateTime) => time::parse(text).map(Self::Whole),
            (_, ValueType::Number) => text.trim().parse().ok().map(Self::Number),
            _ => Some(Self::Text(text.to_lowercase())),
        }
    }

    fn of(record: &Record, property: &Property) -> Option<Self> {
        let whole = match property.source {
            Source::Id => Some(i64::try_from(record.id).ok()?),
            Source::Created => Some(record.created),
            Source::Modified => Some(record.modified),
            _ => None,
        };
        match whole {
            Some(whole) => Some(Self::Whole(whole)),
            None => Self::parse(property, &record.show(property)?),
        }
    }
}

/// What a filter asks of a value.
#[derive(Debug, Clone)]
pub(super) enum Test {
    /// Between the bounds; `true` if the bound itself is in.
    Within {
        low: Option<(Operand, bool)>,
        high: Option<(Operand, bool)>,
    },
    In(Vec<Operand>),
    /// None of these; a record without a value passes.
    NotIn(Vec<Operand>),
    Has,
    HasNot,
    /// Has a word like this one, `*` standing for any end.
    Word(String),
    NotWord(String),
}

/// One filter; without a property it finds nothing.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    pub(super) property: Option<Slot>,
    pub(super) test: Test,
}

/// A search.
#[derive(Debug, Clone, Default)]
pub(super) struct Query {
    /// A record is found when all filters of one group pass; without groups all are.
    pub(super) groups: Vec<Vec<Filter>>,
    /// Words that must occur somewhere.
    pub(super) words: Vec<String>,
    /// The property sorted by, and whether it falls; else the oldest first.
    pub(super) sort: Option<(Slot, bool)>,
}

/// Runs the search: how many there are, and the ids of one page.
pub(super) fn run(table: &mut Table, query: &Query, skip: usize, take: usize) -> (usize, Vec<u64>) {
    let (query, floor) = split_floor(table, query);
    let name = format!("{query:?}");
    let generation = table.index.generation();
    table.kept.retain(|kept| kept.generation == generation);
    if !table.kept.iter().any(|kept| kept.query == name) {
        let ids = find(table, &query);
        if table.kept.len() >= KEPT_RESULTS {
            table.kept.remove(0);
        }
        table.kept.push(Kept {
            query: name.clone(),
            generation,
            ids,
        });
    }
    let kept = table.kept.iter().find(|kept| kept.query == name);
    let ids = kept.map_or(&[][..], |kept| &kept.ids);
    let from = floor.map_or(0, |floor| ids.partition_point(|id| *id < floor));
    let rest = ids.get(from..).unwrap_or_default();
    (
        rest.len(),
        rest.iter().skip(skip).take(take).copied().collect(),
    )
}

/// A search ordered by id that only wants ids above a bound is the same search read further on:
/// without the bound, which comes back apart, its result is found once for all pages.
fn split_floor<'a>(table: &Table, query: &'a Query) -> (Cow<'a, Query>, Option<u64>) {
    let by_id = query.sort.is_none_or(|(slot, falls)| {
        !falls
            && table
                .schema
                .at(slot)
                .is_some_and(|p| p.source == Source::Id)
    });
    let [group] = query.groups.as_slice() else {
        return (Cow::Borrowed(query), None);
    };
    let is_floor = |filter: &Filter| {
        let property = filter.property.and_then(|slot| table.schema.at(slot))?;
        match &filter.test {
            Test::Within {
                low: Some((Operand::Whole(low), included)),
                high: None,
            } if property.source == Source::Id => {
                u64::try_from(low.saturating_add(i64::from(!included))).ok()
            }
            _ => None,
        }
    };
    let floor = group.iter().filter_map(is_floor).max();
    if !by_id || floor.is_none() {
        return (Cow::Borrowed(query), None);
    }
    let mut rest = query.clone();
    if let Some(group) = rest.groups.first_mut() {
        group.retain(|filter| is_floor(filter).is_none());
    }
    (Cow::Owned(rest), floor)
}

fn find(table: &Table, query: &Query) -> Vec<u64> {
    let live = &table.live;
    let hits = |id: &u64| {
        let shown = table.index.view(*id, live);
        shown.is_some_and(|record| matches(table, query, record))
    };
    let mut ids: Vec<u64> = match (known_ids(table, query), modified_range(table, query)) {
        (Some(mut known), _) => {
            known.sort_unstable();
            known.dedup();
            known.into_iter().filter(hits).collect()
        }
        (None, Some((from, to))) if is_window(table, query) => {
            table.index.between(from, to).collect()
        }
        (None, Some((from, to))) => table.index.between(from, to).filter(hits).collect(),
        (None, None) => table.index.ids().filter(hits).collect(),
    };
    ids.sort_unstable();
    if let Some((slot, falls)) = query.sort
        && let Some(property) = table.schema.at(slot)
        && property.source != Source::Id
    {
        let mut keyed: Vec<(Option<Operand>, u64)> = ids
            .into_iter()
            .filter_map(|id| {
                let record = table.index.view(id, live)?;
                Some((Operand::of(record, property), id))
            })
            .collect();
        keyed.sort_by(|a, b| order(a.0.as_ref(), b.0.as_ref(), falls));
        return keyed.into_iter().map(|(_, id)| id).collect();
    }
    if query.sort.is_some_and(|(_, falls)| falls) {
        ids.reverse();
    }
    ids
}

/// Records without the value come last, whichever way.
fn order(a: Option<&Operand>, b: Option<&Operand>, falls: bool) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => {
            let order = a.partial_cmp(b).unwrap_or(Ordering::Equal);
            if falls { order.reverse() } else { order }
        }
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

/// Where every group names ids or unique values: the only records that can match.
fn known_ids(table: &Table, query: &Query) -> Option<Vec<u64>> {
    if query.groups.is_empty() {
        return None;
    }
    let mut ids: Vec<u64> = table.index.stale().collect();
    for group in &query.groups {
        let named = group.iter().find_map(|filter| {
            let property = table.schema.at(filter.property?)?;
            let Test::In(values) = &filter.test else {
                return None;
            };
            let find = |value: &Operand| match value {
                Operand::Whole(id) => u64::try_from(*id).ok(),
                Operand::Text(text) => table.owner(property.slot, text),
                Operand::Number(_) => None,
            };
            let lowered = property.value_type == ValueType::Email;
            let direct = property.source == Source::Id || (property.unique && lowered);
            direct.then(|| values.iter().filter_map(find).collect::<Vec<u64>>())
        })?;
        ids.extend(named);
    }
    Some(ids)
}

/// Whether the modified time is all that is asked, so that no record has to be looked at.
fn is_window(table: &Table, query: &Query) -> bool {
    let [group] = query.groups.as_slice() else {
        return false;
    };
    let by_time = |filter: &Filter| {
        let property = filter.property.and_then(|slot| table.schema.at(slot));
        let modified = property.is_some_and(|property| property.source == Source::Modified);
        modified && matches!(filter.test, Test::Within { .. })
    };
    query.words.is_empty() && group.iter().all(by_time)
}

/// Where every group bounds the modified time: the span of all of them.
fn modified_range(table: &Table, query: &Query) -> Option<(Millis, Millis)> {
    let mut span: Option<(Millis, Millis)> = None;
    for group in &query.groups {
        let (mut from, mut to, mut bounded) = (Millis::MIN, Millis::MAX, false);
        for filter in group {
            let property = filter.property.and_then(|slot| table.schema.at(slot));
            let Test::Within { low, high } = &filter.test else {
                continue;
            };
            if property.is_none_or(|property| property.source != Source::Modified) {
                continue;
            }
            bounded = true;
            if let Some((Operand::Whole(low), included)) = low {
                from = from.max(low.saturating_add(i64::from(!included)));
            }
            if let Some((Operand::Whole(high), included)) = high {
                to = to.min(high.saturating_sub(i64::from(!included)));
            }
        }
        if !bounded {
            return None;
        }
        span = Some(span.map_or((from, to), |(low, high)| (low.min(from), high.max(to))));
    }
    span
}

fn matches(table: &Table, query: &Query, record: &Record) -> bool {
    let grouped = query.groups.is_empty()
        || query
            .groups
            .iter()
            .any(|group| group.iter().all(|filter| passes(table, filter, record)));
    grouped && query.words.iter().all(|word| mentions(record, word))
}

fn mentions(record: &Record, word: &str) -> bool {
    record
        .values()
        .any(|(_, value)| value.to_lowercase().contains(word))
}

fn passes(table: &Table, filter: &Filter, record: &Record) -> bool {
    let Some(property) = filter.property.and_then(|slot| table.schema.at(slot)) else {
        return false;
    };
    let value = Operand::of(record, property);
    match (&filter.test, value) {
        (Test::Has, value) => value.is_some(),
        (Test::HasNot, value) => value.is_none(),
        (Test::NotIn(_) | Test::NotWord(_), None) => true,
        (_, None) => false,
        (Test::Within { low, high }, Some(value)) => {
            let above = low
                .as_ref()
                .is_none_or(|(low, included)| value > *low || (*included && value == *low));
            let below = high
                .as_ref()
                .is_none_or(|(high, included)| value < *high || (*included && value == *high));
            above && below
        }
        (Test::In(values), Some(value)) => values.contains(&value),
        (Test::NotIn(values), Some(value)) => !values.contains(&value),
        (Test::Word(word), Some(value)) => has_word(&value, word),
        (Test::NotWord(word), Some(value)) => !has_word(&value, word),
    }
}

fn has_word(value: &Operand, pattern: &str) -> bool {
    let text = match value {
        Operand::Text(text) => Cow::Borrowed(text.as_str()),
        Operand::Whole(number) => Cow::Owned(number.to_string()),
        Operand::Number(number) => Cow::Owned(number.to_string()),
    };
    let bare = pattern.trim_matches('*');
    let hit = |word: &str| match (pattern.starts_with('*'), pattern.ends_with('*')) {
        (true, true) => word.contains(bare),
        (true, false) => word.ends_with(bare),
        (false, true) => word.starts_with(bare),
        (false, false) => word == bare,
    };
    hit(&text)
        || text
            .split(|c: char| !c.is_alphanumeric())
            .any(|word| !word.is_empty() && hit(word))
}

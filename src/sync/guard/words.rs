//! A hold over a class of changes in words.

use crate::model::Kind;
use crate::plan::{Class, Limit, Line, Weight};

/// Why a class is held. Without a kind it is about tickets.
pub(in crate::sync) fn reason(
    kind: Option<Kind>,
    class: Class,
    line: Line,
    weight: Weight,
    limit: Limit,
    first: bool,
) -> String {
    let of = match kind {
        Some(Kind::Contact) | None => "contacts",
        Some(Kind::Company) => "companies",
    };
    let (number, limit, when) = match line {
        Line::Day => (weight.day, limit.over_a_day(), "within 24 hours"),
        Line::Before | Line::Cycle if first => (weight.cycle, limit, "in the first sync"),
        Line::Before | Line::Cycle => (weight.cycle, limit, "in one cycle"),
    };
    let what = match class {
        Class::Create => format!("{number} new {of}"),
        Class::Update => format!("{number} changed {of}"),
        Class::Clear => format!("{number} emptied fields of {of}"),
        Class::Delete => format!("{number} deleted {of}"),
        Class::Ticket => format!("{number} tickets changed by rules"),
        Class::Summary => format!("{number} support summaries of {of}"),
        Class::SummaryClear => format!("{number} emptied fields of support summaries of {of}"),
    };
    let Limit { count, percent } = limit;
    let approved = if first {
        "; `deskbridge sync --approve-first` lets a first sync through"
    } else {
        ""
    };
    format!(
        "{what} {when}: more than {count}, and more than {percent} % of the {} linked {of}{approved}",
        weight.linked
    )
}

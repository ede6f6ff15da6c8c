//! An explanation for people. It shows values: whoever runs it may read the state.

use super::field::{FieldAbout, Write};
use super::summary::SummaryAbout;
use super::{About, Explained, SideAbout, TicketAbout};
use crate::cli::exit::Failure;
use crate::cli::output::{Output, harmless, quoted};
use crate::model::{Image, Side, Value};
use crate::store::{StandingView, TicketView};
use std::fmt::Write as _;

pub(super) fn text(explained: &Explained, whole: bool, out: &mut Output) -> Result<(), Failure> {
    if let Some(doubt) = &explained.doubt {
        out.line(format_args!(
            "{}: everything is read before anything is written\n",
            harmless(doubt)
        ))?;
    }
    for (number, about) in explained.records.iter().enumerate() {
        if number > 0 {
            out.line("")?;
        }
        record(about, whole, out)?;
    }
    for about in &explained.tickets {
        ticket(about, out)?;
    }
    Ok(())
}

fn record(about: &About, whole: bool, out: &mut Output) -> Result<(), Failure> {
    out.line(about.record)?;
    side(Side::Crm, about.crm.as_ref(), out)?;
    side(Side::Desk, about.freshdesk.as_ref(), out)?;
    if let Some(link) = &about.link {
        out.line(format_args!(
            "  linked      {} at {}, cycle {}",
            harmless(&link.found),
            link.since,
            link.cycle
        ))?;
    }
    for next in &about.next {
        out.line(format_args!("  next cycle  {}", harmless(&next.text)))?;
    }
    for why in &about.why {
        out.line(format_args!("  because     {}", harmless(&why.text)))?;
    }
    if about.next.is_empty() && about.why.is_empty() {
        out.line("  next cycle  nothing: it is in step as far as it was read")?;
    }
    for field in &about.fields {
        one(field, whole, out)?;
    }
    for field in &about.summary {
        summed(field, whole, out)?;
    }
    standings(&about.standings, out)?;
    for it in &about.tickets {
        out.line(format_args!("\n  ticket {}", harmless(&it.id)))?;
        memory(it, out)?;
    }
    Ok(())
}

fn side(side: Side, about: Option<&SideAbout>, out: &mut Output) -> Result<(), Failure> {
    let Some(about) = about else {
        return out.line(format_args!("  {:<11} none", side.word()));
    };
    let changed = about.changed_at.as_deref().unwrap_or("at a time not known");
    let mut text = format!(
        "  {:<11} {}, {}, last changed {changed}",
        side.word(),
        harmless(&about.id),
        about.presence
    );
    if about.in_scope == Some(false) {
        text.push_str(", outside of the scope");
    }
    if let Some(standing) = &about.standing {
        let because = about.because.as_deref().unwrap_or("");
        let _ = write!(text, ", {standing}");
        if !because.is_empty() {
            let _ = write!(text, " ({})", harmless(because));
        }
    }
    out.line(text)
}

fn one(field: &FieldAbout, whole: bool, out: &mut Output) -> Result<(), Failure> {
    let way = match field.direction {
        "both" => format!("both ways, conflict = {}", field.conflict),
        "to_crm" => "freshdesk to crm".to_owned(),
        _ => "crm to freshdesk".to_owned(),
    };
    out.line(format_args!("\n  {} ({way})", harmless(&field.field)))?;
    for (name, shows, base) in [
        ("crm", &field.shows.crm, &field.base.crm),
        ("freshdesk", &field.shows.freshdesk, &field.base.freshdesk),
    ] {
        let was = if shows == base {
            String::new()
        } else if base.is_empty() {
            "   (never agreed on)".to_owned()
        } else {
            format!("   (last agreed on: {})", image(base))
        };
        out.line(format_args!("    {name:<10} {}{was}", image(shows)))?;
    }
    if let Some(next) = &field.next {
        out.line(format_args!(
            "    next       {} gets {}: {}",
            next.side,
            image(&next.set),
            harmless(&next.rule)
        ))?;
    }
    if let Some(why) = &field.why {
        out.line(format_args!("    waits      {}", harmless(why)))?;
    }
    writes(&field.writes, whole, out)
}

fn summed(field: &SummaryAbout, whole: bool, out: &mut Output) -> Result<(), Failure> {
    out.line(format_args!(
        "\n  {} (support summary: {})",
        harmless(&field.field),
        field.fact
    ))?;
    let shows = field.shows.as_ref();
    let shows = shows.map_or_else(|| "not known".to_owned(), quoted);
    out.line(format_args!("    crm        {shows}"))?;
    out.line(format_args!("    tickets    {}", quoted(&field.comes_to)))?;
    if let Some(next) = &field.next {
        out.line(format_args!("    next       crm gets {}", quoted(next)))?;
    }
    if let Some(why) = &field.why {
        out.line(format_args!("    waits      {}", harmless(why)))?;
    }
    writes(&field.writes, whole, out)
}

fn writes(writes: &[Write], whole: bool, out: &mut Output) -> Result<(), Failure> {
    let shown = if whole { writes.len() } else { 1 };
    for it in writes.iter().take(shown) {
        out.line(format_args!("    written    {}", written(it)))?;
    }
    Ok(())
}

fn written(it: &Write) -> String {
    let outcome = it.outcome.as_deref().unwrap_or("no answer yet");
    let mut text = format!(
        "{} cycle {}, {} got {} instead of {}: {}; {outcome}",
        it.at,
        it.cycle,
        it.side,
        image(&it.set),
        values(&it.before),
        harmless(&it.rule)
    );
    if let Some(message) = &it.message {
        let _ = write!(text, " with \"{}\"", harmless(message));
    }
    if let Some(request) = &it.request_id {
        let _ = write!(text, ", request {}", harmless(request));
    }
    text
}

fn standings(standings: &[StandingView], out: &mut Output) -> Result<(), Failure> {
    for it in standings {
        let read = if it.phase == "read" {
            "their tickets were read"
        } else {
            "their tickets are still to be read"
        };
        out.line(format_args!(
            "\n  rule {}: the standing holds since {}; {read}",
            harmless(&it.rule),
            it.since
        ))?;
    }
    Ok(())
}

fn ticket(about: &TicketAbout, out: &mut Output) -> Result<(), Failure> {
    let it = &about.ticket;
    out.line(format_args!("ticket {}", harmless(&it.id)))?;
    memory(it, out)?;
    standings(&about.standings, out)?;
    if about.standings.is_empty() {
        out.line("  no rule's standing holds for its requester or its company")?;
    }
    for write in &about.writes {
        out.line(format_args!(
            "  {} {}: {}",
            harmless(&write.action),
            harmless(&write.field),
            written(write)
        ))?;
    }
    Ok(())
}

fn memory(it: &TicketView, out: &mut Output) -> Result<(), Failure> {
    let tags: Vec<String> = it.shows.tags.iter().map(|tag| harmless(tag)).collect();
    out.line(format_args!(
        "    shows      priority {}, status {}, tags [{}]",
        it.shows.priority,
        it.shows.status,
        tags.join(", ")
    ))?;
    let names = |rules: &std::collections::BTreeSet<String>| {
        let rules: Vec<String> = rules.iter().map(|rule| harmless(rule)).collect();
        rules.join(", ")
    };
    if let Some(raised) = &it.memory.priority {
        out.line(format_args!(
            "    ours       priority {} instead of {}, by {}",
            raised.set,
            raised.before,
            names(&raised.by)
        ))?;
    }
    for (tag, tagged) in &it.memory.tags {
        let whose = if tagged.ours {
            "added"
        } else {
            "was there before"
        };
        let by = names(&tagged.by);
        out.line(format_args!(
            "    tag        {} {whose}, by {by}",
            harmless(tag)
        ))?;
    }
    if it.memory.priority_is_theirs || !it.memory.tags_are_theirs.is_empty() {
        out.line("    theirs     somebody has decided on it after us, by hand or by taking a run back, and has the last word")?;
    }
    if it.fought {
        out.line("    left       something undid our change at once, so it is left alone")?;
    }
    if let Some(state) = &it.state {
        let next = it.due_at.as_deref().unwrap_or("in the next cycle");
        let error = it
            .error
            .as_deref()
            .unwrap_or("the outcome is not known yet");
        let error = harmless(error);
        out.line(format_args!(
            "    waits      {state}, next try {next}: {error}"
        ))?;
    }
    Ok(())
}

fn image(image: &Image) -> String {
    let fields: Vec<String> = image
        .0
        .iter()
        .map(|(name, value)| format!("{} = {}", harmless(name), quoted(value)))
        .collect();
    if fields.is_empty() {
        "not known".to_owned()
    } else {
        fields.join(", ")
    }
}

fn values(values: &[Value]) -> String {
    let shown: Vec<String> = values.iter().map(quoted).collect();
    if shown.is_empty() {
        "nothing known".to_owned()
    } else {
        shown.join(", ")
    }
}

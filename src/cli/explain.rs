//! `explain`: where each value of a record came from, and why it does or does not cross over. From
//! the state alone: no system is asked. Works beside a running daemon.

mod barred;
mod field;
mod past;
mod show;
mod summary;
mod verdict;

use super::exit::{Exit, Failure};
use super::open::Source;
use super::output::Output;
use super::record::{self, Named};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::mapping::{Mapping, SupportFact};
use crate::model::{Kind, Pair, Side};
use crate::store::{
    HoldView, LinkOrigin, Parked, Report, StandingView, Story, TicketView, TicketsWanted,
    UnreadView, Wanted,
};
use chrono::{DateTime, SecondsFormat, Utc};
use field::{FieldAbout, Write};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use summary::SummaryAbout;
use verdict::{Next, Outlook, Why};

/// How many of a record's writes are looked at.
const WRITES: i64 = 1_000;
/// How many of a customer's tickets are shown.
const TICKETS: i64 = 20;

/// What `explain` is asked for.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// An e-mail, `crm:ID`, `freshdesk:ID` or `ticket:ID`
    record: String,
    /// Only this field, with its whole history: by the CRM's name or by Freshdesk's
    field: Option<String>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// What is asked about each record.
struct Question<'a> {
    config: &'a Config,
    /// The one field that is meant, as the admin calls it.
    field: Option<&'a str>,
    /// Whether the state may be an older copy of itself.
    doubted: bool,
    now: DateTime<Utc>,
}

impl<'a> Question<'a> {
    /// The CRM's fields that support summaries of `kind` are written into.
    fn summed(&self, kind: Kind) -> &'a BTreeMap<SupportFact, String> {
        static NONE: BTreeMap<SupportFact, String> = BTreeMap::new();
        let summary = self.config.support_summary.as_ref();
        summary.map_or(&NONE, |summary| summary.of(kind))
    }
}

/// Its fields are a contract.
#[derive(Debug, Default, Serialize)]
struct Explained {
    /// Why the state is not acted upon before everything was read; null where it is.
    doubt: Option<String>,
    records: Vec<About>,
    tickets: Vec<TicketAbout>,
}

/// A contact or company, and its counterpart.
#[derive(Debug, Serialize)]
struct About {
    record: &'static str,
    crm: Option<SideAbout>,
    freshdesk: Option<SideAbout>,
    link: Option<LinkOrigin>,
    /// What the next cycle does about it.
    next: Vec<Next>,
    /// Why something of it does not cross over.
    why: Vec<Why>,
    fields: Vec<FieldAbout>,
    summary: Vec<SummaryAbout>,
    parked: Vec<Parked>,
    holds: Vec<HoldView>,
    standings: Vec<StandingView>,
    tickets: Vec<TicketView>,
}

/// One side of a pair.
#[derive(Debug, Serialize)]
struct SideAbout {
    id: String,
    presence: &'static str,
    changed_at: Option<String>,
    in_scope: Option<bool>,
    standing: Option<String>,
    because: Option<String>,
}

/// A ticket, and what rules did to it.
#[derive(Debug, Serialize)]
struct TicketAbout {
    #[serde(flatten)]
    ticket: TicketView,
    standings: Vec<StandingView>,
    writes: Vec<Write>,
}

pub(super) async fn explain(named: Option<&Path>, arguments: &Arguments) -> Result<Exit, Failure> {
    let record = record::parse(&arguments.record)?;
    let config = Source::read(named)?.config_for_reading()?;
    let mut state = Report::open(&config.state_path).await?;
    let mut explained = Explained {
        doubt: state.doubt().await?,
        ..Explained::default()
    };
    match &record {
        Named::Ticket(id) => {
            let field = arguments.field.as_deref();
            let field = field.map(field::of_ticket).transpose()?;
            explained.tickets = tickets(&mut state, id, field).await?;
        }
        Named::Record(wanted) => {
            let question = Question {
                config: &config,
                field: arguments.field.as_deref(),
                doubted: explained.doubt.is_some(),
                now: SystemClock.now(),
            };
            explained.records = records(&mut state, &question, wanted).await?;
        }
    }
    if explained.records.is_empty() && explained.tickets.is_empty() {
        return Err(unknown(&record, arguments, &config));
    }
    let mut out = Output::new();
    if arguments.json {
        out.json(&explained)?;
    } else {
        show::text(&explained, arguments.field.is_some(), &mut out)?;
    }
    out.finish()?;
    Ok(Exit::Done)
}

fn unknown(record: &Named, arguments: &Arguments, config: &Config) -> Failure {
    let state = config.state_path.display();
    Failure::Usage(match record {
        Named::Ticket(id) => format!(
            "{state} knows no ticket {id}: only tickets that a rule has to do with are remembered"
        ),
        Named::Record(_) => format!(
            "{state} knows no contact or company `{}`: what was read so far shows none. `deskbridge sync --reconcile` reads everything; an id finds a record that shows no such address (crm:ID, freshdesk:ID)",
            arguments.record.trim()
        ),
    })
}

async fn records(
    state: &mut Report,
    question: &Question<'_>,
    wanted: &Wanted,
) -> Result<Vec<About>, Failure> {
    let (mut about, mut met) = (Vec::new(), BTreeSet::new());
    for row in state.find(wanted).await? {
        if !met.insert(row) {
            continue;
        }
        let Some(story) = state.story(row).await? else {
            continue;
        };
        met.extend(story.rows());
        about.push(one(state, &story, question).await?);
    }
    if about.is_empty() {
        // One that could never be read is known by its id alone.
        about.extend(state.unread_of(wanted).await?.iter().map(never_read));
    }
    Ok(about)
}

fn never_read(it: &UnreadView) -> About {
    let shown = SideAbout {
        id: it.id.clone(),
        presence: "live",
        changed_at: None,
        in_scope: None,
        standing: None,
        because: None,
    };
    let is_crm = it.side == Side::Crm.word();
    let (crm, freshdesk) = if is_crm {
        (Some(shown), None)
    } else {
        (None, Some(shown))
    };
    About {
        record: if it.kind == Kind::Contact.word() {
            Kind::Contact.word()
        } else {
            Kind::Company.word()
        },
        crm,
        freshdesk,
        link: None,
        next: Vec::new(),
        why: vec![verdict::unread(it)],
        fields: Vec::new(),
        summary: Vec::new(),
        parked: Vec::new(),
        holds: Vec::new(),
        standings: Vec::new(),
        tickets: Vec::new(),
    }
}

async fn one(state: &mut Report, story: &Story, question: &Question<'_>) -> Result<About, Failure> {
    let (mapping, summed) = (
        question.config.mapping(story.kind),
        question.summed(story.kind),
    );
    let meant = match (question.field, mapping) {
        (Some(name), Some(mapping)) => Some(field::named(mapping, summed, name)?),
        _ => None,
    };
    let rows = story.rows();
    let holds = state.holds_of(&rows).await?;
    let mut outlook = verdict::outlook(state, story, mapping, question.doubted).await?;
    barred::hold_up(state, story, &holds, &mut outlook).await?;
    let past = state.past(story, WRITES).await?;
    past::apart(&past, &mut outlook);
    let Outlook {
        next,
        mut why,
        merged,
        held,
        ..
    } = outlook;
    why.extend(past::our_deletes(&past, story));
    let parked = state.parked_of(&rows).await?;
    why.extend(verdict::unreadable(state, story).await?);
    why.extend(verdict::waits(state, &rows, &parked, &holds).await?);
    let mut fields = mapping.map_or_else(Vec::new, |mapping| {
        field::fields(mapping, story, &merged, past::writes(&past))
    });
    for it in &mut fields {
        if let Some(why) = held.get(&it.field) {
            it.why = Some(why.clone());
        }
    }
    let (mut summary, held) = summary::summaries(state, story, summed, &past, question.now).await?;
    why.extend(held);
    if let (Some(name), Some(meant)) = (question.field, meant) {
        fields.retain(|it| it.field == meant);
        summary.retain(|it| it.field == name);
    }
    let tickets = match story.records.desk.as_ref() {
        Some(desk) => {
            let whose = TicketsWanted::Of(story.kind, &desk.id.0);
            state.tickets_of(whose, TICKETS).await?
        }
        None => Vec::new(),
    };
    let side = |side| side_about(story, mapping, side);
    Ok(About {
        record: story.kind.word(),
        crm: side(Side::Crm),
        freshdesk: side(Side::Desk),
        link: story.link.clone(),
        next,
        why,
        fields,
        summary,
        parked,
        holds,
        standings: state.standings_of(&rows).await?,
        tickets,
    })
}

fn side_about(story: &Story, mapping: Option<&Mapping>, side: Side) -> Option<SideAbout> {
    let record = story.records.of(side).as_ref()?;
    let known = record.version.0 > 0;
    Some(SideAbout {
        id: record.id.0.clone(),
        presence: match record.presence {
            crate::model::Presence::Live => "live",
            crate::model::Presence::Trashed => "trashed",
            crate::model::Presence::Gone => "gone",
        },
        changed_at: known.then(|| {
            let time = record.version.time();
            time.to_rfc3339_opts(SecondsFormat::Secs, true)
        }),
        in_scope: mapping.and_then(|mapping| mapping.in_scope(side, &record.image)),
        standing: record.standing.clone(),
        because: record.because.clone(),
    })
}

async fn tickets(
    state: &mut Report,
    id: &str,
    field: Option<&str>,
) -> Result<Vec<TicketAbout>, Failure> {
    let mut about = Vec::new();
    for ticket in state.tickets_of(TicketsWanted::Id(id), 1).await? {
        let mut rows = Vec::new();
        let whose = [Some(&ticket.requester), ticket.company.as_ref()];
        for id in whose.into_iter().flatten() {
            let wanted = Wanted::Record(Side::Desk, id.clone());
            for row in state.find(&wanted).await? {
                if let Some(story) = state.story(row).await? {
                    rows.extend(story.rows());
                }
            }
        }
        let past = state.ticket_past(id, WRITES).await?;
        let mut writes: Vec<Write> = past.iter().flat_map(field::writes).collect();
        writes.retain(|it| field.is_none_or(|field| it.field == field));
        about.push(TicketAbout {
            standings: state.standings_of(&rows).await?,
            writes,
            ticket,
        });
    }
    Ok(about)
}

/// Both sides' `T` as they are called in `--json`.
#[derive(Debug, Serialize)]
struct Sides<T> {
    crm: T,
    freshdesk: T,
}

impl<T> From<Pair<T>> for Sides<T> {
    fn from(pair: Pair<T>) -> Self {
        Self {
            crm: pair.crm,
            freshdesk: pair.desk,
        }
    }
}

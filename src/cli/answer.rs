//! `approve` and `discard`: a person's answers to what is held. They are written down beside a running
//! daemon, and the next cycle carries them out.

mod stands;

use super::exit::{Exit, Failure};
use super::open::Source;
use super::output::Output;
use crate::model::Side;
use crate::store::{Answer, Answers, HoldView, Report};
use clap::ValueEnum;
use serde::Serialize;
use stands::{Prospect, Stuck, prospect};
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

/// What `approve` is asked for.
#[derive(Debug, clap::Args)]
pub(super) struct Approval {
    /// Numbers of holds, as `holds` shows them
    #[arg(required = true, value_name = "ID")]
    ids: Vec<i64>,
    /// Of a conflict: whose value stands [default: that of the record that was changed later]
    #[arg(long, value_name = "SIDE")]
    take: Option<Taken>,
    /// Print what was answered as JSON
    #[arg(long)]
    json: bool,
}

/// What `discard` is asked for.
#[derive(Debug, clap::Args)]
pub(super) struct Dismissal {
    /// Numbers of holds, as `holds` shows them
    #[arg(required = true, value_name = "ID")]
    ids: Vec<i64>,
    /// Print what was answered as JSON
    #[arg(long)]
    json: bool,
}

/// A side on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Taken {
    /// The CRM's
    Crm,
    /// Freshdesk's
    Freshdesk,
}

/// Why no answer was written down. None of several is where one of them cannot be.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// No such hold, or not any more.
    #[error(
        "nothing is held under number {0} (any more): it was answered, or its cause is gone; nothing was written. After the next cycle `deskbridge holds` lists what waits still"
    )]
    Gone(i64),
    /// It is nothing that we can do.
    #[error("{0} cannot be approved: {1}; nothing was written")]
    NotOurs(i64, String),
    /// A side was named where there is nothing to choose between.
    #[error("{0} is no conflict, so that there is no side to --take; nothing was written")]
    NoSides(i64),
    /// The value that would stand cannot cross over.
    #[error("{0} cannot be approved so, and waits still: {1}; nothing was written")]
    Stuck(i64, String),
}

pub(super) async fn approve(named: Option<&Path>, arguments: &Approval) -> Result<Exit, Failure> {
    let answer = match arguments.take {
        None => Answer::Approve,
        Some(Taken::Crm) => Answer::Take(Side::Crm),
        Some(Taken::Freshdesk) => Answer::Take(Side::Desk),
    };
    give(named, &arguments.ids, answer, arguments.json).await
}

pub(super) async fn discard(named: Option<&Path>, arguments: &Dismissal) -> Result<Exit, Failure> {
    give(named, &arguments.ids, Answer::Discard, arguments.json).await
}

async fn give(
    named: Option<&Path>,
    numbers: &[i64],
    answer: Answer,
    json: bool,
) -> Result<Exit, Failure> {
    let mut met = BTreeSet::new();
    // A number that is given twice is answered once.
    let ids: Vec<i64> = numbers
        .iter()
        .copied()
        .filter(|id| met.insert(*id))
        .collect();
    let config = Source::read(named)?.config_for_reading()?;
    let mut state = Answers::open(&config.state_path).await?;
    let mut known = Report::open(&config.state_path).await?;
    let mut holds = Vec::with_capacity(ids.len());
    for id in &ids {
        let hold = state.hold(*id).await?.ok_or(Unanswered::Gone(*id))?;
        let prospect = prospect(&mut known, &config, &hold, answer).await?;
        if matches!(prospect, Prospect::Settled) {
            return Err(Unanswered::Gone(*id).into());
        }
        may(&hold, answer)?;
        if let Prospect::Stuck(stuck) = prospect {
            return Err(Unanswered::Stuck(*id, way_out(*id, &stuck)).into());
        }
        holds.push(hold);
    }
    let answers: Vec<(i64, Answer)> = ids.iter().map(|id| (*id, answer)).collect();
    if let Err(gone) = state.give(&answers).await? {
        return Err(Unanswered::Gone(gone).into());
    }
    let said: Vec<Said<'_>> = holds
        .iter()
        .map(|hold| Said {
            hold,
            answer,
            count: state.answered(hold.id),
            before: state.before(hold.id).filter(|before| *before != answer),
        })
        .collect();
    let mut out = Output::new();
    if json {
        let given: Vec<Given<'_>> = said.iter().map(Said::given).collect();
        out.json(&given)?;
    } else {
        for it in &said {
            out.line(it)?;
        }
    }
    out.finish()?;
    Ok(Exit::Done)
}

/// Whether this can be answered so.
fn may(hold: &HoldView, answer: Answer) -> Result<(), Unanswered> {
    match answer {
        Answer::Approve | Answer::Take(_) if !hold.approvable => {
            Err(Unanswered::NotOurs(hold.id, what_to_do(hold)))
        }
        Answer::Take(_) if hold.class != "conflict" => Err(Unanswered::NoSides(hold.id)),
        Answer::Approve | Answer::Take(_) | Answer::Discard => Ok(()),
    }
}

/// What a person does instead of approving it.
fn what_to_do(hold: &HoldView) -> String {
    let id = hold.id;
    match hold.class.as_str() {
        "duplicate" => format!(
            "{} and the next cycle goes on by itself, or leave the record alone with `deskbridge discard {id}`",
            hold.reason
        ),
        _ => format!(
            "{}. Make it there yourself, or keep the record and forget the link with `deskbridge discard {id}`",
            hold.reason
        ),
    }
}

/// Why the value of a side cannot stand, and what a person does instead.
fn way_out(id: i64, stuck: &Stuck) -> String {
    let Stuck {
        source,
        why,
        company,
        other_can,
    } = stuck;
    let mend = match company {
        Some(company) => format!(
            "`deskbridge explain {source}:company:{company}` says why. Mend that and approve it after the next cycle"
        ),
        None => format!("change it in {source}, and it is asked about anew"),
    };
    let take = if *other_can {
        let other = source.other();
        format!(", let the value of {other} stand with `deskbridge approve {id} --take {other}`")
    } else {
        String::new()
    };
    format!(
        "the value of {source} cannot cross over: {why}. {mend}{take}, or leave both as they are with `deskbridge discard {id}`"
    )
}

/// What was answered, and what comes of it.
struct Said<'a> {
    hold: &'a HoldView,
    answer: Answer,
    /// Of a class of records' changes: how many are answered.
    count: u64,
    /// Another answer, which this one replaces.
    before: Option<Answer>,
}

/// An answer that was written down. Its fields are a contract.
#[derive(Debug, Serialize)]
struct Given<'a> {
    id: i64,
    kind: &'a str,
    class: &'a str,
    /// `approve` or `discard`.
    answer: &'static str,
    /// Of a conflict: whose value stands, where that was said.
    take: Option<Side>,
    /// How many changes it is about.
    count: u64,
    /// The answer that it replaces: `approve`, `approve crm`, `approve freshdesk` or `discard`.
    instead_of: Option<&'static str>,
    /// What comes of it.
    text: String,
}

impl Said<'_> {
    fn given(&self) -> Given<'_> {
        let (answer, take) = match self.answer {
            Answer::Approve => ("approve", None),
            Answer::Take(side) => ("approve", Some(side)),
            Answer::Discard => ("discard", None),
        };
        Given {
            id: self.hold.id,
            kind: &self.hold.kind,
            class: &self.hold.class,
            answer,
            take,
            count: if self.count > 0 {
                self.count
            } else {
                self.hold.count
            },
            instead_of: self.before.map(|before| match before {
                Answer::Approve => "approve",
                Answer::Take(Side::Crm) => "approve crm",
                Answer::Take(Side::Desk) => "approve freshdesk",
                Answer::Discard => "discard",
            }),
            text: self.to_string(),
        }
    }
}

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HoldView {
            id, class, kind, ..
        } = self.hold;
        let many = self.hold.is_of_many();
        let whole = ["ticket", "listing", "summary", "summary_clear"];
        let by_the_record = many && !whole.contains(&class.as_str());
        let what = match (self.answer, class.as_str()) {
            (Answer::Discard, "conflict") => {
                "both sides keep what they have until one of them changes".to_owned()
            }
            (Answer::Discard, "delete") if !many => {
                "the other record is kept, and the two are linked no longer".to_owned()
            }
            (Answer::Discard, "duplicate") => "the record gets no counterpart".to_owned(),
            (Answer::Discard, "listing") => "the listing is still not believed".to_owned(),
            (Answer::Discard, _) if by_the_record => format!(
                "none of the {} that wait now is written; both sides keep what they have",
                self.count
            ),
            (Answer::Discard, "summary" | "summary_clear") => {
                "none of it is written; the CRM keeps what it shows until a customer's tickets come to something else".to_owned()
            }
            (Answer::Discard, _) => {
                "none of it is written; both sides keep what they have".to_owned()
            }
            (Answer::Take(side), _) => format!("the value of {side} stands"),
            (Answer::Approve, "conflict") => "the later change stands".to_owned(),
            (Answer::Approve, "delete") if !many => {
                format!("the {kind} is put into the trash of the other side")
            }
            (Answer::Approve, "listing") => "the next full listing is believed".to_owned(),
            (Answer::Approve, _) if by_the_record => {
                format!("all {} that wait now are written", self.count)
            }
            (Answer::Approve, _) => "all of it is written".to_owned(),
        };
        let instead = match self.before {
            Some(_) => ", instead of what was answered before",
            None => "",
        };
        write!(f, "{id}: {what}, with the next cycle{instead}")
    }
}

//! `forget`: takes a record's values out of the state and its journal.

use super::exit::{Exit, Failure};
use super::open::Source;
use super::output::{Output, counted, harmless};
use super::record::{self, Named};
use super::watch::say;
use crate::config::Config;
use crate::model::{Kind, Side};
use crate::store::{Forgotten, Naming, Remembered, Report, Store, Wanted};
use serde::Serialize;
use std::collections::{BTreeSet, VecDeque};
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

/// What `forget` is asked for.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// An e-mail, `crm:ID` or `freshdesk:ID` (`crm:contact:ID` where a company has that id too); its counterpart is
    /// forgotten with it
    record: String,
    /// Do not ask, not even where the record still exists and will be read again
    #[arg(long)]
    yes: bool,
    /// Print what was forgotten as JSON
    #[arg(long)]
    json: bool,
}

/// What is forgotten of one record and its counterpart. Its fields are a contract.
#[derive(Debug, Serialize)]
struct Gone<'a> {
    record: &'static str,
    crm_id: Option<&'a str>,
    freshdesk_id: Option<&'a str>,
    /// How many records of the state.
    records: u64,
    /// How many rows of the journal.
    journal: u64,
    /// Whether no old byte is left in the state's files.
    cleaned: bool,
}

pub(super) async fn forget(named: Option<&Path>, arguments: &Arguments) -> Result<Exit, Failure> {
    let Named::Record(wanted) = record::parse(&arguments.record)? else {
        let text = "tickets are forgotten with the contact who opened them: name that one";
        return Err(Failure::Usage(text.to_owned()));
    };
    let config = Source::read(named)?.config_for_reading()?;
    let path = &config.state_path;
    // What is there to forget is looked for before the state is opened for writing.
    let naming = naming(&config);
    let mut report = Report::open(path).await?;
    let rows = match &wanted {
        Wanted::Text(address) => report.known_by(address, &naming).await?,
        Wanted::Record(..) | Wanted::Of(..) => report.find(&wanted).await?,
    };
    drop(report);
    if rows.is_empty() {
        return Err(Failure::Usage(format!(
            "{} knows no contact or company `{}`; by its id it is found even where it shows no such address (crm:ID, freshdesk:ID)",
            path.display(),
            arguments.record.trim()
        )));
    }
    let mut store = Store::open(path).await?;
    let all = meant(&mut store, rows, &naming).await?;
    let kinds: BTreeSet<Kind> = all.iter().map(|who| who.kind).collect();
    if matches!(wanted, Wanted::Record(..)) && kinds.len() > 1 {
        let text = "a contact and a company have that id; say which, such as crm:contact:17 or freshdesk:company:17";
        return Err(Failure::Usage(text.to_owned()));
    }
    let mut out = Output::new();
    for who in &all {
        if arguments.json {
            say(&described(who));
        } else {
            out.line(described(who))?;
        }
    }
    if let Some(refusal) = refusal(&all, arguments.yes) {
        out.finish()?;
        return Err(Failure::Usage(refusal));
    }
    if !arguments.yes {
        out.shown()?;
    }
    out.finish()?;
    if !arguments.yes && !confirmed()? {
        return Err(Failure::Usage("nothing was forgotten".to_owned()));
    }
    let mut done = Vec::with_capacity(all.len());
    for who in &all {
        done.push((who, store.forget(who).await?));
    }
    store.close().await?;
    let mut out = Output::new();
    tell(&done, arguments.json, &mut out)?;
    out.finish()?;
    Ok(Exit::Done)
}

fn tell(done: &[(&Remembered, Forgotten)], json: bool, out: &mut Output) -> Result<(), Failure> {
    if json {
        let gone: Vec<Gone<'_>> = done.iter().map(|(who, it)| gone(who, it)).collect();
        return out.json(&gone);
    }
    for (_, forgotten) in done {
        out.line(format_args!(
            "forgotten: {}, and the values in {} of the journal",
            counted(forgotten.records, "record"),
            counted(forgotten.journal, "row")
        ))?;
        if !forgotten.cleaned {
            out.line("somebody else reads the state: its write-ahead log keeps the old bytes until they end and `forget`, `sync` or `run` is started again")?;
        }
    }
    out.line("Backups of the state still have it, and so have logs at the level debug, if there were any.")
}

fn gone<'a>(who: &'a Remembered, forgotten: &Forgotten) -> Gone<'a> {
    let id = |side: Side| who.ids.of(side).as_ref().map(|id| id.0.as_str());
    Gone {
        record: who.kind.word(),
        crm_id: id(Side::Crm),
        freshdesk_id: id(Side::Desk),
        records: forgotten.records,
        journal: forgotten.journal,
        cleaned: forgotten.cleaned,
    }
}

/// By which fields people and companies are known: their match keys, and a contact's `email`, which every system
/// calls so.
fn naming(config: &Config) -> Naming {
    let address = Side::BOTH.map(|side| (side, Kind::Contact, "email".to_owned()));
    let mut naming = Naming::from(address);
    for mapping in config.mappings() {
        for key in &mapping.keys {
            naming.extend(Side::BOTH.map(|side| (side, mapping.kind, key.name(side).to_owned())));
        }
    }
    naming
}

/// Everybody who is meant: the records, their counterparts, and those that were.
async fn meant(
    store: &mut Store,
    rows: Vec<i64>,
    naming: &Naming,
) -> Result<Vec<Remembered>, Failure> {
    let (mut all, mut met) = (Vec::new(), BTreeSet::new());
    let mut rows = VecDeque::from(rows);
    while let Some(row) = rows.pop_front() {
        if met.contains(&row) {
            continue;
        }
        if let Some(who) = store.remembered(row).await? {
            met.extend(who.rows.iter().copied());
            rows.extend(store.kin(&who, naming).await?);
            all.push(who);
        }
    }
    Ok(all)
}

fn described(who: &Remembered) -> String {
    let sides = Side::BOTH.into_iter().filter_map(|side| {
        let id = harmless(&who.ids.of(side).as_ref()?.0);
        let there = if *who.live.of(side) {
            "is there"
        } else {
            "is gone there"
        };
        Some(format!("{side}:{id} ({there})"))
    });
    let sides: Vec<String> = sides.collect();
    format!("{} {}", who.kind, sides.join(", "))
}

/// Why it is not to be done without `--yes`.
fn refusal(all: &[Remembered], yes: bool) -> Option<String> {
    if yes {
        return None;
    }
    if all.iter().any(|who| who.in_doubt) {
        return Some("a write about it was sent and nobody knows yet whether it was made; run `deskbridge sync` first, or say --yes: it may then be made once more".to_owned());
    }
    let live = |side: &Side| all.iter().any(|who| *who.live.of(*side));
    let places: Vec<&str> = Side::BOTH
        .into_iter()
        .filter(live)
        .map(Side::word)
        .collect();
    (!places.is_empty()).then(|| {
        let places = places.join(" and ");
        format!("it still exists in {places} and would be read again at the next full reading at the latest, values and all, and copied to the other system again; delete it there first, or say --yes")
    })
}

/// Whether a person says `y`.
fn confirmed() -> Result<bool, Failure> {
    let mut stderr = std::io::stderr();
    // Nobody is left to ask where stderr is closed.
    let _ = write!(stderr, "This cannot be undone. Forget it? [y/N] ");
    let _ = stderr.flush();
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .map_err(Failure::machine("reading the answer"))?;
    if !std::io::stdin().is_terminal() {
        let _ = writeln!(stderr);
    }
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

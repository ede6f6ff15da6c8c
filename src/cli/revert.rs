//! `revert RUN`: takes back what a run wrote, where it still stands.

use super::apply::{carry_out, consent, ending, nothing_written, sentence, show, tally, tell};
use super::exit::{Exit, Failure};
use super::open::{Source, Systems, log, trusted};
use super::output::{Output, counted};
use super::watch::{attended, say};
use crate::connect;
use crate::model::{Kind, RecordId, Side};
use crate::plan::SavedPlan;
use crate::store::{Store, StoreError, Which};
use crate::sync::Engine;
use crate::sync::apply::Unwritten;
use crate::sync::revert::{Record, Selection, Undoing};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use serde::Serialize;
use std::path::Path;
use tokio_util::sync::CancellationToken;

/// What `revert` is asked for.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The number of a cycle as `status` and `sync` show it, or that of an `apply` or a `revert`
    run: Option<i64>,
    /// Only about this record: an e-mail address, crm:ID, freshdesk:ID or ticket:ID; of a contact and a
    /// company with one id by crm:contact:ID or crm:company:ID
    #[arg(long, value_name = "RECORD", value_parser = record)]
    record: Option<Record>,
    /// Only this field, by its name on either side
    #[arg(long, value_name = "FIELD")]
    field: Option<String>,
    /// Only what was written at this time or later, such as 2026-11-22 or 2026-11-22T14:30:00Z (UTC);
    /// without RUN, of all runs since
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<DateTime<Utc>>,
    /// Put records into the trash that the run has made; as a whole, so not with --field
    #[arg(long, conflicts_with = "field")]
    delete_created: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn revert(named: Option<&Path>, arguments: &Arguments) -> Result<Exit, Failure> {
    if arguments.run.is_none() && arguments.since.is_none() {
        let text =
            "say what to take back: a RUN or --since TIME; `deskbridge status` names the last run";
        return Err(Failure::Usage(text.to_owned()));
    }
    let config = Source::read(named)?.config()?;
    log(&config)?;
    if !config.state_path.exists() {
        return Err(StoreError::absent(&config.state_path).into());
    }
    let stop = CancellationToken::new();
    let store = Store::open(&config.state_path).await?;
    let selection = arguments.selection();
    let looking = async {
        let systems = Systems::reach(&config, &stop).await?;
        let accounts = connect::identities(&systems.accounts);
        let mut engine = systems.engine(&config, store, &stop).await?;
        trusted(&engine)?;
        super::sync::inspect(&engine.connectors, &engine.mappings).await;
        let undoing = engine.undo(&selection).await?;
        Ok::<_, Failure>((engine, undoing, accounts))
    };
    let (mut engine, undoing, accounts) = attended(looking, &stop, || ()).await??;
    let mut out = Output::new();
    worth_it(&mut engine, arguments, &undoing, &mut out).await?;
    if undoing.writes.is_empty() {
        engine.store.close().await?;
        only_left(&undoing.left, arguments.json, &mut out)?;
        out.finish()?;
        return Ok(Exit::Held);
    }
    let Undoing {
        records,
        writes,
        left,
        kept,
        ..
    } = undoing;
    let plan = SavedPlan {
        made_at: engine.clock.now(),
        accounts,
        config: config.plan_digest(),
        records,
        writes,
    };
    if !arguments.json {
        show(&plan.writes, &mut out)?;
        for it in &left {
            out.line(sentence(it))?;
        }
        if !kept.is_empty() {
            let made = counted(kept.len() as u64, "record");
            out.line(format_args!(
                "kept, although it has made them: {made}; --delete-created puts them into the trash"
            ))?;
        }
    }
    out.flush()?;
    if !consent(arguments.yes, &tally(&plan), &mut out).await? {
        engine.store.close().await?;
        nothing_written(arguments.json, &mut out)?;
        out.finish()?;
        return Ok(Exit::Done);
    }
    let applied = carry_out(&mut engine, &plan, &stop).await?;
    engine.store.close().await?;
    tell(&plan, &applied, &left, arguments.json, &mut out)?;
    out.finish()?;
    Ok(ending(&applied, &left))
}

/// What was found, where none of it can go back.
#[derive(Debug, Serialize)]
struct Found<'a> {
    /// None was made.
    run: Option<i64>,
    changes: [(); 0],
    skipped: &'a [Unwritten],
}

/// Names what still stands and cannot be taken back, where there is nothing else.
fn only_left(left: &[Unwritten], json: bool, out: &mut Output) -> Result<(), Failure> {
    if json {
        return out.json(&Found {
            run: None,
            changes: [],
            skipped: left,
        });
    }
    for it in left {
        out.line(sentence(it))?;
    }
    out.line("nothing was written: what stands of it cannot be taken back from here")
}

/// Makes sure that there is something to tell of, and that both systems said how things stand.
async fn worth_it(
    engine: &mut Engine,
    arguments: &Arguments,
    undoing: &Undoing,
    out: &mut Output,
) -> Result<(), Failure> {
    if !undoing.errors.is_empty() {
        return Err(Failure::Remote(undoing.errors.clone()));
    }
    if let Some(run) = arguments.run
        && let Some((made, known)) = engine.store.journal_lacks(run).await?
        && arguments.since.is_none()
        && known > 0
    {
        return Err(Failure::Usage(format!(
            "run {run} made {made} writes, and the journal has {known} of them: the others were pruned (`keep` in [state]) or are lost; \
             `deskbridge revert {run} --since 2000-01-01` takes back what is there"
        )));
    }
    if !undoing.writes.is_empty() || undoing.stands {
        return Ok(());
    }
    for it in &undoing.left {
        if arguments.json {
            say(&sentence(it));
        } else {
            out.line(sentence(it))?;
        }
    }
    out.flush()?;
    let last = engine.store.next_cycle().await? - 1;
    let pruned = undoing.meant == 0 && engine.store.is_pruned(arguments.selection().which).await?;
    let why = match arguments.run {
        _ if undoing.ambiguous => {
            "a contact and a company have that id; say which, such as crm:contact:17 or freshdesk:company:17"
                .to_owned()
        }
        Some(_) if last == 0 => "there was no run yet".to_owned(),
        Some(run) if run < 1 || run > last => {
            format!("there was no run {run}; the last one was {last} (`deskbridge status`)")
        }
        _ if !undoing.kept.is_empty() => {
            let made = counted(undoing.kept.len() as u64, "record");
            format!(
                "nothing to take back but what was made: {made}; --delete-created puts that into the trash"
            )
        }
        _ if pruned => {
            "nothing to take back: the journal no longer goes back that far (`keep` in [state])"
                .to_owned()
        }
        _ if undoing.meant == 0 => {
            "nothing of what was asked for was written (notes are not taken back)"
                .to_owned()
        }
        _ => "nothing to take back: nothing of it stands any more as it was written".to_owned(),
    };
    Err(Failure::Usage(why))
}

impl Arguments {
    fn selection(&self) -> Selection {
        Selection {
            which: Which {
                run: self.run,
                since: self.since,
            },
            record: self.record.clone(),
            field: self.field.clone(),
            delete_created: self.delete_created,
        }
    }
}

/// A record as people name it.
fn record(text: &str) -> Result<Record, String> {
    let id = |id: &str| match id.trim() {
        "" => Err("the id is missing".to_owned()),
        id => Ok(RecordId::from(id)),
    };
    if let Some(ticket) = text.strip_prefix("ticket:") {
        return Ok(Record::Ticket(id(ticket)?));
    }
    for side in Side::BOTH {
        let Some(rest) = text.strip_prefix(side.word()) else {
            continue;
        };
        let Some(rest) = rest.strip_prefix(':') else {
            continue;
        };
        let of_kind = |kind: Kind| Some((kind, rest.strip_prefix(kind.word())?.strip_prefix(':')?));
        return Ok(match Kind::BOTH.into_iter().find_map(of_kind) {
            Some((kind, of)) => Record::Of(side, kind, id(of)?),
            None => Record::Id(side, id(rest)?),
        });
    }
    if text.contains('@') {
        Ok(Record::Key(text.to_owned()))
    } else {
        Err("write an e-mail address, crm:ID, freshdesk:ID or ticket:ID".to_owned())
    }
}

/// A time, in UTC where it does not say otherwise.
fn time(text: &str) -> Result<DateTime<Utc>, String> {
    let exact = DateTime::parse_from_rfc3339(text).map(|time| time.with_timezone(&Utc));
    let formats = [
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%d %H:%M",
    ];
    let bare = || {
        let read = |format: &&str| NaiveDateTime::parse_from_str(text, format).ok();
        formats.iter().find_map(read)
    };
    let day = || {
        let day: NaiveDate = text.parse().ok()?;
        Some(day.and_time(NaiveTime::MIN))
    };
    exact
        .ok()
        .or_else(|| Some(bare().or_else(day)?.and_utc()))
        .ok_or_else(|| "write a time such as 2026-11-22 or 2026-11-22T14:30:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_the_way_people_and_logs_write_it() {
        let wanted: DateTime<Utc> = "2026-11-22T14:30:00Z".parse().unwrap();
        for text in [
            "2026-11-22T14:30:00Z",
            "2026-11-22T15:30:00+01:00",
            "2026-11-22T14:30:00.000Z",
            "2026-11-22 14:30",
            "2026-11-22T14:30:00",
        ] {
            assert_eq!(time(text), Ok(wanted), "{text}");
        }
        assert_eq!(time("2026-11-22").map(|it| it.timestamp() % 86_400), Ok(0));
        for text in ["", "yesterday", "22.11.2026", "14:30"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_record_is_read_the_way_plans_name_it() {
        let crm = Record::Id(Side::Crm, "1".into());
        assert_eq!(record("crm:1"), Ok(crm));
        assert!(matches!(
            record("freshdesk:2"),
            Ok(Record::Id(Side::Desk, _))
        ));
        let company = Record::Of(Side::Desk, Kind::Company, "2".into());
        assert_eq!(record("freshdesk:company:2"), Ok(company));
        assert_eq!(record("ticket:7"), Ok(Record::Ticket("7".into())));
        assert!(matches!(record("ada@example.com"), Ok(Record::Key(_))));
        for text in ["", "crm:", "crm:contact:", "ticket:", "17", "hubspot:1"] {
            assert!(record(text).is_err(), "{text}");
        }
    }
}

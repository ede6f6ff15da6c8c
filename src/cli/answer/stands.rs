//! Whether what a hold is about still is so, and whether an answer to it can be carried out. A hold outlives
//! its cause by a cycle: one that was answered goes when its record is planned again, and not when the value
//! is written.

use crate::cli::exit::Failure;
use crate::config::Config;
use crate::mapping::{Mapping, Untranslatable};
use crate::model::{COMPANY, Pair, Side, Value};
use crate::plan::{Merged, NoticeKind, PairState, PairVerdict, decide, merge_as_told};
use crate::store::{Answer, HoldView, Report, Story, Wanted};
use std::collections::BTreeMap;

/// What an answer would come to.
#[derive(Debug)]
pub(super) enum Prospect {
    /// It can be carried out, as far as what was read so far shows.
    Open,
    /// There is nothing to answer any more.
    Settled,
    /// The value that would stand cannot cross over.
    Stuck(Stuck),
}

/// A value that would stand by an answer, and cannot cross over.
#[derive(Debug)]
pub(super) struct Stuck {
    /// Whose value it is.
    pub(super) source: Side,
    /// Why.
    pub(super) why: Untranslatable,
    /// The company that it is, where it is one.
    pub(super) company: Option<String>,
    /// Whether the other side's value can cross over.
    pub(super) other_can: bool,
}

/// What `answer` to `hold` would come to: the planner is asked, over what was read so far.
pub(super) async fn prospect(
    state: &mut Report,
    config: &Config,
    hold: &HoldView,
    answer: Answer,
) -> Result<Prospect, Failure> {
    let Some(id) = &hold.crm_id else {
        return Ok(Prospect::Open);
    };
    let wanted = Wanted::Record(Side::Crm, id.clone());
    for row in state.find(&wanted).await? {
        let Some(story) = state.story(row).await? else {
            continue;
        };
        if story.kind.word() != hold.kind {
            continue;
        }
        if let Some(mapping) = config.mapping(story.kind) {
            return Ok(of(mapping, &story, hold, answer));
        }
    }
    Ok(Prospect::Open)
}

fn of(mapping: &Mapping, story: &Story, hold: &HoldView, answer: Answer) -> Prospect {
    // Without a counterpart it is about a create, of which only the next try knows more.
    let Some(pair) = story.pair() else {
        return Prospect::Open;
    };
    if !is_so(mapping, &pair, hold) {
        return Prospect::Settled;
    }
    let conflict = hold.class == "conflict";
    let stuck = fields(hold).find_map(|field| stuck(mapping, &pair, field, answer));
    stuck
        .filter(|_| conflict)
        .map_or(Prospect::Open, Prospect::Stuck)
}

fn is_so(mapping: &Mapping, pair: &PairState, hold: &HoldView) -> bool {
    let undoable = Pair {
        crm: true,
        desk: true,
    };
    match (hold.class.as_str(), decide(mapping, pair, undoable)) {
        ("conflict", PairVerdict::Merge(merged)) => fields(hold).any(|it| disputed(&merged, it)),
        ("flap", PairVerdict::Merge(merged)) => fields(hold).any(|it| wanted(&merged, it)),
        ("delete", PairVerdict::Merge(_) | PairVerdict::BothGone) => false,
        _ => true,
    }
}

fn stuck(mapping: &Mapping, pair: &PairState, field: &str, answer: Answer) -> Option<Stuck> {
    let merged = |answer: Answer| {
        let told = BTreeMap::from([(field.to_owned(), answer.told())]);
        merge_as_told(mapping, pair, &told)
    };
    let asked = merged(answer);
    let (source, why) = asked.stuck(field)?;
    let company = match why {
        Untranslatable::CompanyNotLinked => pair.images.of(source).get(COMPANY),
        Untranslatable::UnknownWord | Untranslatable::NotA(_) => None,
    };
    Some(Stuck {
        source,
        why: why.clone(),
        company: company.and_then(Value::as_text).map(str::to_owned),
        other_can: merged(Answer::Take(source.other())).stuck(field).is_none(),
    })
}

fn fields(hold: &HoldView) -> impl Iterator<Item = &str> {
    let all = hold.fields.as_array().into_iter().flatten();
    all.filter_map(|it| it["field"].as_str())
}

fn disputed(merged: &Merged, field: &str) -> bool {
    let held = |kind: &NoticeKind| matches!(kind, NoticeKind::Held { .. });
    let mut notices = merged.notices.iter();
    notices.any(|it| it.field == field && held(&it.kind))
}

fn wanted(merged: &Merged, field: &str) -> bool {
    let mut changes = Side::BOTH
        .into_iter()
        .flat_map(|side| merged.changes.of(side));
    changes.any(|it| it.field == field)
}

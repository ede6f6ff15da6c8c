//! Whether what a hold is about still is so. A hold outlives its cause by a cycle: one that was answered
//! goes when its record is planned again, and not when the value is written.

use crate::cli::exit::Failure;
use crate::config::Config;
use crate::mapping::Mapping;
use crate::model::{Pair, Side};
use crate::plan::{Merged, NoticeKind, PairVerdict, decide};
use crate::store::{HoldView, Report, Story, Wanted};

/// Whether there is still something to answer: the planner is asked, over what was read so far.
pub(super) async fn stands(
    state: &mut Report,
    config: &Config,
    hold: &HoldView,
) -> Result<bool, Failure> {
    let Some(id) = &hold.crm_id else {
        return Ok(true);
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
            return Ok(is_so(mapping, &story, hold));
        }
    }
    Ok(true)
}

fn is_so(mapping: &Mapping, story: &Story, hold: &HoldView) -> bool {
    // Without a counterpart it is about a create, of which only the next try knows more.
    let Some(pair) = story.pair() else {
        return true;
    };
    let undoable = Pair {
        crm: true,
        desk: true,
    };
    match (hold.class.as_str(), decide(mapping, &pair, undoable)) {
        ("conflict", PairVerdict::Merge(merged)) => fields(hold).any(|it| disputed(&merged, it)),
        ("flap", PairVerdict::Merge(merged)) => fields(hold).any(|it| wanted(&merged, it)),
        ("delete", PairVerdict::Merge(_) | PairVerdict::BothGone) => false,
        _ => true,
    }
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

//! What the journal says of how things came to be as they are: fields that were left to differ, and
//! records that we deleted ourselves.

use super::verdict::{Outlook, Why};
use crate::model::{Presence, Side};
use crate::plan::Rule;
use crate::store::{Past, Story};

/// What the journal calls it when both sides were left to differ.
const KEEP: &str = "keep";

/// The journal without what is no write.
pub(super) fn writes(past: &[Past]) -> impl Iterator<Item = &Past> {
    past.iter().filter(|it| it.action != KEEP)
}

/// Says of each field that was left to differ since when, and by which answer. `past` is the journal of
/// the pair, the newest first.
pub(super) fn apart(past: &[Past], out: &mut Outlook) {
    for field in std::mem::take(&mut out.apart) {
        let text = format!(
            "both sides differ and keep what they have{}: it is written again when somebody edits it, on either side",
            since(past, &field)
        );
        out.why("apart", format!("`{field}`: {text}"));
        out.held.insert(field, text);
    }
}

fn since(past: &[Past], field: &str) -> String {
    let took_place =
        |it: &&Past| matches!(it.outcome.as_deref(), Some("done" | "looked_up" | "kept"));
    let last = past.iter().filter(took_place).find_map(|it| {
        let change = it.fields.iter().find(|change| change.field == field)?;
        Some((it, &change.rule))
    });
    match last {
        Some((it, Rule::Kept)) => format!(
            " since {}, cycle {}, as a person said (`discard`)",
            it.at, it.cycle
        ),
        Some((it, Rule::Reverted(run))) => format!(
            " since {}, cycle {}, when a person took back run {run} (`revert`)",
            it.at, it.cycle
        ),
        _ => ", for neither has changed since they were first compared".to_owned(),
    }
}

/// The records of the story that are gone because we have deleted them.
pub(super) fn our_deletes(past: &[Past], story: &Story) -> Vec<Why> {
    let mut why = Vec::new();
    for side in Side::BOTH {
        let record = story.records.of(side).as_ref();
        if record.is_none_or(|it| it.presence == Presence::Live) {
            continue;
        }
        let ours = past.iter().find(|it| {
            let done = matches!(it.outcome.as_deref(), Some("done" | "looked_up"));
            it.action == "delete" && it.side == side && done
        });
        if let Some(it) = ours {
            why.push(Why {
                code: "gone",
                text: format!(
                    "deskbridge itself has put it into the trash of {side}, at {} in cycle {}",
                    it.at, it.cycle
                ),
            });
        }
    }
    why
}

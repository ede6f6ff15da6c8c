//! What of a record's changes waits for a person: behind a hold over its class, or over its field.

use super::verdict::{Outlook, are};
use crate::cli::exit::Failure;
use crate::cli::paste;
use crate::model::Side;
use crate::plan::{Class, FieldChange, clears};
use crate::store::{Answer, HoldView, Report, Story};

/// Why a class of changes of one record is not written by the next cycle.
struct Bar {
    class: Class,
    /// In words.
    text: String,
}

/// Takes out of `out` what the next cycle does not do, since a person has to be asked about it or has
/// refused it. `holds` are those over the record itself.
pub(super) async fn hold_up(
    state: &mut Report,
    story: &Story,
    holds: &[HoldView],
    out: &mut Outlook,
) -> Result<(), Failure> {
    let bars = bars(state, story).await?;
    let of = |class: Class| bars.iter().find(|it| it.class == class);
    let mut met = Vec::new();
    for (class, action) in [(Class::Create, "create"), (Class::Delete, "delete")] {
        let wanted = out.next.iter().any(|it| it.action == action);
        if let Some(bar) = of(class).filter(|_| wanted) {
            met.push(class);
            out.next.retain(|it| it.action != action);
            for side in Side::BOTH {
                for change in std::mem::take(out.merged.changes.of_mut(side)) {
                    out.held.insert(change.field, bar.text.clone());
                }
            }
        }
    }
    let fought = |field: &str| {
        let mut flaps = holds.iter().filter(|it| it.class == "flap");
        flaps.any(|it| names(it, field))
    };
    for side in Side::BOTH {
        let changes = out.merged.changes.of_mut(side);
        let before = changes.len();
        changes.retain(|change| {
            let class = class_of(change, side);
            let why = match of(class) {
                _ if fought(&change.field) => "it is fought over: a person decides".to_owned(),
                Some(bar) => {
                    met.push(class);
                    bar.text.clone()
                }
                None => return true,
            };
            out.held.insert(change.field.clone(), why);
            false
        });
        if changes.len() == before {
            continue;
        }
        out.next
            .retain(|it| it.action != "update" || it.side != Some(side));
        let left = out.merged.changes.of(side);
        if !left.is_empty() {
            let text = format!("{} written to {side}", are(left));
            out.next("update", Some(side), text);
        }
    }
    for bar in bars.iter().filter(|it| met.contains(&it.class)) {
        out.why("held", bar.text.clone());
    }
    Ok(())
}

/// Which classes of the record's changes are not written.
async fn bars(state: &mut Report, story: &Story) -> Result<Vec<Bar>, Failure> {
    let said = state.class_answers(&story.rows()).await?;
    let of = |class: Class| said.iter().find(|(of, _)| *of == class).map(|it| it.1);
    let mut bars = Vec::new();
    for (class, hold) in state.class_holds(story.kind).await? {
        if of(class).is_none() {
            bars.push(Bar {
                class,
                text: waiting(class, &hold),
            });
        }
    }
    for (class, answer) in &said {
        if *answer == Answer::Discard {
            bars.push(Bar {
                class: *class,
                text: format!(
                    "a person has discarded this {}: the next cycle leaves both sides as they are",
                    class.word()
                ),
            });
        }
    }
    Ok(bars)
}

/// What people are told of a change that waits behind the hold over its class.
pub(super) fn waiting(class: Class, hold: &HoldView) -> String {
    let (id, word) = (hold.id, class.word());
    let text = format!(
        "held for a person since {}, together with every other {word} of its kind (number {id}): {}; `deskbridge approve {id}` lets them through, `deskbridge discard {id}` leaves them",
        hold.since, hold.reason
    );
    paste::ready(&text).into_owned()
}

fn class_of(change: &FieldChange, target: Side) -> Class {
    if clears(change, target) {
        Class::Clear
    } else {
        Class::Update
    }
}

/// Whether a hold over a record is about `field`.
fn names(hold: &HoldView, field: &str) -> bool {
    let fields = hold.fields.as_array();
    fields.is_some_and(|all| all.iter().any(|it| it["field"] == field))
}

//! A ticket's row of a plan, for people.

use super::{Change, shown};
use crate::cli::exit::Failure;
use crate::cli::output::{Output, harmless};

/// A ticket is on one side only: what stands there, and what will.
pub(super) fn row(change: &Change, effect: &str, out: &mut Output) -> Result<(), Failure> {
    let id = harmless(change.freshdesk_id.as_deref().unwrap_or("-"));
    let verb = match effect {
        "note" => "add a private note to",
        effect => effect,
    };
    out.line(format_args!("{verb} ticket {id} in freshdesk"))?;
    for field in &change.fields {
        let (name, after) = (&field.name, shown(&field.result));
        let before = match effect {
            "note" => String::new(),
            _ => format!("{} → ", shown(&field.freshdesk)),
        };
        out.line(format_args!(
            "    {name}: {before}{after} ({})",
            harmless(&field.rule)
        ))?;
    }
    Ok(())
}

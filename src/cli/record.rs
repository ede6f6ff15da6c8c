//! How a record is named on the command line.

use super::exit::Failure;
use crate::model::{Kind, Side};
use crate::store::Wanted;

/// What `RECORD` means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    /// A contact or company.
    Record(Wanted),
    /// A ticket in Freshdesk.
    Ticket(String),
}

/// Reads `RECORD`: an e-mail, `crm:ID`, `freshdesk:ID`, either with the kind before the ID, or `ticket:ID`.
pub(super) fn parse(text: &str) -> Result<Named, Failure> {
    let text = text.trim();
    let wrong = |why: &str| {
        Err(Failure::Usage(format!(
            "`{text}` names no record: {why}; write an e-mail, crm:ID, freshdesk:ID or ticket:ID (crm:contact:ID where a company has that id too)"
        )))
    };
    let Some((place, id)) = text.split_once(':') else {
        return if text.contains('@') {
            Ok(Named::Record(Wanted::Text(text.to_owned())))
        } else {
            wrong("it is neither an e-mail nor an id with its system")
        };
    };
    let of_kind = |kind: &Kind| id.trim().strip_prefix(kind.word())?.strip_prefix(':');
    let side = Side::BOTH.into_iter().find(|side| side.word() == place);
    let kind = Kind::BOTH.into_iter().find(|kind| of_kind(kind).is_some());
    let bare = kind
        .and_then(|kind| of_kind(&kind))
        .filter(|_| side.is_some());
    let id = bare.unwrap_or(id).trim().to_owned();
    match (side, kind) {
        (None, _) if place != "ticket" => wrong("nothing is called that before the colon"),
        _ if id.is_empty() => wrong("the id is missing"),
        (None, _) => Ok(Named::Ticket(id)),
        (Some(side), Some(kind)) => Ok(Named::Record(Wanted::Of(side, kind, id))),
        (Some(side), None) => Ok(Named::Record(Wanted::Record(side, id))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_is_named_wrongly_is_never_taken_for_another() {
        let side = |side, id: &str| Some(Named::Record(Wanted::Record(side, id.to_owned())));
        for (text, named) in [
            ("crm:12", side(Side::Crm, "12")),
            (" freshdesk: 12 ", side(Side::Desk, "12")),
            ("ticket:7", Some(Named::Ticket("7".to_owned()))),
            (
                "Ada@acme.test",
                Some(Named::Record(Wanted::Text("Ada@acme.test".to_owned()))),
            ),
            (
                "crm:contact:12",
                Some(Named::Record(Wanted::Of(
                    Side::Crm,
                    Kind::Contact,
                    "12".to_owned(),
                ))),
            ),
            ("crm:company:", None),
            ("", None),
            ("12", None),
            ("crm:", None),
            ("CRM:12", None),
            ("mailto:ada@acme.test", None),
        ] {
            assert_eq!(parse(text).ok(), named, "{text}");
        }
    }
}

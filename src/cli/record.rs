//! How a record is named on the command line.

use super::exit::Failure;
use crate::model::Side;
use crate::store::Wanted;

/// What `RECORD` means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    /// A contact or company.
    Record(Wanted),
    /// A ticket in Freshdesk.
    Ticket(String),
}

/// Reads `RECORD`: an e-mail, `crm:ID`, `freshdesk:ID` or `ticket:ID`.
pub(super) fn parse(text: &str) -> Result<Named, Failure> {
    let text = text.trim();
    let wrong = |why: &str| {
        Err(Failure::Usage(format!(
            "`{text}` names no record: {why}; write an e-mail, crm:ID, freshdesk:ID or ticket:ID"
        )))
    };
    if let Some((place, id)) = text.split_once(':') {
        let id = id.trim();
        return match place {
            "crm" | "freshdesk" | "ticket" if id.is_empty() => wrong("the id is missing"),
            "crm" => Ok(Named::Record(Wanted::Record(Side::Crm, id.to_owned()))),
            "freshdesk" => Ok(Named::Record(Wanted::Record(Side::Desk, id.to_owned()))),
            "ticket" => Ok(Named::Ticket(id.to_owned())),
            _ => wrong("nothing is called that before the colon"),
        };
    }
    if text.contains('@') {
        return Ok(Named::Record(Wanted::Text(text.to_owned())));
    }
    wrong("it is neither an e-mail nor an id with its system")
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

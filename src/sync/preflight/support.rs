//! Whether the CRM has the fields that the support summary is to be written into.

use super::{Finding, words};
use crate::mapping::SupportFact;
use crate::model::{Kind, Side};
use crate::remote::{Schema, Shape};
use std::collections::BTreeMap;

/// What is wrong with writing these facts of `kind` into a CRM that has these fields. One that is
/// not there at all is found with the fields that are read.
#[must_use]
pub fn summary(kind: Kind, fields: &BTreeMap<SupportFact, String>, crm: &Schema) -> Vec<Finding> {
    let mut findings = Vec::new();
    let error = |message: String| Finding {
        error: true,
        message,
    };
    for (fact, name) in fields {
        let Some(info) = crm.fields.get(name) else {
            continue;
        };
        let (side, fact_word) = (Side::Crm, fact.word());
        if info.read_only {
            findings.push(error(format!(
                "the {kind} field `{name}` can only be read in {side}, so that `{fact_word}` cannot be written into it"
            )));
        }
        if !fits(*fact, &info.shape) {
            let (wanted, has) = (wanted(*fact), words(&info.shape));
            findings.push(error(format!(
                "`{fact_word}` is {wanted}, and the {kind} field `{name}` holds {has} in {side}"
            )));
        }
    }
    findings
}

/// Whether a field of this shape can hold it. Of what we cannot judge it may be so.
const fn fits(fact: SupportFact, shape: &Shape) -> bool {
    match shape {
        Shape::Text | Shape::Other(_) => true,
        Shape::Number => !matches!(fact, SupportFact::LastTicket),
        Shape::Date | Shape::DateTime => matches!(fact, SupportFact::LastTicket),
        Shape::Boolean | Shape::List | Shape::Choice(_) => false,
    }
}

const fn wanted(fact: SupportFact) -> &'static str {
    match fact {
        SupportFact::LastTicket => "a time",
        SupportFact::OpenTickets | SupportFact::FirstResponseHours | SupportFact::Satisfaction => {
            "a number"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::FieldInfo;

    #[test]
    fn a_summary_that_the_crm_would_refuse_is_said_before_the_first_write() {
        let field = |shape: Shape, read_only: bool| FieldInfo {
            label: String::new(),
            shape,
            read_only,
            unique: false,
            required: false,
        };
        let crm = Schema {
            fields: [
                ("when".to_owned(), field(Shape::Date, false)),
                ("count".to_owned(), field(Shape::Number, true)),
                ("plan".to_owned(), field(Shape::Choice(Vec::new()), false)),
                ("text".to_owned(), field(Shape::Text, false)),
            ]
            .into(),
        };
        let said = |fact: SupportFact, name: &str| {
            let found = summary(Kind::Contact, &[(fact, name.to_owned())].into(), &crm);
            let found = found.into_iter().inspect(|one| assert!(one.error));
            found.map(|one| one.message).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(said(SupportFact::LastTicket, "when"), "");
        assert_eq!(said(SupportFact::OpenTickets, "text"), "");
        assert_eq!(said(SupportFact::OpenTickets, "nowhere"), "");
        assert_eq!(
            said(SupportFact::OpenTickets, "when"),
            "`open_tickets` is a number, and the contact field `when` holds a day in crm"
        );
        assert_eq!(
            said(SupportFact::Satisfaction, "plan"),
            "`satisfaction` is a number, and the contact field `plan` holds a choice in crm"
        );
        assert_eq!(
            said(SupportFact::OpenTickets, "count"),
            "the contact field `count` can only be read in crm, so that `open_tickets` cannot be written into it"
        );
    }
}

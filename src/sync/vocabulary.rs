//! Ticket rules in the account's own numbers: statuses, groups, agents and types that the admin
//! named, found or missed.

use super::preflight::{Finding, nearest};
use crate::mapping::{Known, Named, TicketFilter, TicketRule, TicketStatus};
use crate::remote::{Helpdesk, RemoteError, Vocabulary, Wanted};

/// How many names are listed where none is near the one that is not there.
const LISTED: usize = 12;
/// What the one who works on a ticket is called.
const AGENT: &str = "agent";

/// Ticket rules, as far as the account bears them out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resolved {
    /// Those that can be planned with, in the order of `sync.toml`.
    pub rules: Vec<TicketRule<Known>>,
    /// What is wrong with the others, and what is odd with these.
    pub findings: Vec<Finding>,
    /// The account's statuses: number → name.
    pub statuses: Vec<(u32, String)>,
}

/// Asks the account for its words and finds in them what the rules name.
///
/// # Errors
///
/// Where the system does not answer, or does not let us read them.
pub async fn resolve(
    helpdesk: &dyn Helpdesk,
    rules: &[TicketRule<Named>],
) -> Result<Resolved, RemoteError> {
    let mut resolved = Resolved::default();
    if rules.is_empty() {
        return Ok(resolved);
    }
    let vocabulary = helpdesk.vocabulary(&wanted(rules)).await?;
    resolved.statuses.clone_from(&vocabulary.statuses);
    for rule in rules {
        match known(rule, &vocabulary) {
            Ok(known) => {
                resolved.findings.extend(doubts(rule, &known, &vocabulary));
                resolved.rules.push(known);
            }
            Err(findings) => resolved.findings.extend(findings),
        }
    }
    Ok(resolved)
}

/// What the account has to be asked for. Statuses and types come with every answer.
#[must_use]
pub fn wanted(rules: &[TicketRule<Named>]) -> Wanted {
    Wanted {
        groups: rules
            .iter()
            .any(|rule| rule.group.is_some() || !rule.tickets.group.is_empty()),
        agents: rules.iter().any(|rule| rule.agent.is_some()),
        tags: rules.iter().any(|rule| !rule.tickets.tags.is_empty()),
    }
}

/// The rule in the account's own numbers.
///
/// # Errors
///
/// Everything that it names and the account does not have.
pub fn known(
    rule: &TicketRule<Named>,
    vocabulary: &Vocabulary,
) -> Result<TicketRule<Known>, Vec<Finding>> {
    let mut look = Look {
        rule: &rule.name,
        vocabulary,
        findings: Vec::new(),
    };
    let filter = &rule.tickets;
    let known = TicketRule {
        name: rule.name.clone(),
        record: rule.record,
        when: rule.when.clone(),
        tickets: TicketFilter {
            status: filter
                .status
                .iter()
                .filter_map(|it| look.status(it))
                .collect(),
            category: filter
                .category
                .iter()
                .filter_map(|it| look.category(it))
                .collect(),
            group: filter
                .group
                .iter()
                .filter_map(|it| look.group(it))
                .collect(),
            tags: filter.tags.clone(),
            older_than: filter.older_than,
            newer_than: filter.newer_than,
        },
        priority: rule.priority,
        tags: rule.tags.clone(),
        status: rule.status.as_ref().and_then(|it| look.status(it)),
        group: rule.group.as_ref().and_then(|it| look.group(it)),
        agent: rule.agent.as_ref().and_then(|it| look.agent(it)),
        category: rule.category.as_ref().and_then(|it| look.category(it)),
        note: rule.note.clone(),
        on_end: rule.on_end,
    };
    if look.findings.is_empty() {
        Ok(known)
    } else {
        Err(look.findings)
    }
}

/// What is odd with a rule that can be planned with: tags that no ticket seems to have, of which no
/// complete list exists, and a status that turns out to end tickets by the account's own name for it.
#[must_use]
pub fn doubts(
    rule: &TicketRule<Named>,
    known: &TicketRule<Known>,
    vocabulary: &Vocabulary,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let name = &rule.name;
    for tag in &rule.tickets.tags {
        let tags = vocabulary.tags.iter().map(String::as_str);
        if tags.clone().any(|other| same(other, tag)) {
            continue;
        }
        let hint =
            nearest(tag, tags).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        findings.push(Finding {
            error: false,
            message: format!(
                "ticket rule `{name}`: no ticket that changed of late has the tag `{tag}`{hint}"
            ),
        });
    }
    if let (Some(TicketStatus::Named(_)), Some(status @ (4 | 5))) = (&rule.status, known.status) {
        let word = if status == 4 { "resolved" } else { "closed" };
        findings.push(Finding {
            error: false,
            message: format!(
                "ticket rule `{name}`: customers may be mailed when their ticket is {word}"
            ),
        });
    }
    findings
}

/// Looks for what one rule names.
struct Look<'a> {
    rule: &'a str,
    vocabulary: &'a Vocabulary,
    findings: Vec<Finding>,
}

impl Look<'_> {
    fn status(&mut self, status: &TicketStatus) -> Option<u32> {
        let statuses = &self.vocabulary.statuses;
        match status {
            TicketStatus::Number(number) if statuses.iter().any(|(it, _)| it == number) => {
                Some(*number)
            }
            TicketStatus::Number(number) => {
                let has = statuses.iter().map(|(it, name)| format!("{it} {name}"));
                let has: Vec<String> = has.collect();
                let message = format!(
                    "freshdesk has no ticket status {number}; it has {}",
                    has.join(", ")
                );
                self.say(&message);
                None
            }
            TicketStatus::Named(name) => {
                let words = statuses
                    .iter()
                    .map(|(number, word)| (*number, word.as_str()));
                self.find("ticket status", name, words)
            }
        }
    }

    fn group(&mut self, name: &str) -> Option<i64> {
        let words = self.vocabulary.groups.iter();
        self.find("group", name, words.map(|(id, word)| (*id, word.as_str())))
    }

    fn agent(&mut self, name: &str) -> Option<i64> {
        let agents = self.vocabulary.agents.iter();
        let words = agents.flat_map(|(id, words)| words.iter().map(|word| (*id, word.as_str())));
        self.find(AGENT, name, words)
    }

    /// The type as the account spells it.
    fn category(&mut self, name: &str) -> Option<String> {
        let words = self.vocabulary.categories.iter();
        self.find(
            "ticket type",
            name,
            words.map(|word| (word.clone(), word.as_str())),
        )
    }

    /// The one that is called so, letter case and blanks around aside.
    fn find<'a, T: Clone + PartialEq>(
        &mut self,
        what: &str,
        name: &str,
        words: impl Iterator<Item = (T, &'a str)> + Clone,
    ) -> Option<T> {
        let mut hits: Vec<T> = Vec::new();
        for (id, _) in words.clone().filter(|(_, word)| same(word, name)) {
            if !hits.contains(&id) {
                hits.push(id);
            }
        }
        match hits.as_slice() {
            [one] => return Some(one.clone()),
            [] => {
                let hint = hint(name, words.map(|(_, word)| word));
                self.say(&format!("freshdesk has no {what} `{name}`{hint}"));
            }
            [_, _, ..] => self.say(&format!(
                "freshdesk has more than one {what} `{name}`, and nobody could tell which is meant{}",
                if what == AGENT { "; name the e-mail address" } else { "" },
            )),
        }
        None
    }

    fn say(&mut self, message: &str) {
        let rule = self.rule;
        self.findings.push(Finding {
            error: true,
            message: format!("ticket rule `{rule}`: {message}"),
        });
    }
}

/// The nearest word; where none is near, all that there are, unless they are many.
fn hint<'a>(name: &str, words: impl Iterator<Item = &'a str> + Clone) -> String {
    if let Some(near) = nearest(name, words.clone()) {
        return format!("; did you mean `{near}`?");
    }
    let words: Vec<String> = words.map(|word| format!("`{word}`")).collect();
    match words.len() {
        0 => "; it has none".to_owned(),
        1..=LISTED => format!("; it has {}", words.join(", ")),
        _ => String::new(),
    }
}

fn same(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

#[cfg(test)]
mod tests;

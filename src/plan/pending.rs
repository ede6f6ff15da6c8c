//! A change to a ticket whose answer was lost: whether it was made, judged by what the ticket shows now.

use super::ticket::{Memory, has};
use crate::model::{TicketChange, TicketImage};
use serde::{Deserialize, Serialize};

/// A change that was sent and of which nobody knows whether it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// What was to change.
    pub change: TicketChange,
    /// What the ticket showed before.
    pub before: TicketImage,
    /// What is remembered if it was made.
    pub memory: Memory,
    /// Whether the ticket has shown it since, whatever it shows now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shown: bool,
    /// Whether the ticket has shown what stood there before when the change was over: what shows now
    /// was chosen by somebody who never saw ours.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub passed_by: bool,
}

impl Pending {
    /// Whether the change was made. Somebody may have changed the ticket again since: what shows
    /// neither the old value nor ours was changed by somebody who saw ours. A priority that somebody
    /// else chose shows nothing where tags were to change as well: then those tell.
    #[must_use]
    pub fn was_made(&self, now: &TicketImage) -> bool {
        if self.shown || self.passed_by {
            return self.shown;
        }
        let (before, change) = (&self.before, &self.change);
        let moved = |asked: bool, is: bool| asked && !is;
        let priority_tells = change.tags.is_none() || !self.is_theirs(now);
        moved(
            change.priority.is_some() && priority_tells,
            now.priority == before.priority,
        ) || moved(change.status.is_some(), now.status == before.status)
            || moved(change.category.is_some(), now.category == before.category)
            || moved(change.group.is_some(), now.group == before.group)
            || moved(change.agent.is_some(), now.agent == before.agent)
            || change.tags.as_ref().is_some_and(|ours| {
                let mut added = ours.iter().filter(|tag| !has(&before.tags, tag));
                let mut taken = before.tags.iter().filter(|tag| !has(ours, tag));
                added.any(|tag| has(&now.tags, tag)) || taken.any(|tag| !has(&now.tags, tag))
            })
    }

    /// Whether somebody chose another priority meanwhile: neither the one before nor ours. Over a change
    /// that has passed the ticket by nobody decides, nor over one that was seen to give back: what somebody
    /// sets after that is what the next standing finds.
    #[must_use]
    pub fn is_theirs(&self, now: &TicketImage) -> bool {
        let asked = self.change.priority;
        let asked = asked.filter(|ours| {
            if self.shown {
                *ours > self.before.priority
            } else {
                !self.passed_by
            }
        });
        asked.is_some_and(|ours| now.priority != ours && now.priority != self.before.priority)
    }

    /// Whether the change only gives back.
    #[must_use]
    pub fn gives_back(&self) -> bool {
        let (change, before) = (&self.change, &self.before);
        let fewer = |tags: &Vec<String>| tags.len() < before.tags.len();
        let rest = TicketChange {
            priority: None,
            tags: None,
            ..change.clone()
        };
        rest.is_empty()
            && change.priority.is_none_or(|it| it < before.priority)
            && change.tags.as_ref().is_none_or(fewer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Priority;

    fn showing(priority: Priority, tags: &[&str]) -> TicketImage {
        TicketImage {
            priority,
            status: 2,
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            ..TicketImage::default()
        }
    }

    /// From low to urgent, with these tags added.
    fn raise(tags: &[&str]) -> Pending {
        let after = showing(Priority::Urgent, tags);
        Pending {
            change: TicketChange {
                priority: Some(Priority::Urgent),
                tags: (!tags.is_empty()).then_some(after.tags),
                ..TicketChange::default()
            },
            before: showing(Priority::Low, &[]),
            memory: Memory::default(),
            shown: false,
            passed_by: false,
        }
    }

    #[test]
    fn a_change_that_was_made_is_not_sent_again_over_the_agent_who_saw_it() {
        for (shows, made) in [
            (showing(Priority::Urgent, &["vip"]), true),
            (showing(Priority::Low, &["vip"]), true),
            (showing(Priority::Medium, &["vip"]), true),
            (showing(Priority::Low, &[]), false),
        ] {
            assert_eq!(raise(&["vip"]).was_made(&shows), made, "{shows:?}");
        }
        assert!(raise(&[]).was_made(&showing(Priority::Medium, &[])));
    }

    #[test]
    fn an_agent_who_sets_the_old_priority_again_after_a_look_had_shown_ours_is_not_overruled() {
        let before = showing(Priority::Low, &[]);
        let shown = Pending {
            shown: true,
            ..raise(&[])
        };
        assert!(shown.was_made(&before));
        assert!(!raise(&[]).was_made(&before));
        // States of earlier versions do not say.
        let text = serde_json::to_string(&raise(&[])).unwrap_or_default();
        assert!(!text.contains("shown"), "{text}");
        assert_eq!(
            serde_json::from_str::<Pending>(&text).ok(),
            Some(raise(&[]))
        );
    }

    #[test]
    fn an_agent_who_edits_a_ticket_that_ours_was_seen_to_pass_by_overrules_nothing() {
        let (shows, none): (_, &[&str]) = (showing(Priority::Medium, &[]), &[]);
        for tags in [none, &["vip"]] {
            let passed_by = Pending {
                passed_by: true,
                ..raise(tags)
            };
            assert!(!passed_by.was_made(&shows), "{tags:?}");
            assert!(!passed_by.is_theirs(&shows), "{tags:?}");
            // Where we were wrong about its end.
            let wrong = Pending {
                shown: true,
                ..passed_by
            };
            assert!(wrong.was_made(&shows), "{tags:?}");
        }
    }

    #[test]
    fn an_agents_priority_alone_does_not_pass_for_our_tags() {
        let shows = showing(Priority::Medium, &[]);
        assert!(!raise(&["vip"]).was_made(&shows));
        assert!(raise(&["vip"]).is_theirs(&shows));
        assert!(!raise(&["vip"]).is_theirs(&showing(Priority::Urgent, &[])));
        assert!(!raise(&["vip"]).is_theirs(&showing(Priority::Low, &[])));
    }

    /// From urgent back to low, without its tag.
    fn give_back() -> Pending {
        Pending {
            change: TicketChange {
                priority: Some(Priority::Low),
                tags: Some(Vec::new()),
                ..TicketChange::default()
            },
            before: showing(Priority::Urgent, &["vip"]),
            memory: Memory::default(),
            shown: false,
            passed_by: false,
        }
    }

    #[test]
    fn what_an_agent_sets_after_what_we_gave_back_was_seen_keeps_no_later_standing_out() {
        let theirs = showing(Priority::Medium, &[]);
        assert!(give_back().is_theirs(&theirs));
        let seen = Pending {
            shown: true,
            ..give_back()
        };
        assert!(seen.was_made(&theirs));
        assert!(!seen.is_theirs(&theirs));
    }

    #[test]
    fn what_is_given_back_is_not_counted_as_raised() {
        let raised = raise(&["vip"]);
        assert!(!raised.gives_back());
        let back = give_back();
        assert!(back.gives_back());
        let and_status = Pending {
            change: TicketChange {
                status: Some(3),
                ..back.change.clone()
            },
            ..back
        };
        assert!(!and_status.gives_back());
    }
}

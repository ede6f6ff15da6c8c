//! Private notes on tickets: each rule's once, and never twice after an answer that was lost.

use super::act::{Turn, holds};
use super::is_system;
use super::write::SILENT;
use crate::mapping::NoteFacts;
use crate::model::{Image, Kind, Pair, RecordId, Side, Value};
use crate::plan::{FieldChange, Rule};
use crate::remote::{Applied, ErrorKind, Helpdesk, NoteOutcome, RemoteError};
use crate::store::{GRACE, TicketFinish, TicketIntent, TicketRow, TicketSave};
use crate::sync::{CycleError, Engine, Tally};
use std::sync::Arc;

/// The note on a ticket that keeps what was done to it, where it could not be posted in time.
const ENDED: &str = "Changed for a customer whose standing has ended since.";

/// What every note of ours ends with: people see who wrote it, and we find it again.
fn signature(rule: &str) -> String {
    format!("deskbridge, ticket rule \"{rule}\"")
}

/// Whether a note is the one of `rule`, however the server spells quotes and blanks.
fn is_signed(note: &str, rule: &str) -> bool {
    let plain = |text: &str| -> String {
        let mut text = text.to_lowercase();
        for entity in [
            "&quot;", "&#34;", "&#39;", "&lt;", "&gt;", "&amp;", "&nbsp;",
        ] {
            text = text.replace(entity, "");
        }
        text.retain(char::is_alphanumeric);
        text
    };
    plain(note).ends_with(&plain(&signature(rule)))
}

impl Engine {
    /// Posts the notes that these tickets are owed.
    pub(super) async fn post_notes(
        &mut self,
        rows: &mut [TicketRow],
        turn: &mut Turn,
        tally: &mut Tally,
    ) -> Result<(), CycleError> {
        let desk = Arc::clone(&self.connectors.desk);
        let Some(helpdesk) = desk.helpdesk() else {
            return Ok(());
        };
        // Those that have failed before come last: others may have what they lack.
        rows.sort_by_key(|row| self.unnoted.failures(&row.ticket.id));
        for row in rows {
            let ticket = row.ticket.id.clone();
            let now = self.clock.now();
            if row.pending.is_some()
                || turn.unnoted.contains(&ticket)
                || self.unnoted.waits(&ticket, now)
            {
                continue;
            }
            for rule in owed(row) {
                if turn.mute || self.stop.is_cancelled() || tally.is_down(Side::Desk) {
                    return Ok(());
                }
                if let Err(error) = self.post_note(helpdesk, row, &rule, tally).await? {
                    self.note_failed(&ticket, &error, turn);
                    tally.troubled(error);
                    // One doubt at a time, or the first would be forgotten and its note posted twice.
                    turn.unnoted.insert(ticket);
                    break;
                }
                if row.noting.is_some() {
                    turn.unnoted.insert(ticket);
                    break;
                }
                turn.unheard = 0;
            }
        }
        Ok(())
    }

    /// The next try on this ticket waits, if the ticket may be what it is about; and so do all others for
    /// the rest of the cycle, if it may be the key or the server.
    fn note_failed(&mut self, ticket: &RecordId, error: &RemoteError, turn: &mut Turn) {
        turn.unheard += 1;
        turn.mute |=
            error.kind == ErrorKind::Forbidden || is_system(error.kind) || turn.unheard >= SILENT;
        if !is_system(error.kind) {
            let now = self.clock.now();
            self.unnoted.failed(ticket.clone(), &self.failures, now);
        }
    }

    async fn post_note(
        &mut self,
        helpdesk: &dyn Helpdesk,
        row: &mut TicketRow,
        rule: &str,
        tally: &mut Tally,
    ) -> Result<Result<(), RemoteError>, CycleError> {
        if let Some((_, journal)) = row.noting.clone().filter(|(of, _)| of == rule) {
            let sent = (rule, journal);
            match self.note_in_doubt(helpdesk, row, sent, tally).await? {
                Ok(true) => {}
                Ok(false) => return Ok(Ok(())),
                Err(error) => return Ok(Err(error)),
            }
        }
        let Some(text) = self.note_text(row, rule).await? else {
            return Ok(Ok(self.noted(row, rule, None, tally).await?));
        };
        let journal = self.intend_note(row, rule, &text, tally).await?;
        match helpdesk.add_note(&row.ticket.id, &text).await {
            NoteOutcome::Done { request_id } => {
                tally.tickets.noted += 1;
                let finish = finished(journal, "done", request_id, None);
                self.noted(row, rule, Some(finish), tally).await?;
            }
            NoteOutcome::Refused {
                message,
                request_id,
            } => {
                // A note is not worth asking twice for.
                let ticket = &row.ticket.id;
                tracing::warn!(event = "note_refused", %ticket, "a note was refused and is given up");
                let finish = finished(journal, "refused", request_id, Some(message));
                self.noted(row, rule, Some(finish), tally).await?;
            }
            NoteOutcome::Failed(error) => {
                if error.applied() == Applied::No {
                    let finish = finished(journal, "failed", None, Some(error.to_string()));
                    self.not_noted(row, finish, tally).await?;
                }
                if error.kind != ErrorKind::Stopped {
                    return Ok(Err(error));
                }
            }
        }
        Ok(Ok(()))
    }

    /// Looks for a note that was sent before, and of which nobody knows whether it arrived. Returns whether it is
    /// to be sent now.
    async fn note_in_doubt(
        &mut self,
        helpdesk: &dyn Helpdesk,
        row: &mut TicketRow,
        (rule, journal): (&str, i64),
        tally: &mut Tally,
    ) -> Result<Result<bool, RemoteError>, CycleError> {
        let there = match helpdesk.notes(&row.ticket.id).await {
            Ok(notes) => notes.iter().any(|note| is_signed(note, rule)),
            Err(error) => return Ok(Err(error)),
        };
        if there {
            tally.tickets.noted += 1;
            let finish = finished(journal, "done", None, None);
            self.noted(row, rule, Some(finish), tally).await?;
            return Ok(Ok(false));
        }
        let (sent_at, now) = (self.store.sent_at(journal).await?, self.clock.now());
        if sent_at.is_some_and(|at| (at..at + GRACE).contains(&now)) {
            // It may be on its way yet.
            return Ok(Ok(false));
        }
        self.not_noted(row, finished(journal, "no_effect", None, None), tally)
            .await?;
        Ok(Ok(row.memory.notes.contains_key(rule)))
    }

    /// Writes down that a note is about to be sent; returns its number in the journal.
    async fn intend_note(
        &mut self,
        row: &mut TicketRow,
        rule: &str,
        text: &str,
        tally: &Tally,
    ) -> Result<i64, CycleError> {
        let journal = self.store.number_journal();
        row.noting = Some((rule.to_owned(), journal));
        let intent = TicketIntent {
            journal,
            id: row.ticket.id.clone(),
            action: "note",
            fields: vec![FieldChange {
                field: "note".to_owned(),
                base: Vec::new(),
                crm: Vec::new(),
                freshdesk: Vec::new(),
                set: Image::from([("note", Value::from(text))]),
                rule: Rule::Standing(rule.to_owned()),
            }],
        };
        let save = TicketSave {
            rows: vec![row.clone()],
            intents: vec![intent],
            finished: Vec::new(),
        };
        let now = self.clock.now();
        self.store.save_tickets(tally.cycle, now, &save).await?;
        Ok(journal)
    }

    /// A note that was sent does not stand there.
    async fn not_noted(
        &mut self,
        row: &mut TicketRow,
        finish: TicketFinish,
        tally: &Tally,
    ) -> Result<(), CycleError> {
        row.noting = None;
        let save = TicketSave {
            rows: vec![row.clone()],
            finished: vec![finish],
            ..TicketSave::default()
        };
        let now = self.clock.now();
        Ok(self.store.save_tickets(tally.cycle, now, &save).await?)
    }

    /// The rule's note stands there, or never will.
    async fn noted(
        &mut self,
        row: &mut TicketRow,
        rule: &str,
        finish: Option<TicketFinish>,
        tally: &Tally,
    ) -> Result<(), CycleError> {
        row.noting = None;
        row.memory.notes.insert(rule.to_owned(), true);
        self.unnoted.over(&row.ticket.id);
        let save = TicketSave {
            rows: vec![row.clone()],
            finished: finish.into_iter().collect(),
            ..TicketSave::default()
        };
        let now = self.clock.now();
        Ok(self.store.save_tickets(tally.cycle, now, &save).await?)
    }

    /// The note of `rule` on this ticket, signed; `None` where there is nothing to say.
    async fn note_text(
        &mut self,
        row: &TicketRow,
        rule: &str,
    ) -> Result<Option<String>, CycleError> {
        let ticket = &row.ticket;
        let contact = self
            .store
            .images_of(Kind::Contact, &ticket.requester)
            .await?;
        let company = match &ticket.company {
            Some(company) => self.store.images_of(Kind::Company, company).await?,
            None => Pair::default(),
        };
        let Some(rules) = self.rules.resolved.as_ref() else {
            return Ok(None);
        };
        let note = rules.rules.iter().find(|it| it.name == rule);
        let Some((note, standing)) = note.and_then(|it| Some((it.note.as_ref()?, it))) else {
            return Ok(None);
        };
        if holds(standing, row, &rules.inert) == Some(false) {
            // The ticket may be another customer's by now, whom the note would name.
            return Ok(Some(format!("{ENDED}\n\n{}", signature(rule))));
        }
        let status = rules
            .statuses
            .iter()
            .find(|(number, _)| *number == ticket.image.status);
        let facts = NoteFacts {
            contact: Pair {
                crm: contact.crm.as_ref(),
                desk: contact.desk.as_ref(),
            },
            company: Pair {
                crm: company.crm.as_ref(),
                desk: company.desk.as_ref(),
            },
            id: &ticket.id,
            ticket: &ticket.image,
            status: status.map_or("", |(_, name)| name.as_str()),
            rule,
        };
        match note.render(&facts) {
            Ok(text) if text.is_empty() => Ok(None),
            Ok(text) => Ok(Some(format!("{text}\n\n{}", signature(rule)))),
            Err(error) => {
                let ticket = &ticket.id;
                tracing::warn!(event = "note_failed", %ticket, rule, %error, "a note cannot be made and is given up");
                Ok(None)
            }
        }
    }
}

/// The rules whose note this ticket is owed; first the one of which nobody knows whether it arrived, owed
/// or not.
fn owed(row: &TicketRow) -> Vec<String> {
    let sent = row.noting.as_ref().map(|(rule, _)| rule);
    let notes = row.memory.notes.iter().filter(|(_, posted)| !**posted);
    let notes = notes.map(|(rule, _)| rule);
    let unsent = notes.filter(|rule| sent != Some(rule));
    sent.into_iter().chain(unsent).cloned().collect()
}

fn finished(
    journal: i64,
    outcome: &'static str,
    request_id: Option<String>,
    message: Option<String>,
) -> TicketFinish {
    TicketFinish {
        journal,
        outcome,
        request_id,
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_of_ours_is_known_again_however_the_server_spells_it_or_it_would_be_posted_twice() {
        for rule in ["vip", "\"A\" & <B>'s"] {
            let note = format!("Hello\n\n{}", signature(rule));
            let escaped = note.replace('&', "&amp;").replace('"', "&quot;");
            for spelt in [note.clone(), escaped, note.replace("\n\n", " ") + "\n"] {
                assert!(is_signed(&spelt, rule), "{spelt}");
                assert!(!is_signed(&spelt, "vi"), "{spelt}");
                assert!(!is_signed(&spelt, "vip 2"), "{spelt}");
            }
        }
    }
}

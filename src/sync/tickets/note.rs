//! Private notes on tickets: each rule's once, and never twice after an answer that was lost.

use crate::mapping::NoteFacts;
use crate::model::{Image, Kind, Pair, Side, Value};
use crate::plan::{FieldChange, Rule};
use crate::remote::{Applied, ErrorKind, Helpdesk, NoteOutcome, RemoteError};
use crate::store::{TicketFinish, TicketIntent, TicketRow, TicketSave};
use crate::sync::{CycleError, Engine, Tally, Trouble};
use std::sync::Arc;

/// What every note of ours ends with: people see who wrote it, and we find it again.
fn signature(rule: &str) -> String {
    format!("deskbridge, ticket rule \"{rule}\"")
}

impl Engine {
    /// Posts the notes that these tickets are owed.
    pub(super) async fn post_notes(
        &mut self,
        rows: &mut [TicketRow],
        tally: &mut Tally,
    ) -> Result<(), CycleError> {
        let desk = Arc::clone(&self.connectors.desk);
        let Some(helpdesk) = desk.helpdesk() else {
            return Ok(());
        };
        for row in rows {
            if row.pending.is_some() {
                continue;
            }
            let owed: Vec<String> = row
                .memory
                .notes
                .iter()
                .filter(|(_, posted)| !**posted)
                .map(|(rule, _)| rule.clone())
                .collect();
            for rule in owed {
                if self.stop.is_cancelled() || tally.is_down(Side::Desk) {
                    return Ok(());
                }
                if let Err(error) = self.post_note(helpdesk, row, &rule, tally).await? {
                    tally.trouble(Trouble {
                        side: Side::Desk,
                        kind: None,
                        error,
                    });
                }
            }
        }
        Ok(())
    }

    async fn post_note(
        &mut self,
        helpdesk: &dyn Helpdesk,
        row: &mut TicketRow,
        rule: &str,
        tally: &mut Tally,
    ) -> Result<Result<(), RemoteError>, CycleError> {
        if row.noting.as_deref() == Some(rule) {
            // Sent before, and nobody knows whether it arrived.
            match helpdesk.notes(&row.ticket.id).await {
                Ok(notes) => {
                    if notes.iter().any(|note| note.contains(&signature(rule))) {
                        return Ok(Ok(self.noted(row, rule, None, tally).await?));
                    }
                }
                Err(error) => return Ok(Err(error)),
            }
        }
        let Some(text) = self.note_text(row, rule).await? else {
            return Ok(Ok(self.noted(row, rule, None, tally).await?));
        };
        let journal = self.store.number_journal();
        row.noting = Some(rule.to_owned());
        let intent = TicketIntent {
            journal,
            id: row.ticket.id.clone(),
            action: "note",
            fields: vec![FieldChange {
                field: "note".to_owned(),
                base: Vec::new(),
                crm: Vec::new(),
                freshdesk: Vec::new(),
                set: Image::from([("note", Value::from(text.as_str()))]),
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
                    row.noting = None;
                }
                let save = TicketSave {
                    rows: vec![row.clone()],
                    finished: vec![finished(journal, "failed", None, Some(error.to_string()))],
                    ..TicketSave::default()
                };
                self.store.save_tickets(tally.cycle, now, &save).await?;
                if error.kind != ErrorKind::Stopped {
                    return Ok(Err(error));
                }
            }
        }
        Ok(Ok(()))
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
        let Some(note) = note.and_then(|it| it.note.as_ref()) else {
            return Ok(None);
        };
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

//! What was asked of the systems, seen from their side.

use deskbridge::model::{Image, Kind, RecordId, Side, TicketChange};
use deskbridge::remote::Op;

/// One write that reached a system.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    pub side: Side,
    pub kind: Kind,
    pub verb: &'static str,
    pub id: Option<RecordId>,
    pub set: Image,
}

impl Write {
    pub fn new(side: Side, kind: Kind, op: &Op) -> Self {
        let (verb, id, set) = match op {
            Op::Create { fields } => ("create", None, fields.clone()),
            Op::Update { id, fields, .. } => ("update", Some(id.clone()), fields.clone()),
            Op::Delete { id } => ("delete", Some(id.clone()), Image::default()),
        };
        Self {
            side,
            kind,
            verb,
            id,
            set,
        }
    }
}

/// One change of a ticket, or a note on it.
#[derive(Debug, Clone, PartialEq)]
pub struct TicketWrite {
    /// When.
    pub at: i64,
    pub id: RecordId,
    /// Whose ticket it was then; of one in the trash, which nothing changes, nobody's.
    pub requester: Option<RecordId>,
    /// Of a raise: whose ticket it was shown to be when it was asked for. It may change hands until it is
    /// carried out, and no system can be told to change a ticket only if it is still theirs.
    pub raised_for: Option<RecordId>,
    /// `None`: a note.
    pub change: Option<TicketChange>,
}

/// All that was written, and what must not have happened.
#[derive(Debug, Default)]
pub struct Witness {
    pub writes: Vec<Write>,
    pub tickets: Vec<TicketWrite>,
    /// Values that were overwritten in the same cycle in which a person set them, between our last
    /// look and our write. No system can be told to write only if nothing changed.
    pub raced: Vec<String>,
    /// What must not happen.
    pub crimes: Vec<String>,
}

impl Witness {
    /// How many writes reached a system.
    pub fn count(&self) -> usize {
        self.writes.len() + self.tickets.len()
    }
}

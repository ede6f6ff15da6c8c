//! What a call to a simulated system finds, and what a write does there.

use super::account::{Account, Record, Refusal, Standing};
use super::connector::{System, lag};
use super::faults::happens;
use super::witness::Write;
use super::{State, time};
use deskbridge::model::{COMPANY, Image, Kind, Observed, RecordId, Side};
use deskbridge::remote::{Cursor, Feed, Fetched, Op, Outcome, Page, PageRequest};

impl System {
    pub(super) fn rows(
        &self,
        state: &mut State,
        request: &PageRequest<'_>,
        cursor: Option<&Cursor>,
    ) -> Page {
        let now = state.now;
        let server_time = time(now / 1000 * 1000);
        let (changes, trash) = match request.feed {
            Feed::All | Feed::Again => (None, false),
            Feed::Changes(since) => (Some(since.timestamp_millis()), false),
            Feed::Trash(since) => (since.map(|it| it.timestamp_millis()), true),
        };
        let lies = state.faults.lies;
        let lies = match state.faults.liar {
            Some(liar) if liar != self.side => 0.0,
            _ => lies,
        };
        let lie =
            matches!(request.feed, Feed::All | Feed::Again) && happens(&mut state.random, lies);
        if cursor.is_none() && changes.is_some() && !trash && self.hushed(state, request.kind) {
            return Page {
                records: Vec::new(),
                unread: Vec::new(),
                next: None,
                server_time,
            };
        }
        let account = state.accounts.of(self.side);
        let rows = account.feed(request.kind, changes, now, trash);
        let size = account.traits.page;
        let after: u64 = cursor.and_then(|it| it.0.parse().ok()).unwrap_or(0);
        let mut page: Vec<(u64, u64)> = rows
            .iter()
            .copied()
            .filter(|(place, _)| *place > after)
            .collect();
        let more = page.len() > size;
        page.truncate(size);
        let next = page
            .last()
            .map(|(place, _)| *place)
            .filter(|_| more && !lie);
        state.lied |= lie;
        if lie && cursor.is_none() {
            page.clear();
        }
        let repeats = state.faults.repeats;
        if happens(&mut state.random, repeats) {
            page.extend(rows.iter().copied().take(2));
        }
        let account = state.accounts.of_mut(self.side);
        let search = changes.is_some() && !trash;
        let records = page
            .into_iter()
            .map(|(_, id)| account.show(request.kind, id, request.fields, search, now))
            .collect();
        Page {
            records,
            unread: Vec::new(),
            next: next.map(|place| Cursor(place.to_string())),
            server_time,
        }
    }

    /// Whether a look for what has changed shows nothing. What nobody has seen until then stays
    /// unseen until everything is read.
    fn hushed(&self, state: &mut State, kind: Kind) -> bool {
        let rate = state.faults.hush;
        let hushed = happens(&mut state.random, rate);
        if hushed {
            for record in state.accounts.of_mut(self.side).of_mut(kind).values_mut() {
                for edit in record.edits.values_mut().filter(|edit| !edit.known) {
                    (edit.shown, edit.hidden) = (false, true);
                }
            }
            state.hushes += 1;
            state.tell(|| format!("a look for changes of {} {kind} shows nothing", self.side));
        }
        hushed
    }

    pub(super) fn fetched(
        &self,
        state: &mut State,
        kind: Kind,
        fields: &[String],
        id: &RecordId,
    ) -> Fetched {
        let now = state.now;
        let account = state.accounts.of_mut(self.side);
        let number: u64 = id.0.parse().unwrap_or(0);
        let standing = account.of(kind).get(&number).map(|it| it.standing);
        match standing {
            Some(Standing::Live | Standing::Trashed) => {
                Fetched::Found(account.show(kind, number, fields, false, now))
            }
            Some(Standing::MergedInto(other)) if account.traits.names_heir => {
                Fetched::MovedTo(account.show(kind, other, fields, false, now))
            }
            _ => Fetched::Gone,
        }
    }
}

/// Carries out one operation. `view` says which fields its answer shows, and whether it is heard.
pub(super) fn apply(
    state: &mut State,
    side: Side,
    kind: Kind,
    view: (&[String], bool),
    op: &Op,
) -> Outcome {
    let write = Write::new(side, kind, op);
    state.witness.writes.push(write);
    let rate = state.faults.refusals;
    if happens(&mut state.random, rate) {
        return Outcome::Refused {
            field: None,
            message: "not today".to_owned(),
            request_id: None,
        };
    }
    let now = state.now;
    let lag = lag(state, side);
    let account = state.accounts.of_mut(side);
    let done = match op {
        Op::Create { fields } => account.create(kind, &fields.0, now, lag),
        Op::Update { id, .. } | Op::Delete { id } => {
            let id: u64 = id.0.parse().unwrap_or(0);
            match account.of(kind).get(&id).map(|it| it.standing) {
                Some(Standing::Live) => {}
                Some(Standing::Trashed) => return Outcome::Trashed,
                _ => return Outcome::Missing,
            }
            carry_out(state, side, (kind, id), op, lag)
        }
    };
    let account = state.accounts.of_mut(side);
    match done {
        Ok(id) => Outcome::Done {
            stored: stored(account, kind, id, view, now, op),
            request_id: Some(format!("r{}", state.calls)),
        },
        Err(refusal) => Outcome::Duplicate {
            of: match refusal {
                Refusal::Taken(id) if account.traits.names_holder => Some(RecordId(id.to_string())),
                _ => None,
            },
            message: "taken".to_owned(),
        },
    }
}

/// What an answer shows; where nobody hears it, nobody has seen anything.
fn stored(
    account: &mut Account,
    kind: Kind,
    id: u64,
    (fields, heard): (&[String], bool),
    now: i64,
    op: &Op,
) -> Observed {
    if !heard {
        return account.of(kind)[&id].view(fields, None);
    }
    let mut stored = account.show(kind, id, fields, false, now);
    // Of the company an answer says what was asked for; where that was merged away, only a read shows
    // what became of it.
    if let Op::Create { fields: sent } | Op::Update { fields: sent, .. } = op
        && let (Some(company), Some(_)) = (sent.get(COMPANY), stored.image.get(COMPANY))
    {
        stored.image.set(COMPANY, company.clone());
    }
    if let (Op::Create { .. }, Some(made)) = (op, account.of_mut(kind).get_mut(&id)) {
        made.seen = false;
    }
    stored
}

fn carry_out(
    state: &mut State,
    side: Side,
    (kind, id): (Kind, u64),
    op: &Op,
    lag: i64,
) -> Result<u64, Refusal> {
    let now = state.now;
    match op {
        Op::Update { fields, .. } => {
            let account = state.accounts.of_mut(side);
            let before = account.of(kind)[&id].clone();
            account.update(kind, id, &fields.0, now, lag)?;
            judge(state, side, kind, &before, fields);
        }
        _ => state.accounts.of_mut(side).trash(kind, id, now),
    }
    Ok(id)
}

/// Whether a person's edit was overwritten that no read had shown yet.
fn judge(state: &mut State, side: Side, kind: Kind, before: &Record, set: &Image) {
    for (field, value) in &set.0 {
        let Some(edit) = before.edits.get(field) else {
            continue;
        };
        let stands = before.fields.get(field).cloned().unwrap_or_default() == edit.value;
        let unseen = !edit.shown || state.arriving;
        if !unseen || !stands || *value == edit.value {
            continue;
        }
        let what = format!("{side} {kind} {} {field} {}", before.id, edit.value);
        let within = edit.within && edit.cycle == state.cycle;
        if within || edit.hidden || state.arriving {
            state.witness.raced.push(what);
        } else {
            let crime = format!(
                "{what} stood there before the cycle and was overwritten unread by {value}"
            );
            state.witness.crimes.push(crime);
        }
    }
}

//! The connector of one system in memory.

use super::account::Standing;
use super::answers::apply;
use super::faults::{Failure, Moment, happens};
use super::late::Request;
use super::{State, Systems};
use async_trait::async_trait;
use deskbridge::model::{Kind, Observed, RecordId, Side};
use deskbridge::remote::{
    Account, Caps, Connector, Cursor, ErrorKind, Fetched, Helpdesk, Lookup, Op, Outcome, Page,
    PageRequest, RemoteError, Schema,
};
use rand::Rng as _;

/// One side.
#[derive(Debug)]
pub struct System {
    pub(super) side: Side,
    pub(super) systems: Systems,
    caps: Caps,
}

impl System {
    pub fn new(side: Side, systems: Systems) -> Self {
        let caps = systems.state().accounts.of(side).traits.caps.clone();
        Self {
            side,
            systems,
            caps,
        }
    }

    pub(super) fn error(&self, call: &str, kind: ErrorKind) -> RemoteError {
        RemoteError {
            side: self.side,
            call: call.to_owned(),
            kind,
            detail: String::new(),
            request_id: None,
        }
    }

    /// One call that reads: time passes, people act, and it may fail or be the last one.
    pub(super) async fn read<T>(
        &self,
        name: &str,
        body: impl FnOnce(&mut State) -> T + Send,
    ) -> Result<T, RemoteError> {
        let answer = {
            let mut state = self.systems.state();
            if state.faults.dying {
                return Err(self.error(name, ErrorKind::Stopped));
            }
            let number = begin(&mut state);
            if dies(&mut state, number, name) {
                None
            } else {
                Some(match draw(&mut state, name, false) {
                    Some(failure) => Err(self.error(name, failure.told())),
                    None => Ok(body(&mut state)),
                })
            }
        };
        match answer {
            Some(answer) => answer,
            None => self.die().await,
        }
    }

    /// One call that writes `ops` things: the body is told how many of them it carries out, and whether
    /// anybody hears of it. `request` is what is carried out later, should it arrive late.
    pub(super) async fn change<T>(
        &self,
        name: &str,
        ops: usize,
        request: impl FnOnce() -> Request + Send,
        body: impl FnOnce(&mut State, usize, bool) -> T + Send,
    ) -> Result<T, RemoteError> {
        let answer = {
            let mut state = self.systems.state();
            let number = begin(&mut state);
            state.written += 1;
            if state.faults.death == Some(Moment::Before(number)) {
                dies(&mut state, number, name);
                None
            } else {
                match draw(&mut state, name, true) {
                    Some(Failure::Unsent(kind)) => Some(Err(self.error(name, kind))),
                    Some(Failure::Done(kind)) => {
                        let part = state.random.random_range(0..=ops);
                        body(&mut state, part, false);
                        Some(Err(self.error(name, kind)))
                    }
                    Some(late @ Failure::Late) => {
                        state.delay(request());
                        Some(Err(self.error(name, late.told())))
                    }
                    None => {
                        let heard = state.faults.death != Some(Moment::After(number));
                        let answer = body(&mut state, ops, heard);
                        (!dies(&mut state, number, name)).then_some(Ok(answer))
                    }
                }
            }
        };
        match answer {
            Some(answer) => answer,
            None => self.die().await,
        }
    }

    /// Whether the process dies at this page. Pages are read beside the writer, which may be anywhere
    /// in its work; so that the same seed is the same life, nothing is answered from here on, and the
    /// end comes at the next look at the clock.
    fn expires(&self, name: &str) -> bool {
        let mut state = self.systems.state();
        let number = state.calls + 1;
        if !state.faults.dying && dies(&mut state, number, name) {
            state.faults.dying = true;
        }
        state.faults.dying
    }

    async fn die<T>(&self) -> T {
        self.systems.dead.notify_one();
        std::future::pending().await
    }
}

/// A call begins: people do something, time passes. Returns its number.
fn begin(state: &mut State) -> u64 {
    state.calls += 1;
    let step = state.random.random_range(20..400);
    state.now += step;
    state.arrive();
    let bustle = state.faults.bustle;
    if happens(&mut state.random, bustle) {
        state.live();
    }
    state.calls
}

fn dies(state: &mut State, number: u64, name: &str) -> bool {
    let dies =
        matches!(state.faults.death, Some(Moment::Before(at) | Moment::After(at)) if at == number);
    if dies {
        let death = state.faults.death.take();
        state.tell(|| format!("dies at {name}: {death:?}"));
    }
    dies
}

fn draw(state: &mut State, name: &str, write: bool) -> Option<Failure> {
    let faults = state.faults.clone();
    let failure = match state.faults.once.take() {
        Some(failure) if write => Some(failure),
        later => {
            state.faults.once = later;
            faults.draw(&mut state.random)
        }
    };
    if failure.is_some() {
        state.tell(|| format!("{name} fails: {failure:?}"));
    }
    failure
}

/// How long a change takes to show in searches.
pub fn lag(state: &mut State, side: Side) -> i64 {
    let most = state.accounts.of(side).traits.index_lag;
    if most == 0 {
        return 0;
    }
    state.random.random_range(0..most)
}

#[async_trait]
impl Connector for System {
    fn side(&self) -> Side {
        self.side
    }

    fn caps(&self) -> &Caps {
        &self.caps
    }

    async fn account(&self) -> Result<Account, RemoteError> {
        Ok(Account {
            identity: format!("{}:simulated", self.side),
            acting_as: String::new(),
        })
    }

    async fn describe(&self, _: Kind) -> Result<Schema, RemoteError> {
        Ok(Schema::default())
    }

    async fn page(
        &self,
        request: &PageRequest<'_>,
        cursor: Option<&Cursor>,
    ) -> Result<Page, RemoteError> {
        let name = format!("{} {} {:?}", self.side, request.kind, request.feed);
        self.systems.turn(self.side, request.kind).await;
        if self.expires(&name) {
            return Err(self.error(&name, ErrorKind::Stopped));
        }
        self.read(&name, |state| {
            let page = self.rows(state, request, cursor);
            state.tell(|| {
                format!(
                    "{name} {cursor:?} -> {}",
                    shown(&page.records, page.next.as_ref())
                )
            });
            page
        })
        .await
    }

    async fn fetch(
        &self,
        kind: Kind,
        fields: &[String],
        ids: &[RecordId],
    ) -> Result<Vec<Fetched>, RemoteError> {
        let name = format!("{} {kind} fetch {ids:?}", self.side);
        self.read(&name, |state| {
            let answers: Vec<Fetched> = ids
                .iter()
                .map(|id| self.fetched(state, kind, fields, id))
                .collect();
            state.tell(|| format!("{name} -> {answers:?}"));
            answers
        })
        .await
    }

    fn refuses_twins(&self, kind: Kind, field: &str) -> bool {
        let unique = self.systems.state().accounts.of(self.side).traits.unique;
        self.side == Side::Desk && unique.contains(&(kind, field))
    }

    async fn find(
        &self,
        kind: Kind,
        fields: &[String],
        field: &str,
        value: &str,
    ) -> Result<Lookup, RemoteError> {
        let name = format!("{} {kind} find {field}={value}", self.side);
        self.read(&name, |state| {
            let now = state.now;
            let account = state.accounts.of_mut(self.side);
            let search = field != "email";
            let found = account.find(kind, field, value, now);
            // Who only has the address as well is no match, here as with the real connectors.
            let also = if found.is_empty() {
                account.find_beside(kind, field, value)
            } else {
                Vec::new()
            };
            let mut show = |ids: Vec<u64>| -> Vec<Observed> {
                let ids = ids.into_iter();
                ids.map(|id| account.show(kind, id, fields, search, now))
                    .collect()
            };
            let (found, also) = (show(found), show(also));
            let taken_by_other = account.of(kind).values().any(|it| {
                it.standing == Standing::Converted && it.text(field).eq_ignore_ascii_case(value)
            });
            let lookup = Lookup {
                found,
                also,
                taken_by_other,
            };
            state.tell(|| format!("{name} -> {lookup:?}"));
            lookup
        })
        .await
    }

    async fn write(&self, kind: Kind, fields: &[String], ops: &[Op]) -> Vec<Outcome> {
        let name = format!("{} {kind} write", self.side);
        let request = || Request::Records {
            side: self.side,
            kind,
            ops: ops.to_vec(),
        };
        let answer = self
            .change(&name, ops.len(), request, |state, most, heard| {
                let outcomes: Vec<Outcome> = ops
                    .iter()
                    .take(most)
                    .map(|op| apply(state, self.side, kind, (fields, heard), op))
                    .collect();
                state.tell(|| format!("{name} {ops:?} -> {outcomes:?}"));
                outcomes
            })
            .await;
        match answer {
            Ok(outcomes) => outcomes,
            Err(error) => ops.iter().map(|_| Outcome::Failed(error.clone())).collect(),
        }
    }

    fn helpdesk(&self) -> Option<&dyn Helpdesk> {
        (self.side == Side::Desk).then_some(self)
    }

    fn cost(&self, _: Kind, _: &Op, ops: usize) -> (&'static str, usize) {
        ("calls", ops)
    }
}

fn shown(records: &[Observed], next: Option<&Cursor>) -> String {
    let records: Vec<String> = records
        .iter()
        .map(|it| format!("{}@{} {:?}", it.id, it.version.0, it.image.0))
        .collect();
    format!("{records:?} {next:?}")
}

//! Connectors against servers whose answers are damaged: nothing panics, every call ends, and what
//! makes no sense is never taken for data.
//!
//! The honest answers of each call are recorded first, from a simulator or from a script; then the
//! call is made again, over real HTTP, and one answer of them (or all from one on) is harmed.

mod freshdesk;
mod hubspot;
mod odoo;

use crate::harm::{Harm, harm};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri, header};
use deskbridge::model::{Observed, Presence};
use deskbridge::remote::{Applied, Fetched, Lookup, Outcome, Page, RemoteError};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::Runtime;

/// An answer as it was given honestly.
#[derive(Debug, Clone)]
struct Honest {
    /// Method and path of what it answers.
    to: String,
    status: u16,
    /// `Link`, where it has one.
    link: Option<String>,
    body: Vec<u8>,
}

/// Which answers of a conversation are harmed, and how.
#[derive(Debug, Clone)]
struct Damage {
    /// This one, counted from 0 and modulo the number of answers.
    at: Index,
    /// And all after it.
    on: bool,
    harm: Harm,
    /// Only the status is another, and the body what it was.
    status: Option<u16>,
}

fn damage() -> impl Strategy<Value = Damage> {
    let statuses = vec![
        200, 201, 202, 204, 207, 301, 400, 403, 404, 405, 409, 413, 422,
    ];
    let on = prop_oneof![3 => Just(false), 1 => Just(true)];
    let status = prop_oneof![
        12 => Just(None),
        1 => proptest::sample::select(statuses).prop_map(Some),
    ];
    (any::<Index>(), on, harm(), status).prop_map(|(at, on, harm, status)| Damage {
        at,
        on,
        harm,
        status,
    })
}

/// What the server between does.
#[derive(Debug)]
enum Act {
    /// Passes everything on to there, and keeps the answers.
    Record(reqwest::Url),
    /// Gives the answers that were kept, one of them harmed.
    Replay { damage: Damage, said: usize },
    /// Nothing yet.
    Rest,
}

#[derive(Debug)]
struct Stage {
    act: Act,
    kept: Vec<Honest>,
    /// Those that were given already.
    given: BTreeSet<usize>,
    /// The harmed answers in this conversation.
    harmed: Vec<String>,
    /// Whether an answer to a success ended early.
    torn: bool,
}

/// A server that a connector talks to in the place of the real one.
#[derive(Debug, Clone)]
struct Between {
    stage: Arc<Mutex<Stage>>,
    url: reqwest::Url,
}

impl Between {
    async fn start(act: Act) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stage = Stage {
            act,
            kept: Vec::new(),
            given: BTreeSet::new(),
            harmed: Vec::new(),
            torn: false,
        };
        let between = Self {
            stage: Arc::new(Mutex::new(stage)),
            url: url.parse().unwrap(),
        };
        let app = Router::new().fallback(answer).with_state(between.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        between
    }

    fn replays(&self, kept: &[Honest], damage: &Damage) {
        let mut stage = self.stage.lock().unwrap();
        *stage = Stage {
            act: Act::Replay {
                damage: damage.clone(),
                said: 0,
            },
            kept: kept.to_vec(),
            given: BTreeSet::new(),
            harmed: Vec::new(),
            torn: false,
        };
    }
}

async fn answer(
    State(between): State<Between>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let to = format!("{method} {}", uri.path());
    let real = match &between.stage.lock().unwrap().act {
        Act::Record(url) => Some(url.clone()),
        Act::Replay { .. } | Act::Rest => None,
    };
    let honest = match real {
        Some(real) => {
            let honest = ask(real, method, &uri, &headers, body, to).await;
            between.stage.lock().unwrap().kept.push(honest.clone());
            honest
        }
        None => between.stage.lock().unwrap().next(to),
    };
    let mut response = Response::builder().status(honest.status);
    if let Some(link) = honest.link {
        response = response.header(header::LINK, link);
    }
    response.body(Body::from(honest.body)).unwrap()
}

/// What the real server says to it.
async fn ask(
    real: reqwest::Url,
    method: Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: Bytes,
    to: String,
) -> Honest {
    let mut url = real;
    url.set_path(uri.path());
    url.set_query(uri.query());
    let mut request = reqwest::Client::new().request(method, url).body(body);
    for name in [header::AUTHORIZATION, header::CONTENT_TYPE] {
        if let Some(value) = headers.get(&name) {
            request = request.header(name, value);
        }
    }
    let reply = request.send().await.unwrap();
    let link = reply.headers().get(header::LINK);
    Honest {
        to,
        status: reply.status().as_u16(),
        link: link.map(|link| link.to_str().unwrap().to_owned()),
        body: reply.bytes().await.unwrap().to_vec(),
    }
}

impl Stage {
    /// The answer to give now: the first one to such a call that was not given yet, or the last one
    /// again. A call that was never made honestly finds nothing.
    fn next(&mut self, to: String) -> Honest {
        let same = |(_, honest): &(usize, &Honest)| honest.to == to;
        let mut all = self.kept.iter().enumerate();
        let mut these = all.clone().filter(same);
        let fresh = these.find(|(at, _)| !self.given.contains(at));
        let chosen = fresh.or_else(|| all.rfind(same));
        let mut honest = match chosen {
            Some((at, honest)) => {
                self.given.insert(at);
                honest.clone()
            }
            None => Honest {
                to: to.clone(),
                status: 404,
                link: None,
                body: Vec::new(),
            },
        };
        let answers = self.kept.len();
        let Act::Replay { damage, said } = &mut self.act else {
            return honest;
        };
        let at = damage.at.index(answers.max(1));
        let due = *said == at || (damage.on && *said > at);
        *said += 1;
        if due {
            let (status, body) = match damage.status {
                Some(status) => (status, honest.body.clone()),
                None => (honest.status, damage.harm.done_to(&honest.body)),
            };
            if (status, &body) != (honest.status, &honest.body) {
                let success = (200..300).contains(&status);
                let cut = matches!(damage.harm, Harm::Cut(_)) && damage.status.is_none();
                self.torn |= cut && success;
                self.harmed.push(to);
            }
            (honest.status, honest.body) = (status, body);
        }
        honest
    }
}

/// What came of a call, in the terms that everything is judged by.
#[derive(Debug, Default)]
struct Told {
    records: Vec<Observed>,
    /// Whether it was a listing that says that it ended.
    whole: bool,
    /// Ids said to be gone for good.
    gone: usize,
    /// Whether an error says so.
    failed: bool,
    outcomes: Vec<Outcome>,
}

impl<T: Into<Told>> From<Result<T, RemoteError>> for Told {
    fn from(result: Result<T, RemoteError>) -> Self {
        result.map_or_else(
            |_| Self {
                failed: true,
                ..Self::default()
            },
            Into::into,
        )
    }
}

impl From<()> for Told {
    fn from((): ()) -> Self {
        Self::default()
    }
}

impl From<Page> for Told {
    fn from(page: Page) -> Self {
        Self {
            whole: page.next.is_none(),
            records: page.records,
            ..Self::default()
        }
    }
}

impl From<Lookup> for Told {
    fn from(lookup: Lookup) -> Self {
        Self {
            records: lookup.found.into_iter().chain(lookup.also).collect(),
            ..Self::default()
        }
    }
}

impl From<Vec<Fetched>> for Told {
    fn from(all: Vec<Fetched>) -> Self {
        let mut told = Self::default();
        for one in all {
            match one {
                Fetched::Found(record) | Fetched::MovedTo(record) => told.records.push(record),
                Fetched::Gone => told.gone += 1,
            }
        }
        told
    }
}

impl From<Vec<Outcome>> for Told {
    fn from(outcomes: Vec<Outcome>) -> Self {
        let done = outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Done { stored, .. } => Some(stored.clone()),
            _ => None,
        });
        Self {
            records: done.collect(),
            failed: outcomes.iter().any(|it| matches!(it, Outcome::Failed(_))),
            outcomes,
            ..Self::default()
        }
    }
}

impl Told {
    /// Whatever the harm was.
    fn judge(&self, usable: fn(&str) -> bool) -> Result<(), TestCaseError> {
        for record in &self.records {
            prop_assert!(usable(&record.id.0), "a record with the id {}", record.id);
            prop_assert_ne!(record.presence, Presence::Gone);
        }
        let new = self.outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Done { stored, .. } => Some(&stored.id),
            _ => None,
        });
        let new: Vec<_> = new.collect();
        let different: BTreeSet<_> = new.iter().collect();
        prop_assert_eq!(new.len(), different.len(), "two writes made one record");
        Ok(())
    }

    /// Where the answer to the call itself, a success, ended early.
    fn judge_torn(&self) -> Result<(), TestCaseError> {
        prop_assert!(!self.whole, "a page that was cut ended a listing");
        prop_assert_eq!(
            self.gone,
            0,
            "an answer that was cut says that a record is gone"
        );
        for outcome in &self.outcomes {
            let open =
                matches!(outcome, Outcome::Failed(error) if error.applied() == Applied::Unknown);
            prop_assert!(
                open,
                "a write whose answer was cut is settled: {:?}",
                outcome
            );
        }
        Ok(())
    }
}

/// How often something came out of a harmed conversation: a property that was never put to the test
/// proves nothing.
#[derive(Debug, Default)]
struct Counts {
    harmed: Cell<u32>,
    failed: Cell<u32>,
    passed: Cell<u32>,
    torn: Cell<u32>,
}

/// The longest that one may take: the harms lead to no waits.
const LONGEST: Duration = Duration::from_secs(15);

/// One thread for both ends: handing over between two takes longer than the conversation.
fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// What a system answers to a call.
fn recorded<F: Future<Output = Told>>(
    runtime: &Runtime,
    system: &str,
    call: impl Fn(reqwest::Url) -> F,
) -> Vec<Honest> {
    runtime.block_on(async {
        let between = Between::start(Act::Record(system.parse().unwrap())).await;
        let told = call(between.url.clone()).await;
        assert!(!told.failed, "an honest answer is an error: {told:?}");
        let stage = between.stage.lock().unwrap();
        stage.kept.clone()
    })
}

/// Makes one call over and over, by a new connector each time, its answers harmed in ever other
/// ways. `own` is the last part of the path of the call itself, beside which others may be made.
fn harmed<F: Future<Output = Told>>(
    runtime: &Runtime,
    kept: &[Honest],
    own: &str,
    usable: fn(&str) -> bool,
    call: impl Fn(reqwest::Url) -> F,
) {
    let counts = conversations(runtime, kept, Some(own), usable, call);
    let counted = [&counts.torn, &counts.failed, &counts.passed];
    assert!(counted.iter().all(|it| it.get() > 0), "{own}: {counts:?}");
}

/// The same where the answer to the call itself is not the one to look at.
fn harmed_somehow<F: Future<Output = Told>>(
    runtime: &Runtime,
    kept: &[Honest],
    usable: fn(&str) -> bool,
    call: impl Fn(reqwest::Url) -> F,
) {
    conversations(runtime, kept, None, usable, call);
}

fn conversations<F: Future<Output = Told>>(
    runtime: &Runtime,
    kept: &[Honest],
    own: Option<&str>,
    usable: fn(&str) -> bool,
    call: impl Fn(reqwest::Url) -> F,
) -> Counts {
    let config = Config {
        cases: Config::default().cases.div_ceil(10),
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    let between = runtime.block_on(Between::start(Act::Rest));
    let counts = Counts::default();
    let chance = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let outcome = TestRunner::new_with_rng(config, chance).run(&damage(), |damage| {
        between.replays(kept, &damage);
        let told = runtime
            .block_on(async { tokio::time::timeout(LONGEST, call(between.url.clone())).await });
        let told = told.map_err(|_| TestCaseError::fail("it does not end"))?;
        told.judge(usable)?;
        let stage = between.stage.lock().unwrap();
        let Some(first) = stage.harmed.first() else {
            return Ok(());
        };
        count(&counts.harmed);
        count(if told.failed {
            &counts.failed
        } else {
            &counts.passed
        });
        if stage.torn && own.is_some_and(|own| first.ends_with(own)) {
            count(&counts.torn);
            told.judge_torn()?;
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{own:?}: {error}");
    }
    assert!(counts.harmed.get() >= 8, "{own:?}: {counts:?}");
    counts
}

fn count(counter: &Cell<u32>) {
    counter.set(counter.get() + 1);
}

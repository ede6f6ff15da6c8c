//! A small HTTP server on the loopback address that can break its connections.

use super::Backstage;
use super::faults::Fault;
use super::log::{Endpoint, Entry};
use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use futures_util::StreamExt as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long `stop` waits for calls in flight.
const GRACE: Duration = Duration::from_secs(2);

/// The vendor's own way to say 429 and 5xx: status and, for 429, the seconds of `Retry-After`.
pub type Refusal = fn(StatusCode, Option<u32>) -> Response;

/// A running simulator; dropping it closes the port.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

#[derive(Clone)]
struct Gate {
    backstage: Backstage,
    refusal: Refusal,
}

impl Server {
    /// Serves `router` on 127.0.0.1, on `port` (0: any free one). Every request passes
    /// `backstage`: faults first, then the router, then the log; `Date` is the simulator's clock.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn start(
        router: Router,
        port: u16,
        backstage: Backstage,
        refusal: Refusal,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let addr = listener.local_addr()?;
        let gate = Gate { backstage, refusal };
        let service = router
            .layer(middleware::from_fn_with_state(gate, pass))
            .into_make_service_with_connect_info::<Switch>();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let ended = async {
                stopped.await.ok();
            };
            axum::serve(Lines(listener), service)
                .with_graceful_shutdown(ended)
                .await
                .ok();
        });
        Ok(Self {
            addr,
            stop: Some(stop),
            task: Some(task),
        })
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Stops listening, lets calls in flight finish for two seconds, and ends.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        if let Some(mut task) = self.task.take()
            && tokio::time::timeout(GRACE, &mut task).await.is_err()
        {
            task.abort();
        }
    }
}

async fn pass(
    State(gate): State<Gate>,
    ConnectInfo(switch): ConnectInfo<Switch>,
    request: Request,
    next: Next,
) -> Response {
    let log = &gate.backstage.log;
    let faults = &gate.backstage.faults;
    let mut fault = faults.draw(request.method().as_str(), request.uri().path());
    let mut entry = log.is_on().then(|| noted(&request, log.wants_entries()));
    let mut response = match fault {
        None if faults.is_poisoned() => {
            let (parts, body) = next.run(request).await.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await;
            let body = body.unwrap_or_default();
            fault = faults.taste(&body);
            let answer = Response::from_parts(parts, Body::from(body));
            match fault {
                Some(fault) => gate.spoil(fault, &switch, answer).await,
                None => answer,
            }
        }
        None => next.run(request).await,
        Some(fault) => gate.strike(fault, &switch, request, next).await,
    };
    if let Some(entry) = &mut entry {
        entry.status = match fault {
            Some(Fault::DropBefore) => 0,
            _ => response.status().as_u16(),
        };
        entry.faulted = fault.is_some();
        entry.endpoint = response.extensions().get::<Endpoint>().map_or("", |e| e.0);
    }
    if let Some(entry) = entry {
        log.note(entry);
    }
    let date = gate.backstage.clock.now();
    let date = date.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(date) = HeaderValue::try_from(date) {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

fn noted(request: &Request, whole: bool) -> Entry {
    let (path, query) = if whole {
        let uri = request.uri();
        (
            uri.path().to_owned(),
            uri.query().unwrap_or_default().to_owned(),
        )
    } else {
        (String::new(), String::new())
    };
    Entry {
        method: request.method().as_str().to_owned(),
        path,
        query,
        status: 0,
        endpoint: "",
        faulted: false,
    }
}

impl Gate {
    async fn strike(
        &self,
        fault: Fault,
        switch: &Switch,
        request: Request,
        next: Next,
    ) -> Response {
        match fault {
            Fault::Refuse(status) => self.refuse(status, None),
            Fault::Throttle(seconds) => self.refuse(429, Some(seconds)),
            Fault::DropBefore => {
                switch.cut();
                Response::new(Body::empty())
            }
            _ => self.spoil(fault, switch, next.run(request).await).await,
        }
    }

    /// What becomes of the answer to a request that was carried out.
    async fn spoil(&self, fault: Fault, switch: &Switch, answer: Response) -> Response {
        match fault {
            Fault::Refuse(status) | Fault::ApplyThenFail(status) => {
                let mut refusal = self.refuse(status, None);
                *refusal.extensions_mut() = answer.extensions().clone();
                return refusal;
            }
            Fault::Hang(time) => {
                tokio::time::sleep(time).await;
                switch.cut();
            }
            Fault::DropAfter => switch.cut(),
            Fault::TornBody => return torn(answer).await,
            Fault::HtmlBody => return html(answer),
            Fault::EmptyBody => return emptied(answer),
            Fault::DropBefore | Fault::Throttle(_) => {}
        }
        answer
    }

    fn refuse(&self, status: u16, retry_after: Option<u32>) -> Response {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (self.refusal)(status, retry_after)
    }
}

/// The length of the whole, the bytes of half of it, and the end of the connection.
async fn torn(answer: Response) -> Response {
    let (mut parts, body) = answer.into_parts();
    let whole = axum::body::to_bytes(body, usize::MAX).await;
    let whole = whole.unwrap_or_default();
    let half = whole.slice(..whole.len() / 2);
    let length = HeaderValue::from(whole.len().max(1));
    parts.headers.insert(header::CONTENT_LENGTH, length);
    let rest = futures_util::stream::once(async {
        // The first half is sent when the body has nothing to offer for a moment.
        tokio::time::sleep(Duration::from_millis(2)).await;
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    });
    let broken = futures_util::stream::iter([Ok(half)]).chain(rest);
    Response::from_parts(parts, Body::from_stream(broken))
}

fn html(answer: Response) -> Response {
    let (mut parts, _) = answer.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    let kind = HeaderValue::from_static("text/html");
    parts.headers.insert(header::CONTENT_TYPE, kind);
    let page = "<!DOCTYPE html><html><head><title>One moment</title></head><body></body></html>";
    Response::from_parts(parts, Body::from(page))
}

fn emptied(answer: Response) -> Response {
    let (mut parts, _) = answer.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::empty())
}

/// Breaks one connection; the server's side of it holds the other end.
#[derive(Debug, Clone)]
struct Switch(Arc<AtomicBool>);

impl Switch {
    fn cut(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Connected<IncomingStream<'_, Lines>> for Switch {
    fn connect_info(stream: IncomingStream<'_, Lines>) -> Self {
        stream.io().switch.clone()
    }
}

/// Accepts connections that can be cut.
struct Lines(TcpListener);

impl Listener for Lines {
    type Io = Line;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Line, SocketAddr) {
        let (stream, from) = Listener::accept(&mut self.0).await;
        // Without it small answers wait for the client's acknowledgement.
        stream.set_nodelay(true).ok();
        let switch = Switch(Arc::new(AtomicBool::new(false)));
        (Line { stream, switch }, from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A connection; once cut, nothing leaves any more.
struct Line {
    stream: TcpStream,
    switch: Switch,
}

impl Line {
    fn whole(&self) -> io::Result<()> {
        if self.switch.0.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.whole()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.whole()?;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::post;

    async fn start(backstage: &Backstage) -> Server {
        let router = Router::new().route(
            "/things",
            post(|| async { "a body of some length".to_owned() }),
        );
        let refusal: Refusal = |status, retry_after| {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = status;
            if let Some(seconds) = retry_after {
                response
                    .headers_mut()
                    .insert(header::RETRY_AFTER, seconds.into());
            }
            response
        };
        Server::start(router, 0, backstage.clone(), refusal)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_lost_answer_looks_like_a_lost_answer_and_the_server_goes_on() {
        let backstage = Backstage::default();
        let server = start(&backstage).await;
        let client = reqwest::Client::new();
        let url = format!("{}/things", server.url());
        for fault in [
            Fault::DropBefore,
            Fault::DropAfter,
            Fault::Hang(Duration::from_millis(5)),
        ] {
            backstage.faults.inject("POST", "/things", fault, 1);
            let error = client.post(&url).send().await.unwrap_err();
            assert!(error.is_request() && error.status().is_none(), "{fault:?}");
        }
        backstage
            .faults
            .inject("POST", "/things", Fault::TornBody, 1);
        let torn = client.post(&url).send().await.unwrap();
        assert_eq!(torn.content_length(), Some(21));
        assert!(torn.text().await.is_err());
        let whole = client.post(&url).send().await.unwrap();
        assert_eq!(whole.text().await.unwrap(), "a body of some length");
        let seen: Vec<_> = backstage
            .log
            .take()
            .iter()
            .map(|e| (e.status, e.faulted))
            .collect();
        assert_eq!(
            seen,
            [
                (0, true),
                (200, true),
                (200, true),
                (200, true),
                (200, false)
            ]
        );
    }

    #[tokio::test]
    async fn refusals_come_in_the_vendors_words_and_the_date_is_the_simulators() {
        let backstage = Backstage::default();
        backstage
            .clock
            .set(chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap());
        let server = start(&backstage).await;
        backstage.faults.inject("", "", Fault::Throttle(7), 1);
        let answer = reqwest::Client::new().post(format!("{}/things", server.url()));
        let answer = answer.send().await.unwrap();
        assert_eq!(answer.status(), 429);
        assert_eq!(answer.headers()["retry-after"], "7");
        assert_eq!(answer.headers()["date"], "Tue, 14 Nov 2023 22:13:20 GMT");
        server.stop().await;
    }
}

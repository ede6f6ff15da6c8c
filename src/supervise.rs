//! What the service manager is told, and what it tells the process.

use crate::clock::monotonic;
use futures_util::Stream;
use sd_notify::NotifyState;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::signal::unix::{Signal as Source, SignalKind, signal};
use tokio::time::Instant;
use tracing::warn;

/// Tells the service manager how the daemon is, after `sd_notify(3)`. Outside systemd it does
/// nothing. A message that cannot be delivered is logged and never stops the daemon.
#[derive(Debug, Default)]
pub struct Supervisor {
    socket: Option<OsString>,
    watchdog: Option<Duration>,
    alive_at: Mutex<Option<Instant>>,
}

impl Supervisor {
    /// The one that started this process, if any: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`.
    #[must_use]
    pub fn from_env() -> Self {
        Self {
            socket: std::env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()),
            watchdog: sd_notify::watchdog_enabled(),
            alive_at: Mutex::default(),
        }
    }

    /// The one that listens on `socket`, a path or, with `@` in front, an abstract name. It expects
    /// a sign of life within each `watchdog`, if that is given.
    #[must_use]
    pub fn from_socket(socket: impl Into<OsString>, watchdog: Option<Duration>) -> Self {
        Self {
            socket: Some(socket.into()),
            watchdog,
            alive_at: Mutex::default(),
        }
    }

    /// The daemon has started, or has finished a reload.
    pub fn ready(&self, status: &str) {
        self.tell(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
    }

    /// A reload has begun; [`Self::ready`] ends it, also when the old configuration stays.
    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(&[NotifyState::Reloading, now]),
            Err(error) => warn!(event = "supervisor", %error, "no monotonic time for a reload"),
        }
    }

    /// The daemon ends what it has begun, and itself.
    pub fn stopping(&self) {
        self.tell(&[NotifyState::Stopping]);
    }

    /// What `systemctl status` shows.
    pub fn status(&self, text: &str) {
        self.tell(&[NotifyState::Status(&one_line(text))]);
    }

    /// A sign of life from the main loop. It may come as often as it likes: one is passed on when
    /// [`Self::alive_every`] has gone by since the last one.
    pub fn alive(&self) {
        let Some(every) = self.alive_every() else {
            return;
        };
        let now = monotonic();
        let mut at = self
            .alive_at
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if at.is_none_or(|at| now.duration_since(at) >= every) {
            *at = Some(now);
            drop(at);
            self.tell(&[NotifyState::Watchdog]);
        }
    }

    /// How often [`Self::alive`] is to be called at the least: half of what the manager waits.
    /// `None` where nobody waits.
    #[must_use]
    pub fn alive_every(&self) -> Option<Duration> {
        self.watchdog.map(|watchdog| watchdog / 2)
    }

    /// Sends one message.
    fn tell(&self, states: &[NotifyState<'_>]) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = send(socket, states) {
            warn!(event = "supervisor", %error, "the service manager cannot be told");
        }
    }
}

/// Sends `states` as one datagram, a line each.
fn send(socket: &OsStr, states: &[NotifyState<'_>]) -> io::Result<()> {
    let mut message = String::new();
    for state in states {
        writeln!(message, "{state}").map_err(io::Error::other)?;
    }
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    let datagram = UnixDatagram::unbound()?;
    // A manager that does not read must not stop the daemon.
    datagram.set_write_timeout(Some(Duration::from_secs(1)))?;
    datagram.send_to_addr(message.as_bytes(), &address)?;
    Ok(())
}

/// `text` as one line, so that no part of it is taken for another message.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// What the process is asked to do from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM or SIGINT: finish the requests in flight, start none, exit.
    Term,
    /// SIGHUP: read the configuration again.
    Reload,
}

/// The signals as they arrive; never ends. Several of one kind that arrive before they are looked
/// at are one.
#[derive(Debug)]
pub struct Signals {
    terminate: Source,
    interrupt: Source,
    hangup: Source,
}

/// Begins to listen; from now on these signals no longer end the process by themselves. Needs a
/// runtime.
pub fn signals() -> io::Result<Signals> {
    Ok(Signals {
        terminate: signal(SignalKind::terminate())?,
        interrupt: signal(SignalKind::interrupt())?,
        hangup: signal(SignalKind::hangup())?,
    })
}

impl Stream for Signals {
    type Item = Signal;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Signal>> {
        let term = self.terminate.poll_recv(context).is_ready()
            || self.interrupt.poll_recv(context).is_ready();
        if term {
            Poll::Ready(Some(Signal::Term))
        } else if self.hangup.poll_recv(context).is_ready() {
            Poll::Ready(Some(Signal::Reload))
        } else {
            Poll::Pending
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt as _, StreamExt as _};

    struct Manager {
        socket: UnixDatagram,
        supervisor: Supervisor,
        _dir: tempfile::TempDir,
    }

    impl Manager {
        fn new(watchdog: Option<Duration>) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("notify");
            let socket = UnixDatagram::bind(&path).unwrap();
            socket.set_nonblocking(true).unwrap();
            Self {
                socket,
                supervisor: Supervisor::from_socket(path, watchdog),
                _dir: dir,
            }
        }

        fn heard(&self) -> Option<String> {
            let mut message = [0; 512];
            let length = self.socket.recv(&mut message).ok()?;
            Some(String::from_utf8(message[..length].to_vec()).unwrap())
        }
    }

    #[test]
    fn systemd_sees_when_the_daemon_is_ready_what_it_does_and_when_it_ends() {
        let manager = Manager::new(None);
        manager.supervisor.ready("12 contacts linked");
        manager.supervisor.status("waits\nREADY=1");
        manager.supervisor.stopping();
        let heard: Vec<_> = std::iter::from_fn(|| manager.heard()).collect();
        assert_eq!(
            heard,
            [
                "READY=1\nSTATUS=12 contacts linked\n",
                "STATUS=waits READY=1\n",
                "STOPPING=1\n"
            ]
        );
    }

    #[test]
    fn a_reload_carries_the_time_without_which_systemd_kills_the_daemon() {
        let manager = Manager::new(None);
        manager.supervisor.reloading();
        let heard = manager.heard().unwrap();
        let usec = heard.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(usec.trim_end().parse::<u64>().unwrap() > 0, "{heard}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_loop_sends_one_sign_of_life_per_half_watchdog_and_no_fewer() {
        let manager = Manager::new(Some(Duration::from_secs(20)));
        let mut sent = 0;
        for _ in 0..41 {
            manager.supervisor.alive();
            while let Some(message) = manager.heard() {
                assert_eq!(message, "WATCHDOG=1\n");
                sent += 1;
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(sent, 5);
        assert_eq!(
            manager.supervisor.alive_every(),
            Some(Duration::from_secs(10))
        );
    }

    #[test]
    fn nobody_who_waits_means_no_sign_of_life() {
        let manager = Manager::new(None);
        manager.supervisor.alive();
        assert_eq!(manager.heard(), None);
    }

    #[test]
    fn an_abstract_socket_is_reached() {
        let name = format!("deskbridge-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        socket.set_nonblocking(true).unwrap();
        Supervisor::from_socket(format!("@{name}"), None).stopping();
        let mut message = [0; 64];
        let length = socket.recv(&mut message).unwrap();
        assert_eq!(message[..length], *b"STOPPING=1\n");
    }

    #[test]
    fn without_a_manager_or_with_a_dead_one_the_daemon_goes_on() {
        Supervisor::default().ready("alone");
        let dir = tempfile::tempdir().unwrap();
        Supervisor::from_socket(dir.path().join("gone"), None).ready("alone");
    }

    #[tokio::test]
    async fn a_reload_reloads_and_a_stop_stops_instead_of_killing_a_write() {
        let mut signals = signals().unwrap();
        assert_eq!(signals.next().now_or_never(), None);
        for (name, expected) in [
            ("HUP", Signal::Reload),
            ("TERM", Signal::Term),
            ("INT", Signal::Term),
        ] {
            let pid = std::process::id();
            let sent = std::process::Command::new("sh")
                .args(["-c", &format!("kill -{name} {pid}")])
                .status()
                .unwrap();
            assert!(sent.success());
            assert_eq!(signals.next().await, Some(expected), "{name}");
        }
    }
}

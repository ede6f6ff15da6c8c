//! The real binary, run between the two simulated systems.

use super::World;
use super::wiring::{CRM_TOKEN, DESK_KEY};
use serde_json::{Value as Json, json};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// How long a test waits for something that has to come.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Looks often: a test must not wait for the next minute.
pub(crate) const RHYTHM: &str = "\n[schedule]\npoll = \"5s\"\n";

pub(crate) fn write_config(world: &World) {
    let text = world.sync_toml() + RHYTHM;
    fs::write(world.dir.path().join("sync.toml"), text).unwrap();
}

/// The program in this directory, without keys.
pub(crate) fn keyless(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deskbridge"));
    command
        .args(arguments)
        .current_dir(directory)
        .env("TMPDIR", directory)
        .env_remove("RUST_LOG")
        .env_remove("STATE_DIRECTORY")
        .env_remove("NOTIFY_SOCKET");
    command
}

pub(crate) fn deskbridge(world: &World, arguments: &[&str]) -> Command {
    let mut command = keyless(world.dir.path(), arguments);
    command
        .env("HUBSPOT_TOKEN", CRM_TOKEN)
        .env("FRESHDESK_API_KEY", DESK_KEY);
    command
}

/// A command that has begun, and whose streams are the test's.
pub(crate) fn begun(world: &World, arguments: &[&str]) -> Child {
    deskbridge(world, arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// A command to its end, to whose question a person answers this.
pub(crate) fn answered(world: &World, arguments: &[&str], answer: &str) -> Output {
    let mut child = begun(world, arguments);
    let mut person = child.stdin.take().unwrap();
    person.write_all(answer.as_bytes()).unwrap();
    drop(person);
    tokio::task::block_in_place(|| child.wait_with_output().unwrap())
}

/// Puts `sync.toml` into its place, and has the program bring both systems in step.
pub(crate) fn bring_in_step(world: &World) {
    write_config(world);
    let first = output(world, &["sync"]);
    assert_eq!(code(&first), 0, "{}", said(&first));
}

/// A command to its end, while the simulators go on answering.
pub(crate) fn output(world: &World, arguments: &[&str]) -> Output {
    let mut command = deskbridge(world, arguments);
    tokio::task::block_in_place(|| command.output().unwrap())
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

pub(crate) fn parsed(output: &Output) -> Json {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(output)))
}

/// `deskbridge run` and what it logs.
pub(crate) struct Daemon {
    pub(crate) child: Child,
    lines: Receiver<Json>,
    pub(crate) seen: Vec<Json>,
}

impl Daemon {
    pub(crate) fn start(world: &World) -> Self {
        Self::start_with(world, |_| ())
    }

    pub(crate) fn start_with(world: &World, set: impl FnOnce(&mut Command)) -> Self {
        let mut command = deskbridge(world, &["run"]);
        set(&mut command);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (send, lines) = channel();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or_else(|_| json!({"text": line}));
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// The next line that `wanted` is content with.
    pub(crate) fn until(&mut self, wanted: impl Fn(&Json) -> bool) -> Json {
        tokio::task::block_in_place(|| {
            loop {
                match self.lines.recv_timeout(PATIENCE) {
                    Ok(line) => {
                        self.seen.push(line.clone());
                        if wanted(&line) {
                            return line;
                        }
                    }
                    Err(error) => panic!("{error}; logged: {:#?}", self.seen),
                }
            }
        })
    }

    pub(crate) fn event(&mut self, name: &str) -> Json {
        self.until(|line| line["event"] == name)
    }

    pub(crate) fn signal(&self, name: &str) {
        kill(name, &self.child);
    }

    /// SIGTERM; the exit code.
    pub(crate) fn stop(mut self) -> i32 {
        self.signal("TERM");
        self.end()
    }

    pub(crate) fn end(&mut self) -> i32 {
        let status = tokio::task::block_in_place(|| self.child.wait().unwrap());
        status
            .code()
            .unwrap_or_else(|| panic!("killed: {:#?}", self.seen))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn kill(signal: &str, child: &Child) {
    let arguments = [format!("-{signal}"), child.id().to_string()];
    let sent = Command::new("kill").args(arguments).status().unwrap();
    assert!(sent.success());
}

pub(crate) fn writes(log: &deskbridge::sandbox::log::RequestLog) -> usize {
    let entries = log.entries();
    let write = |method: &str, path: &str| match method {
        "GET" => false,
        "POST" => !path.ends_with("/search") && !path.ends_with("/read"),
        _ => true,
    };
    entries
        .iter()
        .filter(|entry| write(&entry.method, &entry.path))
        .count()
}

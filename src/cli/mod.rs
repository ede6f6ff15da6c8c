//! The command line: `deskbridge [-c FILE] COMMAND`.
//!
//! Results go to stdout, logs and complaints to stderr; [`exit::Exit`] lists the exit codes.

pub mod answer;
mod apply;
mod check;
#[cfg(feature = "sandbox")]
pub mod demo;
pub mod exit;
mod explain;
mod forget;
mod holds;
mod open;
mod output;
mod paste;
mod plan;
mod record;
mod revert;
mod run;
mod state;
mod status;
mod sync;
mod tickets;
mod watch;

use clap::{Parser, Subcommand};
use exit::{Exit, Failure};
use output::Output;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

const AFTER: &str = "\
Exit codes:
   0  done
   1  `demo`: the two systems do not agree in the end
   2  `plan --exit-code`: there are changes
  64  wrong use of the command line
  69  a system cannot be reached, or answers with errors, after all retries
  71  the machine does not let it work: no signals, no disk
  73  the state cannot be used: locked by another instance, damaged, of other accounts, or not there
  75  stopped before the end; running again goes on
  77  a system refuses the credentials, or they lack a right that the mappings need
  78  sync.toml is wrong
  79  done, but something is held for a person (`holds`), or was skipped (`apply`, `revert`)

The state is where `state.path` says: under systemd relative to $STATE_DIRECTORY, else to the current
directory. To look at a daemon's state from a shell, give the path in full:
  [state]
  path = \"/var/lib/deskbridge/state.db\"";

/// Keeps the contacts and companies of a CRM and of Freshdesk in step, both ways
#[derive(Debug, Parser)]
#[command(name = "deskbridge", version, after_help = AFTER, disable_help_subcommand = true)]
struct Arguments {
    /// The configuration [default: ./sync.toml, then /etc/deskbridge/sync.toml]
    #[arg(short = 'c', long = "config", value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The daemon: a cycle every `schedule.poll`, until SIGTERM. SIGHUP reads sync.toml again
    Run,
    /// One cycle, to its end
    Sync(sync::Arguments),
    /// What a cycle would write, per record and field, and how many calls that takes. Reads both
    /// systems and writes to neither; works beside a running daemon
    Plan(plan::Arguments),
    /// Carries out a saved plan (`plan -o FILE`): exactly its writes. One whose record moved since is
    /// skipped and named. Asks before it writes
    Apply(apply::Arguments),
    /// Takes back what a run wrote, in fields that still hold it. Shows what it would do, and asks
    /// before it writes
    Revert(revert::Arguments),
    /// Whether sync.toml is right; runs its [[test]]s. Sends nothing without --online
    Check(check::Arguments),
    /// How things stand: last cycle, counts, what waits. Works beside a running daemon
    Status(status::Arguments),
    /// Where each value of a record came from and why it does or does not cross over. Asks no system;
    /// works beside a running daemon
    Explain(explain::Arguments),
    /// What waits for a person
    Holds(holds::Arguments),
    /// Takes a record's values out of the state and its journal for good
    Forget(forget::Arguments),
    /// The state itself: a backup of it
    State(state::Arguments),
    /// What was held is done. Works beside a running daemon, whose next cycle carries it out
    Approve(answer::Approval),
    /// What was held is not done, and does not come back
    Discard(answer::Dismissal),
    /// Both systems simulated on this machine, people who work in them, and what deskbridge makes of
    /// it. Needs no account and no network
    #[cfg(feature = "sandbox")]
    Demo(demo::DemoArgs),
    /// The JSON Schema of sync.toml, for editors
    Schema,
}

/// Does what the command line says.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error).into(),
    };
    paste::called_with(arguments.config.as_deref());
    let ended = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::machine("starting"))
        .and_then(|runtime| runtime.block_on(dispatch(&arguments)));
    let exit = match ended {
        Ok(exit) => exit,
        Err(failure) => {
            // Nobody is left to tell where stderr is closed.
            let _ = writeln!(
                std::io::stderr(),
                "error: {}",
                paste::ready(&failure.to_string())
            );
            failure.exit()
        }
    };
    exit.into()
}

async fn dispatch(arguments: &Arguments) -> Result<Exit, Failure> {
    let named = arguments.config.as_deref();
    match &arguments.command {
        Command::Run => Box::pin(run::run(named)).await,
        Command::Sync(arguments) => sync::sync(named, arguments).await,
        Command::Plan(arguments) => plan::plan(named, arguments).await,
        Command::Apply(arguments) => Box::pin(apply::apply(named, arguments)).await,
        Command::Revert(arguments) => Box::pin(revert::revert(named, arguments)).await,
        Command::Check(arguments) => check::check(named, arguments).await,
        Command::Status(arguments) => status::status(named, arguments).await,
        Command::Explain(arguments) => explain::explain(named, arguments).await,
        Command::Forget(arguments) => forget::forget(named, arguments).await,
        Command::State(arguments) => state::state(named, arguments).await,
        Command::Holds(arguments) => holds::holds(named, arguments).await,
        Command::Approve(arguments) => answer::approve(named, arguments).await,
        Command::Discard(arguments) => answer::discard(named, arguments).await,
        #[cfg(feature = "sandbox")]
        Command::Demo(arguments) => Box::pin(demo::run(arguments)).await,
        Command::Schema => schema(),
    }
}

fn schema() -> Result<Exit, Failure> {
    let mut out = Output::new();
    out.json(&crate::config::json_schema())?;
    out.finish()?;
    Ok(Exit::Done)
}

/// Help and version are results; everything else that clap says is a complaint.
fn usage(error: &clap::Error) -> Exit {
    let printed = error.print();
    match printed {
        _ if error.use_stderr() => Exit::Usage,
        // As with any result: who has read enough has read enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Exit::Done,
        Err(_) => Exit::Machine,
        Ok(()) => Exit::Done,
    }
}

//! `demo`: both systems simulated in this process, people who work in them, and the engine between.

mod acts;
mod keep;
mod place;
mod stage;
mod tell;
mod tickets;
mod trouble;
mod verdict;
mod voice;

use super::exit::{Exit, Failure};
use super::watch::attended;
use place::Place;
use stage::Stage;
use std::path::PathBuf;
use tell::Story;
use tokio_util::sync::CancellationToken;
use verdict::Ledger;
use voice::Voice;

/// What `demo` can be told.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoArgs {
    /// Only start the two systems, not synced yet, with a sync.toml to try the other commands;
    /// Ctrl-C or SIGTERM ends it
    #[arg(long)]
    pub keep: bool,
    /// Decides who works in the office
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How many people the two systems know
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub population: u32,
    /// Freshdesk is new and knows nobody
    #[arg(long)]
    pub empty_freshdesk: bool,
    /// The simulated HubSpot's port on 127.0.0.1; 0 takes any
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub hubspot_port: u16,
    /// The simulated Freshdesk's port on 127.0.0.1; 0 takes any
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub freshdesk_port: u16,
    /// Where sync.toml and the keys go with --keep; without it a temporary directory that is removed
    #[arg(long, value_name = "DIR", requires = "keep")]
    pub dir: Option<PathBuf>,
    /// Only the result, as JSON; with --keep where everything is
    #[arg(long)]
    pub json: bool,
}

/// Plays the demo, or with `keep` leaves the stage to whoever is there.
///
/// # Errors
///
/// Where the machine does not let us, or a signal came before the end. Systems that do not agree in
/// the end are no error but [`Exit::Disagree`].
pub async fn run(args: &DemoArgs) -> Result<Exit, Failure> {
    let stop = CancellationToken::new();
    let place = match &args.dir {
        Some(path) => Place::named(path)?,
        None => Place::temporary()?,
    };
    if args.keep {
        return attended(keep::keep(args, &place, &stop), &stop, || {}).await?;
    }
    Box::pin(attended(play(args, &place, &stop), &stop, || {})).await?
}

async fn play(args: &DemoArgs, place: &Place, stop: &CancellationToken) -> Result<Exit, Failure> {
    let began = crate::clock::monotonic();
    let mut story = Story {
        stage: Stage::set(args, place, stop).await?,
        voice: Voice::new(args.json),
        ledger: Ledger::default(),
        act: 0,
    };
    story.introduce()?;
    acts::first_sync(&mut story).await?;
    acts::edits(&mut story).await?;
    acts::conflicts(&mut story).await?;
    acts::newcomers(&mut story).await?;
    tickets::standing(&mut story).await?;
    trouble::refusal(&mut story).await?;
    trouble::deletion(&mut story).await?;
    trouble::outage(&mut story).await?;
    trouble::lost_answer(&mut story).await?;
    acts::quiet(&mut story).await?;
    story.conclude(began.elapsed())
}

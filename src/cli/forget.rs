//! `forget`: takes a record's values out of the state and its journal.

use super::exit::{Exit, Failure};
use std::path::Path;

/// What `forget` is asked for.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// An e-mail, `crm:ID` or `freshdesk:ID`
    record: String,
}

pub(super) async fn forget(_named: Option<&Path>, arguments: &Arguments) -> Result<Exit, Failure> {
    Err(Failure::Usage(arguments.record.clone()))
}

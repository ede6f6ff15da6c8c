//! `sync.toml`, checked and compiled: every mistake at once, each at its place, and nothing left to
//! go wrong afterwards.

mod compile;
mod diagnostic;
mod digest;
mod duration;
mod example;
mod literal;
mod raw;
mod schema;
mod secret;
mod settings;
mod slot;
mod words;

pub use compile::{CompileOptions, Secrets, compile, compile_with};
pub use diagnostic::{Diagnostic, Diagnostics, Finding, Severity};
pub use example::{TestFailure, TestResult, run_tests};
pub use schema::json_schema;
pub use secret::{Environment, ProcessEnvironment, Secret, SecretMissing};
pub use settings::{
    AccountPlan, Config, CrmConfig, FreshdeskConfig, Guards, Limit, LogConfig, LogFormat, LogLevel,
    Schedule, TestCase,
};

//! Surroundings and files that tests make up, and what the program finds in them.

use deskbridge::config::{self, Config, Environment};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

pub(super) const SHIPPED: &str = include_str!("../../sync.toml");
pub(super) const CONTRACT: &str = include_str!("../fixtures/contract.toml");
/// The smallest file that is right.
pub(super) const SMALL: &str = include_str!("../fixtures/small.toml");

/// Surroundings that a test makes up.
#[derive(Default)]
pub(super) struct Made {
    variables: BTreeMap<String, String>,
    files: BTreeMap<PathBuf, String>,
}

impl Environment for Made {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }
    fn read(&self, path: &Path) -> io::Result<String> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, "no such file");
        self.files.get(path).cloned().ok_or_else(missing)
    }
}

impl Made {
    pub(super) fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }
    pub(super) fn file(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.into(), text.to_owned());
        self
    }
}

pub(super) fn keys() -> Made {
    Made::default()
        .set("HUBSPOT_TOKEN", "pat-secret-1")
        .set("FRESHDESK_API_KEY", "fd-secret-2")
}

#[track_caller]
pub(super) fn compiled(source: &str) -> Config {
    match config::compile(source, &keys()) {
        Ok((config, _)) => config,
        Err(errors) => panic!("{}", errors.render(source, "sync.toml", false)),
    }
}

pub(super) fn shown(source: &str) -> String {
    let found = match config::compile(source, &keys()) {
        Ok((_, warnings)) => warnings,
        Err(errors) => errors,
    };
    found.render(source, "sync.toml", false)
}

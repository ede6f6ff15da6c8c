//! A directory with a `sync.toml`, and the program in it.

use crate::world::program::keyless;
use crate::world::wiring::systems;
use std::fs;
use std::path::PathBuf;
use std::process::Output;
use tempfile::TempDir;

pub(crate) const CONTACTS: &str = r#"
[contacts]
match   = ["email"]
company = "none"

[[contacts.field]]
crm       = "email"
freshdesk = "email"
via       = "lowercase"

[[contacts.field]]
crm       = ["firstname", "lastname"]
freshdesk = "name"
via       = "full_name"
"#;

/// A directory with a sync.toml whose systems are at these addresses.
pub(crate) struct Place {
    pub(crate) dir: TempDir,
}

impl Place {
    pub(crate) fn new(crm: &str, desk: &str, mapping: &str) -> Self {
        let place = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        let text = systems(crm, desk) + mapping;
        fs::write(place.path("sync.toml"), text).unwrap();
        place
    }

    /// Systems that nobody asks.
    pub(crate) fn offline(mapping: &str) -> Self {
        Self::new("http://127.0.0.1:1", "http://127.0.0.1:1", mapping)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let mut command = keyless(self.dir.path(), arguments);
        command.env("HUBSPOT_TOKEN", "t");
        command.env("FRESHDESK_API_KEY", "k");
        command.output().unwrap()
    }

    pub(crate) fn run_without_keys(&self, arguments: &[&str]) -> Output {
        keyless(self.dir.path(), arguments).output().unwrap()
    }
}

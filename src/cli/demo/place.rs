//! The directory that the demo writes into, and nowhere else.

use crate::cli::exit::Failure;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// A directory that only this user can read.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    /// Whether it goes with us.
    temporary: bool,
}

impl Place {
    /// A new directory under the machine's own for temporary files; removed when this is dropped.
    pub(super) fn temporary() -> Result<Self, Failure> {
        let base = std::env::temp_dir();
        for number in 0..1_000 {
            let path = base.join(format!("deskbridge-demo-{}-{number}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {
                    return Ok(Self {
                        path,
                        temporary: true,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(unusable(error)),
            }
        }
        Err(unusable(io::ErrorKind::AlreadyExists.into()))
    }

    /// The directory that somebody named; it stays.
    pub(super) fn named(path: &Path) -> Result<Self, Failure> {
        DirBuilder::new()
            .mode(0o700)
            .recursive(true)
            .create(path)
            .map_err(unusable)?;
        let path = fs::canonicalize(path).map_err(unusable)?;
        Ok(Self {
            path,
            temporary: false,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the engine's memory goes.
    pub(super) fn state(&self) -> PathBuf {
        self.path.join("state.db")
    }

    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(self.path.join(name))
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(unusable)
    }

    pub(super) fn read(&self, name: &str) -> Result<String, Failure> {
        fs::read_to_string(self.path.join(name)).map_err(unusable)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.temporary {
            // What cannot be removed is the system's own to clear away.
            fs::remove_dir_all(&self.path).ok();
        }
    }
}

fn unusable(error: io::Error) -> Failure {
    Failure::machine("writing into the demo's directory")(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_leaves_nothing_behind_but_what_somebody_asked_for() {
        let temporary = Place::temporary().unwrap();
        temporary.write("env", "A=b").unwrap();
        let path = temporary.path().to_owned();
        assert_eq!(temporary.read("env").unwrap(), "A=b");
        drop(temporary);
        assert!(!path.exists());
        let dir = tempfile::tempdir().unwrap();
        let named = Place::named(&dir.path().join("a/b")).unwrap();
        named.write("env", "A=b").unwrap();
        drop(named);
        assert!(dir.path().join("a/b/env").exists());
    }
}

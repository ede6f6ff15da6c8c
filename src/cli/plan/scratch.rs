//! A private place for the copy of the state, gone when the plan is.

use crate::cli::exit::Failure;
use crate::store::StoreError;
use std::collections::hash_map::RandomState;
use std::fs::{self, DirBuilder};
use std::hash::{BuildHasher as _, Hasher as _};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

/// A directory that only this user can look into; removed with all that is in it when dropped.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// Makes one below `$TMPDIR`, `/tmp` without it.
    pub(super) fn new() -> Result<Self, Failure> {
        let made = (0..8).find_map(|_| {
            let number = RandomState::new().build_hasher().finish();
            let path = std::env::temp_dir().join(format!("deskbridge-plan-{number:016x}"));
            match DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => None,
                made => Some(made.map(|()| Self(path))),
            }
        });
        made.unwrap_or_else(|| Err(io::ErrorKind::AlreadyExists.into()))
            .map_err(Failure::machine("a place for the copy of the state"))
    }

    /// Says whose disk is full, where one is: the state is only read.
    pub(super) fn explain(&self, failure: Failure) -> Failure {
        match failure {
            Failure::State(StoreError::Full) => {
                let place = self.0.display();
                let text = format!(
                    "no room is left in {place}: a plan is worked out on a copy of the state; TMPDIR names another place for it"
                );
                let full = io::Error::new(io::ErrorKind::StorageFull, text);
                Failure::machine("copying the state")(full)
            }
            other => other,
        }
    }

    /// Where the copy belongs.
    pub(super) fn file(&self) -> PathBuf {
        self.0.join("state.db")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            let place = self.0.display();
            crate::cli::watch::say(&format!(
                "{place} cannot be removed ({error}); it holds customers' data: remove it by hand"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn customers_data_can_be_read_by_nobody_else_and_does_not_stay_behind() {
        let scratch = Scratch::new().unwrap();
        let directory = scratch.0.clone();
        fs::write(scratch.file(), "x").unwrap();
        let mode = fs::metadata(&directory).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        drop(scratch);
        assert!(!directory.exists());
    }

    #[test]
    fn who_has_no_room_for_a_plan_is_not_sent_to_the_disk_of_the_state() {
        let scratch = Scratch::new().unwrap();
        let said = scratch
            .explain(Failure::State(StoreError::Full))
            .to_string();
        assert!(said.contains("TMPDIR"), "{said}");
        assert!(said.contains(&scratch.0.display().to_string()), "{said}");
    }
}

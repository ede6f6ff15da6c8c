//! Whether we may write the state: said before `SQLite` says it in numbers.

use super::StoreError;
use super::file::{plain, private};
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Makes sure that the file at `path`, where it is there, and its directory can be written: `SQLite`
/// keeps its log beside the file.
///
/// # Errors
///
/// [`StoreError::ReadOnly`] where the system refuses that, [`StoreError::Unopenable`] where it is no plain file. What else is wrong is found by whoever opens it.
pub(super) fn writable(path: &Path) -> Result<(), StoreError> {
    plain(path)?;
    if let Some(error) = refusal(OpenOptions::new().write(true).open(path).map(drop)) {
        return Err(read_only(path.to_owned(), &error));
    }
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    let trial = directory.join(format!(".deskbridge-{}.trial", std::process::id()));
    let made = private().create_new(true).open(&trial).map(drop);
    if made.is_ok() {
        // It is empty; where it cannot go again, somebody has changed the rights meanwhile.
        let _ = fs::remove_file(&trial);
    }
    match refusal(made) {
        Some(error) => Err(read_only(directory.to_owned(), &error)),
        None => Ok(()),
    }
}

/// The error where it is about what we may, and about nothing else.
fn refusal(tried: io::Result<()>) -> Option<io::Error> {
    let error = tried.err()?;
    matches!(
        error.kind(),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
    )
    .then_some(error)
}

fn read_only(path: PathBuf, error: &io::Error) -> StoreError {
    let owner = path.metadata().map(|it| it.uid()).ok();
    StoreError::ReadOnly {
        why: error.kind().to_string(),
        user: ourselves().map_or_else(|| "this user".to_owned(), named),
        owner: owner.map_or_else(|| "nobody known".to_owned(), named),
        path,
    }
}

/// The user as whom we run, where the system says.
fn ourselves() -> Option<u32> {
    fs::metadata("/proc/self").map(|it| it.uid()).ok()
}

/// A user by name, where the system has one for the number.
fn named(uid: u32) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut parts = line.split(':');
        let (name, number) = (parts.next()?, parts.nth(1)?);
        (number.parse() == Ok(uid)).then_some(name)
    });
    name.map_or_else(|| format!("user {uid}"), |name| format!("`{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_can_be_written_is_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.db");
        writable(&path).unwrap();
        fs::write(&path, "as it was").unwrap();
        writable(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "as it was");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        // What is not there at all is another failure, and told as such.
        writable(&dir.path().join("nowhere/state.db")).unwrap();
    }
}

//! The file beside the state, and what it says of the state that is found there.

use crate::store::file::{hand_over, private, sync_directory};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Why a state is not acted upon before everything was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Doubt {
    /// It is older than what ran here last.
    Older {
        /// How many writes were journalled since that it does not know.
        missing: i64,
    },
    /// It was copied or moved here: the file beside it is missing or is no original.
    Moved,
    /// Another state ran here last.
    Replaced,
    /// The end of its journal is gone.
    Torn {
        /// How many rows.
        lost: i64,
    },
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Older { missing: 0 } => f.write_str("the state is an older copy"),
            Self::Older { missing } => write!(
                f,
                "the state is an older copy: {missing} writes that were made since are not in its journal"
            ),
            Self::Moved => f.write_str("the state was copied or moved here"),
            Self::Replaced => f.write_str("the state is another one than the last that ran here"),
            Self::Torn { lost } => write!(
                f,
                "the last {lost} rows of the journal are gone, and cannot be shown or taken back"
            ),
        }
    }
}

/// What the file beside the state says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    /// Of which state.
    state: String,
    /// Its number.
    generation: i64,
    /// The last row of its journal.
    journal: i64,
    /// The file's own inode.
    inode: u64,
    /// The file's own time of birth in nanoseconds since 1970, where the file system knows it.
    born: Option<u64>,
}

/// What is found beside a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) enum Beside {
    /// Nothing, or nothing readable.
    Nothing,
    /// A mark, and whether it is the very file that was written.
    Mark {
        state: String,
        generation: i64,
        journal: i64,
        original: bool,
    },
}

impl Beside {
    /// Looks beside the state at `path`.
    pub(in crate::store) fn look(path: &Path) -> Self {
        let read = || -> io::Result<(String, Metadata)> {
            let file = File::open(beside(path))?;
            let metadata = file.metadata()?;
            let mut text = String::new();
            // A mark is a line; whatever is longer is none.
            file.take(4_096).read_to_string(&mut text)?;
            Ok((text, metadata))
        };
        let Ok((text, metadata)) = read() else {
            return Self::Nothing;
        };
        match serde_json::from_str::<Mark>(&text) {
            Ok(mark) => Self::Mark {
                original: (mark.inode, mark.born) == identity(&metadata),
                state: mark.state,
                generation: mark.generation,
                journal: mark.journal,
            },
            Err(_) => Self::Nothing,
        }
    }

    /// What is to be thought of a state that says `name` and `number` of itself. `None`: it is the
    /// newest.
    pub(super) fn judge(&self, name: &str, number: i64, rows: i64) -> Option<Doubt> {
        match self {
            Self::Nothing => Some(Doubt::Moved),
            Self::Mark { state, .. } if state != name => Some(Doubt::Replaced),
            Self::Mark {
                generation,
                journal,
                ..
            } if *generation > number => Some(Doubt::Older {
                missing: (journal - rows).max(0),
            }),
            Self::Mark { original, .. } => (!original).then_some(Doubt::Moved),
        }
    }
}

/// The file beside the state at `path`.
pub(in crate::store) fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".generation");
    PathBuf::from(name)
}

fn identity(metadata: &Metadata) -> (u64, Option<u64>) {
    let born = metadata.created().ok();
    let born = born.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let born = born.and_then(|since| u64::try_from(since.as_nanos()).ok());
    (metadata.ino(), born)
}

pub(super) fn write(path: &Path, state: &str, generation: i64, journal: i64) -> io::Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = private().create_new(true).open(&fresh)?;
    hand_over(&file, path)?;
    let (inode, born) = identity(&file.metadata()?);
    let mark = Mark {
        state: state.to_owned(),
        generation,
        journal,
        inode,
        born,
    };
    let mut text = serde_json::to_string(&mark)?;
    text.push('\n');
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    sync_directory(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(generation: i64, original: bool) -> Beside {
        Beside::Mark {
            state: "a".to_owned(),
            generation,
            journal: 30,
            original,
        }
    }

    #[test]
    fn an_old_copy_is_not_taken_for_the_newest_whatever_was_copied_with_it() {
        for (beside, number, doubt) in [
            (mark(5, true), 5, None),
            // A crash came between the two.
            (mark(5, true), 6, None),
            (mark(5, true), 4, Some(Doubt::Older { missing: 10 })),
            (mark(5, false), 4, Some(Doubt::Older { missing: 10 })),
            (mark(5, false), 5, Some(Doubt::Moved)),
            (Beside::Nothing, 5, Some(Doubt::Moved)),
        ] {
            assert_eq!(beside.judge("a", number, 20), doubt, "{beside:?}");
        }
        assert_eq!(mark(5, true).judge("b", 5, 20), Some(Doubt::Replaced));
    }

    #[test]
    fn a_copy_of_the_file_beside_the_state_is_no_original() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state.db");
        write(&beside(&state), "a", 7, 3).unwrap();
        let original = |path: &Path| match Beside::look(path) {
            Beside::Mark { original, .. } => Some(original),
            Beside::Nothing => None,
        };
        assert_eq!(original(&state), Some(true));
        let backup = dir.path().join("backup");
        fs::copy(beside(&state), beside(&backup)).unwrap();
        assert_eq!(original(&backup), Some(false));
        // Life goes on, then the old file is written over the new one in its place.
        write(&beside(&state), "a", 8, 3).unwrap();
        fs::copy(beside(&backup), beside(&state)).unwrap();
        assert_eq!(original(&state), Some(false));
        for garbage in ["", "{", "\0\u{7f}", "{\"state\":1}"] {
            fs::write(beside(&state), garbage).unwrap();
            assert_eq!(original(&state), None, "{garbage}");
        }
    }
}

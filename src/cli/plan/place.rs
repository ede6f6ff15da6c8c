//! Where a plan may be put: nothing but an older plan is lost by it.

use crate::cli::exit::Failure;
use crate::config::Config;
use crate::plan::SavedPlan;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// What deskbridge itself keeps under the name of the state and beside it.
const OURS: [&str; 8] = [
    "",
    "-wal",
    "-shm",
    "-journal",
    ".lock",
    ".new",
    ".generation",
    ".generation.new",
];

/// Makes sure that a plan can be put at `path`, and that nothing goes by it but an older plan. Asked
/// before anything is read: to read everything and then to have no place for it helps nobody.
pub(super) fn free(path: &Path, config: &Config) -> Result<(), Failure> {
    let refused = |why: &str| {
        let path = path.display();
        Failure::Usage(format!(
            "{path} {why}: no plan is put there; name another file"
        ))
    };
    if let Some(why) = occupied(path) {
        return Err(refused(&why));
    }
    if is_ours(path, &config.state_path) {
        return Err(refused("belongs to the state"));
    }
    let trial = part(path).and_then(|trial| {
        create(&trial)?;
        fs::remove_file(&trial)
    });
    trial.map_err(unwritable(path))
}

/// A plan that cannot be written to `path`.
pub(super) fn unwritable(path: &Path) -> impl FnOnce(io::Error) -> Failure {
    let path = path.to_owned();
    move |error| {
        let text = format!("{}: {error}", path.display());
        Failure::machine("writing the plan")(io::Error::new(error.kind(), text))
    }
}

/// What is there already and must not go, in words that follow its name.
fn occupied(path: &Path) -> Option<String> {
    // What is wrong with the way there is told when the place is tried.
    path.symlink_metadata().ok()?;
    let about = match path.metadata() {
        Ok(about) => about,
        Err(error) => return Some(format!("leads to what cannot be looked at ({error})")),
    };
    if about.is_dir() {
        return Some("is a directory".to_owned());
    }
    if !about.is_file() {
        return Some("is no plain file".to_owned());
    }
    match begins_as_plan(path) {
        Ok(true) => None,
        Ok(false) => Some("exists, and is no plan of deskbridge".to_owned()),
        Err(error) => Some(format!("exists, and cannot be read ({error})")),
    }
}

fn begins_as_plan(path: &Path) -> io::Result<bool> {
    let most = SavedPlan::BEGINNING.len() as u64;
    let mut beginning = Vec::new();
    File::open(path)?.take(most).read_to_end(&mut beginning)?;
    Ok(beginning == SavedPlan::BEGINNING.as_bytes())
}

/// Whether the state's own files have, or will have, this name: what is put there would be taken for them.
fn is_ours(path: &Path, state: &Path) -> bool {
    let real = |path: &Path| {
        let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new(".")).canonicalize().ok()?;
        Some(parent.join(path.file_name()?))
    };
    let linked = state.canonicalize().ok();
    let Some(path) = real(path) else {
        return false;
    };
    let states = [real(state), linked];
    states.into_iter().flatten().any(|state| {
        OURS.iter().any(|ending| {
            let mut name = state.clone().into_os_string();
            name.push(ending);
            path.as_os_str() == name
        })
    })
}

/// The name of the file until it is whole.
pub(super) fn part(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(ErrorKind::InvalidInput)?;
    let mut part = name.to_owned();
    part.push(format!(".{}.part", std::process::id()));
    Ok(path.with_file_name(part))
}

/// A new file that only its owner can read.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

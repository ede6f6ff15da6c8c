//! Keys of the two systems: where they come from, and that nothing prints them.

use crate::files;
use secrecy::{ExposeSecret as _, SecretString};
use std::path::{Path, PathBuf};
use std::{env, io};

/// The largest file that can hold a key, in bytes: keys have some hundred.
const LARGEST: u64 = 64 * 1024;

/// What surrounds the process, as far as `sync.toml` can name it.
pub trait Environment {
    /// The environment variable of this name, if it is set and is text.
    fn variable(&self, name: &str) -> Option<String>;

    /// The text of a small file, such as a key.
    fn read(&self, path: &Path) -> io::Result<String>;
}

/// The process's own surroundings.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn variable(&self, name: &str) -> Option<String> {
        env::var(name).ok()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        files::read_text(path, LARGEST)
    }
}

/// Where a secret is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// In this environment variable.
    Variable(String),
    /// In this file.
    File(PathBuf),
    /// With systemd, under this name (`LoadCredential=`).
    Credential(String),
}

impl Source {
    /// The secret without the line's end; otherwise what to do about it.
    pub(super) fn resolve(&self, env: &dyn Environment) -> Result<SecretString, SecretMissing> {
        let text = match self {
            Self::Variable(name) => env.variable(name).ok_or_else(|| {
                SecretMissing(
                    format!("the environment variable `{name}` is not set"),
                    format!("set `{name}` to the key before starting"),
                )
            })?,
            Self::File(path) => env.read(path).map_err(|error| unreadable(path, &error))?,
            Self::Credential(name) => {
                let directory = env.variable("CREDENTIALS_DIRECTORY").ok_or_else(|| {
                    SecretMissing(
                        format!("systemd handed over no credential `{name}`"),
                        format!("add `LoadCredential={name}:/path/to/the/key` to the unit and start it by systemd"),
                    )
                })?;
                let path = Path::new(&directory).join(name);
                env.read(&path).map_err(|error| {
                    SecretMissing(
                        format!("systemd's credential `{name}` cannot be read: {error}"),
                        format!("add `LoadCredential={name}:/path/to/the/key` to the unit"),
                    )
                })?
            }
        };
        let text = text.trim();
        let place = self.place();
        if text.is_empty() {
            return Err(SecretMissing(
                format!("{place} is empty"),
                "put the key there, and nothing else".to_owned(),
            ));
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(SecretMissing(
                format!("{place} holds more than a key: there are blanks or several lines in it"),
                "put the key there, and nothing else".to_owned(),
            ));
        }
        Ok(SecretString::from(text))
    }

    /// What it is called in messages.
    fn place(&self) -> String {
        match self {
            Self::Variable(name) => format!("the environment variable `{name}`"),
            Self::File(path) => format!("the file `{}`", path.display()),
            Self::Credential(name) => format!("systemd's credential `{name}`"),
        }
    }
}

fn unreadable(path: &Path, error: &io::Error) -> SecretMissing {
    SecretMissing(
        format!("the file `{}` cannot be read: {error}", path.display()),
        "put the key into that file, readable for the user that runs this".to_owned(),
    )
}

/// A secret that is not where `sync.toml` says: what is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; {1}")]
pub struct SecretMissing(pub(super) String, pub(super) String);

/// A key of one of the systems. Nothing prints it.
#[derive(Debug, Clone)]
pub struct Secret(pub(super) Result<SecretString, SecretMissing>);

impl Secret {
    /// The key. It can only be missing where [`compile_with`](super::compile_with) was told that it
    /// may be.
    pub const fn value(&self) -> Result<&SecretString, &SecretMissing> {
        self.0.as_ref()
    }
}

/// Two secrets are equal where the same key is, or none for the same reason; a reload needs to know.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Ok(one), Ok(other)) => one.expose_secret() == other.expose_secret(),
            (Err(one), Err(other)) => one == other,
            _ => false,
        }
    }
}

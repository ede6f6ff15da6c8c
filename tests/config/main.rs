//! What admins see when `sync.toml` is wrong, and what the program reads from it when it is right.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod made;
mod mistakes;
mod settings;
mod tickets;

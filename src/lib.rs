//! Keeps the contacts and companies of a CRM and of Freshdesk in step, both ways.

pub mod clock;
pub mod config;
pub mod mapping;
pub mod model;
pub mod remote;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod supervise;
pub mod telemetry;

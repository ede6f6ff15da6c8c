//! The connector of Hubspot.

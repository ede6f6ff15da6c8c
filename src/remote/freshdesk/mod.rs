//! The connector of Freshdesk.

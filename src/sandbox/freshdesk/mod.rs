//! A simulator of Freshdesk's API v2.

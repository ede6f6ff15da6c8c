//! A simulator of HubSpot's CRM API v3.

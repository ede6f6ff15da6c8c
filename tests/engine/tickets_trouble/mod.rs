//! Tickets when things go wrong: refusals, lost answers, deaths in between, odd accounts. Over real HTTP.

mod bulk;
mod customers;
mod doubts;
mod reading;
mod refusals;
mod rules;

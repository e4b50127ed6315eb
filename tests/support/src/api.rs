//! The control-plane API: its program on a database of the test's own, and what sends requests to it.

mod client;
mod people;
mod service;

pub use client::{Agent, Answer, Client};
pub use people::{PASSWORD, Person, secret};
pub use service::{ISSUER, Service, database, migrate, run, settings};

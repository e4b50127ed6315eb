//! The control-plane API: its program on a database of the test's own, and what sends requests to it.

mod cable;
mod client;
mod namespace;
mod oauth_client;
mod people;
mod publisher;
mod redis;
mod service;
mod web_client;

pub use cable::Cable;
pub use client::{Agent, Answer, Client, Events, registration};
pub use namespace::Namespace;
pub use oauth_client::OAuthClient;
pub use people::{PASSWORD, Person, link, secret};
pub use publisher::{Authority, Page, Publisher};
pub use redis::Redis;
pub use service::{ISSUER, Service, Socket, Worker, command, database, migrate, run, settings};
pub use web_client::{CHALLENGE, VERIFIER, WebClient};

//! Everything on a real cluster with nodes: what a user applies, and what comes of it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]
#![expect(clippy::large_futures, reason = "a test runs once, and its future is made once")]

mod agent;
mod answers;
mod ending;
mod kubectl;
mod limits;
mod loss;
mod network;
mod people;
mod runtime_class;
mod tenant;
mod user_namespace;
mod world;

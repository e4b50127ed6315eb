//! Everything on a real cluster with nodes: what a user applies, and what comes of it.

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

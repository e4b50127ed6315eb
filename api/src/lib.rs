//! Pinfold's control-plane API: one program, a subcommand for each thing it does.

pub mod admin;
pub mod app;
pub mod auth;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod documents;
pub mod http;
pub mod import;
pub mod issuers;
pub mod mail;
pub mod metrics;
pub mod redis;
pub mod reseal;
pub mod router;
pub mod routes;
pub mod serve;
pub mod service;
pub mod store;
#[cfg(test)]
mod testing;
pub mod verify_audit;
pub mod work;

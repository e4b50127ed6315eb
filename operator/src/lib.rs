//! Pinfold's operator: turns Tenants, Agents and `SandboxRun`s into namespaces, workloads and results.
//!
//! One controller for each kind, in the same five steps: fetch, validate, build, apply, status. The middle is
//! pure. [`runtime`] carries the controllers, [`cluster`] touches the API server, [`run`] puts it all together.

pub mod agent;
pub mod cluster;
pub mod config;
pub mod metrics;
pub mod resources;
pub mod run;
pub mod runtime;
pub mod sandbox_run;
pub mod shared;
pub mod tenant;
#[cfg(test)]
mod testing;
pub mod workload_identity;

//! The operator as a process against a real API server with its controllers, without nodes: a test plays the kubelet.
//!
//! Every test has a tenant, a proxy and an operator of its own, so all of them run at once on one control plane.

mod admission;
mod admission_operator;
mod agent;
mod blind;
mod brake;
mod generated;
mod kill;
mod namespace;
mod poison;
mod quota;
mod restart;
mod roles;
mod run_admission;
mod run_end;
mod run_loss;
mod run_refusal;
mod schema;
mod tenancy;
mod tenant;
mod workload_identity;

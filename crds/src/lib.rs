//! Pinfold's Kubernetes API: the types of group `pinfold.dev`, version `v1alpha1`.
//!
//! Types, schemas and names only: no client, no I/O. The operator turns these resources into workloads; the
//! control-plane API writes the same resources. `cargo xtask generate` writes the YAML that a cluster installs.

pub mod agent;
pub mod common;
pub mod condition;
pub mod labels;
pub mod sandbox_run;
pub mod sandbox_template;
pub mod schema;
pub mod tenant;

pub use agent::{Agent, AgentSpec, AgentStatus};
pub use sandbox_run::{SandboxRun, SandboxRunSpec, SandboxRunStatus};
pub use sandbox_template::{SandboxTemplate, SandboxTemplateSpec};
pub use tenant::{Tenant, TenantSpec, TenantStatus};

/// The API group of every resource here.
pub const GROUP: &str = "pinfold.dev";

/// The one version that is served and stored.
pub const VERSION: &str = "v1alpha1";

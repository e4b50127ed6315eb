//! What the process is told on its command line or by its environment.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Parser;
use telemetry::logging::Format;

/// The operator of Pinfold: turns Tenants, Agents and `SandboxRun`s into what a cluster runs.
#[derive(Debug, Clone, Parser)]
#[command(name = "pinfold-operator", version)]
pub struct Flags {
    /// The platform file: plans, denied address ranges, images and defaults (YAML).
    #[arg(long, env = "PINFOLD_CONFIG", value_name = "FILE")]
    pub config: PathBuf,

    /// Address for /healthz, /readyz and /metrics.
    #[arg(
        long,
        env = "PINFOLD_ADMIN_ADDRESS",
        default_value = "0.0.0.0:8081",
        value_name = "IP:PORT"
    )]
    pub admin_address: SocketAddr,

    /// Namespace that the operator runs in; its Lease is there.
    #[arg(long, env = "POD_NAMESPACE", default_value = "pinfold-system", value_name = "NAME")]
    pub namespace: String,

    /// Name of this process among its replicas.
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pub identity: String,

    /// Service account that the operator runs as; each tenant's namespace grants it the rights it needs there.
    #[arg(
        long,
        env = "PINFOLD_SERVICE_ACCOUNT",
        default_value = "pinfold-operator",
        value_name = "NAME"
    )]
    pub service_account: String,

    /// Name of the Lease.
    #[arg(
        long,
        env = "PINFOLD_LEASE_NAME",
        default_value = "pinfold-operator",
        value_name = "NAME"
    )]
    pub lease_name: String,

    /// How long a term lasts without renewal, in seconds: 1 to 300.
    #[arg(long, env = "PINFOLD_LEASE_SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=300))]
    pub lease_seconds: u64,

    /// Passes that each controller makes at once, one tenant at most half of them: 1 to 256.
    #[arg(long, env = "PINFOLD_WORKERS", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: u16,

    /// How log lines look.
    #[arg(long, env = "PINFOLD_LOG_FORMAT", value_enum, default_value = "json")]
    pub log_format: Format,

    /// What is logged: a level, or targets with levels.
    #[arg(long, env = "PINFOLD_LOG", default_value = "info", value_name = "FILTER")]
    pub log: String,
}

impl Flags {
    /// The duration of a term.
    pub fn lease_duration(&self) -> Duration {
        Duration::from_secs(self.lease_seconds)
    }
}

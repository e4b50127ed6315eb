//! An HTTPS proxy between a Kubernetes client and its API server that records every request and makes faults.
//!
//! The proxy ends TLS itself and holds the client's certificate upstream, so the client under test needs no change
//! but another kubeconfig. [`Rule`]s say which requests go wrong and how; [`FaultProxy::stop_at`] holds the client at
//! its n-th write, so that its owner can kill it there; a [`View`] narrows the world that the client sees, so that
//! several clients that watch everything can share one API server.
//!
//! What the client does with the faults, and who kills whom, is left to the tests.

mod authority;
mod forward;
mod list;
mod proxy;
mod record;
mod request;
mod rule;
mod server;
mod state;
mod status;
mod upstream;
mod watch;

pub use proxy::{Builder, FaultProxy};
pub use record::Record;
pub use request::{RequestInfo, Verb};
pub use rule::{Rule, RuleId};
pub use state::{Moment, Narrow, Stop, View};

#[cfg(test)]
mod tests;

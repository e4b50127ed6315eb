//! What the suites share: the control plane under test, the operator as a process behind a fault proxy, a player of
//! the kubelet's part, and waits that end by what the API server tells and not by the clock.

#![expect(missing_debug_implementations, reason = "a Kubernetes client has no Debug form")]

pub mod api;
pub mod cluster;
pub mod dump;
pub mod history;
pub mod install;
pub mod kubelet;
pub mod operator;
pub mod scene;
pub mod wait;

pub use kubelet::Kubelet;
pub use operator::OperatorProcess;
pub use scene::Scene;

/// Whether the long parameters of the catalogue are asked for.
pub fn full() -> bool {
    std::env::var_os("PINFOLD_TEST_FULL").is_some_and(|v| v == "1")
}

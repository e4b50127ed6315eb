//! What every controller runs on: caches filled by watches, a queue that is fair between tenants, workers.
//!
//! The library's own `Controller` has one queue for all tenants, shows neither its depth nor its age, and skips
//! objects whose parent is gone; docs/adr/0003-work-queue.md says why that is not enough here.

pub mod backoff;
pub mod cache;
pub mod queue;
pub mod watch;
pub mod worker;

pub use cache::Cache;
pub use queue::{FairQueue, Key};
pub use worker::{Action, Failure, FailureClass, Reconciler};

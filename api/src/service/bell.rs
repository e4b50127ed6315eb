//! Tells workers, here and in other processes, that a job was stored. What is not heard is found by looking.

use std::time::Duration;

use telemetry::logging::chain;
use tokio::sync::Notify;
use tracing::warn;

use crate::store::{Database, jobs};

/// At most one announcement to other processes in this time: each takes a lock that all commits pass.
const APART: Duration = Duration::from_millis(100);

/// How long after a failure is listened again.
const AGAIN: Duration = Duration::from_secs(1);

/// Rung after a transaction that stored a job.
#[derive(Debug, Default)]
pub struct Bell {
    here: Notify,
    outward: Notify,
}

impl Bell {
    /// A job was stored.
    pub fn ring(&self) {
        self.here.notify_one();
        self.outward.notify_one();
    }

    /// There may be more for the worker here.
    pub fn again(&self) {
        self.here.notify_one();
    }

    /// Waits until it rings.
    pub async fn heard(&self) {
        self.here.notified().await;
    }

    /// Carries rings to other processes, until the task is dropped.
    pub async fn announce(&self, database: &Database) {
        loop {
            self.outward.notified().await;
            if let Err(error) = jobs::announce(database.pool()).await {
                warn!(
                    error = chain(&error),
                    "workers elsewhere were not told of a job; they find it by looking"
                );
            }
            tokio::time::sleep(APART).await;
        }
    }

    /// Carries rings of other processes here, until the task is dropped.
    pub async fn listen(&self, database: &Database) {
        loop {
            match jobs::listen(database.pool()).await {
                Ok(mut listener) => loop {
                    match listener.next().await {
                        Ok(()) => self.here.notify_one(),
                        Err(error) => {
                            warn!(
                                error = chain(&error),
                                "jobs elsewhere are not heard of; they are found by looking"
                            );
                            break;
                        }
                    }
                },
                Err(error) => warn!(
                    error = chain(&error),
                    "jobs elsewhere are not heard of; they are found by looking"
                ),
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}

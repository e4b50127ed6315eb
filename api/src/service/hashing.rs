//! Where passwords are hashed: a bounded pool, because each hash takes tens of milliseconds of a core and 19 MiB.
//!
//! Strangers share all places but one. That one is for those who have shown something first: a cookie of a browser that
//! the same person logged in from, or a link that came by mail. So strangers cannot keep the owner out.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::auth::password::{self, NotHashed, Verdict};

/// How many may wait for a place, for each place.
const WAITING: usize = 16;

/// How much somebody has shown before their password is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Stranger,
    /// A cookie of ours, or a link.
    Known,
}

/// Why nothing was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashingError {
    /// Too many wait already.
    #[error("too many passwords wait to be hashed")]
    Full,
    /// It did not work.
    #[error(transparent)]
    Failed(#[from] NotHashed),
}

/// The pool.
#[derive(Debug)]
pub struct Hashing {
    open: Places,
    reserved: Places,
}

#[derive(Debug)]
struct Places {
    free: Arc<Semaphore>,
    waiting: AtomicUsize,
    most: usize,
}

struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Places {
    fn new(count: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(count)),
            waiting: AtomicUsize::new(0),
            most: count * WAITING,
        }
    }

    async fn take(&self) -> Result<OwnedSemaphorePermit, HashingError> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if before >= self.most {
            return Err(HashingError::Full);
        }
        // The semaphore is never closed.
        self.free.clone().acquire_owned().await.map_err(|_| HashingError::Full)
    }
}

impl Default for Hashing {
    /// A place for each core, and one more that is reserved.
    fn default() -> Self {
        Self::new(std::thread::available_parallelism().map_or(1, usize::from))
    }
}

impl Hashing {
    fn new(open: usize) -> Self {
        Self {
            open: Places::new(open),
            reserved: Places::new(1),
        }
    }

    /// Hashes a password.
    pub async fn hash(&self, standing: Standing, password: String, salt: [u8; 16]) -> Result<String, HashingError> {
        let hashed = self.run(standing, move || password::hash(&password, salt)).await?;
        Ok(hashed?)
    }

    /// Compares a password.
    pub async fn verify(&self, standing: Standing, stored: String, password: String) -> Result<Verdict, HashingError> {
        self.run(standing, move || password::verify(&stored, &password)).await
    }

    /// Does it in a place, which is free again when it is done, whether or not anybody still waits for it.
    async fn run<T: Send + 'static>(
        &self,
        standing: Standing,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HashingError> {
        let place = match standing {
            Standing::Known => self.reserved.take().await?,
            Standing::Stranger => self.open.take().await?,
        };
        let task = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(place);
            done
        });
        task.await.map_err(|_| HashingError::Failed(NotHashed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn strangers_are_turned_away_when_too_many_wait_and_the_known_are_not() {
        let hashing = Arc::new(Hashing::new(1));
        let held = hashing.open.free.clone().acquire_owned().await.unwrap();
        let waiting: Vec<_> = (0..WAITING)
            .map(|_| {
                let hashing = hashing.clone();
                tokio::spawn(async move { hashing.run(Standing::Stranger, || ()).await })
            })
            .collect();
        while hashing.open.waiting.load(Ordering::Relaxed) < WAITING {
            tokio::task::yield_now().await;
        }
        assert_eq!(hashing.run(Standing::Stranger, || ()).await, Err(HashingError::Full));
        assert_eq!(hashing.run(Standing::Known, || 7).await, Ok(7));
        drop(held);
        for task in waiting {
            assert_eq!(task.await.unwrap(), Ok(()));
        }
        assert_eq!(hashing.run(Standing::Stranger, || 8).await, Ok(8));
    }
}

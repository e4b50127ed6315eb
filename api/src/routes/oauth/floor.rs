//! Refusals that take as long whatever they are for: what was looked at on the way is not for a stranger's watch (AU-05).

use std::{future::Future, time::Duration};

use tokio::time::sleep;

/// Longer than the database takes to say that there is somebody, or nobody.
const FLOOR: Duration = Duration::from_millis(5);

/// What comes of it; an error not before the floor.
pub async fn even<T, E>(work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let floor = sleep(FLOOR);
    let done = work.await;
    if done.is_err() {
        floor.await;
    }
    done
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test]
    async fn a_refusal_takes_its_time() {
        let begun = Instant::now();
        assert_eq!(even(async { Err::<(), _>("no") }).await, Err("no"));
        assert!(begun.elapsed() >= FLOOR);
        assert_eq!(even(async { Ok::<_, ()>(7) }).await, Ok(7));
    }
}

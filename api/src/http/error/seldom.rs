//! What is said once in a second, however often it happens: while something is away, every request would say the same.

use std::{
    mem,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

const PAUSE: Duration = Duration::from_secs(1);

static SAID: Mutex<Said> = Mutex::new(Said { at: None, unsaid: 0 });

/// When something was said last, and how often it was not since.
struct Said {
    at: Option<Instant>,
    unsaid: u64,
}

impl Said {
    /// How often it was not said before, if it is time to say it again.
    fn again(&mut self, now: Instant) -> Option<u64> {
        if self.at.is_some_and(|at| now.duration_since(at) < PAUSE) {
            self.unsaid += 1;
            return None;
        }
        self.at = Some(now);
        Some(mem::take(&mut self.unsaid))
    }
}

/// Warns, and says how often it happened besides since it was said last.
pub fn warn(why: &str, what: &'static str) {
    let again = SAID
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .again(Instant::now());
    if let Some(besides) = again {
        tracing::warn!(error = why, besides, "{what}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_time_within_a_second_is_counted_and_not_said() {
        let mut said = Said { at: None, unsaid: 0 };
        let start = Instant::now();
        let told = [0, 1, 999, 1000, 1999, 2000].map(|ms| said.again(start + Duration::from_millis(ms)));
        assert_eq!(told, [Some(0), None, None, Some(2), None, Some(1)]);
    }
}

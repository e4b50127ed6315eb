//! How long an object that failed waits before its next try.

use std::time::Duration;

use rand::Rng;

const FIRST: Duration = Duration::from_millis(250);

/// The longest wait between two tries of an object that keeps failing: at most one try a minute.
pub const CAP: Duration = Duration::from_mins(2);

/// The wait after the given number of failures in a row: doubles, is capped, and is spread by up to half.
///
/// The spread only ever shortens the wait down to the half, so the cap is a cap and not an average.
pub fn after(failures: u32) -> Duration {
    spread(base(failures), rand::rng().random_range(0.5..=1.0))
}

fn base(failures: u32) -> Duration {
    FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(CAP)
}

fn spread(wait: Duration, factor: f64) -> Duration {
    wait.mul_f64(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_cap() {
        let waits: Vec<u128> = [1, 2, 3, 9, 10, 100, u32::MAX]
            .into_iter()
            .map(|n| base(n).as_millis())
            .collect();
        assert_eq!(waits, vec![250, 500, 1000, 64_000, 120_000, 120_000, 120_000]);
        assert_eq!(spread(CAP, 0.5), Duration::from_mins(1));
    }
}

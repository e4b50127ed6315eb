//! When a new signing key is made, and when it signs.

use jiff::{SignedDuration, Timestamp};

/// For how long readers may keep our published keys: the `max-age` of the JWKS.
pub const MAX_AGE: SignedDuration = SignedDuration::from_mins(5);

/// For how long a key signs.
pub const SIGNS: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How long before it signs a key is made and published: more than [`MAX_AGE`], so that every reader knows it by then.
pub const AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// Beyond the longest life of a token, for clocks that are off.
pub const SLACK: SignedDuration = SignedDuration::from_hours(2);

/// The times of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// When it begins to sign.
    pub from: Timestamp,
    /// When it stops.
    pub until: Timestamp,
    /// When it is no longer published.
    pub published_until: Timestamp,
}

/// The times of the key that is to be made now, if one is. `signed_until` is when the last of the known keys stops.
///
/// The first key, and one that is made after all others have stopped, signs at once: nobody has cached a set that it is
/// missing from, or else the service was away for so long that readers look again.
pub fn plan(signed_until: Option<Timestamp>, now: Timestamp) -> Option<Times> {
    let from = match signed_until {
        Some(until) if until > plus(now, AHEAD) => return None,
        Some(until) if until > now => until,
        _ => now,
    };
    let until = plus(from, SIGNS);
    Some(Times {
        from,
        until,
        published_until: plus(until, SLACK),
    })
}

fn plus(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3600;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn times(from: i64) -> Times {
        Times {
            from: at(from),
            until: at(from + 30 * DAY),
            published_until: at(from + 30 * DAY + 7200),
        }
    }

    #[test]
    fn the_first_key_signs_at_once() {
        assert_eq!(plan(None, at(0)), Some(times(0)));
    }

    #[test]
    fn the_next_key_is_known_a_day_before_it_signs() {
        assert_eq!(plan(Some(at(30 * DAY)), at(0)), None);
        assert_eq!(plan(Some(at(30 * DAY)), at(29 * DAY - 1)), None);
        assert_eq!(plan(Some(at(30 * DAY)), at(29 * DAY)), Some(times(30 * DAY)));
        assert!(AHEAD > MAX_AGE);
    }

    #[test]
    fn after_a_long_sleep_the_new_key_signs_at_once() {
        assert_eq!(plan(Some(at(0)), at(0)), Some(times(0)));
        assert_eq!(plan(Some(at(0)), at(99 * DAY)), Some(times(99 * DAY)));
    }
}

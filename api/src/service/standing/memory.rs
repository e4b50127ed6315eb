//! What was true at a moment, until something it depends on changes.
//!
//! Nothing is taken out when it changes. Each subject has a place among a fixed number of places, which keeps the moment of the last change of any subject
//! that has the place; what was read before that moment holds no more. Two subjects of one place cost a question too many, and
//! never a wrong answer.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::atomic::{AtomicU64, Ordering::SeqCst},
};

use uuid::Uuid;

/// How many places there are: 32 KiB.
const PLACES: usize = 4096;

/// A number for each subject, or one at least as high.
#[derive(Debug)]
pub(super) struct Highest {
    places: Box<[AtomicU64]>,
    /// Nobody outside chooses subjects that share a place.
    hasher: RandomState,
}

impl Default for Highest {
    fn default() -> Self {
        Self {
            places: (0..PLACES).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
        }
    }
}

impl Highest {
    pub(super) fn of(&self, subject: Uuid) -> u64 {
        self.place(subject).load(SeqCst)
    }

    pub(super) fn raise(&self, subject: Uuid, to: u64) {
        self.place(subject).fetch_max(to, SeqCst);
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the remainder is below the number of places"
    )]
    fn place(&self, subject: Uuid) -> &AtomicU64 {
        &self.places[(self.hasher.hash_one(subject) % PLACES as u64) as usize]
    }
}

/// A moment before which something was read: changes up to it were seen by whoever reads after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

/// When what changed.
#[derive(Debug, Default)]
pub(super) struct Memory {
    now: AtomicU64,
    changed: Highest,
    forgot: AtomicU64,
}

impl Memory {
    /// The present moment. It is taken before the question whose answer is remembered.
    pub(super) fn now(&self) -> Moment {
        Moment(self.now.load(SeqCst))
    }

    /// A subject has changed: the change is there for every question from now on.
    pub(super) fn change(&self, subject: Uuid) {
        let moment = self.next();
        self.changed.raise(subject, moment);
    }

    /// Anything may have changed.
    pub(super) fn forget(&self) {
        let moment = self.next();
        self.forgot.fetch_max(moment, SeqCst);
    }

    /// Whether what was read after a moment still is so, if it depends on these subjects.
    pub(super) fn holds(&self, since: Moment, subjects: &[Uuid]) -> bool {
        self.forgot.load(SeqCst) <= since.0 && subjects.iter().all(|subject| self.changed.of(*subject) <= since.0)
    }

    fn next(&self) -> u64 {
        self.now.fetch_add(1, SeqCst) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    /// Another subject, of another place.
    fn elsewhere(memory: &Memory, one: Uuid) -> Uuid {
        let place = |subject| std::ptr::from_ref(memory.changed.place(subject));
        (0..u128::MAX)
            .map(subject)
            .find(|other| place(*other) != place(one))
            .unwrap()
    }

    #[test]
    fn what_was_read_before_a_change_holds_no_more() {
        let memory = Memory::default();
        let (one, before) = (subject(7), memory.now());
        let other = elsewhere(&memory, one);
        assert!(memory.holds(before, &[one, other]));
        memory.change(one);
        assert!(!memory.holds(before, &[one]));
        assert!(!memory.holds(before, &[other, one]));
        assert!(memory.holds(before, &[other]));
        assert!(memory.holds(memory.now(), &[one, other]));
    }

    #[test]
    fn nothing_holds_after_anything_may_have_changed() {
        let memory = Memory::default();
        let before = memory.now();
        memory.forget();
        assert!(!memory.holds(before, &[subject(1)]));
        assert!(!memory.holds(before, &[]));
        assert!(memory.holds(memory.now(), &[subject(1)]));
    }

    #[test]
    fn a_number_only_rises() {
        let highest = Highest::default();
        highest.raise(subject(1), 5);
        highest.raise(subject(1), 3);
        assert_eq!(highest.of(subject(1)), 5);
    }
}

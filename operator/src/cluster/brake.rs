//! The deletion brake: an operator that sees a wrong world must not tidy it away.
//!
//! Deletions that follow from an object's own spec (an expired run, a canceled one, the binding of a role that a Tenant
//! gives nobody any more) are not counted: revocation is never held back. What is counted is the rest of pruning:
//! children that carry our label and that nothing explains, tenant by tenant.

use crds::labels;

/// More deletions than this in one pass over one object are held, however many children there are.
const MOST: usize = 20;

/// So many are always let go: a parent with few children loses more than a tenth of them by any ordinary edit.
const FEW: usize = 3;

/// What the brake says about a planned prune.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Few enough.
    Go,
    /// Too many: nothing is deleted until somebody confirms the number.
    Hold {
        /// How many deletions are planned.
        planned: usize,
    },
}

/// Judges a plan to delete `planned` of `existing` children. `confirmed` is the value of the annotation
/// [`labels::CONFIRM_DELETIONS`] on the parent: a person has agreed to that many.
pub fn judge(planned: usize, existing: usize, confirmed: Option<&str>) -> Verdict {
    let confirmed = confirmed.and_then(|n| n.parse::<usize>().ok()).unwrap_or(0);
    let allowed = (existing / 10).clamp(FEW, MOST).max(confirmed);
    if planned <= allowed {
        Verdict::Go
    } else {
        Verdict::Hold { planned }
    }
}

/// What the user is told about a held prune.
pub fn message(planned: usize) -> String {
    format!(
        "{planned} objects are no longer wanted, more than are deleted unconfirmed; to let them go, annotate this object with {}={planned}",
        labels::CONFIRM_DELETIONS
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_more_than_a_tenth_or_twenty() {
        assert_eq!(judge(0, 0, None), Verdict::Go);
        assert_eq!(judge(1, 3, None), Verdict::Go);
        assert_eq!(judge(3, 3, None), Verdict::Go);
        assert_eq!(judge(4, 8, None), Verdict::Hold { planned: 4 });
        assert_eq!(judge(10, 100, None), Verdict::Go);
        assert_eq!(judge(11, 100, None), Verdict::Hold { planned: 11 });
        assert_eq!(judge(20, 10_000, None), Verdict::Go);
        assert_eq!(judge(21, 10_000, None), Verdict::Hold { planned: 21 });
    }

    #[test]
    fn a_person_may_confirm() {
        assert_eq!(judge(50, 60, Some("50")), Verdict::Go);
        assert_eq!(judge(51, 60, Some("50")), Verdict::Hold { planned: 51 });
        assert_eq!(judge(51, 60, Some("all")), Verdict::Hold { planned: 51 });
    }
}

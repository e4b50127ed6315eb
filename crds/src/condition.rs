//! Conditions: one list per object, keyed by type, computed anew at each pass.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One aspect of an object's state, as observed by the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// The aspect, in CamelCase.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 63))]
    pub type_: String,

    /// Whether the aspect holds: True, False or Unknown.
    pub status: ConditionStatus,

    /// Why, as one stable CamelCase word that programs may compare.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Za-z][A-Za-z0-9]*$"))]
    pub reason: String,

    /// Why, for people: what is wrong and what to do about it.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub message: String,

    /// When `status` last changed (RFC 3339).
    #[schemars(with = "String", extend("format" = "date-time", "maxLength" = 40))]
    pub last_transition_time: Timestamp,

    /// The `metadata.generation` of the object that this was computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
}

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It could not be determined.
    Unknown,
}

impl From<bool> for ConditionStatus {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// A condition without its times: what a reconcile decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The condition's type.
    pub type_: &'static str,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// The stable reason.
    pub reason: String,
    /// The text for people.
    pub message: String,
}

impl Finding {
    /// A finding with its reason and message.
    pub fn new(
        type_: &'static str,
        status: impl Into<ConditionStatus>,
        reason: &str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            type_,
            status: status.into(),
            reason: reason.to_owned(),
            message: message.into(),
        }
    }
}

/// Merges findings into the conditions of an object.
///
/// The transition time moves only when the status flips; types that were not found stay as they are.
pub fn merge(old: &[Condition], findings: &[Finding], generation: Option<i64>, now: Timestamp) -> Vec<Condition> {
    let mut merged = old.to_vec();
    for finding in findings {
        let before = merged.iter_mut().find(|c| c.type_ == finding.type_);
        let since = before
            .as_ref()
            .filter(|c| c.status == finding.status)
            .map_or(now, |c| c.last_transition_time);
        let condition = Condition {
            type_: finding.type_.to_owned(),
            status: finding.status,
            reason: finding.reason.clone(),
            message: clip(&finding.message),
            last_transition_time: truncate_to_second(since),
            observed_generation: generation,
        };
        match before {
            Some(slot) => *slot = condition,
            None => merged.push(condition),
        }
    }
    merged
}

/// The condition of a type.
pub fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|c| c.type_ == type_)
}

/// Whether the condition of a type is there and True.
pub fn is_true(conditions: &[Condition], type_: &str) -> bool {
    find(conditions, type_).is_some_and(|c| c.status == ConditionStatus::True)
}

fn truncate_to_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// Keeps a message inside the 1,024 characters that conditions and events have room for.
pub fn clip(message: &str) -> String {
    const MAX: usize = 1024;
    if message.chars().count() <= MAX {
        return message.to_owned();
    }
    message.chars().take(MAX - 3).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn transition_time_moves_only_when_the_status_flips() {
        let first = merge(&[], &[Finding::new("Ready", false, "Waiting", "x")], Some(1), at(10));
        let second = merge(
            &first,
            &[Finding::new("Ready", false, "StillWaiting", "y")],
            Some(2),
            at(20),
        );
        assert_eq!(
            second,
            vec![Condition {
                type_: "Ready".into(),
                status: ConditionStatus::False,
                reason: "StillWaiting".into(),
                message: "y".into(),
                last_transition_time: at(10),
                observed_generation: Some(2),
            }]
        );
        let third = merge(&second, &[Finding::new("Ready", true, "Ready", "")], Some(2), at(30));
        assert_eq!(third[0].last_transition_time, at(30));
        assert!(is_true(&third, "Ready"));
    }

    #[test]
    fn other_types_stay() {
        let first = merge(
            &[],
            &[Finding::new("A", true, "A", ""), Finding::new("B", false, "B", "")],
            None,
            at(1),
        );
        let second = merge(&first, &[Finding::new("B", true, "B", "")], None, at(2));
        assert_eq!(
            second.iter().map(|c| (c.type_.as_str(), c.status)).collect::<Vec<_>>(),
            vec![("A", ConditionStatus::True), ("B", ConditionStatus::True)]
        );
        assert_eq!(find(&second, "A"), find(&first, "A"));
    }

    #[test]
    fn long_messages_are_marked_when_cut() {
        let clipped = clip(&"ä".repeat(2000));
        assert_eq!(clipped.chars().count(), 1024);
        assert!(clipped.ends_with("ä..."));
    }
}

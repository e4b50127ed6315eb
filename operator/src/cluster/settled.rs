//! Whether a live object already is as desired, so that a settled object costs no write.
//!
//! The live object has what the API server and others added. It is settled when the digest of the last desired
//! object is the present one, and everything desired is still there.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Selectors decide by what they leave out, so they must be equal and not merely contain what is desired.
const EXACT: [&str; 4] = ["podSelector", "namespaceSelector", "selector", "matchLabels"];

/// A short digest of a desired object.
pub fn digest(desired: &Value) -> String {
    let hash = Sha256::digest(desired.to_string().as_bytes());
    hash.iter().take(12).fold(String::new(), |mut text, byte| {
        use std::fmt::Write as _;
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Whether everything desired is in the live object.
pub fn contains(live: &Value, desired: &Value) -> bool {
    match (live, desired) {
        (Value::Object(live), Value::Object(desired)) => {
            if desired.is_empty() {
                return live.is_empty();
            }
            desired.iter().all(|(key, wanted)| match live.get(key) {
                Some(found) if EXACT.contains(&key.as_str()) => found == wanted,
                Some(found) => contains(found, wanted),
                None => is_nothing(wanted),
            })
        }
        // Lists are compared whole: an entry that somebody added to one of ours is a change.
        (Value::Array(live), Value::Array(desired)) => {
            live.len() == desired.len() && live.iter().zip(desired).all(|(found, wanted)| contains(found, wanted))
        }
        (live, desired) => live == desired,
    }
}

/// The API server drops empty values on the way to storage.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_server_adds_does_not_matter() {
        let desired =
            json!({"spec": {"ports": [{"port": 80}], "type": "ClusterIP"}, "metadata": {"labels": {"a": "b"}}});
        let live = json!({
            "metadata": {"labels": {"a": "b", "c": "d"}, "uid": "x"},
            "spec": {"ports": [{"port": 80, "protocol": "TCP"}], "type": "ClusterIP", "clusterIP": "10.0.0.1"},
        });
        assert!(contains(&live, &desired));
    }

    #[test]
    fn what_others_changed_does() {
        let desired = json!({"spec": {"ports": [{"port": 80}], "on": true, "none": {}}});
        for live in [
            json!({"spec": {"ports": [{"port": 81}], "on": true}}),
            json!({"spec": {"ports": [{"port": 80}, {"port": 81}], "on": true}}),
            json!({"spec": {"ports": [{"port": 80}]}}),
            json!({"spec": {"ports": [], "on": true}}),
            json!({"spec": {"ports": [{"port": 80}], "on": true, "none": {"x": 1}}}),
        ] {
            assert!(!contains(&live, &desired), "{live}");
        }
    }

    #[test]
    fn selectors_are_compared_whole() {
        let narrowed = json!({"spec": {"podSelector": {"matchLabels": {"nobody": "here"}}}});
        assert!(!contains(&narrowed, &json!({"spec": {"podSelector": {}}})));
        let widened = json!({"spec": {"selector": {"a": "b", "c": "d"}}});
        assert!(!contains(&widened, &json!({"spec": {"selector": {"a": "b"}}})));
    }

    #[test]
    fn the_digest_follows_the_object() {
        assert_eq!(digest(&json!({"a": 1})), digest(&json!({"a": 1})));
        assert_ne!(digest(&json!({"a": 1})), digest(&json!({"a": 2})));
        assert_eq!(digest(&json!({})).len(), 24);
    }
}

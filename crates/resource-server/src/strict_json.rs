//! JSON as signatures want it: an object in which a member occurs once. `serde` keeps the last of several, other parsers
//! the first, and what two readers read differently can be signed by one and believed by the other (RFC 7515, section 4).

use std::{collections::BTreeSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

/// How deep arrays and objects may be nested.
const DEPTH: usize = 8;

/// Reads an object; nothing if it is none, repeats a member at any depth, or is nested too deeply.
pub fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    let Strict(value) = serde_json::from_slice(bytes).ok()?;
    match value {
        Value::Object(object) if depth(&object) <= DEPTH => Some(object),
        _ => None,
    }
}

/// The same, as a type.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_value(Value::Object(object(bytes)?)).ok()
}

fn depth(object: &Map<String, Value>) -> usize {
    fn of(value: &Value) -> usize {
        match value {
            Value::Object(object) => depth(object),
            Value::Array(items) => 1 + items.iter().map(of).max().unwrap_or(0),
            _ => 0,
        }
    }
    1 + object.values().map(of).max().unwrap_or(0)
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without repeated members")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            all.push(item);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut seen = BTreeSet::new();
        let mut object = Map::new();
        while let Some((name, Strict(value))) = members.next_entry::<String, Strict>()? {
            if !seen.insert(name.clone()) {
                return Err(A::Error::custom("a member is repeated"));
            }
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_an_object_whose_members_occur_once() {
        let read = object(br#"{"a": 1, "b": {"a": [true, null, -2, 0.5, "x"]}}"#).unwrap();
        assert_eq!(
            Value::Object(read),
            serde_json::json!({"a": 1, "b": {"a": [true, null, -2, 0.5, "x"]}})
        );
    }

    #[test]
    fn refuses_what_two_readers_may_read_differently() {
        for text in [
            r#"{"a": 1, "a": 1}"#,
            r#"{"a": 1, "\u0061": 2}"#,
            r#"{"b": [{"a": 1, "a": 2}]}"#,
            r#"{"a": 1} {"a": 2}"#,
            r#"{"a": 1},"#,
            "[]",
            "1",
            "",
            "{\"a\": 1\u{0}}",
            "\u{feff}{}",
        ] {
            assert_eq!(object(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn refuses_deep_nesting() {
        let nested = |n: usize| format!("{}1{}", r#"{"a":"#.repeat(n), "}".repeat(n));
        assert!(object(nested(8).as_bytes()).is_some());
        assert_eq!(object(nested(9).as_bytes()), None);
        assert_eq!(object(nested(100_000).as_bytes()), None);
    }
}

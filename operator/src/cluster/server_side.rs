//! The server-side apply call itself.
//!
//! The API server reads the body of an apply as YAML, which takes some characters in no raw form (DEL, U+0080 to U+009F,
//! byte order marks) and reads others as line breaks (NEL, U+2028, U+2029), where JSON passes them as they are. So these
//! are escaped. Nothing else is: YAML refuses the surrogate pairs that JSON would need for what lies beyond U+FFFF.

use std::fmt::Write as _;

use kube::{Client, api::PatchParams, core::Request};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Applies a body to an object below `url`, or to its subresource.
pub async fn apply<K: Clone + DeserializeOwned + std::fmt::Debug>(
    client: &Client,
    url: &str,
    name: &str,
    subresource: Option<&str>,
    manager: &str,
    body: &Value,
) -> Result<K, kube::Error> {
    let parameters = PatchParams::apply(manager).force();
    let patch = kube::api::Patch::Apply(body);
    let requests = Request::new(url);
    let request = match subresource {
        Some(subresource) => requests.patch_subresource(subresource, name, &parameters, &patch),
        None => requests.patch(name, &parameters, &patch),
    };
    let request = request.map_err(kube::Error::BuildRequest)?;
    // JSON is UTF-8 by definition: nothing is lost here.
    let request = request.map(|json| yaml_safe(&String::from_utf8_lossy(&json)).into_bytes());
    client.request(request).await
}

/// JSON that is YAML of the same meaning. Outside of strings JSON has none of these characters.
fn yaml_safe(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if matches!(
            character,
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        ) {
            let _ = write!(text, "\\u{:04x}", u32::from(character));
        } else {
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn says_the_same_without_the_characters_that_yaml_minds(text in any::<String>(), key in any::<String>()) {
            let value = serde_json::json!({ key: [text, 1, null, true, "\u{85}\u{9f}\u{2028}\u{feff}\u{10ffff}"] });
            let sent = yaml_safe(&value.to_string());
            let minded = |c: char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}');
            prop_assert!(!sent.contains(minded));
            prop_assert_eq!(serde_json::from_str::<Value>(&sent).unwrap(), value);
        }
    }
}

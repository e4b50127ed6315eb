//! The server-side apply call itself.
//!
//! The API server reads the body of an apply as YAML, and YAML takes no raw control characters: not DEL and not
//! U+0080 to U+009F, which JSON passes as they are. So the body is sent in ASCII, with everything else escaped.

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
    let mut request = request.map_err(kube::Error::BuildRequest)?;
    *request.body_mut() = ascii(&body.to_string()).into_bytes();
    client.request(request).await
}

/// JSON without anything but printable ASCII. Outside of strings JSON has nothing else, and in strings it may be
/// escaped.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if (' '..='~').contains(&character) {
            text.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
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
        fn says_the_same_in_printable_ascii(text in any::<String>(), key in any::<String>()) {
            let value = serde_json::json!({ key: [text, 1, null, true] });
            let sent = ascii(&value.to_string());
            prop_assert!(sent.bytes().all(|b| (b' '..=b'~').contains(&b)));
            prop_assert_eq!(serde_json::from_str::<Value>(&sent).unwrap(), value);
        }
    }
}

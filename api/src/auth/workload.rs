//! What a service account's token says of itself, before anybody is asked whether that is true: whatever cannot be for us is not
//! worth the question.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::auth::{jws, token};

/// Who a token says that it is for and from.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The cluster, as its tokens name it.
    pub issuer: &'a str,
    /// Us.
    pub audience: &'a str,
}

/// The pod that a token claims to be of; nothing if the token is another cluster's, for somebody else, over, or no pod's.
///
/// Such tokens are used again and again and have lists for audiences: the rules for assertions of clients (RFC 7523, section 3)
/// that are made for one request do not apply to them.
pub fn pod_of(text: &str, wanted: Wanted<'_>, now: Timestamp) -> Option<String> {
    let claims = jws::parse(text)?.unproven()?;
    if claims.get("iss")?.as_str()? != wanted.issuer || !token::is_for(claims.get("aud")?, wanted.audience) {
        return None;
    }
    if now >= token::moment(claims.get("exp")?)? {
        return None;
    }
    pod(&claims)
}

/// Kubernetes' own claim, of tokens that are bound to a pod.
fn pod(claims: &Map<String, Value>) -> Option<String> {
    let uid = claims.get("kubernetes.io")?.get("pod")?.get("uid")?.as_str()?;
    Some(uid.to_owned())
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::json;

    use super::*;

    const WANTED: Wanted<'_> = Wanted {
        issuer: "https://kubernetes.default.svc",
        audience: "https://pinfold.example",
    };

    fn read(claims: &Value) -> Option<String> {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}.AAAA", part(&json!({"alg": "RS256", "kid": "k"})), part(claims));
        pod_of(&text, WANTED, Timestamp::from_second(1_800_000_000).unwrap())
    }

    fn claims() -> Value {
        json!({
            "iss": WANTED.issuer,
            "aud": [WANTED.audience],
            "exp": 1_800_000_001,
            "kubernetes.io": {"namespace": "tenant-acme", "pod": {"name": "p", "uid": "u"}},
        })
    }

    #[test]
    fn a_pods_own_token_for_us_names_its_pod() {
        assert_eq!(read(&claims()).as_deref(), Some("u"));
    }

    #[test]
    fn nobody_is_asked_about_any_other() {
        let cases = [
            ("iss", json!("https://another.example")),
            ("aud", json!(["https://kubernetes.default.svc"])),
            ("aud", json!([])),
            ("exp", json!(1_800_000_000)),
            ("exp", json!("1800000001")),
            ("kubernetes.io", json!({"namespace": "tenant-acme"})),
            ("kubernetes.io", json!({"pod": {"uid": 1}})),
        ];
        for (name, value) in cases {
            let mut changed = claims();
            changed[name] = value;
            assert_eq!(read(&changed), None, "{changed}");
        }
        assert_eq!(pod_of("nonsense", WANTED, Timestamp::UNIX_EPOCH), None);
    }
}

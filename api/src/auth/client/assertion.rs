//! What a client proves itself by that has a key (RFC 7523, sections 2.2 and 3, as OpenID's FAPI 2.0 narrows it): a token that it signed
//! for us, and for nobody else.

use jiff::{SignedDuration, Timestamp};
use resource_server::{
    jwk,
    jws::{self, Parsed, PublicKey},
};
use serde_json::{Map, Value};

use crate::auth::{jwk_set, opaque::sha256, token::moment};

/// What `client_assertion_type` says (RFC 7523, section 2.2).
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The algorithms of the signature.
pub const ALGORITHMS: [&str; 3] = ["ES256", "EdDSA", "Ed25519"];

/// How far ahead a client's clock may be.
const AHEAD: SignedDuration = SignedDuration::from_secs(10);

/// How long an assertion may be good: it is remembered that long.
const LONGEST: SignedDuration = SignedDuration::from_secs(300);

/// The longest `jti`, in bytes.
const LONGEST_ID: usize = 256;

/// An assertion that a client signed, of whichever client it is that it names.
#[derive(Debug)]
pub struct Assertion<'a> {
    parsed: Parsed<'a>,
    /// The client.
    pub client_id: String,
}

/// An assertion that proves its client, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proved {
    /// What it is remembered by.
    pub digest: [u8; 32],
    /// When it is refused for its age.
    pub forget_at: Timestamp,
    /// The thumbprint of the key.
    pub thumbprint: String,
}

/// Reads which client an assertion is of.
pub fn read(text: &str) -> Option<Assertion<'_>> {
    let parsed = jws::parse(text)?;
    let client_id = parsed.issuer()?;
    Some(Assertion { parsed, client_id })
}

impl Assertion<'_> {
    /// The key of a set that it may be signed with.
    fn key(&self, set: &Map<String, Value>) -> Option<PublicKey> {
        let all = set.get("keys")?.as_array()?.iter().filter_map(Value::as_object);
        let mut fitting = all
            .filter_map(jwk_set::elliptic)
            .filter(|(id, key)| self.parsed.may_be_of(id, key));
        let (_, key) = fitting.next()?;
        // Of several it has to say which (OpenID Connect Core 1.0, section 10.1).
        fitting.next().is_none().then_some(key)
    }

    /// Whether a key of this set signed it.
    pub fn is_signed_by(&self, set: &Map<String, Value>) -> bool {
        self.key(set).is_some_and(|key| self.parsed.is_signed_by(&key))
    }

    /// Judges it by the client's keys, but for whether it was shown before.
    pub fn judge(&self, set: &Map<String, Value>, issuer: &str, now: Timestamp) -> Option<Proved> {
        let key = self.key(set)?;
        let claims = self.parsed.verify_foreign(&key)?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        // One audience, and the issuer: what is for the token endpoint of somebody who copied ours would be for us as well (RFC 9700, section 4.8).
        let fits =
            text("iss") == Some(&self.client_id) && text("sub") == Some(&self.client_id) && text("aud") == Some(issuer);
        let expires_at = moment(claims.get("exp")?)?;
        let soon = now + AHEAD;
        let begun = |name: &str| claims.get(name).map_or(Some(true), |at| Some(moment(at)? <= soon));
        let in_time = now < expires_at && expires_at <= now + LONGEST + AHEAD && begun("iat")? && begun("nbf")?;
        let id = text("jti").filter(|id| (1..=LONGEST_ID).contains(&id.len()))?;
        (fits && in_time).then(|| Proved {
            digest: sha256(format!("{}\0{id}", self.client_id).as_bytes()),
            forget_at: expires_at,
            thumbprint: jwk::thumbprint(&key),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::TestKey;

    const ISSUER: &str = "https://pinfold.example";
    const NOW: i64 = 1_800_000_000;

    fn now() -> Timestamp {
        Timestamp::from_second(NOW).unwrap()
    }

    fn keys(key: &TestKey) -> Map<String, Value> {
        let mut jwk = key.jwk();
        jwk.insert("kid".to_owned(), json!("one"));
        let mut set = Map::new();
        set.insert("keys".to_owned(), json!([jwk]));
        set
    }

    fn header(key: &TestKey) -> Value {
        json!({"alg": key.algorithm(), "kid": "one", "typ": "JWT"})
    }

    fn claims() -> Value {
        json!({"iss": "board", "sub": "board", "aud": ISSUER, "jti": "a", "iat": NOW, "exp": NOW + 60})
    }

    fn judged(key: &TestKey, header: &Value, claims: &Value) -> Option<Proved> {
        let text = key.sign(header, claims);
        read(&text)?.judge(&keys(key), ISSUER, now())
    }

    #[test]
    fn a_good_one_proves_its_client() {
        for key in [TestKey::ed25519(), TestKey::p256()] {
            let proved = judged(&key, &header(&key), &claims()).unwrap();
            assert_eq!(
                (proved.digest, proved.forget_at),
                (sha256(b"board\0a"), now() + SignedDuration::from_secs(60))
            );
            assert_eq!(proved.thumbprint, key.thumbprint());
        }
        let key = TestKey::ed25519();
        for (name, value) in [
            ("iat", json!(NOW + 8)),
            ("nbf", json!(NOW)),
            ("exp", json!(NOW + 300)),
            ("extra", json!(1)),
        ] {
            let mut claims = claims();
            claims[name] = value;
            assert!(judged(&key, &header(&key), &claims).is_some(), "{claims}");
        }
        let mut without = claims();
        without.as_object_mut().unwrap().remove("iat");
        assert!(judged(&key, &header(&key), &without).is_some());
    }

    /// Libraries leave out what is clear without (OpenID Connect Core 1.0, section 10.1).
    #[test]
    fn the_only_key_need_not_be_named() {
        let (one, two, other) = (TestKey::new(7), TestKey::new(8), TestKey::p256());
        let jwk = |key: &TestKey, id: &str| {
            let mut jwk = key.jwk();
            jwk.insert("kid".to_owned(), json!(id));
            jwk
        };
        let text = one.sign(&json!({"alg": one.algorithm()}), &claims());
        let by = |keys: Value| {
            let set = Map::from_iter([("keys".to_owned(), keys)]);
            read(&text)
                .unwrap()
                .judge(&set, ISSUER, now())
                .map(|proved| proved.thumbprint)
        };
        let thumbprint = Some(one.thumbprint());
        assert_eq!(by(json!([jwk(&one, "a")])), thumbprint);
        assert_eq!(by(json!([jwk(&other, "b"), jwk(&one, "a")])), thumbprint);
        assert_eq!(by(json!([one.jwk()])), thumbprint);
        // By one name two keys may go that go with different algorithms (RFC 7517, section 4.5).
        let named = one.sign(&json!({"alg": one.algorithm(), "kid": "a"}), &claims());
        let set = Map::from_iter([("keys".to_owned(), json!([jwk(&other, "a"), jwk(&one, "a")]))]);
        let proved = read(&named).unwrap().judge(&set, ISSUER, now());
        assert_eq!(proved.map(|proved| proved.thumbprint), thumbprint);
        for keys in [
            json!([]),
            json!([jwk(&two, "a")]),
            json!([jwk(&other, "a")]),
            json!([jwk(&one, "a"), jwk(&two, "b")]),
        ] {
            assert_eq!(by(keys.clone()), None, "{keys}");
        }
    }

    /// Case 35, and the modules of FAPI 2.0.
    #[test]
    fn whatever_else_proves_nothing() {
        let key = TestKey::ed25519();
        for (name, value) in [
            ("iss", json!("other")),
            ("sub", json!("other")),
            ("sub", Value::Null),
            ("aud", json!([ISSUER])),
            ("aud", json!(format!("{ISSUER}/oauth/token"))),
            ("aud", json!(format!("{ISSUER}/"))),
            ("aud", json!("https://other.example")),
            ("aud", Value::Null),
            ("jti", json!("")),
            ("jti", json!("j".repeat(257))),
            ("jti", json!(7)),
            ("jti", Value::Null),
            ("exp", json!(NOW)),
            ("exp", json!(NOW + 311)),
            ("exp", json!("soon")),
            ("exp", Value::Null),
            ("iat", json!(NOW + 61)),
            ("nbf", json!(NOW + 61)),
        ] {
            let mut claims = claims();
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value;
            }
            assert_eq!(judged(&key, &header(&key), &claims), None, "{claims}");
        }
        for (name, value) in [
            ("kid", json!("two")),
            ("kid", Value::Null),
            ("alg", json!("ES256")),
            ("alg", json!("RS256")),
            ("alg", json!("none")),
            ("typ", json!("dpop+jwt")),
            ("crit", json!(["b64"])),
        ] {
            let mut header = header(&key);
            header[name] = value;
            assert_eq!(judged(&key, &header, &claims()), None, "{header}");
        }
        let (signed, other) = (key.sign(&header(&key), &claims()), TestKey::ed25519());
        let read = read(&signed).unwrap();
        assert_eq!(read.judge(&keys(&other), ISSUER, now()), None);
        assert_eq!(read.judge(&Map::new(), ISSUER, now()), None);
    }
}

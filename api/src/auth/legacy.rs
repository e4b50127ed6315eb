//! Tokens of the system before: JWTs that it signed with a secret (HS256). They are read by nothing but this, are taken at the token endpoint
//! alone, and only until a day that whoever runs the service has named.

use aws_lc_rs::hmac;
use jiff::{SignedDuration, Timestamp};
use resource_server::{
    jws::{LONGEST, decode},
    strict_json,
    token::{is_for, moment},
};
use serde_json::{Map, Value};

use crate::auth::{opaque::sha256, vouched::is_name};

/// The algorithm, and the only one.
const ALGORITHM: &str = "HS256";

/// How far a clock may be off.
const SKEW: SignedDuration = SignedDuration::from_secs(5);

/// Claims by which systems say what a token is for.
const KINDS: [&str; 4] = ["type", "typ", "token_type", "token_use"];

/// Whose tokens they are, and until when they count.
#[derive(Debug, Clone)]
pub struct Legacy {
    /// The issuer, as the tokens have it in `iss`.
    pub issuer: String,
    /// For whom they are (`aud`); without, one that says for whom it is is none.
    pub audience: Option<String>,
    /// What they are signed with.
    pub key: hmac::Key,
    /// When no more is taken.
    pub until: Timestamp,
}

/// What such a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The issuer's name for the person.
    pub subject: String,
    /// Its end.
    pub expires_at: Timestamp,
    /// The end of what comes of it, which is no later than the last day.
    pub until: Timestamp,
    /// When the person proved themselves, if the token says so.
    pub issued_at: Option<Timestamp>,
    /// SHA-256 of what was signed, by which it is known when it comes again.
    pub digest: [u8; 32],
}

impl Legacy {
    /// What a token says that counts now.
    pub fn read(&self, text: &str, now: Timestamp) -> Option<Said> {
        if text.len() > LONGEST || now >= self.until {
            return None;
        }
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let header = strict_json::object(&decode(header)?)?;
        if !is_usual(&header) {
            return None;
        }
        hmac::verify(&self.key, signed.as_bytes(), &decode(signature)?).ok()?;
        let claims = strict_json::object(&decode(payload)?)?;
        self.said(&claims, signed, now)
    }

    fn said(&self, claims: &Map<String, Value>, signed: &str, now: Timestamp) -> Option<Said> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let soon = now.checked_add(SKEW).ok()?;
        // Without an end it would be good for ever.
        let expires_at = moment(claims.get("exp")?)?;
        let time = |name: &str| claims.get(name).map_or(Some(None), |claim| moment(claim).map(Some));
        let (issued_at, not_before) = (time("iat")?, time("nbf")?);
        let has_come = |time: Option<Timestamp>| time.is_none_or(|time| time <= soon);
        let is_for_us = match (claims.get("aud"), &self.audience) {
            (None, None) => true,
            (Some(claim), Some(audience)) => is_for(claim, audience),
            _ => false,
        };
        let is_for_access = |name: &&str| claims.get(*name).is_none_or(|kind| kind == "access");
        let subject = text("sub").filter(|subject| is_name(subject))?;
        let counts = text("iss")? == self.issuer
            && now < expires_at
            && has_come(issued_at)
            && has_come(not_before)
            && is_for_us
            && KINDS.iter().all(is_for_access);
        counts.then(|| Said {
            subject: subject.to_owned(),
            expires_at,
            until: expires_at.min(self.until),
            issued_at,
            digest: sha256(signed.as_bytes()),
        })
    }
}

/// A JWT by its header, without anything that must be understood.
fn is_usual(header: &Map<String, Value>) -> bool {
    let is_jwt = |typ: &Value| typ.as_str().is_some_and(|typ| typ.eq_ignore_ascii_case("JWT"));
    header.get("alg").is_some_and(|name| name == ALGORITHM)
        && header.get("typ").is_none_or(is_jwt)
        && !["crit", "b64", "enc", "zip"]
            .iter()
            .any(|name| header.contains_key(*name))
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_800_000_000;
    const SECRET: &[u8] = b"what-the-system-before-signed-with";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn legacy() -> Legacy {
        Legacy {
            issuer: "https://old.example".to_owned(),
            audience: None,
            key: hmac::Key::new(hmac::HMAC_SHA256, SECRET),
            until: at(NOW + 3600),
        }
    }

    fn signed(header: &Value, claims: &Value, algorithm: hmac::Algorithm) -> String {
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let text = format!("{}.{}", encode(header), encode(claims));
        let tag = hmac::sign(&hmac::Key::new(algorithm, SECRET), text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
    }

    fn header() -> Value {
        json!({"alg": "HS256", "typ": "JWT"})
    }

    fn claims() -> Value {
        json!({"iss": "https://old.example", "sub": "u1", "iat": NOW - 60, "exp": NOW + 600})
    }

    fn with(mut object: Value, name: &str, value: Value) -> Value {
        object[name] = value;
        object
    }

    fn without(mut object: Value, name: &str) -> Value {
        object.as_object_mut().unwrap().remove(name);
        object
    }

    fn read(header: &Value, claims: &Value) -> Option<Said> {
        legacy().read(&signed(header, claims, hmac::HMAC_SHA256), at(NOW))
    }

    #[test]
    fn says_who_the_person_is() {
        let token = signed(&header(), &claims(), hmac::HMAC_SHA256);
        let said = Said {
            subject: "u1".to_owned(),
            expires_at: at(NOW + 600),
            until: at(NOW + 600),
            issued_at: Some(at(NOW - 60)),
            digest: sha256(token.rsplit_once('.').unwrap().0.as_bytes()),
        };
        assert_eq!(legacy().read(&token, at(NOW)), Some(said.clone()));
        for (header, claims) in [
            (json!({"alg": "HS256"}), claims()),
            (with(header(), "kid", json!("1")), claims()),
            (header(), with(claims(), "type", json!("access"))),
            (header(), without(claims(), "iat")),
        ] {
            let same = read(&header, &claims).unwrap();
            assert_eq!((same.subject, same.expires_at), ("u1".to_owned(), at(NOW + 600)));
        }
        let later = read(&header(), &with(claims(), "exp", json!(NOW + 999_999))).unwrap();
        let wanted = (at(NOW + 999_999), at(NOW + 3600));
        assert_eq!(
            (later.expires_at, later.until),
            wanted,
            "nothing is good for longer than they all are"
        );
        let for_app = Legacy {
            audience: Some("app".to_owned()),
            ..legacy()
        };
        for (claims, is_good) in [
            (claims(), false),
            (with(claims(), "aud", json!("app")), true),
            (with(claims(), "aud", json!(["app", "site"])), true),
            (with(claims(), "aud", json!("app:reset")), false),
        ] {
            let token = signed(&header(), &claims, hmac::HMAC_SHA256);
            assert_eq!(for_app.read(&token, at(NOW)).is_some(), is_good, "{claims}");
        }
    }

    #[test]
    fn what_is_anything_else_is_nothing() {
        for (why, header, claims) in [
            ("no algorithm", without(header(), "alg"), claims()),
            ("none", with(header(), "alg", json!("none")), claims()),
            ("another", with(header(), "alg", json!("HS512")), claims()),
            ("in small letters", with(header(), "alg", json!("hs256")), claims()),
            ("asymmetric", with(header(), "alg", json!("RS256")), claims()),
            ("of an API", with(header(), "typ", json!("at+jwt")), claims()),
            ("to be understood", with(header(), "crit", json!(["exp"])), claims()),
            ("not encoded", with(header(), "b64", json!(false)), claims()),
            ("of nobody", header(), without(claims(), "iss")),
            (
                "of another",
                header(),
                with(claims(), "iss", json!("https://old.example/")),
            ),
            ("for nobody", header(), without(claims(), "sub")),
            ("for a number", header(), with(claims(), "sub", json!(1))),
            ("for an empty name", header(), with(claims(), "sub", json!(""))),
            (
                "for a name that is no text",
                header(),
                with(claims(), "sub", json!("u\u{0}1")),
            ),
            (
                "for a long name",
                header(),
                with(claims(), "sub", json!("u".repeat(256))),
            ),
            ("without an end", header(), without(claims(), "exp")),
            ("at its end", header(), with(claims(), "exp", json!(NOW))),
            ("an end in words", header(), with(claims(), "exp", json!("never"))),
            ("made later", header(), with(claims(), "iat", json!(NOW + 60))),
            ("good later", header(), with(claims(), "nbf", json!(NOW + 60))),
            ("for somebody", header(), with(claims(), "aud", json!("app"))),
            ("to refresh", header(), with(claims(), "type", json!("refresh"))),
            (
                "to refresh, in other words",
                header(),
                with(claims(), "token_type", json!("refresh")),
            ),
            ("to identify", header(), with(claims(), "token_use", json!("id"))),
        ] {
            assert_eq!(read(&header, &claims), None, "{why}");
        }
        let good = signed(&header(), &claims(), hmac::HMAC_SHA256);
        assert_eq!(legacy().read(&good, at(NOW + 3600)), None, "after the last day");
        let other = Legacy {
            key: hmac::Key::new(hmac::HMAC_SHA256, b"another secret that is as long as it"),
            ..legacy()
        };
        assert_eq!(other.read(&good, at(NOW)), None, "another secret");
        let longer = signed(&header(), &claims(), hmac::HMAC_SHA512);
        assert_eq!(legacy().read(&longer, at(NOW)), None, "another hash");
        let (text, _) = good.rsplit_once('.').unwrap();
        for broken in [
            String::new(),
            text.to_owned(),
            format!("{text}."),
            format!("{good}."),
            format!("{good}="),
            good.replace('.', ".."),
            "a".repeat(LONGEST + 1),
        ] {
            assert_eq!(legacy().read(&broken, at(NOW)), None, "{broken}");
        }
        let twice = r#"{"iss":"https://old.example","sub":"u1","sub":"u2","exp":1800000600}"#;
        let text = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header().to_string()),
            URL_SAFE_NO_PAD.encode(twice)
        );
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), text.as_bytes());
        let token = format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()));
        assert_eq!(legacy().read(&token, at(NOW)), None, "two names");
    }
}

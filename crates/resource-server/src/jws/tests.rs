use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use serde_json::json;

use super::*;

const TYPE: &str = "at+jwt";

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

fn public(pair: &Ed25519KeyPair) -> PublicKey {
    PublicKey::Ed25519(pair.public_key().as_ref().try_into().unwrap())
}

fn encode(part: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(part)
}

/// A token with this header and these claims, signed as they stand.
fn signed(header: &str, claims: &str) -> String {
    let text = format!("{}.{}", encode(header), encode(claims));
    format!("{text}.{}", encode(pair().sign(text.as_bytes())))
}

fn accepted(token: &str) -> bool {
    parse(token).is_some_and(|t| t.verify(TYPE, &public(&pair())).is_some())
}

#[test]
fn claims_are_given_as_they_were_signed() {
    let token = signed(r#"{"alg":"EdDSA","kid":"k1","typ":"at+jwt"}"#, r#"{"sub":"a"}"#);
    let parsed = parse(&token).unwrap();
    assert_eq!(parsed.key_id(), Some("k1"));
    let claims = parsed.verify(TYPE, &public(&pair()));
    assert_eq!(claims.map(Value::Object), Some(json!({"sub": "a"})));
}

#[test]
fn both_names_of_the_algorithm_and_both_of_the_type() {
    for header in [
        r#"{"alg":"EdDSA","typ":"at+jwt"}"#,
        r#"{"alg":"Ed25519","typ":"AT+JWT"}"#,
        r#"{"alg":"EdDSA","typ":"application/at+jwt","kid":7}"#,
    ] {
        assert!(accepted(&signed(header, "{}")), "{header}");
    }
}

/// RFC 8725, sections 2.1, 3.1 and 3.11; each is signed with the right key.
#[test]
fn headers_that_say_something_else_are_refused() {
    for header in [
        r#"{"alg":"none","typ":"at+jwt"}"#,
        r#"{"alg":"None","typ":"at+jwt"}"#,
        r#"{"alg":"eddsa","typ":"at+jwt"}"#,
        r#"{"alg":"HS256","typ":"at+jwt"}"#,
        r#"{"alg":"RS256","typ":"at+jwt"}"#,
        r#"{"alg":"ES256","typ":"at+jwt"}"#,
        r#"{"typ":"at+jwt"}"#,
        r#"{"alg":["EdDSA"],"typ":"at+jwt"}"#,
        r#"{"alg":"EdDSA"}"#,
        r#"{"alg":"EdDSA","typ":"JWT"}"#,
        r#"{"alg":"EdDSA","typ":"dpop+jwt"}"#,
        r#"{"alg":"EdDSA","typ":"application/application/at+jwt"}"#,
        r#"{"alg":"EdDSA","alg":"EdDSA","typ":"at+jwt"}"#,
        r#"{"alg":"EdDSA","typ":"at+jwt","crit":[]}"#,
        r#"{"alg":"EdDSA","typ":"at+jwt","crit":["exp"],"exp":1}"#,
        r#"["EdDSA"]"#,
    ] {
        assert!(!accepted(&signed(header, "{}")), "{header}");
    }
}

#[test]
fn a_token_has_one_spelling() {
    let good = signed(r#"{"alg":"EdDSA","typ":"at+jwt"}"#, r#"{"sub":"a"}"#);
    assert!(accepted(&good));
    let (rest, signature) = good.rsplit_once('.').unwrap();
    let last = signature.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let place = alphabet.find(last).unwrap();
    // 64 bytes leave four unused bits in the last character.
    let sibling = &alphabet[place + 1..place + 2];
    for bad in [
        format!("{good}="),
        format!("{good} "),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{good}."),
        format!("{good}.{signature}"),
        format!("{rest}."),
        rest.to_owned(),
        format!("{rest}.{}{sibling}", &signature[..signature.len() - 1]),
        good.replace('-', "+").replace('_', "/") + "=",
        format!("{rest}.{}", encode([0; 64])),
        format!("{rest}.{}", encode([0; 63])),
        String::new(),
        "..".to_owned(),
        "a".repeat(LONGEST + 1),
    ] {
        assert!(!accepted(&bad), "{bad}");
    }
}

#[test]
fn claims_that_are_no_object_or_repeat_a_member_are_refused() {
    for claims in [
        "",
        "[]",
        "1",
        "null",
        r#"{"sub":"a","sub":"b"}"#,
        r#"{"a":{"b":1,"b":1}}"#,
    ] {
        assert!(
            !accepted(&signed(r#"{"alg":"EdDSA","typ":"at+jwt"}"#, claims)),
            "{claims}"
        );
    }
}

#[test]
fn another_key_or_another_curve_is_refused() {
    let token = signed(r#"{"alg":"EdDSA","typ":"at+jwt"}"#, "{}");
    let other = Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap();
    assert!(parse(&token).unwrap().verify(TYPE, &public(&other)).is_none());

    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref()).unwrap();
    let p256 = PublicKey::P256(pair.public_key().as_ref().try_into().unwrap());
    assert!(parse(&token).unwrap().verify(TYPE, &p256).is_none());
    let text = format!("{}.{}", encode(r#"{"alg":"ES256","typ":"at+jwt"}"#), encode("{}"));
    let signature = pair.sign(&random, text.as_bytes()).unwrap();
    let token = format!("{text}.{}", encode(signature));
    assert!(parse(&token).unwrap().verify(TYPE, &p256).is_some());
    for bad in [[0; 64], [0xff; 64]] {
        let token = format!("{text}.{}", encode(bad));
        assert!(parse(&token).unwrap().verify(TYPE, &p256).is_none());
    }
}

/// A key id is looked up in a map; a long one is not even that.
#[test]
fn long_key_ids_are_none() {
    let token = signed(
        &json!({"alg": "EdDSA", "typ": "at+jwt", "kid": "k".repeat(129)}).to_string(),
        "{}",
    );
    assert_eq!(parse(&token).unwrap().key_id(), None);
}

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use serde_json::json;

use super::*;

const PLACE: &str = "https://pinfold.example/oauth/token";
const NOW: i64 = 1_800_000_000;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

fn jwk_of(pair: &Ed25519KeyPair) -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref())})
}

fn header() -> Value {
    json!({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": jwk_of(&pair())})
}

fn claims() -> Value {
    json!({"jti": "one", "htm": "POST", "htu": PLACE, "iat": NOW, "nonce": "n"})
}

fn signed(header: &Value, claims: &Value) -> String {
    let text = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    format!("{text}.{}", encode(pair().sign(text.as_bytes())))
}

fn judged(text: &str) -> Result<Proof, Flaw> {
    judged_with(text, None)
}

fn judged_with(text: &str, access_token: Option<&str>) -> Result<Proof, Flaw> {
    let uri = Url::parse(PLACE).unwrap();
    let wanted = Wanted {
        method: "POST",
        uri: &uri,
        access_token,
        now: now(),
    };
    judge(text, wanted)
}

fn with(mut document: Value, name: &str, value: Value) -> Value {
    if value.is_null() {
        document.as_object_mut().unwrap().remove(name);
    } else {
        document[name] = value;
    }
    document
}

fn claiming(name: &str, value: Value) -> Result<Proof, Flaw> {
    judged(&signed(&header(), &with(claims(), name, value)))
}

#[test]
fn a_good_proof_names_its_key_and_itself() {
    let proof = judged(&signed(&header(), &claims())).unwrap();
    let thumbprint = jwk::ed25519_thumbprint(pair().public_key().as_ref().try_into().unwrap());
    let wanted = Proof {
        digest: name(&thumbprint, "one"),
        thumbprint,
        nonce: Some("n".to_owned()),
        issued_at: now(),
    };
    assert_eq!(proof, wanted);
    assert_eq!(proof.forget_at(), Timestamp::from_second(NOW + 300).unwrap());
    // What else is said does not matter, and the same proof made again is the same.
    assert_eq!(claiming("note", json!({"a": [1]})), Ok(wanted.clone()));
    let more = with(header(), "kid", json!("a"));
    assert_eq!(judged(&signed(&more, &claims())), Ok(wanted.clone()));
    let named = with(header(), "alg", json!("Ed25519"));
    assert_eq!(judged(&signed(&named, &claims())), Ok(wanted.clone()));
    let typed = with(header(), "typ", json!("application/DPoP+JWT"));
    assert_eq!(judged(&signed(&typed, &claims())), Ok(wanted.clone()));
    let without = claiming("nonce", Value::Null).unwrap();
    assert_eq!((without.nonce, without.digest), (None, wanted.digest));
    assert_ne!(claiming("jti", json!("two")).unwrap().digest, wanted.digest);
}

#[test]
fn p256_signs_too() {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref()).unwrap();
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)});
    let of = |algorithm: &str| {
        let header = json!({"typ": "dpop+jwt", "alg": algorithm, "jwk": jwk});
        let text = format!("{}.{}", encode(header.to_string()), encode(claims().to_string()));
        format!("{text}.{}", encode(pair.sign(&random, text.as_bytes()).unwrap()))
    };
    let key = jwk::elliptic(jwk.as_object().unwrap()).unwrap();
    assert_eq!(judged(&of("ES256")).unwrap().thumbprint, jwk::thumbprint(&key));
    for algorithm in ["EdDSA", "ES384", "none", "HS256"] {
        assert_eq!(judged(&of(algorithm)), Err(Flaw::Signature), "{algorithm}");
    }
    // A point that is not on the curve signs nothing.
    let off = json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(x)});
    let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": off});
    assert_eq!(judged(&signed(&header, &claims())), Err(Flaw::Signature));
}

#[test]
fn a_header_that_is_no_proofs_is_refused() {
    let cases = [
        ("typ", Value::Null, Flaw::Type),
        ("typ", json!("JWT"), Flaw::Type),
        ("typ", json!("at+jwt"), Flaw::Type),
        ("typ", json!("dpop+jwt "), Flaw::Type),
        ("alg", Value::Null, Flaw::Signature),
        ("alg", json!("none"), Flaw::Signature),
        ("alg", json!("RS256"), Flaw::Signature),
        ("alg", json!("ES256"), Flaw::Signature),
        ("jwk", Value::Null, Flaw::Key),
        ("jwk", json!("key"), Flaw::Key),
        ("jwk", with(jwk_of(&pair()), "d", json!("AA")), Flaw::Key),
        ("jwk", json!({"kty": "oct", "k": "c2VjcmV0"}), Flaw::Key),
        (
            "jwk",
            json!({"kty": "OKP", "crv": "Ed25519", "x": encode([0; 32])}),
            Flaw::Key,
        ),
        (
            "jwk",
            json!({"kty": "RSA", "n": encode([7; 2000]), "e": "AQAB"}),
            Flaw::Key,
        ),
        (
            "jwk",
            json!({"kty": "EC", "crv": "P-384", "x": encode([1; 48]), "y": encode([1; 48])}),
            Flaw::Key,
        ),
        (
            "jwk",
            jwk_of(&Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap()),
            Flaw::Signature,
        ),
        ("crit", json!(["exp"]), Flaw::Malformed),
    ];
    for (name, value, wanted) in cases {
        let told = format!("{name} = {value}");
        assert_eq!(
            judged(&signed(&with(header(), name, value), &claims())),
            Err(wanted),
            "{told}"
        );
    }
    let good = signed(&header(), &claims());
    for bad in [
        "",
        "a.b.c",
        &good[1..],
        &format!("{good}="),
        &format!("{good}.{good}"),
        &good.to_uppercase(),
    ] {
        assert_eq!(judged(bad), Err(Flaw::Malformed), "{bad}");
    }
    let repeated = r#"{"jti":"one","jti":"two","htm":"POST"}"#;
    let text = format!("{}.{}", encode(header().to_string()), encode(repeated));
    let text = format!("{text}.{}", encode(pair().sign(text.as_bytes())));
    assert_eq!(judged(&text), Err(Flaw::Malformed));
    let long = with(claims(), "note", json!("x".repeat(4096)));
    assert_eq!(judged(&signed(&header(), &long)), Err(Flaw::Malformed));
    let (rest, signature) = good.rsplit_once('.').unwrap();
    let mut other = jws::decode(signature).unwrap();
    other[0] ^= 1;
    assert_eq!(judged(&format!("{rest}.{}", encode(other))), Err(Flaw::Signature));
}

#[test]
fn a_proof_for_another_request_is_refused() {
    for method in [json!("post"), json!("GET"), json!(7), Value::Null] {
        assert_eq!(claiming("htm", method), Err(Flaw::Method));
    }
    for place in [
        "https://pinfold.example/oauth/token?a=b",
        "https://pinfold.example/oauth/token#c",
        "https://pinfold.example:443/oauth/token",
        "HTTPS://Pinfold.Example/oauth/token",
        "https://pinfold.example/oauth/../oauth/./token",
    ] {
        assert!(claiming("htu", json!(place)).is_ok(), "{place}");
    }
    for place in [
        "https://pinfold.example/oauth/Token",
        "https://pinfold.example/oauth/token/",
        "https://pinfold.example/oauth%2Ftoken",
        "https://pinfold.example:8443/oauth/token",
        "https://pinfold.example.evil.example/oauth/token",
        "https://user@pinfold.example/oauth/token",
        "https://:secret@pinfold.example/oauth/token",
        "http://pinfold.example/oauth/token",
        "https://[::1]/oauth/token",
        "https://@pinfold.example/oauth/token",
        "https://\u{ff50}infold.example/oauth/token",
        "https://%70infold.example/oauth/token",
        "https:\\\\pinfold.example\\oauth\\token",
        "https:pinfold.example/oauth/token",
        "https://pinfold.example/oauth/\ttoken",
        " https://pinfold.example/oauth/token",
        "/oauth/token",
        "",
    ] {
        assert_eq!(claiming("htu", json!(place)), Err(Flaw::Uri), "{place}");
    }
    for place in [json!(7), Value::Null] {
        assert_eq!(claiming("htu", place), Err(Flaw::Uri));
    }
    for id in [Value::Null, json!(""), json!(7), json!("x".repeat(257))] {
        assert_eq!(claiming("jti", id), Err(Flaw::Id));
    }
    assert_eq!(claiming("nonce", json!(7)), Err(Flaw::Nonce));
}

#[test]
fn a_proof_is_of_now() {
    for off in [-300, -10, 10, 300] {
        assert!(claiming("iat", json!(NOW + off)).is_ok(), "{off}");
    }
    for at in [
        json!(NOW - 301),
        json!(NOW + 301),
        json!(NOW - 3600),
        json!(NOW + 3600),
        json!(0),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1_800_000_000.5),
        json!(NOW.to_string()),
        Value::Null,
    ] {
        assert_eq!(claiming("iat", at.clone()), Err(Flaw::Time), "{at}");
    }
    assert_eq!(claiming("exp", json!(NOW)), Err(Flaw::Time));
    assert!(claiming("exp", json!(NOW + 1)).is_ok());
    assert_eq!(claiming("nbf", json!(NOW + 301)), Err(Flaw::Time));
    assert!(claiming("nbf", json!(NOW)).is_ok());
    assert_eq!(claiming("exp", json!("soon")), Err(Flaw::Time));
}

#[test]
fn a_proof_beside_a_token_is_for_that_token() {
    let of = |token: &str| signed(&header(), &with(claims(), "ath", json!(hash_of(token))));
    assert!(judged_with(&of("token"), Some("token")).is_ok());
    assert_eq!(judged_with(&of("another"), Some("token")), Err(Flaw::AccessToken));
    assert_eq!(
        judged_with(&signed(&header(), &claims()), Some("token")),
        Err(Flaw::AccessToken)
    );
    // Where no token came along, there is none to compare with.
    assert!(judged(&of("token")).is_ok());
    // RFC 9449, section 7.1.
    assert_eq!(
        hash_of("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"),
        "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"
    );
}

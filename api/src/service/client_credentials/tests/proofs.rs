//! Proofs of possession that come with requests: what OpenID's FAPI 2.0 has its negative modules send, and more.

use std::cell::Cell;

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use resource_server::dpop;

use super::*;

/// The order of the group of P-256 (SEC 2, section 2.4.2).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// A token that is bound to a key, and what is said beside it.
struct Bound<'a> {
    app: &'a TestApp,
    key: TestKey,
    token: String,
    nonce: String,
    /// How many proofs were made.
    made: Cell<u32>,
}

impl<'a> Bound<'a> {
    async fn new(app: &'a TestApp, client: &TestClient, key: TestKey) -> Self {
        let given = nonce(app, client, &key).await;
        let proof = key.proof(&claims("of the token", &given));
        let answer = ask(app, &[("authorization", &client.basic()), ("dpop", &proof)], &[]).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        let mut bound = Self {
            app,
            key,
            token: answer.body["access_token"].as_str().unwrap().to_owned(),
            nonce: String::new(),
            made: Cell::new(0),
        };
        let first = bound.send(&[("dpop", &bound.key.proof(&bound.claims()))]).await;
        assert_eq!(error(&first), (401, "use_dpop_nonce"));
        bound.nonce = first.header("dpop-nonce").unwrap().to_owned();
        bound
    }

    /// What a good proof says, each of another name.
    fn claims(&self) -> Value {
        self.made.set(self.made.get() + 1);
        json!({
            "jti": format!("proof {}", self.made.get()), "htm": "GET", "htu": format!("{ISSUER}/v1/me"), "iat": START,
            "nonce": self.nonce, "ath": dpop::hash_of(&self.token),
        })
    }

    fn header(&self) -> Value {
        json!({"typ": "dpop+jwt", "alg": self.key.algorithm(), "jwk": self.key.jwk()})
    }

    /// A request with the token and these headers, from an address of its own: of one there may not be so many.
    async fn send(&self, headers: &[(&str, &str)]) -> Answer {
        self.made.set(self.made.get() + 1);
        let address = format!("203.0.113.{}", self.made.get());
        let token = format!("DPoP {}", self.token);
        let own = [("authorization", token.as_str()), ("x-forwarded-for", &address)];
        call(self.app, "/v1/me", &[own.as_slice(), headers].concat()).await
    }

    async fn show(&self, proof: &str) -> Answer {
        self.send(&[("dpop", proof)]).await
    }
}

/// The document with another value of a member, or without it.
fn with(mut document: Value, name: &str, value: Value) -> Value {
    if value.is_null() {
        document.as_object_mut().unwrap().remove(name);
    } else {
        document[name] = value;
    }
    document
}

/// A proof that is none is told so, with what to do about it.
fn is_no_proof(what: &str, answer: &Answer) {
    assert_eq!(error(answer), (401, "invalid_dpop_proof"), "{what}: {:?}", answer.body);
    let challenges: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
    let wanted = "DPoP realm=\"pinfold\", error=\"invalid_dpop_proof\", algs=\"ES256 EdDSA Ed25519\", resource_metadata=\"https://pinfold.example/.well-known/oauth-protected-resource\"";
    assert_eq!(challenges, [wanted], "{what}");
    assert!(answer.header("dpop-nonce").is_some(), "{what}");
}

/// The other signature of P-256 that is as good: of `s` and the order without `s`.
fn twin(proof: &str) -> String {
    let (signed, signature) = proof.rsplit_once('.').unwrap();
    let mut bytes = jws::decode(signature).unwrap();
    let mut borrow = 0;
    for (byte, of_order) in bytes[32..].iter_mut().zip(ORDER).rev() {
        let difference = i16::from(of_order) - i16::from(*byte) - borrow;
        borrow = i16::from(difference < 0);
        *byte = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(bytes))
}

#[tokio::test]
async fn what_is_no_proof_is_refused_at_the_resource() {
    let app = TestApp::start().await;
    let client = TestClient::new(&app, &json!({"dpop_bound_access_tokens": true})).await;
    let bound = Bound::new(&app, &client, TestKey::new(7)).await;
    let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let jwk = Value::Object(bound.key.jwk());
    let curve = |name: &str, length: usize| {
        let point = encoded(&vec![1; length]);
        json!({"kty": "EC", "crv": name, "x": point, "y": point})
    };
    let headers = [
        ("typ", Value::Null),
        ("typ", json!("JWT")),
        ("typ", json!("at+jwt")),
        ("alg", Value::Null),
        ("alg", json!("none")),
        ("alg", json!("RS256")),
        ("alg", json!("ES256")),
        ("alg", json!("HS256")),
        ("jwk", Value::Null),
        ("jwk", with(jwk, "d", json!(encoded(&[7; 32])))),
        ("jwk", json!({"kty": "oct", "k": "c2VjcmV0"})),
        ("jwk", json!({"kty": "OKP", "crv": "Ed25519", "x": encoded(&[0; 32])})),
        ("jwk", json!({"kty": "RSA", "n": encoded(&[7; 256]), "e": "AQAB"})),
        ("jwk", curve("P-384", 48)),
        ("jwk", curve("P-256", 32)),
        ("jwk", Value::Object(TestKey::new(8).jwk())),
        ("crit", json!(["exp"])),
    ];
    for (name, value) in headers {
        let what = format!("{name} = {value}");
        let proof = bound.key.sign(&with(bound.header(), name, value), &bound.claims());
        is_no_proof(&what, &bound.show(&proof).await);
    }
    let claims = [
        ("jti", Value::Null),
        ("jti", json!("")),
        ("jti", json!("x".repeat(257))),
        ("htm", Value::Null),
        ("htm", json!("POST")),
        ("htm", json!("get")),
        ("htu", Value::Null),
        ("htu", json!(format!("{ISSUER}/v1/tenants"))),
        ("htu", json!(format!("{ISSUER}/v1/me/"))),
        ("htu", json!("http://pinfold.example/v1/me")),
        ("htu", json!("https://evil.example/v1/me")),
        ("iat", Value::Null),
        ("iat", json!(START - 301)),
        ("iat", json!(START + 301)),
        ("iat", json!(START - 3600)),
        ("iat", json!(START + 3600)),
        ("iat", json!(START.to_string())),
        ("exp", json!(START)),
        ("nbf", json!(START + 3600)),
        ("ath", Value::Null),
        ("ath", json!(dpop::hash_of("another"))),
        ("nonce", json!(7)),
    ];
    for (name, value) in claims {
        let what = format!("{name} = {value}");
        let proof = bound.key.proof(&with(bound.claims(), name, value));
        is_no_proof(&what, &bound.show(&proof).await);
    }
    let good = bound.key.proof(&bound.claims());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let mut altered = jws::decode(signature).unwrap();
    altered[0] ^= 1;
    for proof in [
        "",
        "a.b.c",
        &good.to_uppercase(),
        &good[1..],
        &format!("{signed}."),
        &format!("{signed}.{}", encoded(&altered)),
        &format!("{good}="),
        &format!("{good}, {}", bound.key.proof(&bound.claims())),
    ] {
        is_no_proof(proof, &bound.show(proof).await);
    }
    let second = bound.key.proof(&bound.claims());
    is_no_proof("two headers", &bound.send(&[("dpop", &good), ("dpop", &second)]).await);
    for nonce in [Value::Null, json!("none of yours"), json!(client.id)] {
        let proof = bound.key.proof(&with(bound.claims(), "nonce", nonce));
        assert_eq!(error(&bound.show(&proof).await), (401, "use_dpop_nonce"));
    }
    assert_eq!(bound.show(&good).await.status, 200, "nothing of that spent it");

    // What else is said, and how an address is spelled, does not matter.
    for (name, value) in [
        ("htu", json!(format!("{ISSUER}/v1/me?a=b"))),
        ("htu", json!(format!("{ISSUER}/v1/me#c"))),
        ("htu", json!("https://pinfold.example:443/v1/me")),
        ("htu", json!("HTTPS://Pinfold.Example/v1/me")),
        ("iat", json!(START - 10)),
        ("iat", json!(START + 10)),
        ("exp", json!(START + 60)),
        ("note", json!({"a": [1]})),
    ] {
        let what = format!("{name} = {value}");
        let proof = bound.key.proof(&with(bound.claims(), name, value));
        assert_eq!(bound.show(&proof).await.status, 200, "{what}");
    }
    for (name, value) in [
        ("note", json!("a")),
        ("kid", json!("a")),
        ("jku", json!("https://evil.example/keys")),
        ("alg", json!("Ed25519")),
        ("typ", json!("DPoP+JWT")),
    ] {
        let what = format!("{name} = {value}");
        let proof = bound.key.sign(&with(bound.header(), name, value), &bound.claims());
        assert_eq!(bound.show(&proof).await.status, 200, "{what}");
    }
    is_no_proof("used", &bound.show(&good).await);
    let last = bound.key.proof(&bound.claims());
    assert_eq!(bound.show(&last).await.status, 200);
}

#[tokio::test]
async fn one_proof_comes_in_one_header() {
    let app = TestApp::start().await;
    let client = TestClient::new(&app, &json!({})).await;
    let key = TestKey::new(7);
    let given = nonce(&app, &client, &key).await;
    let basic = client.basic();
    for path in [TOKEN, "/oauth/par"] {
        let proof = |id: &str| {
            let htu = format!("{ISSUER}{path}");
            key.proof(&with(claims(&format!("{path} {id}"), &given), "htu", json!(htu)))
        };
        let (one, two) = (proof("one"), proof("two"));
        let joined = format!("{one}, {two}");
        for headers in [
            vec![("dpop", one.as_str()), ("dpop", &two)],
            vec![("dpop", one.as_str()), ("dpop", &one)],
            vec![("dpop", joined.as_str())],
            vec![("dpop", "")],
        ] {
            let all = [[("authorization", basic.as_str())].as_slice(), &headers].concat();
            let form = [("grant_type", "client_credentials")];
            let answer = app.form_with(path, &all, &form).await;
            assert_eq!(error(&answer), (400, "invalid_dpop_proof"), "{path} {headers:?}");
        }
    }
    let one = key.proof(&claims("/oauth/token one", &given));
    let good = ask(&app, &[("authorization", &basic), ("dpop", &one)], &[]).await;
    assert_eq!(good.status, 200, "nothing of that spent it: {:?}", good.body);
}

/// Case 4: of the signatures of P-256 there are many for each proof, and it counts once.
#[tokio::test]
async fn a_proof_that_is_signed_again_is_the_same() {
    let app = TestApp::start().await;
    let client = TestClient::new(&app, &json!({})).await;
    let bound = Bound::new(&app, &client, TestKey::p256()).await;
    let given = nonce(&app, &client, &bound.key).await;
    let basic = client.basic();
    let shown = async |proof: &str| ask(&app, &[("authorization", &basic), ("dpop", proof)], &[]).await;
    let signed = |claims: &Value| {
        let (one, other) = (bound.key.proof(claims), bound.key.proof(claims));
        assert_ne!(one, other);
        (twin(&one), one, other)
    };
    let (twin, one, other) = signed(&claims("one", &given));
    assert_eq!(error(&shown(&one).await), (200, ""));
    for again in [&one, &other, &twin] {
        assert_eq!(error(&shown(again).await), (400, "invalid_dpop_proof"));
    }
    let (twin, one, other) = signed(&claims("two", &given));
    assert_eq!(error(&shown(&twin).await), (200, ""), "it is as good");
    for again in [&one, &other, &twin] {
        assert_eq!(error(&shown(again).await), (400, "invalid_dpop_proof"));
    }

    let (twin, one, other) = signed(&bound.claims());
    assert_eq!(bound.show(&one).await.status, 200);
    for again in [&one, &other, &twin] {
        is_no_proof("signed again", &bound.show(again).await);
    }
}

/// Case 16: what a request says of where it was sent to counts for nothing.
#[tokio::test]
async fn a_proof_is_for_the_address_that_is_configured() {
    const ELSEWHERE: [(&str, &str); 5] = [
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-port", "8443"),
        ("forwarded", "for=203.0.113.1;host=evil.example;proto=http"),
    ];
    let app = TestApp::start().await;
    let client = TestClient::new(&app, &json!({})).await;
    let bound = Bound::new(&app, &client, TestKey::new(7)).await;
    let given = nonce(&app, &client, &bound.key).await;
    let basic = client.basic();
    let each = ELSEWHERE.map(|header| vec![header]);
    for (n, headers) in each.into_iter().chain([ELSEWHERE.to_vec()]).enumerate() {
        for origin in [
            "https://evil.example",
            "http://evil.example",
            "http://pinfold.example",
            "https://pinfold.example:8443",
            ISSUER,
        ] {
            let what = format!("{n} {origin}");
            let said = with(claims(&what, &given), "htu", json!(format!("{origin}{TOKEN}")));
            let proof = bound.key.proof(&said);
            let own = [("authorization", basic.as_str()), ("dpop", &proof)];
            let answer = ask(&app, &[own.as_slice(), &headers].concat(), &[]).await;
            let said = with(bound.claims(), "htu", json!(format!("{origin}/v1/me")));
            let proof = bound.key.proof(&said);
            let shown = bound
                .send(&[[("dpop", proof.as_str())].as_slice(), &headers].concat())
                .await;
            if origin == ISSUER {
                assert_eq!((answer.status.as_u16(), shown.status.as_u16()), (200, 200), "{what}");
            } else {
                assert_eq!(error(&answer), (400, "invalid_dpop_proof"), "{what}");
                is_no_proof(&what, &shown);
            }
        }
    }
}

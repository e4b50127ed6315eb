//! Case 35: a client proves itself by what it signs, and by each signature once.

use axum::http::Method;
use futures::future::join_all;
use serde_json::{Value, json};

use super::{error, proof, text};
use crate::{
    auth::client::assertion::TYPE,
    testing::{Answer, TestApp, TestKey, borrowed, consent::TestParty},
};

const TOKEN: &str = "/oauth/token";

/// What is registered of a client that has these keys.
fn registration(keys: &[&TestKey]) -> Value {
    let keys: Vec<Value> = keys.iter().map(|key| key.registered()).collect();
    json!({
        "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": keys},
        "grant_types": ["authorization_code", "client_credentials"],
    })
}

fn by(assertion: &str) -> [(&str, &str); 2] {
    [("client_assertion_type", TYPE), ("client_assertion", assertion)]
}

/// What a client gets for itself that proves itself so.
async fn get(app: &TestApp, proves: &[(&str, &str)]) -> Answer {
    let form = [[("grant_type", "client_credentials")].as_slice(), proves].concat();
    app.form(TOKEN, &form).await
}

/// Whatever is wrong with what proves a client, it is told the same.
fn is_nobody(answer: &Answer) {
    let wanted = json!({
        "error": "invalid_client",
        "error_description": "the client is not proved: send its client_id and secret in the way that it is registered for, and in no other",
    });
    assert_eq!(answer.told(), (401, &wanted));
    let challenge = "Basic realm=\"pinfold\", charset=\"UTF-8\"";
    assert_eq!(answer.header("www-authenticate"), Some(challenge));
}

#[tokio::test]
async fn an_assertion_counts_once() {
    let app = TestApp::start().await;
    let replica = app.replica();
    replica.refresh_keys().await;
    let key = TestKey::p256();
    let party = TestParty::new(&app, &registration(&[&key])).await;
    let assertion = key.assertion(&party.id, "one");
    let answers = join_all((0..50).map(|n| {
        let (to, assertion) = (if n % 2 == 0 { &app } else { &replica }, &assertion);
        async move { get(to, &by(assertion)).await }
    }))
    .await;
    let (good, bad): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((good.len(), bad.len()), (1, 49));
    bad.into_iter().for_each(is_nobody);

    // Nor does it count elsewhere, and signed again it is the same.
    let again = key.assertion(&party.id, "one");
    assert_ne!(again, assertion);
    for path in [
        TOKEN,
        "/oauth/par",
        "/oauth/introspect",
        "/oauth/revoke",
        "/oauth/device_authorization",
    ] {
        for (to, assertion) in [(&app, &assertion), (&replica, &again)] {
            let form = [
                by(assertion).as_slice(),
                &[("grant_type", "client_credentials"), ("token", "x")],
            ]
            .concat();
            is_nobody(&to.form(path, &form).await);
        }
    }
    // What another client calls the same is another.
    let other = TestParty::of(&app, party.owner.clone(), &registration(&[&key])).await;
    let by_other = key.assertion(&other.id, "one");
    assert_eq!(get(&app, &by(&by_other)).await.status, 200);
    assert_eq!(get(&app, &by(&key.assertion(&party.id, "two"))).await.status, 200);
}

#[tokio::test]
async fn whoever_is_told_to_use_a_nonce_has_spent_no_assertion() {
    let app = TestApp::start().await;
    let key = TestKey::ed25519();
    let party = TestParty::new(&app, &registration(&[&key])).await;
    let asked = party.parameters(&[]);
    for (path, form, wanted) in [
        (TOKEN, vec![("grant_type", "client_credentials")], 200),
        ("/oauth/par", borrowed(&asked), 201),
    ] {
        let assertion = key.assertion(&party.id, path);
        let form = [form.as_slice(), &by(&assertion)].concat();
        let send = async |id: &str, nonce: &str| {
            let proof = proof(&key, path, &format!("{path} {id}"), nonce);
            party.post(&app, path, &[("dpop", &proof)], &form).await
        };
        let first = send("a", "").await;
        assert_eq!(error(&first), (400, "use_dpop_nonce"), "{path}");
        let nonce = first.header("dpop-nonce").unwrap();
        assert_eq!(send("b", nonce).await.status, wanted, "{path}");
        is_nobody(&send("c", nonce).await);
    }
}

#[tokio::test]
async fn a_key_that_a_client_gave_up_proves_it_no_more() {
    let app = TestApp::start().await;
    let replica = app.replica();
    replica.refresh_keys().await;
    let (old, new) = (TestKey::ed25519(), TestKey::p256());
    let party = TestParty::new(&app, &registration(&[&old])).await;
    let change = async |keys: &[&TestKey]| {
        let keys: Vec<Value> = keys.iter().map(|key| key.registered()).collect();
        let (path, body) = (
            format!("/v1/tenants/acme/clients/{}", party.id),
            json!({"jwks": {"keys": keys}}),
        );
        let changed = app.as_person(Method::PATCH, &path, &party.owner, Some(&body)).await;
        assert_eq!(changed.status, 200, "{:?}", changed.body);
    };
    let token = async |key: &TestKey, id: &str| {
        let answer = get(&app, &by(&key.assertion(&party.id, id))).await;
        text(&answer, "access_token").to_owned()
    };
    let seen = async |token: &str| {
        let (here, there) = (
            app.get("/v1/me", Some(token)).await,
            replica.get("/v1/me", Some(token)).await,
        );
        (here.status.as_u16(), there.status.as_u16())
    };
    let by_old = token(&old, "a").await;
    assert_eq!(seen(&by_old).await, (200, 200));
    is_nobody(&get(&app, &by(&new.assertion(&party.id, "b"))).await);
    change(&[&old, &new]).await;
    let by_new = token(&new, "b").await;
    let again = token(&old, "c").await;
    for token in [&by_old, &by_new, &again] {
        assert_eq!(seen(token).await, (200, 200));
    }
    change(&[&new]).await;
    for token in [&by_old, &again] {
        assert_eq!(seen(token).await, (401, 401));
    }
    assert_eq!(seen(&by_new).await, (200, 200));
    is_nobody(&get(&replica, &by(&old.assertion(&party.id, "d"))).await);
    assert_eq!(
        get(&replica, &by(&new.assertion(&party.id, "d"))).await.status,
        200,
        "what was refused spent nothing"
    );
}

#[tokio::test]
async fn nothing_else_proves_a_client_that_has_a_key() {
    let app = TestApp::start().await;
    let (key, other) = (TestKey::ed25519(), TestKey::ed25519());
    let party = TestParty::new(&app, &registration(&[&key])).await;
    let of = async |method: &str| {
        let public = json!({"token_endpoint_auth_method": method});
        TestParty::of(&app, party.owner.clone(), &public).await
    };
    let (secret, public) = (of("client_secret_basic").await, of("none").await);
    let id = party.id.as_str();
    for form in [
        [("client_id", id)].as_slice(),
        &[("client_id", id), ("client_secret", "")],
        &[("client_id", id), ("client_secret", "x")],
        &[("client_id", id), ("client_secret", &key.thumbprint())],
    ] {
        is_nobody(&get(&app, form).await);
    }
    let in_header = TestParty {
        secret: "x".to_owned(),
        ..party.clone()
    };
    let form = [("grant_type", "client_credentials")];
    is_nobody(&in_header.token(&app, &[], &form).await);

    // Of clients that are registered for another method, or not at all; or by another's key.
    for assertion in [
        key.assertion(&secret.id, "a"),
        key.assertion(&public.id, "a"),
        key.assertion("nobody", "a"),
        other.assertion(id, "a"),
    ] {
        is_nobody(&get(&app, &by(&assertion)).await);
    }
    let header = json!({"alg": "EdDSA", "kid": key.thumbprint()});
    let with = |mut whole: Value, name: &str, value: Value| {
        whole[name] = value;
        whole
    };
    for (name, value) in [
        ("alg", json!("none")),
        ("alg", json!("RS256")),
        ("alg", json!("HS256")),
        ("alg", json!("ES256")),
        ("kid", json!(other.thumbprint())),
        ("typ", json!("dpop+jwt")),
    ] {
        let header = with(header.clone(), name, value);
        is_nobody(&get(&app, &by(&key.sign(&header, &TestKey::claims(id, "a")))).await);
    }
    let now = app.now();
    for (name, value) in [
        ("aud", json!("https://pinfold.example/oauth/token")),
        ("aud", json!(["https://pinfold.example"])),
        ("sub", json!(secret.id)),
        ("exp", json!(now)),
        ("exp", json!(now + 311)),
        ("iat", json!(now + 61)),
        ("jti", json!("")),
    ] {
        let claims = with(TestKey::claims(id, "a"), name, value);
        is_nobody(&get(&app, &by(&key.sign(&header, &claims))).await);
    }
    let good = key.assertion(id, "a");
    let (signed, _) = good.rsplit_once('.').unwrap();
    is_nobody(&get(&app, &by(&format!("{signed}."))).await);
    is_nobody(&get(&app, &[("client_assertion", &good)]).await);
    let twice = [by(&good).as_slice(), &[("client_secret", "x")]].concat();
    is_nobody(&get(&app, &twice).await);
    assert_eq!(get(&app, &by(&good)).await.status, 200, "nothing of that spent it");
}

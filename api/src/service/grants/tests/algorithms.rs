//! How tokens are signed is the client's to say.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{status, text};
use crate::{
    auth::{
        jwk_set, jws,
        signing::{self, Algorithm},
        token,
    },
    testing::{TestApp, consent::TestParty},
};

/// The keys that are published now, by their ids.
async fn published(app: &TestApp) -> BTreeMap<String, jws::PublicKey> {
    let set = app.get("/.well-known/jwks.json", None).await;
    jwk_set::read(set.body.to_string().as_bytes()).unwrap()
}

fn verified(keys: &BTreeMap<String, jws::PublicKey>, token: &str, type_: &str) -> (&'static str, Value) {
    let parsed = jws::parse(token).unwrap();
    let key = &keys[parsed.key_id().unwrap()];
    let algorithm = ["EdDSA", "ES256", "RS256"].into_iter().find(|name| key.goes_with(name));
    (
        algorithm.unwrap(),
        Value::Object(parsed.verify(type_, key).expect("the key signed it")),
    )
}

#[tokio::test]
async fn tokens_are_signed_as_the_client_says() {
    let app = TestApp::start().await;
    let metadata = json!({"access_token_signed_response_alg": "ES256", "id_token_signed_response_alg": "RS256"});
    let party = TestParty::new(&app, &metadata).await;
    let code = party.code(&app, &[("scope", "openid tenant:read")]).await;
    let early = party.redeem(&app, &code, &[]).await;
    assert_eq!(
        (
            early.status.as_u16(),
            text(&early, "error"),
            early.header("retry-after")
        ),
        (503, "temporarily_unavailable", Some("1")),
        "no key of RSA was made yet"
    );
    app.make_keys(&Algorithm::ALL).await;

    let keys = published(&app).await;
    let tokens = party.redeem(&app, &code, &[]).await;
    assert_eq!(tokens.status, 200, "nothing was spent: {:?}", tokens.body);
    let (algorithm, said) = verified(&keys, text(&tokens, "access_token"), token::TYPE);
    assert_eq!((algorithm, &said["client_id"]), ("ES256", &json!(party.id)));
    assert_eq!(status(&app, text(&tokens, "access_token")).await, 200);
    let (algorithm, said) = verified(&keys, text(&tokens, "id_token"), "jwt");
    assert_eq!((algorithm, &said["aud"]), ("RS256", &json!(party.id)));
    let again = party.refresh(&app, text(&tokens, "refresh_token")).await;
    assert_eq!(verified(&keys, text(&again, "access_token"), token::TYPE).0, "ES256");

    // A key for ID tokens alone makes no access token, whatever it signs.
    let claims = verified(&keys, text(&tokens, "access_token"), token::TYPE).1;
    for (algorithm, wanted) in [
        (Algorithm::EdDsa, 200),
        (Algorithm::Es256, 200),
        (Algorithm::Rs256, 401),
    ] {
        let key = app.state.keyring.signing(algorithm, app.state.clock.now()).unwrap();
        let token = signing::sign(token::TYPE, &key.id, &key.pair, &claims).unwrap();
        assert_eq!(status(&app, &token).await, wanted, "{algorithm:?}");
    }
}

#[tokio::test]
async fn one_key_of_each_algorithm_signs_at_a_time() {
    let app = TestApp::start().await;
    app.make_keys(&Algorithm::ALL).await;
    let signing = |app: &TestApp| {
        let now = app.state.clock.now();
        Algorithm::ALL.map(|algorithm| app.state.keyring.signing(algorithm, now).unwrap().id.clone())
    };
    let first = signing(&app);
    app.wait(29 * 24 * 3600);
    app.make_keys(&Algorithm::ALL).await;
    assert_eq!(signing(&app), first, "the next ones are published and do not sign yet");
    assert_eq!(published(&app).await.len(), 6);
    app.wait(24 * 3600);
    app.make_keys(&Algorithm::ALL).await;
    let second = signing(&app);
    assert!(first.iter().zip(&second).all(|(one, other)| one != other));
    app.wait(2 * 3600);
    app.make_keys(&Algorithm::ALL).await;
    let left: Vec<String> = published(&app).await.into_keys().collect();
    let mut wanted = second.to_vec();
    wanted.sort();
    assert_eq!(left, wanted, "what signed before is published no more");
}

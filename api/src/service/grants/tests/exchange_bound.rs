//! Tokens that are bound to a key are exchanged with a proof of it alone, and what is no access token not at all.

use serde_json::json;

use super::{
    devices::{self, begin, say},
    error,
    exchange::{ACCESS, GRANT, acting, agent, said, subject},
    is_no_subject, nonce, proof, status, text,
};
use crate::testing::{
    Answer, TestApp, TestKey, borrowed,
    consent::{TestParty, VERIFIER},
};

const TOKEN: &str = "/oauth/token";

/// A key, the name of a proof by it, and the nonce in that.
type Shown<'a> = Option<(&'a TestKey, &'a str, &'a str)>;

/// What an agent is told, with or without a proof.
async fn act(app: &TestApp, subject: &str, actor: &str, shown: Shown<'_>) -> Answer {
    let proof = shown.map(|(key, id, nonce)| proof(key, TOKEN, id, nonce));
    app.form_with(TOKEN, &beside(proof.as_deref()), &acting(subject, actor))
        .await
}

/// What a client is told, with or without a proof.
async fn ask(app: &TestApp, party: &TestParty, form: &[(&str, &str)], shown: Shown<'_>) -> Answer {
    let proof = shown.map(|(key, id, nonce)| proof(key, TOKEN, id, nonce));
    party.token(app, &beside(proof.as_deref()), form).await
}

fn beside(proof: Option<&str>) -> Vec<(&str, &str)> {
    proof.map(|proof| ("dpop", proof)).into_iter().collect()
}

fn redeeming(code: &str) -> [(&str, &str); 3] {
    [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("code_verifier", VERIFIER),
    ]
}

fn exchanging(subject: &str) -> [(&str, &str); 3] {
    [
        ("grant_type", GRANT),
        ("subject_token", subject),
        ("subject_token_type", ACCESS),
    ]
}

/// A token that is bound to this key, and to no other.
fn is_bound(answer: &Answer, key: &TestKey) -> String {
    let token = text(answer, "access_token");
    assert_eq!(
        (answer.status.as_u16(), &answer.body["token_type"], &said(token)["cnf"]),
        (200, &json!("DPoP"), &json!({"jkt": key.thumbprint()}))
    );
    token.to_owned()
}

#[tokio::test]
async fn a_bound_token_is_exchanged_with_its_key_alone() {
    let app = TestApp::start().await;
    let grants = json!({"scope": "tenant:read runs:read", "grant_types": ["authorization_code", GRANT]});
    let party = TestParty::new(&app, &grants).await;
    let scout = agent(&app, &party, "scout").await;
    let (key, other) = (TestKey::ed25519(), TestKey::p256());
    let nonce = nonce(&app, &party, &key).await;
    let by = |id| Some((&key, id, nonce.as_str()));
    let by_other = |id| Some((&other, id, nonce.as_str()));

    let own = app.token(&scout).await;
    let code = party.code(&app, &[("scope", "tenant:read")]).await;
    let bound = is_bound(&ask(&app, &party, &redeeming(&code), by("a")).await, &key);
    is_no_subject(&act(&app, &bound, &own, None).await);
    is_no_subject(&act(&app, &bound, &own, by_other("b")).await);
    let made = is_bound(&act(&app, &bound, &own, by("c")).await, &key);
    assert_eq!(status(&app, &made).await, 401, "it is bound, too");
    let again = act(&app, &bound, &own, by("c")).await;
    assert_eq!(error(&again), (400, "invalid_dpop_proof"));

    let form = scout.answer(&app.challenge(&scout).await);
    let proof = proof(&key, TOKEN, "d", &nonce);
    let answer = app.form_with(TOKEN, &[("dpop", &proof)], &borrowed(&form)).await;
    let own_bound = is_bound(&answer, &key);
    let plain = subject(&app, &party, "tenant:read").await;
    is_no_subject(&act(&app, &plain, &own_bound, None).await);
    is_no_subject(&act(&app, &plain, &own_bound, by_other("e")).await);
    is_bound(&act(&app, &plain, &own_bound, by("f")).await, &key);
    is_bound(&act(&app, &bound, &own_bound, by("g")).await, &key);
    // Tokens of nobody's are bound anew, and of two keys' are exchanged with neither.
    is_bound(&act(&app, &plain, &own, by_other("h")).await, &other);
    let code = party.code(&app, &[("scope", "tenant:read")]).await;
    let others = is_bound(&ask(&app, &party, &redeeming(&code), by_other("i")).await, &other);
    is_no_subject(&act(&app, &others, &own_bound, by("j")).await);
    is_no_subject(&act(&app, &others, &own_bound, by_other("k")).await);

    is_no_subject(&ask(&app, &party, &exchanging(&bound), None).await);
    is_no_subject(&ask(&app, &party, &exchanging(&bound), by_other("l")).await);
    is_bound(&ask(&app, &party, &exchanging(&bound), by("m")).await, &key);
}

#[tokio::test]
async fn what_is_no_access_token_of_a_consent_is_not_exchanged() {
    let app = TestApp::start().await;
    let grants = json!({
        "scope": "openid tenant:read runs:read",
        "grant_types": ["authorization_code", "refresh_token", "client_credentials", GRANT],
    });
    let party = TestParty::new(&app, &grants).await;
    let scout = agent(&app, &party, "scout").await;
    let own = app.token(&scout).await;
    let code = party.code(&app, &[("scope", "openid tenant:read")]).await;
    let tokens = party.redeem(&app, &code, &[]).await;
    let itself = [("grant_type", "client_credentials"), ("scope", "runs:read")];
    let itself = party.token(&app, &[], &itself).await;
    let good = text(&tokens, "access_token");
    let delegated = act(&app, good, &own, None).await;
    assert_eq!(delegated.status, 200, "{:?}", delegated.body);
    let (id, refresh, itself) = (
        text(&tokens, "id_token"),
        text(&tokens, "refresh_token"),
        text(&itself, "access_token"),
    );
    for token in [id, refresh, itself, own.as_str(), "nonsense"] {
        is_no_subject(&act(&app, token, &own, None).await);
        is_no_subject(&ask(&app, &party, &exchanging(token), None).await);
    }
    for token in [id, refresh, itself, good] {
        is_no_subject(&act(&app, good, token, None).await);
    }
    // What an agent has it has for itself.
    is_no_subject(&ask(&app, &party, &exchanging(text(&delegated, "access_token")), None).await);

    let kind = "urn:ietf:params:oauth:token-type:jwt";
    for (name, value) in [
        ("subject_token_type", ""),
        ("subject_token_type", kind),
        ("actor_token_type", ""),
        ("actor_token_type", kind),
        ("subject_token", ""),
    ] {
        let form = acting(good, &own).map(|(known, old)| (known, if known == name { value } else { old }));
        assert_eq!(
            error(&app.form(TOKEN, &form).await),
            (400, "invalid_request"),
            "{name} {value}"
        );
    }
    assert_eq!(ask(&app, &party, &exchanging(good), None).await.status, 200);
}

/// A client that is registered for bound tokens is told so before anything is used up.
#[tokio::test]
async fn who_gets_bound_tokens_alone_spends_nothing_without_a_proof() {
    let app = TestApp::start().await;
    let bound = json!({
        "dpop_bound_access_tokens": true,
        "grant_types": ["authorization_code", "refresh_token", devices::GRANT, GRANT],
    });
    let party = TestParty::new(&app, &bound).await;
    let key = TestKey::p256();
    let nonce = nonce(&app, &party, &key).await;
    let got = async |form: &[(&str, &str)], id: &str| {
        let without = ask(&app, &party, form, None).await;
        assert_eq!(error(&without), (400, "invalid_dpop_proof"), "{form:?}");
        let answer = ask(&app, &party, form, Some((&key, id, &nonce))).await;
        (is_bound(&answer, &key), answer)
    };
    let code = party.code(&app, &[("scope", "tenant:read")]).await;
    let (token, tokens) = got(&redeeming(&code), "a").await;
    let refresh = text(&tokens, "refresh_token");
    got(&[("grant_type", "refresh_token"), ("refresh_token", refresh)], "b").await;
    let begun = begin(&app, &party).await;
    say(&app, &party, text(&begun, "user_code"), "allow").await;
    let device = text(&begun, "device_code");
    got(&[("grant_type", devices::GRANT), ("device_code", device)], "c").await;
    // A token of its own is bound already, and so is no token without the proof.
    is_no_subject(&ask(&app, &party, &exchanging(&token), None).await);
    let answer = ask(&app, &party, &exchanging(&token), Some((&key, "d", &nonce))).await;
    is_bound(&answer, &key);
}

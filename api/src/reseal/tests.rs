use axum::http::Method;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{Resealed, all};
use crate::{
    auth::{chain::Signer, seal::MasterKey},
    routes::me::totp::tests::shown,
    service::audit,
    testing::{PASSWORD, TestApp},
};

/// The tests' own.
const OLD: [u8; 32] = [1; 32];
const NEW: [u8; 32] = [2; 32];

#[tokio::test]
async fn a_new_master_key_takes_the_place_of_the_old_one() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let begun = app.as_person(Method::POST, "/v1/me/totp", &ada, None).await;
    let secret = begun.body["secret"].as_str().unwrap().to_owned();
    let code = json!({"code": shown(&app, &secret), "current_password": PASSWORD});
    let confirmed = app
        .as_person(Method::POST, "/v1/me/totp/confirm", &ada, Some(&code))
        .await;
    assert_eq!(confirmed.status, 200);
    let heads = app.seal().await;
    let agent = app.agent().await;
    let token = app.token(&agent).await;

    let database = &app.state.database;
    let both = MasterKey::new(NEW).after(Some(OLD));
    let wanted = Resealed {
        signing_keys: 2,
        authenticators: 1,
        audit_heads: heads.len(),
    };
    assert!(wanted.audit_heads > 0);
    assert_eq!(all(database, &both).await.unwrap(), wanted);
    assert_eq!(
        all(database, &both).await.unwrap(),
        Resealed::default(),
        "there is nothing left to do"
    );

    // A replica with the new key alone goes on where those with the old one stopped.
    let new = app.with_settings(&[("PINFOLD_MASTER_KEY", STANDARD.encode(NEW))]);
    new.refresh_keys().await;
    assert_eq!(
        new.get("/v1/me", Some(&token)).await.status,
        200,
        "tokens are good until they end"
    );
    assert!(!new.token(&agent).await.is_empty());
    app.wait(30);
    let login = json!({"email": "ada@example.com", "password": PASSWORD, "code": shown(&new, &secret)});
    assert_eq!(new.post("/v1/sessions", &login).await.status, 201);
    new.seal().await;
    let alone = Signer::new(&MasterKey::new(NEW)).unwrap();
    let reports = audit::verify(database, &alone, &[]).await.unwrap();
    assert!(reports.iter().all(|report| report.findings.is_empty()), "{reports:?}");
    // Heads that left the database before are known by both keys only.
    let known = audit::verify(database, &Signer::new(&both).unwrap(), &heads)
        .await
        .unwrap();
    assert!(known.iter().all(|report| report.findings.is_empty()), "{known:?}");
    let unknown = audit::verify(database, &alone, &heads).await.unwrap();
    assert!(unknown.iter().any(|report| !report.findings.is_empty()));
}

#[tokio::test]
async fn what_is_under_neither_key_stops_it() {
    let app = TestApp::start().await;
    let wrong = MasterKey::new(NEW).after(Some([3; 32]));
    let error = all(&app.state.database, &wrong).await.unwrap_err();
    let told = format!("{error:#}");
    assert!(told.starts_with("the signing key "), "{told}");
    assert!(
        told.ends_with("what was sealed does not open under this master key"),
        "{told}"
    );
}

//! Tokens that are bound to a key, with proofs of it, of others and of none.

use resource_server::dpop;

use super::*;

/// What is shown, by which headers, and what is said to it.
type Case<'a> = (&'a str, Vec<(&'a str, &'a str)>, &'a str);

#[tokio::test]
async fn a_bound_token_counts_with_its_key_alone() {
    let app = TestApp::start().await;
    let client = TestClient::new(&app, &json!({"dpop_bound_access_tokens": true})).await;
    let basic = client.basic();
    let (key, other) = (TestKey::new(7), TestKey::new(8));
    let unbound = ask(&app, &[("authorization", &basic)], &[]).await;
    assert_eq!(error(&unbound), (400, "invalid_dpop_proof"));
    let given = nonce(&app, &client, &key).await;
    let proof = key.proof(&claims("one", &given));
    let answer = ask(&app, &[("authorization", &basic), ("dpop", &proof)], &[]).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["token_type"]),
        (200, &json!("DPoP")),
        "{:?}",
        answer.body
    );
    assert_eq!(answer.header("dpop-nonce"), Some(given.as_str()));
    let token = answer.body["access_token"].as_str().unwrap().to_owned();
    let said = Value::Object(jws::parse(&token).unwrap().unproven().unwrap());
    assert_eq!(said["cnf"], json!({"jkt": key.thumbprint()}));
    // The proof counted once, whoever shows it again.
    let again = ask(&app, &[("authorization", &basic), ("dpop", &proof)], &[]).await;
    assert_eq!(error(&again), (400, "invalid_dpop_proof"));

    let dpop_token = format!("DPoP {token}");
    let me = |id: &str, nonce: &str, token: &str| json!({"jti": id, "htm": "GET", "htu": format!("{ISSUER}/v1/me"), "iat": START, "nonce": nonce, "ath": dpop::hash_of(token)});
    // The nonce of the token endpoint is not the resource's.
    let first = call(
        &app,
        "/v1/me",
        &[
            ("authorization", &dpop_token),
            ("dpop", &key.proof(&me("a", &given, &token))),
        ],
    )
    .await;
    assert_eq!(error(&first), (401, "use_dpop_nonce"));
    assert_eq!(
        first.header("www-authenticate"),
        Some(
            "DPoP realm=\"pinfold\", error=\"use_dpop_nonce\", algs=\"ES256 EdDSA Ed25519\", resource_metadata=\"https://pinfold.example/.well-known/oauth-protected-resource\""
        )
    );
    let given = first.header("dpop-nonce").unwrap().to_owned();
    let proof = key.proof(&me("a", &given, &token));
    let good = call(&app, "/v1/me", &[("authorization", &dpop_token), ("dpop", &proof)]).await;
    assert_eq!(
        (good.status.as_u16(), good.header("dpop-nonce")),
        (200, Some(given.as_str())),
        "{:?}",
        good.body
    );

    let bearer = format!("Bearer {token}");
    let fresh = |id: &str| key.proof(&me(id, &given, &token));
    let (foreign, elsewhere, for_other) = (
        other.proof(&me("b", &given, &token)),
        key.proof(&json!({"jti": "c", "htm": "GET", "htu": format!("{ISSUER}/v1/tenants"), "iat": START, "nonce": given, "ath": dpop::hash_of(&token)})),
        key.proof(&me("d", &given, "another")),
    );
    let (one, two) = (fresh("e"), fresh("f"));
    let cases: [Case<'_>; 8] = [
        (
            "used",
            vec![("authorization", &dpop_token), ("dpop", &proof)],
            "invalid_dpop_proof",
        ),
        ("alone", vec![("authorization", &bearer)], "unauthenticated"),
        (
            "as bearer",
            vec![("authorization", &bearer), ("dpop", &one)],
            "unauthenticated",
        ),
        (
            "without a proof",
            vec![("authorization", &dpop_token)],
            "invalid_dpop_proof",
        ),
        (
            "another key",
            vec![("authorization", &dpop_token), ("dpop", &foreign)],
            "unauthenticated",
        ),
        (
            "elsewhere",
            vec![("authorization", &dpop_token), ("dpop", &elsewhere)],
            "invalid_dpop_proof",
        ),
        (
            "another token",
            vec![("authorization", &dpop_token), ("dpop", &for_other)],
            "invalid_dpop_proof",
        ),
        (
            "two proofs",
            vec![("authorization", &dpop_token), ("dpop", &one), ("dpop", &two)],
            "invalid_dpop_proof",
        ),
    ];
    for (what, headers, code) in cases {
        let answer = call(&app, "/v1/me", &headers).await;
        assert_eq!(error(&answer), (401, code), "{what}: {:?}", answer.body);
    }
    // What was signed is where the request was sent to.
    let through = |id: &str, path: &str| {
        key.proof(&json!({"jti": id, "htm": "GET", "htu": format!("{ISSUER}{path}"), "iat": START, "nonce": given, "ath": dpop::hash_of(&token)}))
    };
    for (path, signed, wanted) in [
        ("/api/v1/me", "/api/v1/me", 200),
        ("/api/v1/me", "/v1/me", 401),
        ("/v1/me", "/api/v1/me", 401),
    ] {
        let proof = through(&format!("{path} {signed}"), signed);
        let answer = call(&app, path, &[("authorization", &dpop_token), ("dpop", &proof)]).await;
        assert_eq!(answer.status, wanted, "{path} {signed}");
    }
    let last = fresh("g");
    let good = call(&app, "/v1/me", &[("authorization", &dpop_token), ("dpop", &last)]).await;
    assert_eq!(good.status, 200, "{:?}", good.body);
}

#[tokio::test]
async fn a_token_of_no_key_is_none_for_proofs() {
    let app = TestApp::start().await;
    let client = TestClient::new(&app, &json!({})).await;
    let answer = ask(&app, &[("authorization", &client.basic())], &[]).await;
    let token = answer.body["access_token"].as_str().unwrap().to_owned();
    let key = TestKey::new(7);
    let proof = |nonce: &str| {
        key.proof(&json!({"jti": "a", "htm": "GET", "htu": format!("{ISSUER}/v1/me"), "iat": START, "nonce": nonce, "ath": dpop::hash_of(&token)}))
    };
    let shown = format!("DPoP {token}");
    let first = call(&app, "/v1/me", &[("authorization", &shown), ("dpop", &proof(""))]).await;
    let given = first.header("dpop-nonce").unwrap().to_owned();
    let answer = call(&app, "/v1/me", &[("authorization", &shown), ("dpop", &proof(&given))]).await;
    assert_eq!(error(&answer), (401, "unauthenticated"));
    let challenges: Vec<&str> = answer
        .headers
        .get_all("www-authenticate")
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect();
    let wanted = [
        "Bearer realm=\"pinfold\", error=\"invalid_token\", resource_metadata=\"https://pinfold.example/.well-known/oauth-protected-resource\"",
        "DPoP realm=\"pinfold\", error=\"invalid_token\", algs=\"ES256 EdDSA Ed25519\", resource_metadata=\"https://pinfold.example/.well-known/oauth-protected-resource\"",
    ];
    assert_eq!(challenges, wanted);
}

use serde_json::{Value, json};

use super::*;

const SCOPES: &str = "openid runs:read";
const ED25519: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn web() -> Value {
    json!({"client_name": "Build board", "redirect_uris": ["https://board.example.com/callback"], "scope": SCOPES})
}

/// A client with a key.
fn signing() -> Value {
    json!({
        "client_name": "Build board", "scope": SCOPES, "grant_types": ["client_credentials"],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": ED25519}]},
    })
}

fn with(mut document: Value, members: &Value) -> Value {
    crate::http::merge::merge(&mut document, members.clone());
    document
}

fn check(document: &Value) -> Result<Metadata, String> {
    let written: Written = serde_json::from_value(document.clone()).unwrap();
    written.check().map_err(|flaw| flaw.to_string())
}

#[test]
fn what_is_not_said_is_the_rfcs_default() {
    let checked = check(&web()).unwrap();
    let said = json!({
        "client_name": "Build board",
        "application_type": "web",
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["authorization_code"],
        "redirect_uris": ["https://board.example.com/callback"],
        "scope": SCOPES,
        "dpop_bound_access_tokens": false,
        "access_token_signed_response_alg": "EdDSA",
        "id_token_signed_response_alg": "EdDSA",
    });
    assert_eq!(serde_json::to_value(Written::from(checked.clone())).unwrap(), said);
    assert_eq!(check(&said), Ok(checked));
}

/// Only what we know of a key is kept, and of several names one.
#[test]
fn what_means_nothing_is_not_kept() {
    let document = with(
        signing(),
        &json!({
            "scope": "  runs:read openid runs:read ",
            "grant_types": ["client_credentials", "client_credentials"],
            "jwks": {"x": 1, "keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": ED25519, "y": "\u{0}", "use": "sig", "note": "\u{0}"}]},
        }),
    );
    let kept = serde_json::to_value(Written::from(check(&document).unwrap())).unwrap();
    let wanted = json!({
        "client_name": "Build board",
        "application_type": "web",
        "token_endpoint_auth_method": "private_key_jwt",
        "grant_types": ["client_credentials"],
        "redirect_uris": [],
        "scope": SCOPES,
        "jwks": {"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": ED25519}]},
        "dpop_bound_access_tokens": false,
        "access_token_signed_response_alg": "EdDSA",
        "id_token_signed_response_alg": "EdDSA",
    });
    assert_eq!(kept, wanted);
}

#[test]
fn a_flaw_is_told_with_its_member() {
    let key = |members: Value| json!({"jwks": {"keys": [with(signing()["jwks"]["keys"][0].clone(), &members)]}});
    let keys: Vec<Value> = (0..17)
        .map(|i| json!({"kty": "OKP", "crv": "Ed25519", "kid": i.to_string(), "x": ED25519}))
        .collect();
    let uris: Vec<String> = (0..21).map(|i| format!("https://board.example.com/{i}")).collect();
    let name = "client_name: write 1 to 100 characters, no control characters and no space at either end";
    let bad_key = "jwks.keys[0]: write a public key that signs, Ed25519 or P-256, with no private member and a kid of 1 to 128 bytes, if any";
    let bad_kid = "write a name that no other key has, without control characters";
    let no_set = "jwks: write a JWK Set with 1 to 16 keys: {\"keys\": [...]}";
    let unproved = "a client that keeps no secret cannot prove itself: choose another token_endpoint_auth_method";
    let cases = [
        (web(), json!({"client_name": ""}), name.to_owned()),
        (web(), json!({"client_name": "a\r\nSet-Cookie: b"}), name.to_owned()),
        (web(), json!({"client_name": "\u{202e}knab"}), name.to_owned()),
        (
            web(),
            json!({"application_type": "mobile"}),
            "application_type: \"mobile\" is none of web, native".to_owned(),
        ),
        (
            web(),
            json!({"token_endpoint_auth_method": "client_secret_jwt"}),
            "token_endpoint_auth_method: \"client_secret_jwt\" is none of client_secret_basic, client_secret_post, private_key_jwt, none"
                .to_owned(),
        ),
        (
            web(),
            json!({"grant_types": []}),
            "grant_types: name at least one, as authorization_code".to_owned(),
        ),
        (
            web(),
            json!({"grant_types": ["authorization_code", "password"]}),
            "grant_types[1]: \"password\" is none of authorization_code, refresh_token, client_credentials, \
             urn:ietf:params:oauth:grant-type:device_code, urn:ietf:params:oauth:grant-type:token-exchange, \
             urn:ietf:params:oauth:grant-type:jwt-bearer"
                .to_owned(),
        ),
        (
            web(),
            json!({"token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "client_credentials"]}),
            format!("grant_types[1]: {unproved}"),
        ),
        (
            web(),
            json!({"redirect_uris": [], "grant_types": ["refresh_token", "client_credentials"]}),
            "grant_types: a refresh token comes with authorization_code or urn:ietf:params:oauth:grant-type:device_code: name one"
                .to_owned(),
        ),
        (
            web(),
            json!({"redirect_uris": null}),
            "redirect_uris: name at least one; authorization_code needs it".to_owned(),
        ),
        (
            web(),
            json!({"grant_types": ["client_credentials"]}),
            "redirect_uris: there is nobody to send back without authorization_code: leave them out".to_owned(),
        ),
        (web(), json!({"redirect_uris": uris}), "redirect_uris: name at most 20".to_owned()),
        (
            web(),
            json!({"redirect_uris": ["https://a.example/", "https://a.example/"]}),
            "redirect_uris[1]: https://a.example/ comes twice".to_owned(),
        ),
        (
            web(),
            json!({"redirect_uris": ["https://a.example/", "http://b.example/"]}),
            "redirect_uris[1]: write https; http to a loopback address is for the application_type native".to_owned(),
        ),
        (web(), json!({"scope": " "}), "scope: name at least one, as runs:read".to_owned()),
        (
            web(),
            json!({"scope": "runs:read runs"}),
            "scope: \"runs\" is no scope; docs/auth.md lists them".to_owned(),
        ),
        (
            web(),
            json!({"jwks": {"keys": []}}),
            "jwks: keys are for the token_endpoint_auth_method private_key_jwt: leave them out".to_owned(),
        ),
        (
            web(),
            json!({"jwks_uri": "https://a.example/jwks"}),
            "jwks_uri: keys are for the token_endpoint_auth_method private_key_jwt: leave them out".to_owned(),
        ),
        (
            signing(),
            json!({"jwks_uri": "https://a.example/jwks"}),
            "jwks_uri: write jwks or jwks_uri, not both".to_owned(),
        ),
        (
            signing(),
            json!({"jwks": null}),
            "jwks: private_key_jwt needs jwks or a jwks_uri".to_owned(),
        ),
        (signing(), json!({"jwks": "a"}), no_set.to_owned()),
        (signing(), json!({"jwks": {"keys": []}}), no_set.to_owned()),
        (signing(), json!({"jwks": {"keys": keys}}), no_set.to_owned()),
        (signing(), key(json!({"d": "secret"})), bad_key.to_owned()),
        (signing(), key(json!({"kty": "oct", "k": "secret"})), bad_key.to_owned()),
        (signing(), key(json!({"kid": 7})), bad_key.to_owned()),
        (signing(), key(json!({"use": "enc"})), bad_key.to_owned()),
        (signing(), key(json!({"use": ["\u{0}"]})), bad_key.to_owned()),
        (signing(), key(json!({"alg": {"a": "\u{0}"}})), bad_key.to_owned()),
        (signing(), key(json!({"kty": "RSA", "crv": null, "n": "a", "e": "AQAB"})), bad_key.to_owned()),
        (signing(), key(json!({"kid": "a\u{0}"})), format!("jwks.keys[0].kid: {bad_kid}")),
        (
            signing(),
            json!({"jwks": {"keys": [keys[0], keys[1], keys[0]]}}),
            format!("jwks.keys[2].kid: {bad_kid}"),
        ),
    ];
    assert!(check(&signing()).is_ok());
    for (document, members, wanted) in cases {
        assert_eq!(check(&with(document, &members)), Err(wanted), "{members}");
    }
}

/// RFC 6749, section 3.1.2; RFC 8252, section 7; RFC 9700, section 2.1.
#[test]
fn a_browser_is_sent_back_where_only_the_client_is() {
    let good = [
        ("web", "https://board.example.com"),
        ("web", "https://board.example.com/"),
        ("web", "https://board.example.com:8443/callback?tenant=a"),
        ("web", "https://xn--bcher-kva.example/"),
        ("native", "https://app.example.com/callback"),
        ("native", "http://127.0.0.1/callback"),
        ("native", "http://127.0.0.1:52000/callback"),
        ("native", "http://[::1]/callback"),
        ("native", "http://localhost:3000/callback"),
        ("native", "com.example.app:/callback"),
    ];
    for (kind, uri) in good {
        let document = with(web(), &json!({"application_type": kind, "redirect_uris": [uri]}));
        assert_eq!(check(&document).unwrap().redirect_uris, [uri]);
    }
    let loopback = "http is for 127.0.0.1, [::1] and localhost only: write https";
    let web_http = "write https; http to a loopback address is for the application_type native";
    let native = "write https, http to a loopback address, or a scheme that is your domain name in reverse, as com.example.app:/callback";
    let bad = [
        ("web", "/callback", "\"/callback\" is no absolute URI"),
        ("web", "", "\"\" is no absolute URI"),
        ("web", "https://", "\"https://\" is no absolute URI"),
        ("web", "http://127.0.0.1/callback", web_http),
        ("web", "com.example.app:/callback", "write https"),
        ("web", "javascript:alert(1)", "write https"),
        // A host that the person would take for the place where the browser goes.
        ("native", "com.example.app://accounts.example/x", native),
        ("web", "https://a.example/#x", "leave out the fragment, from the # on"),
        ("web", "https://a.example/#", "leave out the fragment, from the # on"),
        (
            "web",
            "https://u@a.example/",
            "leave out the user name and the password",
        ),
        (
            "web",
            "https://:p@a.example/",
            "leave out the user name and the password",
        ),
        ("web", "https://*.a.example/", "there are no wildcards: write each URI"),
        ("web", "https://a.example/x/../y", "write it as https://a.example/y"),
        ("web", "https://a.example/%2e%2e/y", "write it as https://a.example/y"),
        ("web", "https:\\\\a.example\\y", "write it as https://a.example/y"),
        ("web", "HTTPS://A.example/", "write it as https://a.example/"),
        ("web", "https://a.example:443/", "write it as https://a.example/"),
        ("web", "https://a.example/a b", "write it as https://a.example/a%20b"),
        ("web", " https://a.example/", "write it as https://a.example/"),
        ("web", "https://a.example/\r\n", "write it as https://a.example/"),
        ("web", "https://a.example?x", "write it as https://a.example/?x"),
        (
            "web",
            "https://bücher.example/",
            "write it as https://xn--bcher-kva.example/",
        ),
        ("native", "http://127.0.0.2/", loopback),
        ("native", "http://0x7f.1/", "write it as http://127.0.0.1/"),
        ("native", "http://localhost.a.example/", loopback),
        ("native", "http://192.168.0.1/", loopback),
        ("native", "myapp:/callback", native),
        ("native", "com.example.app:callback", native),
        ("native", "javascript:alert(1)", native),
        ("native", "data:text/html,x", native),
        ("native", "file:///etc/passwd", native),
    ];
    for (kind, uri, wanted) in bad {
        let document = with(web(), &json!({"application_type": kind, "redirect_uris": [uri]}));
        assert_eq!(check(&document), Err(format!("redirect_uris[0]: {wanted}")), "{uri}");
    }
    let long = format!("https://a.example/{}", "x".repeat(2000));
    let document = with(web(), &json!({"redirect_uris": [long]}));
    assert_eq!(
        check(&document),
        Err("redirect_uris[0]: write at most 2000 characters".to_owned())
    );
}

#[test]
fn keys_are_fetched_from_a_name_over_tls() {
    let fetched = |uri: &str| check(&with(signing(), &json!({"jwks": null, "jwks_uri": uri})));
    let good = "https://board.example.com/jwks.json";
    assert_eq!(fetched(good).unwrap().keys, Keys::Uri(good.to_owned()));
    let wanted = "jwks_uri: write https and the name of a host, as https://example.com/jwks.json";
    for uri in [
        "http://board.example.com/jwks.json",
        "https://127.0.0.1/jwks.json",
        "https://[::1]/jwks.json",
        "https://localhost/jwks.json",
        "ftp://board.example.com/",
        "com.example.app:/jwks.json",
    ] {
        assert_eq!(fetched(uri), Err(wanted.to_owned()), "{uri}");
    }
    for (uri, wanted) in [
        ("https://2130706433/", "jwks_uri: write it as https://127.0.0.1/"),
        (
            "https://u:p@board.example.com/",
            "jwks_uri: leave out the user name and the password",
        ),
        (
            "https://board.example.com/#x",
            "jwks_uri: leave out the fragment, from the # on",
        ),
    ] {
        assert_eq!(fetched(uri), Err(wanted.to_owned()), "{uri}");
    }
}

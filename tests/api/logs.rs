//! Case 70: what is logged tells no secret, and nobody writes lines of their own into it.

use http_body_util::Full;
use hyper::{Request, header};
use serde_json::{Value, json};
use support::api::{
    Agent, Client, OAuthClient, PASSWORD, Person, Service, WebClient, database, migrate, secret, settings,
};

#[tokio::test]
async fn the_log_holds_no_secret_and_no_line_of_anybody_elses() {
    let folder = tempfile::tempdir().expect("a folder");
    let mail = folder.path();
    let database = database().await;
    migrate(&database).await;
    let mut settings = settings(&database);
    settings.extend([
        ("ENVIRONMENT", "development".to_owned()),
        ("PINFOLD_MAIL_DIRECTORY", mail.display().to_string()),
        ("PINFOLD_LOGIN_MILLISECONDS", "0".to_owned()),
        // All that its own code and the libraries say.
        ("PINFOLD_LOG", "debug,api=trace".to_owned()),
    ]);
    let service = Service::start(&settings).await;
    let client = &service.client;
    let asked = client.post("/v1/sign-ups", &json!({"email": "ada@example.com"})).await;
    assert_eq!(asked.status, 202, "{:?}", asked.body);
    let link = secret(mail, "ada@example.com").await;
    let account = json!({"token": link, "name": "Ada", "password": PASSWORD});
    assert_eq!(client.post("/v1/sign-ups/complete", &account).await.status, 201);
    let ada = Person::log_in(client, "ada@example.com").await;
    let mut secrets = vec![PASSWORD.to_owned(), link];
    secrets.extend(
        ada.headers()
            .map(|(_, value)| value.rsplit('=').next().unwrap_or_default().to_owned()),
    );
    ada.post(client, "/v1/tenants", &json!({"name": "acme"})).await;
    let scopes = json!({"name": "ci", "scopes": ["runs:read", "tenant:read"]});
    let key = text(
        &ada.post(client, "/v1/tenants/acme/api-keys", &scopes).await.body,
        "secret",
    );
    assert_eq!(client.get("/v1/tenants/acme", Some(&key)).await.status, 200);
    secrets.push(key);
    let agent = Agent::register(client, "scout").await;
    let token = agent.token(client).await;
    let code = client.with_token("POST", "/v1/me/claim-code", &token, None).await;
    secrets.push(text(&code.body, "claim_code"));
    assert_eq!(client.get("/v1/me", Some(&token)).await.status, 200);
    let challenge = agent.challenge(client).await;
    secrets.extend([token, text(&challenge, "challenge")]);
    let metadata = json!({
        "client_name": "board", "grant_types": ["client_credentials"], "scope": "runs:read", "token_endpoint_auth_method": "client_secret_post",
    });
    let made = ada.post(client, "/v1/tenants/acme/clients", &metadata).await.body;
    let (id, shown) = (text(&made, "client_id"), text(&made, "client_secret"));
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", id.as_str()),
        ("client_secret", shown.as_str()),
    ];
    secrets.push(text(&client.form("/oauth/token", &form).await.body, "access_token"));
    secrets.push(shown);
    secrets.push(OAuthClient::register(client, &ada, "acme").await.token(client).await);
    secrets.extend(let_in(client, &ada).await);
    let begun = ada.post(client, "/v1/me/totp", &json!({})).await.body;
    secrets.push(text(&begun, "secret"));
    let reset = client
        .post("/v1/password-resets", &json!({"email": "ada@example.com"}))
        .await;
    assert_eq!(reset.status, 202);
    // What is wrong is not repeated either.
    for wrong in ["a wrong password, twice", "another wrong password"] {
        let who = json!({"email": "ada@example.com", "password": wrong});
        assert_eq!(client.post("/v1/sessions", &who).await.status, 401);
        secrets.push(wrong.to_owned());
    }
    let in_url = "/v1/me?access_token=a-token-in-the-address";
    client.get(in_url, None).await;
    secrets.push("a-token-in-the-address".to_owned());

    // Names and paths with line breaks and whole lines of a log in them.
    let forged = r#"{"level":"ERROR","message":"forged"}"#;
    let named = json!({"name": format!("x\n{forged}"), "scopes": ["runs:read"]});
    assert_eq!(ada.post(client, "/v1/tenants/acme/api-keys", &named).await.status, 400);
    let request = Request::get(client.url(&format!("/v1/%0a{}", "%7b%22message%22:%22forged%22%7d")))
        .header(header::USER_AGENT, "agent\tforged")
        .header("x-request-id", "forged")
        .header("traceparent", "forged")
        .body(Full::default());
    assert_eq!(client.send(request.expect("a request")).await.status, 404);
    service
        .logged("the last request", |l| {
            l["span"]["http.path"]
                .as_str()
                .is_some_and(|path| path.starts_with("/v1/%0a"))
        })
        .await;

    let lines = service.lines();
    assert!(lines.len() > 40, "{}", lines.len());
    for line in &lines {
        assert!(line.is_object() && line["message"] != "forged", "{line}");
        assert!(line["span"]["request.id"] != "forged", "{line}");
    }
    let log = service.log();
    assert!(log.contains("\"http.path\":\"/v1/sessions\""), "the log is there");
    for secret in secrets {
        assert!(secret.len() >= 9, "{secret}");
        assert!(!log.contains(&secret), "the log has {secret}");
    }
}

fn text(body: &Value, name: &str) -> String {
    let text = body[name].as_str();
    assert!(text.is_some(), "{name} in {body}");
    text.unwrap_or_default().to_owned()
}

/// All that leads a client to a person's tokens, and these.
async fn let_in(client: &Client, person: &Person) -> Vec<String> {
    let metadata = json!({
        "client_name": "program", "token_endpoint_auth_method": "none", "redirect_uris": ["https://board.example/callback"], "scope": "openid tenant:read",
        "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
    });
    let id = text(
        &person.post(client, "/v1/tenants/acme/clients", &metadata).await.body,
        "client_id",
    );
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let asked = [
        ("client_id", id.as_str()),
        ("response_type", "code"),
        ("scope", "openid tenant:read"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
    ];
    let pushed = text(&client.form("/oauth/par", &asked).await.body, "request_uri");
    let path = format!("/oauth/authorize?client_id={id}&request_uri={pushed}");
    let back = WebClient::let_in(client, person, "acme", &path).await;
    let code = back.split_once("code=").map_or("", |(_, rest)| rest);
    let code = code.split('&').next().unwrap_or_default().to_owned();
    let form = [
        ("client_id", id.as_str()),
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("code_verifier", verifier),
    ];
    let tokens = client.form("/oauth/token", &form).await.body;
    let refresh = text(&tokens, "refresh_token");
    let form = [
        ("client_id", id.as_str()),
        ("grant_type", "refresh_token"),
        ("refresh_token", &refresh),
    ];
    let next = text(&client.form("/oauth/token", &form).await.body, "refresh_token");
    let device = client
        .form("/oauth/device_authorization", &[("client_id", id.as_str())])
        .await
        .body;
    // Shown again, and another's: what is refused is not repeated either.
    assert_eq!(client.form("/oauth/token", &form).await.status, 400);
    let mut secrets = vec![code, verifier.to_owned(), refresh, next, text(&device, "device_code")];
    secrets.extend(["access_token", "id_token"].map(|name| text(&tokens, name)));
    secrets.push(pushed.rsplit(':').next().unwrap_or_default().to_owned());
    secrets.push(text(&device, "user_code"));
    secrets
}

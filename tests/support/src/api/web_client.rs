//! An OAuth client that a person lets in by their browser (docs/oauth.md).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_body_util::Full;
use hyper::{Request, StatusCode, header};
use serde_json::json;

use crate::api::{Answer, Client, Person};

/// SHA-256 of [`VERIFIER`] (RFC 7636, appendix B).
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// A client with its secret.
#[derive(Debug)]
pub struct WebClient {
    pub id: String,
    authorization: String,
}

impl WebClient {
    /// A client that a person registers in a tenant.
    pub async fn register(client: &Client, owner: &Person, tenant: &str) -> Self {
        Self::register_for(client, owner, tenant, &["authorization_code"]).await
    }

    /// A client that may get tokens in these ways.
    pub async fn register_for(client: &Client, owner: &Person, tenant: &str, grant_types: &[&str]) -> Self {
        let metadata = json!({
            "client_name": "Board", "redirect_uris": ["https://board.example/callback"], "scope": "openid tenant:read runs:read",
            "grant_types": grant_types,
        });
        let path = format!("/v1/tenants/{tenant}/clients");
        let answer = owner.post(client, &path, &metadata).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
        let text = |name: &str| answer.body[name].as_str().unwrap_or_default().to_owned();
        let (id, secret) = (text("client_id"), text("client_secret"));
        Self {
            authorization: format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))),
            id,
        }
    }

    /// What it proves itself with, as a header has it.
    pub fn authorization(&self) -> &str {
        &self.authorization
    }

    /// The token that a person's consent gives, for one of their tenants.
    pub async fn token(&self, client: &Client, person: &Person, tenant: &str) -> String {
        let query = [
            ("client_id", self.id.as_str()),
            ("response_type", "code"),
            ("scope", "openid tenant:read runs:read"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("prompt", "consent"),
        ];
        let path = format!("/oauth/authorize?{}", written(&query));
        let back = Self::let_in(client, person, tenant, &path).await;
        let code = back.split_once("code=").map_or("", |(_, rest)| rest);
        let code = code.split('&').next().unwrap_or_default();
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("code_verifier", VERIFIER),
        ];
        let request = Request::post(client.url("/oauth/token"))
            .header(header::AUTHORIZATION, &self.authorization)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::from(written(&form)));
        let answer = client.send(request.expect("a request")).await;
        assert_eq!(answer.status, StatusCode::OK, "{back}: {:?}", answer.body);
        answer.body["access_token"].as_str().unwrap_or_default().to_owned()
    }

    /// Where the browser of a person is sent who lets a client in that asks in this way, for one of their tenants.
    pub async fn let_in(client: &Client, person: &Person, tenant: &str, path: &str) -> String {
        let begun = person.get(client, path).await;
        let place = location(&begun);
        let request = place.split_once("request=").map_or("", |(_, request)| request);
        let page = person.get(client, &format!("/consent?request={request}")).await;
        let html = page.body.as_str().unwrap_or_default();
        let shown = html.split_once("name=\"shown\" value=\"").map_or("", |(_, rest)| rest);
        let shown = shown.split('"').next().unwrap_or_default();
        let fields = [
            ("request", request),
            ("tenant", tenant),
            ("shown", shown),
            ("decision", "allow"),
        ];
        location(&person.submit(client, "/consent", &fields).await)
    }
}

/// Where an answer leads.
fn location(answer: &Answer) -> String {
    let place = answer.location();
    assert!(place.is_some(), "{}: {:?}", answer.status, answer.body);
    place.unwrap_or_default().to_owned()
}

/// Fields as a form or a query writes them: none here needs more than this to be escaped.
pub(crate) fn written(fields: &[(&str, &str)]) -> String {
    let escaped = |text: &str| {
        text.replace('%', "%25")
            .replace(' ', "+")
            .replace('&', "%26")
            .replace('=', "%3D")
    };
    let pairs = fields.iter().map(|(name, value)| format!("{name}={}", escaped(value)));
    pairs.collect::<Vec<_>>().join("&")
}

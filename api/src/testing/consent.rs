//! A client of `acme` and its owner's browser, as far as authorization goes.

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use url::Url;

use super::{Answer, ISSUER, TestApp, TestPerson};
use crate::auth::opaque::sha256;

/// What every test's client shows besides a code.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// Where it has browsers sent back to.
pub const CALLBACK: &str = "https://board.example/callback";

/// A client of the tenant `acme`, and who owns that.
#[derive(Debug, Clone)]
pub struct TestParty {
    pub owner: TestPerson,
    pub id: String,
    pub secret: String,
}

impl TestParty {
    /// With other metadata than that of a web application.
    pub async fn new(app: &TestApp, members: &Value) -> Self {
        let owner = app.person("ada@example.com").await;
        let made = app
            .as_person(Method::POST, "/v1/tenants", &owner, Some(&json!({"name": "acme"})))
            .await;
        assert_eq!(made.status, 201, "{:?}", made.body);
        Self::of(app, owner, members).await
    }

    /// Another client of the same owner.
    pub async fn of(app: &TestApp, owner: TestPerson, members: &Value) -> Self {
        let mut metadata = json!({
            "client_name": "Build board", "redirect_uris": [CALLBACK], "scope": "openid runs:read templates:read tenant:read",
            "grant_types": ["authorization_code", "refresh_token"],
        });
        crate::http::merge::merge(&mut metadata, members.clone());
        let made = app
            .as_person(Method::POST, "/v1/tenants/acme/clients", &owner, Some(&metadata))
            .await;
        assert_eq!(made.status, 201, "{:?}", made.body);
        let text = |name: &str| made.body[name].as_str().unwrap_or_default().to_owned();
        Self {
            owner,
            id: text("id"),
            secret: text("client_secret"),
        }
    }

    /// The parameters of a request; those that are empty are left out.
    pub fn parameters(&self, others: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
        let challenge = URL_SAFE_NO_PAD.encode(sha256(VERIFIER.as_bytes()));
        let mut all: Vec<(&'static str, String)> = vec![
            ("client_id", self.id.clone()),
            ("response_type", "code".to_owned()),
            ("redirect_uri", CALLBACK.to_owned()),
            ("scope", "runs:read".to_owned()),
            ("state", "xyz".to_owned()),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256".to_owned()),
        ];
        for (name, value) in others {
            all.retain(|(known, _)| known != name);
            all.push((name, (*value).to_owned()));
        }
        all.retain(|(_, value)| !value.is_empty());
        all
    }

    /// Where a browser of the owner's is led that comes with this.
    pub async fn authorize(&self, app: &TestApp, parameters: &[(&'static str, String)]) -> Answer {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parameters);
        visit(app, &self.owner, &format!("/oauth/authorize?{}", query.finish())).await
    }

    /// What the owner answers on the page of consents.
    pub async fn answer(&self, app: &TestApp, request: &str, decision: &str) -> Answer {
        let page = visit(app, &self.owner, &format!("/consent?request={request}")).await;
        if !brought(&page).is_empty() {
            // What was agreed to before is not asked about again.
            return page;
        }
        let fields = [
            ("request", request),
            ("tenant", "acme"),
            ("shown", hidden(&page, "shown")),
            ("decision", decision),
            ("csrf", &self.owner.csrf),
        ];
        submit(app, &self.owner, "/consent", &fields).await
    }

    /// The code that the owner's consent gives.
    pub async fn code(&self, app: &TestApp, others: &[(&'static str, &str)]) -> String {
        let begun = self.authorize(app, &self.parameters(others)).await;
        let request = request_of(&begun);
        let answer = self.answer(app, &request, "allow").await;
        brought(&answer)
            .into_iter()
            .find(|(name, _)| name == "code")
            .unwrap_or_else(|| panic!("no code: {:?} {:?}", answer.header("location"), answer.body))
            .1
    }

    /// What the token endpoint answers, with headers besides.
    pub async fn token(&self, app: &TestApp, headers: &[(&str, &str)], form: &[(&str, &str)]) -> Answer {
        self.post(app, "/oauth/token", headers, form).await
    }

    /// What another endpoint for clients answers. The client proves itself by what it has.
    pub async fn post(&self, app: &TestApp, path: &str, headers: &[(&str, &str)], form: &[(&str, &str)]) -> Answer {
        let proves = form.iter().any(|(name, _)| *name == "client_assertion");
        let (mut form, mut headers) = (form.to_vec(), headers.to_vec());
        let authorization = basic(&self.id, &self.secret);
        if !self.secret.is_empty() {
            headers.push(("authorization", &authorization));
        } else if !proves {
            form.push(("client_id", &self.id));
        }
        app.form_with(path, &headers, &form).await
    }

    /// What a code gives.
    pub async fn redeem(&self, app: &TestApp, code: &str, others: &[(&'static str, &str)]) -> Answer {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("code_verifier", VERIFIER),
        ];
        for (name, value) in others {
            form.retain(|(known, _)| known != name);
            form.push((name, value));
        }
        form.retain(|(_, value)| !value.is_empty());
        self.token(app, &[], &form).await
    }

    /// What a refresh token gives.
    pub async fn refresh(&self, app: &TestApp, token: &str) -> Answer {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.token(app, &[], &form).await
    }
}

impl TestApp {
    /// Sends a form with headers besides.
    pub async fn form_with(&self, path: &str, headers: &[(&str, &str)], form: &[(&str, &str)]) -> Answer {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(form);
        let mut request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body.finish())).expect("a request"))
            .await
    }
}

/// The header of a secret.
pub fn basic(id: &str, secret: &str) -> String {
    use base64::engine::general_purpose::STANDARD;
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// A page that a person looks at.
pub async fn visit(app: &TestApp, person: &TestPerson, path: &str) -> Answer {
    let request = Request::get(path).header(header::COOKIE, &person.cookie);
    app.send(request.body(Body::empty()).expect("a request")).await
}

/// A form that a person sends.
pub async fn submit(app: &TestApp, person: &TestPerson, path: &str, fields: &[(&str, &str)]) -> Answer {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(fields);
    let request = Request::post(path)
        .header(header::COOKIE, &person.cookie)
        .header(header::ORIGIN, ISSUER)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    app.send(request.body(Body::from(body.finish())).expect("a request"))
        .await
}

/// The value of a hidden field of a page.
pub fn hidden<'a>(page: &'a Answer, name: &str) -> &'a str {
    let html = page.body.as_str().unwrap_or_default();
    let field = format!("name=\"{name}\" value=\"");
    let rest = html.split_once(field.as_str()).map_or("", |(_, rest)| rest);
    rest.split('"').next().unwrap_or_default()
}

/// The name of the request that the person is asked about.
pub fn request_of(answer: &Answer) -> String {
    let place = answer.header("location").unwrap_or_default();
    let name = place.strip_prefix("/consent?request=");
    name.unwrap_or_else(|| panic!("{:?}: {place} {:?}", answer.status, answer.body))
        .to_owned()
}

/// What a browser brings back to the client; nothing if it is led elsewhere.
pub fn brought(answer: &Answer) -> Vec<(String, String)> {
    let place = answer.header("location").and_then(|place| Url::parse(place).ok());
    let back = place.filter(|place| place.as_str().starts_with(CALLBACK));
    back.map(|place| place.query_pairs().into_owned().collect())
        .unwrap_or_default()
}

//! The route table, and what is said of it.

mod foreign;

use std::{collections::BTreeSet, fs, path::Path};

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::json;

use crate::{router, testing::TestApp};

/// What anybody may call. A route that is not here asks for a token.
const PUBLIC: [&str; 19] = [
    "GET /.well-known/jwks.json",
    "GET /.well-known/oauth-authorization-server",
    "GET /.well-known/oauth-protected-resource",
    "GET /.well-known/openid-configuration",
    "GET /openapi.json",
    "POST /oauth/device_authorization",
    "POST /oauth/introspect",
    "POST /oauth/par",
    "POST /oauth/register",
    "POST /oauth/revoke",
    "POST /oauth/token",
    "POST /v1/agents",
    "POST /v1/agents/{agent}/challenges",
    "POST /v1/password-resets",
    "POST /v1/password-resets/complete",
    "POST /v1/sessions",
    "POST /v1/sessions/passkey",
    "POST /v1/sign-ups",
    "POST /v1/sign-ups/complete",
];

/// Every operation of the document, with whether the document says that it asks for a token.
fn operations() -> Vec<(String, String, bool)> {
    let document = serde_json::to_value(router::document()).unwrap();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let open = operation["security"] == json!([{}]);
            let ways = operation["security"].as_array().cloned().unwrap_or_default();
            let is_way = |way: &serde_json::Value| {
                way.as_object().is_some_and(|way| {
                    way.keys().all(|name| {
                        [
                            "access_token",
                            "api_key",
                            "kubernetes_audit",
                            "oauth",
                            "outside_token",
                            "session",
                        ]
                        .contains(&name.as_str())
                    })
                })
            };
            let bound = !open && !ways.is_empty() && ways.iter().all(is_way);
            assert!(open || bound, "{method} {path} says nothing of who may call it");
            all.push((method.to_uppercase(), path.clone(), bound));
        }
    }
    all
}

#[test]
fn the_open_routes_are_the_listed_ones() {
    let open: BTreeSet<String> = operations()
        .into_iter()
        .filter(|(_, _, bound)| !bound)
        .map(|(method, path, _)| format!("{method} {path}"))
        .collect();
    assert_eq!(open, PUBLIC.map(str::to_owned).into());
}

/// What makes a login, a link or a token counts once by itself, or is nobody's to repeat; an agent's first key is its own mark.
#[test]
fn every_post_can_be_sent_twice() {
    const OTHERS: [&str; 16] = [
        "/oauth/device_authorization",
        "/oauth/introspect",
        "/oauth/par",
        "/oauth/register",
        "/oauth/revoke",
        "/oauth/token",
        "/oauth/userinfo",
        "/v1/agents",
        "/v1/agents/{agent}/challenges",
        "/v1/password-resets",
        "/v1/password-resets/complete",
        "/v1/sessions",
        "/v1/sessions/passkey",
        "/v1/sign-ups",
        "/v1/sign-ups/complete",
        "/webhooks/kubernetes-audit",
    ];
    let document = serde_json::to_value(router::document()).unwrap();
    let without: BTreeSet<&str> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, item)| {
            let parameters = item["post"]["parameters"].as_array().cloned().unwrap_or_default();
            item.get("post").is_some() && !parameters.iter().any(|p| p["name"] == "Idempotency-Key")
        })
        .map(|(path, _)| path.as_str())
        .collect();
    assert_eq!(without, OTHERS.into());
}

#[tokio::test]
async fn whatever_is_not_open_refuses_strangers_before_it_reads_anything() {
    let app = TestApp::start().await;
    for (method, path, bound) in operations() {
        let named = [
            "agent",
            "client",
            "key",
            "session",
            "tenant",
            "run",
            "template",
            "overseer",
            "invitation",
            "identity",
            "passkey",
            "consent",
            "grant",
            "block",
        ];
        let place = named
            .iter()
            .fold(path.clone(), |place, name| place.replace(&format!("{{{name}}}"), "x"));
        assert!(!place.contains('{'), "{place}: give the parameter a value here");
        for token in [None, Some("nonsense")] {
            let mut request = Request::builder()
                .method(method.parse::<Method>().unwrap())
                .uri(&place)
                // Whose proof is none is counted by the address.
                .header("x-forwarded-for", format!("203.0.113.{}", path.len()))
                .header(header::CONTENT_TYPE, "application/json");
            if let Some(token) = token {
                request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
            }
            let answer = app.send(request.body(Body::from("not JSON")).unwrap()).await;
            assert_eq!(answer.status == 401, bound, "{method} {path}: {:?}", answer.told());
        }
    }
}

#[tokio::test]
async fn the_document_is_served_and_knows_how_to_prove_oneself() {
    let app = TestApp::start().await;
    let served = app.get("/openapi.json", None).await;
    assert_eq!(served.told(), (200, &serde_json::to_value(router::document()).unwrap()));
    assert_eq!(served.header("content-type"), Some("application/json"));
    let scheme = json!({"type": "http", "scheme": "bearer", "bearerFormat": "JWT"});
    assert_eq!(served.body["components"]["securitySchemes"]["access_token"], scheme);
    assert_eq!(served.body["openapi"], json!("3.1.0"));
}

/// Front ends pass on what is below `/api`.
#[tokio::test]
async fn the_api_is_below_another_path_as_well() {
    let app = TestApp::start().await;
    let token = app.token(&app.agent().await).await;
    let me = app.get("/v1/me", Some(&token)).await;
    assert_eq!(app.get("/api/v1/me", Some(&token)).await.told(), me.told());
    assert_eq!(me.status, 200);
    for other in ["/api/openapi.json", "/api/oauth/token", "/api/v1", "/api/api/v1/me"] {
        assert_eq!(app.get(other, Some(&token)).await.status, 404, "{other}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let app = TestApp::start().await;
    let answer = app.get("/v1/nothing", None).await;
    let body = json!({
        "type": "/docs/errors#not_found", "code": "not_found", "title": "There is nothing here.", "status": 404,
    });
    assert_eq!(answer.told(), (404, &body));
    let headers = [
        ("content-type", "application/problem+json"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("strict-transport-security", "max-age=31536000"),
        ("cache-control", "no-store"),
    ];
    for (name, value) in headers {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    let wrong = app.get("/oauth/token", None).await;
    let told = (wrong.status.as_u16(), &wrong.body["code"], wrong.header("allow"));
    assert_eq!(told, (405, &json!("method_not_allowed"), Some("POST")));
}

/// Of two types with one name the document would have one, and describe the other by it.
#[test]
fn every_schema_has_a_name_of_its_own() {
    fn names(folder: &Path, all: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                names(&path, all);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for item in text
                .split("#[derive(")
                .skip(1)
                .filter(|item| item.split(')').next().unwrap().contains("ToSchema"))
            {
                let word = |after: &str| {
                    let rest = item.split_once(after)?.1;
                    let end = rest.find(|c: char| !c.is_alphanumeric())?;
                    Some(rest[..end].to_owned())
                };
                all.push(
                    word("#[schema(as = ")
                        .or_else(|| word("pub struct "))
                        .or_else(|| word("pub enum "))
                        .expect("a name"),
                );
            }
        }
    }
    let mut all = Vec::new();
    names(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    all.sort();
    let mut once = all.clone();
    once.dedup();
    assert_eq!(all, once);
    let document = serde_json::to_value(router::document()).unwrap();
    let documented: Vec<&String> = document["components"]["schemas"].as_object().unwrap().keys().collect();
    assert_eq!(documented, all.iter().collect::<Vec<_>>());
}

/// Nothing is made of a schema that has no room for more.
#[test]
fn what_is_composed_has_room_for_all_its_members() {
    let document = serde_json::to_value(router::document()).unwrap();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mut composed = 0;
    for (name, schema) in schemas {
        for part in schema["allOf"].as_array().into_iter().flatten() {
            let referred = part["$ref"].as_str().and_then(|place| place.split('/').next_back());
            let part = referred.map_or(part, |name| &schemas[name]);
            assert_ne!(part["additionalProperties"], json!(false), "{name}");
            composed += 1;
        }
    }
    assert_eq!(composed, 10, "what is made of parts has two each");
}

/// Whatever may grow without end, or to hundreds, is read in pages; the others have their bound in what they say.
#[test]
fn every_list_has_pages() {
    const SHORT: [&str; 4] = [
        "/v1/me/identities",
        "/v1/me/keys",
        "/v1/me/passkeys",
        "/v1/tenants/{tenant}/agents/{agent}/keys",
    ];
    let document = serde_json::to_value(router::document()).unwrap();
    let schema = |name: &str| document["components"]["schemas"][name].clone();
    let mut whole = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let answer = &item["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        let Some(name) = answer["$ref"].as_str().and_then(|place| place.split('/').next_back()) else {
            continue;
        };
        // A list is an answer that has nothing but rows.
        let properties = schema(name)["properties"].as_object().cloned().unwrap_or_default();
        let rows = properties
            .values()
            .any(|property| property["type"] == "array" && property["items"]["$ref"].is_string());
        let parameters = item["get"]["parameters"].as_array().cloned().unwrap_or_default();
        let has = |name: &str| parameters.iter().any(|parameter| parameter["name"] == name);
        if rows
            && properties.len() <= 2
            && !(has("limit") && has("page_token") && properties.contains_key("next_page_token"))
        {
            whole.insert(path.clone());
        }
    }
    assert_eq!(whole, SHORT.map(str::to_owned).into());
}

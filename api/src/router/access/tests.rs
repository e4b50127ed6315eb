//! AU-01: every operation as everybody who has a part, against the page that says who may call what.

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use domain::TenantId;
use serde_json::json;
use uuid::Uuid;

use crate::{
    auth::rights::{Right, Role},
    router::access::{self, Caller, Entry, Verdict},
    testing::{ISSUER, TestApp, TestIssuer, TestPerson, consent::TestParty},
};

/// What a caller proves itself with.
enum Proof {
    Nothing,
    Person(TestPerson),
    Token(String),
}

/// What ends the tenant, or the caller: asked for at the end.
const ENDS: [(&str, &str); 3] = [
    ("DELETE", "/v1/tenants/{tenant}"),
    ("DELETE", "/v1/me"),
    ("DELETE", "/v1/sessions"),
];

/// The tenant `acme`, and everybody who has a part in it or none.
async fn callers(app: &TestApp, issuer: &TestIssuer) -> Vec<(Caller, Proof)> {
    let owner = app.person("owner@example.com").await;
    let made = app
        .as_person(Method::POST, "/v1/tenants", &owner, Some(&json!({"name": "acme"})))
        .await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    let mut all = vec![(Caller::Stranger, Proof::Nothing)];
    for role in Role::ALL.into_iter().filter(|role| *role != Role::Owner) {
        let member = app.person(&format!("{}@example.com", role.as_str())).await;
        let seat = "INSERT INTO memberships (tenant_id, overseer_id, role, created_at) \
                    SELECT id, $1::uuid, $2, now() FROM tenants WHERE name = 'acme'";
        sqlx::query(seat)
            .bind(&member.id)
            .bind(role.as_str())
            .execute(&app.owner)
            .await
            .unwrap();
        all.push((Caller::Member(role), Proof::Person(member)));
    }
    let vouched = app.person("vouched@example.com").await;
    for sql in [
        "INSERT INTO memberships (tenant_id, overseer_id, role, created_at) SELECT id, $1::uuid, 'admin', now() FROM tenants WHERE name = 'acme' AND $2 <> ''",
        "INSERT INTO identities (id, issuer, subject, overseer_id, created_at) VALUES (gen_random_uuid(), $2, 'user_1', $1::uuid, now())",
    ] {
        let done = sqlx::query(sql).bind(&vouched.id).bind(&issuer.name);
        done.execute(&app.owner).await.unwrap();
    }
    let claims = json!({"iss": issuer.name, "sub": "user_1", "aud": ISSUER, "iat": app.now(), "exp": app.now() + 300});
    all.push((
        Caller::Outside(Role::Admin),
        Proof::Token(issuer.token("ES256", &claims)),
    ));
    all.push((Caller::Outsider, Proof::Person(app.person("eve@example.com").await)));
    let admin = app.person("root@example.com").await;
    sqlx::query("UPDATE overseers SET platform_admin = true WHERE id = $1::uuid")
        .bind(&admin.id)
        .execute(&app.owner)
        .await
        .unwrap();
    all.push((Caller::Admin, Proof::Person(admin)));

    let agent = app.agent().await;
    let code = app
        .with_token(Method::POST, "/v1/me/claim-code", &app.token(&agent).await, None)
        .await;
    let code = json!({"claim_code": code.body["claim_code"]});
    let claim = "/v1/tenants/acme/agents/claim";
    let claimed = app.as_person(Method::POST, claim, &owner, Some(&code)).await;
    assert_eq!(claimed.status, 201, "{:?}", claimed.body);
    all.push((Caller::Agent, Proof::Token(app.token(&agent).await)));
    let scopes: Vec<&str> = Right::ALL.iter().map(|right| right.as_str()).collect();
    let client = json!({"client_name": "all", "scope": scopes.join(" "), "grant_types": ["client_credentials"], "token_endpoint_auth_method": "client_secret_post"});
    let client = app
        .as_person(Method::POST, "/v1/tenants/acme/clients", &owner, Some(&client))
        .await
        .body;
    let (id, secret) = (
        client["client_id"].as_str().unwrap(),
        client["client_secret"].as_str().unwrap(),
    );
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", id),
        ("client_secret", secret),
    ];
    let token = app.form("/oauth/token", &form).await;
    all.push((
        Caller::Client,
        Proof::Token(token.body["access_token"].as_str().unwrap().to_owned()),
    ));
    let asked = format!("openid {}", scopes.join(" "));
    let web = json!({"client_name": "all", "scope": asked});
    let party = TestParty::of(app, owner.clone(), &web).await;
    let granted = async |party: &TestParty| {
        let code = party.code(app, &[("scope", &asked)]).await;
        let token = party.redeem(app, &code, &[]).await;
        token.body["access_token"].as_str().unwrap().to_owned()
    };
    let of_owner = granted(&party).await;
    let kind = "urn:ietf:params:oauth:token-type:access_token";
    let own = app.token(&agent).await;
    let exchange = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", of_owner.as_str()),
        ("subject_token_type", kind),
        ("actor_token", own.as_str()),
        ("actor_token_type", kind),
    ];
    let delegated = app.form("/oauth/token", &exchange).await;
    assert_eq!(delegated.status, 200, "{:?}", delegated.body);
    all.push((
        Caller::Delegate,
        Proof::Token(delegated.body["access_token"].as_str().unwrap().to_owned()),
    ));
    let (id, secret) = (party.id, party.secret);
    let members: Vec<(Role, TestPerson)> = all
        .iter()
        .filter_map(|(caller, proof)| match (caller, proof) {
            (Caller::Member(role), Proof::Person(person)) => Some((*role, person.clone())),
            _ => None,
        })
        .collect();
    for (role, owner) in members {
        let party = TestParty {
            owner,
            id: id.clone(),
            secret: secret.clone(),
        };
        all.push((Caller::Grant(role), Proof::Token(granted(&party).await)));
    }
    // It may end the tenant.
    all.push((Caller::Grant(Role::Owner), Proof::Token(of_owner)));
    let wanted = json!({"name": "all", "kind": "tenant", "scopes": scopes});
    let keys = "/v1/tenants/acme/api-keys";
    let key = app.as_person(Method::POST, keys, &owner, Some(&wanted)).await;
    assert_eq!(key.status, 201, "{:?}", key.body);
    all.push((
        Caller::Key,
        Proof::Token(key.body["secret"].as_str().unwrap().to_owned()),
    ));
    all.push((Caller::Member(Role::Owner), Proof::Person(owner)));
    all
}

fn request(entry: &Entry, caller: Caller, proof: &Proof) -> Request<Body> {
    let path = entry.path.replace("{tenant}", "acme");
    // Things that there are none of.
    let path: Vec<&str> = path
        .split('/')
        .map(|part| match part {
            "{run}" | "{template}" => "none",
            part if part.starts_with('{') => "0198c5b4-5a0e-7000-8000-00000000000a",
            part => part,
        })
        .collect();
    let request = Request::builder()
        .method(entry.method.parse::<Method>().unwrap())
        .uri(path.join("/"))
        // Open routes count by the address, and so do proofs that are none.
        .header("x-forwarded-for", address(caller, &entry.path))
        .header(header::CONTENT_TYPE, "application/json");
    let request = match proof {
        Proof::Nothing => request,
        Proof::Person(person) => request
            .header(header::COOKIE, &person.cookie)
            .header("x-csrf-token", &person.csrf),
        Proof::Token(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
    };
    request.body(Body::from("{}")).unwrap()
}

/// Whose token is for the tenant, and is none once that has ended.
fn ends_with_its_tenant(caller: Caller) -> bool {
    matches!(caller, Caller::Client | Caller::Delegate | Caller::Grant(_))
}

/// An address of this caller's own.
fn address(caller: Caller, path: &str) -> String {
    let last = match caller {
        Caller::Stranger => 1,
        Caller::Outsider => 2,
        Caller::Admin => 3,
        Caller::Agent => 4,
        Caller::Key => 5,
        Caller::Run => 6,
        Caller::Client => 7,
        Caller::Delegate => 8,
        Caller::Outside(_) => 9,
        Caller::Member(role) => 10 + role as u8,
        Caller::Grant(role) => 20 + role as u8,
    };
    format!("203.0.{}.{last}", path.len())
}

#[tokio::test]
async fn who_may_call_what_is_what_the_page_says() {
    let issuer = TestIssuer::start().await;
    let app = TestApp::believing(&issuer).await;
    let mut callers = callers(&app, &issuer).await;
    let acme: Uuid = sqlx::query_scalar("SELECT id FROM tenants WHERE name = 'acme'")
        .fetch_one(&app.owner)
        .await
        .unwrap();
    // Where there is a cluster, there are streams that go on until the service stops.
    let beside = app.replica();
    beside.refresh_keys().await;
    let (beside, run) = beside.beside_a_run(TenantId::of_uuid(acme));
    beside.state.stop.send_replace(true);
    // Before the owner, who ends the tenant.
    callers.insert(0, (Caller::Run, Proof::Token(run)));
    let is_end = |entry: &Entry| ENDS.contains(&(entry.method.as_str(), entry.path.as_str()));
    let (mut ends, others): (Vec<Entry>, Vec<Entry>) = access::entries().into_iter().partition(is_end);
    assert_eq!(ends.len(), ENDS.len());
    ends.sort_by_key(|entry| ENDS.iter().position(|(_, path)| *path == entry.path));
    let mut wrong = Vec::new();
    for entry in others.iter().chain(&ends) {
        for (caller, proof) in &callers {
            let to = if *caller == Caller::Run { &beside } else { &app };
            let answer = to.send(request(entry, *caller, proof)).await;
            let verdict = match (answer.status.as_u16(), answer.body["code"].as_str()) {
                (401, Some("unauthenticated")) => Verdict::Unknown,
                (403, Some("forbidden")) => Verdict::Forbidden,
                (404, _) => Verdict::NotFound,
                _ => Verdict::In,
            };
            // What is asked for is somebody else's. A client ends with its tenant, and what it was let do.
            let wanted = match entry.verdict(*caller) {
                _ if ends_with_its_tenant(*caller) && ends[1..].contains(entry) => Verdict::Unknown,
                Verdict::Own => Verdict::Forbidden,
                other => other,
            };
            // Whoever is let in may find nothing there.
            if verdict != wanted && (wanted, verdict) != (Verdict::In, Verdict::NotFound) {
                wrong.push(format!(
                    "{} {} as {caller:?}: {wanted:?} is wanted, and it is {verdict:?}: {:?}",
                    entry.method,
                    entry.path,
                    answer.told()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whoever is told to bring a token is told which right it needs, but where people alone may come (MCP authorization 2026-07-28).
#[tokio::test]
async fn who_proves_nothing_is_told_what_to_ask_for() {
    const RESOURCE: &str = "resource_metadata=\"https://pinfold.example/.well-known/oauth-protected-resource\"";
    let app = TestApp::start().await;
    let (mut told, mut expected) = (Vec::new(), Vec::new());
    for entry in access::entries() {
        let Some(ways) = &entry.ways else { continue };
        let right = ways.right.map(Right::as_str);
        let scope = match entry.path.as_str() {
            "/v1/tenants/{tenant}/agents/claim" => None,
            "/oauth/userinfo" => Some("openid"),
            _ => right,
        };
        let scope = scope.map(|scope| format!(" scope=\"{scope}\",")).unwrap_or_default();
        let shown = app.send(request(&entry, Caller::Stranger, &Proof::Nothing)).await;
        let challenges: Vec<String> = shown
            .headers
            .get_all(header::WWW_AUTHENTICATE)
            .iter()
            .map(|value| value.to_str().unwrap().to_owned())
            .collect();
        let name = format!("{} {}", entry.method, entry.path);
        told.push((name.clone(), challenges));
        expected.push((
            name,
            vec![
                format!("Bearer realm=\"pinfold\",{scope} {RESOURCE}"),
                format!("DPoP realm=\"pinfold\", algs=\"ES256 EdDSA Ed25519\",{scope} {RESOURCE}"),
            ],
        ));
    }
    assert_eq!(told, expected);
}

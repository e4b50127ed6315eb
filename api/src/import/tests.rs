use std::time::Duration;

use axum::http::Method;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use super::*;
use crate::{
    auth::{hex, opaque::sha256},
    testing::{PASSWORD, TestAgent, TestApp, logged_in},
};

/// The system before.
const BEFORE: &str = "https://old.example";

async fn import(app: &TestApp, text: &str, dry: bool) -> String {
    let job = Job {
        database: &app.state.database,
        now: app.state.clock.now(),
        issuer: Some(BEFORE),
        dry,
    };
    let contents = file::read(text).unwrap();
    bring_in(job, &contents).await.unwrap().to_string()
}

fn lines(lines: &[serde_json::Value]) -> String {
    lines.iter().map(|line| line.to_string() + "\n").collect()
}

/// Two people, an agent with two keys, and who oversees it.
fn world(agent: &TestAgent, second: &TestAgent) -> Vec<serde_json::Value> {
    let hash = bcrypt::hash(PASSWORD, 4).unwrap();
    vec![
        json!({"type": "overseer", "id": "u1", "email": "ada@example.com", "name": "Ada Lovelace", "password_hash": hash}),
        json!({"type": "overseer", "id": "u2", "email": "bob@example.com", "name": "Bob", "blocked": true}),
        json!({"type": "agent", "id": "a1", "owner": "u1", "name": "scout", "public_keys": [agent.public_key(), second.public_key()]}),
        json!({"type": "oversight", "agent": "a1", "overseer": "u2", "relation": "delegate"}),
        json!({"type": "oversight", "agent": "a1", "overseer": "u1", "relation": "owner"}),
        json!({"type": "client", "client_id": "board", "owner": "u1", "client_secret_sha256": hex::encode(&sha256(b"secret")), "metadata": metadata()}),
        json!({"type": "client_block", "client_id": "board", "overseer": "u2"}),
        json!({"type": "client_block", "client_id": "board", "agent": "a1"}),
    ]
}

fn metadata() -> serde_json::Value {
    json!({"client_name": "Build board", "redirect_uris": ["https://board.example.com/callback"], "scope": "runs:read"})
}

#[tokio::test]
async fn people_and_agents_go_on_as_they_were() {
    let app = TestApp::start().await;
    let (mut agent, second) = (TestAgent::new(), TestAgent::new());
    let text = lines(&world(&agent, &second));
    let would = import(&app, &text, true).await;
    let wanted = "overseers: 2 new, 0 there already, 0 refused\nagents: 1 new, 0 there already, 0 refused\n\
                  oversights: 2 new, 0 there already, 0 refused\nclients: 1 new, 0 there already, 0 refused\n\
                  client blocks: 2 new, 0 there already, 0 refused\n";
    assert_eq!(would, format!("nothing is stored (--dry-run); it would be:\n{wanted}"));
    let people: i64 = sqlx::query_scalar("SELECT count(*) FROM profiles")
        .fetch_one(&app.owner)
        .await
        .unwrap();
    assert_eq!(people, 0);

    let told = import(&app, &text, false).await;
    assert_eq!(told, wanted.replace("oversights: 2 new, 0", "oversights: 1 new, 1"));
    let again = import(&app, &text, false).await;
    let all = "overseers: 0 new, 2 there already, 0 refused\nagents: 0 new, 1 there already, 0 refused\n\
               oversights: 0 new, 2 there already, 0 refused\nclients: 0 new, 1 there already, 0 refused\n\
               client blocks: 0 new, 2 there already, 0 refused\n";
    assert_eq!(again, all);
    assert_eq!(
        import(&app, &text, true).await,
        format!("nothing is stored (--dry-run); it would be:\n{all}")
    );

    // The old password, once; from then on it is stored as ours are.
    let login = json!({"email": "ada@example.com", "password": PASSWORD});
    let ada = logged_in(&app.post("/v1/sessions", &login).await);
    let hash: String = sqlx::query_scalar("SELECT hash FROM passwords")
        .fetch_one(&app.owner)
        .await
        .unwrap();
    assert!(hash.starts_with("$argon2id$"), "{hash}");
    let names: Vec<(String, String)> = sqlx::query_as("SELECT subject, issuer FROM identities ORDER BY subject")
        .fetch_all(&app.owner)
        .await
        .unwrap();
    let name = |of: &str| (of.to_owned(), BEFORE.to_owned());
    assert_eq!(names, [name("u1"), name("u2")], "as the system before calls them");
    let seats = app.as_person(Method::GET, "/v1/tenants", &ada, None).await;
    let tenant = seats.body["tenants"][0]["name"].as_str().unwrap().to_owned();
    let found = app
        .as_person(Method::GET, &format!("/v1/tenants/{tenant}/agents"), &ada, None)
        .await;
    agent.id = found.body["agents"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/tenants/{tenant}/agents/{}", agent.id);
    let keys = app.as_person(Method::GET, &format!("{path}/keys"), &ada, None).await;
    let keys = keys.body["keys"].as_array().unwrap().clone();
    assert_eq!(keys.len(), 2);
    let own = crate::auth::jwk::thumbprint(&URL_SAFE_NO_PAD.decode(agent.public_key()).unwrap().try_into().unwrap());
    let own = keys.iter().find(|key| key["thumbprint"] == json!(own)).unwrap();
    agent.key_id = own["id"].as_str().unwrap().to_owned();
    app.token(&agent).await;
    let edges = app
        .as_person(Method::GET, &format!("{path}/oversights"), &ada, None)
        .await;
    assert_eq!(edges.body["oversights"][0]["relation"], "delegate");
    let clients = app
        .as_person(Method::GET, &format!("/v1/tenants/{tenant}/clients"), &ada, None)
        .await;
    let client = &clients.body["clients"][0];
    let known = [
        &client["client_id"],
        &client["client_name"],
        &client["overseer_id"],
        &client["token_endpoint_auth_method"],
    ];
    assert_eq!(
        known,
        [
            &json!("board"),
            &json!("Build board"),
            &json!(ada.id),
            &json!("client_secret_basic")
        ]
    );
    let hash: Vec<u8> = sqlx::query_scalar("SELECT secret_hash FROM oauth_clients")
        .fetch_one(&app.owner)
        .await
        .unwrap();
    assert_eq!(hash, sha256(b"secret"));
    let blocks: Vec<(String, String)> = sqlx::query_as(
        "SELECT p.email, b.client_id FROM client_blocks AS b JOIN profiles AS p USING (overseer_id) \
         UNION ALL SELECT agent_id::text, client_id FROM agent_client_blocks ORDER BY 1 DESC",
    )
    .fetch_all(&app.owner)
    .await
    .unwrap();
    let board = || "board".to_owned();
    assert_eq!(
        blocks,
        [("bob@example.com".to_owned(), board()), (agent.id.clone(), board())]
    );

    // Who was blocked is.
    let blocked = app
        .post(
            "/v1/sessions",
            &json!({"email": "bob@example.com", "password": PASSWORD}),
        )
        .await;
    assert_eq!(blocked.status, 401);
}

#[tokio::test]
async fn what_is_there_stays_and_what_cannot_be_is_told() {
    let app = TestApp::start().await;
    let ada = app.person("ada@example.com").await;
    let (agent, second) = (app.agent().await, TestAgent::new());
    let mut world = world(&agent, &second);
    let eve = app.person("eve@example.com").await;
    let taken = "INSERT INTO oauth_clients (tenant_id, id, client_id, name, application_type, token_endpoint_auth_method, grant_types, \
                     redirect_uris, scopes, dpop_bound_access_tokens, created_by, created_at) \
                 SELECT tenant_id, gen_random_uuid(), 'board', 'Eve', 'web', 'none', '{client_credentials}', '{}', '{runs:read}', false, \
                     overseer_id, now() FROM memberships WHERE overseer_id = $1::uuid";
    sqlx::query(taken).bind(&eve.id).execute(&app.owner).await.unwrap();
    world.push(json!({"type": "agent", "id": "a2", "owner": "u1", "name": "other", "public_keys": [TestAgent::new().public_key()]}));
    let told = import(&app, &lines(&world), false).await;
    // The agent registered itself here, and belongs to nobody: it is claimed, not imported.
    let wanted = "overseers: 1 new, 1 there already, 0 refused\nagents: 1 new, 0 there already, 1 refused\n\
                  oversights: 0 new, 0 there already, 2 refused\nclients: 0 new, 0 there already, 1 refused\n\
                  client blocks: 1 new, 0 there already, 1 refused\n  line 3: one of its keys is another agent's\n  \
                  line 4: its agent or its overseer was refused\n  line 5: its agent or its overseer was refused\n  \
                  line 6: another client here calls itself so\n  line 8: whoever blocks it was refused\n";
    assert_eq!(told, wanted);
    let login = json!({"email": "ada@example.com", "password": PASSWORD});
    assert_eq!(logged_in(&app.post("/v1/sessions", &login).await).id, ada.id);
}

#[test]
fn a_file_is_refused_as_a_whole_with_all_that_is_wrong() {
    let key = TestAgent::new().public_key();
    let text = lines(&[
        json!({"type": "overseer", "id": "u1", "email": "ada@example.com", "name": "Ada"}),
        json!({"type": "overseer", "id": "u1", "email": "eve@example.com", "name": "Eve"}),
        json!({"type": "overseer", "id": "u2", "email": "ADA@example.com", "name": "Ada"}),
        json!({"type": "overseer", "id": "u3", "email": "nobody", "name": "Nobody"}),
        json!({"type": "overseer", "id": "u4", "email": "u4@example.com", "name": "x", "password_hash": "5f4d"}),
        json!({"type": "overseer", "id": "u5", "email": "u5@example.com", "name": "x", "tier": "gold"}),
        json!({"type": "agent", "id": "a1", "owner": "u9", "name": "scout", "public_keys": [key]}),
        json!({"type": "agent", "id": "a2", "owner": "u1", "name": "scout", "public_keys": [key]}),
        json!({"type": "agent", "id": "a3", "owner": "u1", "name": "scout", "public_keys": []}),
        json!({"type": "agent", "id": "a4", "owner": "u1", "name": "scout", "public_keys": ["AA=="]}),
        json!({"type": "oversight", "agent": "a1", "overseer": "u1", "relation": "king"}),
        json!({"type": "oauth_client"}),
        json!({"type": "client", "client_id": "a b", "owner": "u1", "metadata": metadata()}),
        json!({"type": "client", "client_id": "a", "owner": "u1", "client_secret_sha256": "ABCD", "metadata": metadata()}),
        json!({"type": "client", "client_id": "e", "owner": "u1", "client_secret_sha256": hex::encode(&sha256(b"")), "metadata": metadata()}),
        json!({"type": "client", "client_id": "b", "owner": "u1", "metadata": {"client_name": "b", "scope": "runs:read"}}),
        json!({"type": "client", "client_id": "c", "owner": "u9", "metadata": metadata()}),
        json!({"type": "client", "client_id": "c", "owner": "u1", "metadata": metadata()}),
        json!({"type": "client_block", "client_id": "d", "overseer": "u9"}),
        json!({"type": "client_block", "client_id": "c", "overseer": "u1", "agent": "a1"}),
    ]) + "\nnot JSON\n";
    let told = file::read(&text).unwrap_err().to_string();
    let wanted = [
        (2, r#"id: "u1" comes twice"#),
        (3, r#"email: "ada@example.com" comes twice"#),
        (4, "email: "),
        (
            5,
            "password_hash: it is neither bcrypt nor Argon2id in the PHC string format",
        ),
        (6, "unknown field `tier`"),
        (7, r#"owner: no line of the file is "u9""#),
        (8, "public_keys: "),
        (9, "public_keys: name at least one"),
        (
            10,
            r#"public_keys: "AA==" is not 32 bytes in base64url without padding"#,
        ),
        (11, "relation: write owner, delegate or viewer"),
        (12, "unknown variant `oauth_client`"),
        (13, "client_id: write 1 to 255 visible ASCII characters"),
        (14, "client_secret_sha256: write 64 lower-case hexadecimal digits"),
        (15, "client_secret_sha256: it is that of an empty secret; leave it out"),
        (
            16,
            "metadata.redirect_uris: name at least one; authorization_code needs it",
        ),
        (17, r#"owner: no line of the file is "u9""#),
        (18, r#"client_id: "c" comes twice"#),
        (19, r#"client_id: no line of the file is "d""#),
        (19, r#"overseer: no line of the file is "u9""#),
        (20, "overseer: write overseer or agent, one of them"),
        (22, "expected"),
    ];
    let mut told = told.lines();
    assert_eq!(told.next(), Some("nothing is stored: 21 lines cannot be used"));
    for (line, problem) in wanted {
        let one = told.next().unwrap();
        assert!(
            one.starts_with(&format!("  line {line}: ")) && one.contains(problem),
            "{one}"
        );
    }
    assert_eq!(told.next(), None);
}

/// A login that took longer than all others would tell that there is an account.
#[test]
fn hashes_that_would_tell_by_their_time_are_refused() {
    let hash = bcrypt::hash(PASSWORD, 6).unwrap();
    let person =
        json!({"type": "overseer", "id": "u1", "email": "ada@example.com", "name": "Ada", "password_hash": hash});
    let contents = file::read(&lines(&[person])).unwrap();
    let check = |floor| pace::check(&contents, floor).map_err(|error| error.to_string());
    assert_eq!(check(Duration::ZERO), Ok(()));
    assert_eq!(check(Duration::from_hours(1)), Ok(()));
    let told = check(Duration::from_nanos(1)).unwrap_err();
    assert!(
        told.starts_with("nothing is stored: a bcrypt hash of cost 6 takes ")
            && told.contains("accounts.login_milliseconds (PINFOLD_LOGIN_MILLISECONDS)"),
        "{told}"
    );
}

//! What people let OAuth clients do, and agents do for them.

use super::*;
use crate::testing::consent::TestParty;

/// An authorization of Ada's, and an agent's under it, in the tenant `acme`.
async fn let_in(app: &TestApp) -> TestParty {
    let party = TestParty::new(app, &json!({"scope": "tenant:read runs:read"})).await;
    let code = party.code(app, &[("scope", "tenant:read")]).await;
    let tokens = party.redeem(app, &code, &[]).await;
    assert_eq!(tokens.status, StatusCode::OK, "{:?}", tokens.body);
    party
}

/// What is remembered of a grant is forgotten at the replica that reaches no database, whatever ends it.
#[tokio::test]
async fn what_ends_a_grant_is_known_everywhere() {
    let two = two().await;
    let here = &two.here;
    let party = let_in(here).await;
    let sign = async || {
        let code = party
            .code(here, &[("scope", "tenant:read"), ("prompt", "consent")])
            .await;
        let tokens = party.redeem(here, &code, &[]).await;
        tokens.body["access_token"].as_str().unwrap().to_owned()
    };
    let block = json!({"client_id": party.id});
    for (method, list, name, body) in [
        (Method::DELETE, "/v1/me/grants", Some("grants"), None),
        (Method::DELETE, "/v1/me/consents", Some("consents"), None),
        (Method::POST, "/v1/me/client-blocks", None, Some(&block)),
    ] {
        // A second passes, so that the newest is listed first.
        here.wait(1);
        let token = sign().await;
        let there = two.there.replica();
        there.refresh_keys().await;
        let following = follow(&there);
        until("it hears the others", || there.state.standing.in_touch()).await;
        let seen = async |app: &TestApp| app.get("/v1/me", Some(&token)).await.status.as_u16();
        assert_eq!((seen(here).await, seen(&there).await), (200, 200), "{list}");
        cut(&there).await;
        assert_eq!(seen(&there).await, 200, "it is remembered");
        let path = match name {
            Some(name) => {
                let all = here.as_person(Method::GET, list, &party.owner, None).await;
                format!("{list}/{}", all.body[name][0]["id"].as_str().unwrap())
            }
            None => list.to_owned(),
        };
        let ended = here.as_person(method, &path, &party.owner, body).await;
        assert!(ended.status.is_success(), "{path}: {:?}", ended.body);
        assert_eq!((seen(here).await, seen(&there).await), (401, 503), "{list}");
        following.abort();
    }
}

/// Everything that a remembered answer depends on leaves a change.
#[tokio::test]
async fn these_leave_a_change() {
    let app = TestApp::start().await;
    let party = let_in(&app).await;
    let registration = TestAgent::new().registration("scout", app.now());
    let agent = app
        .as_person(
            Method::POST,
            "/v1/tenants/acme/agents",
            &party.owner,
            Some(&registration),
        )
        .await;
    let agent: Uuid = agent.body["agent_id"].as_str().unwrap().parse().unwrap();
    let ada: Uuid = party.owner.id.parse().unwrap();
    let child = Uuid::from_u128(7);
    sqlx::query(
        "INSERT INTO oauth_grants (tenant_id, id, overseer_id, client_id, scopes, authenticated_at, created_at, expires_at, parent_id, actors) \
         SELECT tenant_id, $1, overseer_id, client_id, scopes, now(), now(), expires_at, id, ARRAY[$2] FROM oauth_grants",
    )
    .bind(child)
    .bind(agent)
    .execute(&app.owner)
    .await
    .unwrap();
    let of = async |sql: &'static str| -> Uuid { sqlx::query_scalar(sql).fetch_one(&app.owner).await.unwrap() };
    let grant = of("SELECT id FROM oauth_grants WHERE parent_id IS NULL").await;
    let acme = of("SELECT id FROM tenants WHERE name = 'acme'").await;
    for (sql, wanted) in [
        ("UPDATE oauth_grants SET used_at = now()", vec![]),
        (
            "UPDATE oauth_grants SET scopes = '{runs:read}' WHERE parent_id IS NULL",
            vec![grant],
        ),
        // What was made of it ends with it.
        (
            "UPDATE oauth_grants SET revoked_at = now() WHERE parent_id IS NULL",
            vec![grant, child],
        ),
        (
            "INSERT INTO client_blocks (overseer_id, client_id, created_at) \
             SELECT overseer_id, client_id, now() FROM oauth_grants WHERE parent_id IS NULL",
            vec![ada, grant, child],
        ),
        ("DELETE FROM client_blocks", vec![ada]),
        (
            "INSERT INTO agent_client_blocks (tenant_id, agent_id, client_id, created_by, created_at) \
             SELECT tenant_id, actors[1], client_id, overseer_id, now() FROM oauth_grants WHERE parent_id IS NOT NULL",
            vec![agent, child],
        ),
        ("DELETE FROM agent_client_blocks", vec![agent]),
        (
            "INSERT INTO oversights (tenant_id, agent_id, overseer_id, relation, granted_by, created_at) \
             SELECT tenant_id, actors[1], overseer_id, 'viewer', overseer_id, now() FROM oauth_grants WHERE parent_id IS NOT NULL",
            vec![],
        ),
        ("UPDATE oversights SET relation = 'delegate'", vec![ada]),
        ("DELETE FROM oversights", vec![ada]),
        (
            "UPDATE tenants SET display_name = 'Acme' WHERE name = 'acme'",
            vec![acme],
        ),
        (
            "UPDATE overseers SET blocked_at = now() WHERE kind = 'person'",
            vec![ada, grant, child],
        ),
        (
            "DELETE FROM memberships WHERE role = 'owner'",
            vec![ada, ada, grant, child],
        ),
        ("DELETE FROM oauth_grants", vec![grant, child]),
    ] {
        execute(&app.owner, "UPDATE oauth_grants SET revoked_at = NULL").await;
        let (mut found, mut wanted) = (changed(&app, sql).await, wanted);
        found.sort();
        wanted.sort();
        assert_eq!(found, wanted, "{sql}");
    }
}

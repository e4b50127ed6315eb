use axum::http::Method;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{AgentId, TenantId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    auth::jwk,
    cluster::AgentResource,
    service::resource_agents::{Adoption, adopt, end, key_id, read},
    testing::{TestAgent, TestApp, TestPerson},
};

/// A tenant of a person's, and an Agent resource in it.
struct Scene {
    app: TestApp,
    owner: TestPerson,
    tenant: TenantId,
    resource: AgentResource,
}

impl Scene {
    async fn new() -> Self {
        let app = TestApp::start().await;
        let owner = app.person("ada@example.com").await;
        let wanted = json!({"name": "acme"});
        let made = app.as_person(Method::POST, "/v1/tenants", &owner, Some(&wanted)).await;
        assert_eq!(made.status, 201, "{:?}", made.body);
        let tenant = made.body["id"].as_str().unwrap().parse().unwrap();
        let resource = AgentResource {
            id: AgentId::of_uuid(Uuid::from_u128(0x0198_c5b4_5a0e_4000_8000_0000_0000_000c)),
            namespace: "tenant-acme".to_owned(),
            name: "scout".to_owned(),
            public_key: None,
        };
        Self {
            app,
            owner,
            tenant,
            resource,
        }
    }

    /// The operator publishes this agent's key.
    async fn publish(&mut self, agent: &mut TestAgent) -> Adoption {
        self.resource.public_key = Some(agent.public_key());
        agent.id = self.resource.id.to_string();
        agent.key_id = key_id(&jwk::thumbprint(&read(&agent.public_key()).unwrap())).to_string();
        let state = &self.app.state;
        adopt(&state.database, self.tenant, &self.resource, "r", state.clock.now())
            .await
            .unwrap()
    }

    /// Whether a key proves the agent.
    async fn proves(&self, agent: &TestAgent) -> bool {
        let form = agent.answer(&self.app.challenge(agent).await);
        let answer = self.app.form("/oauth/token", &crate::testing::borrowed(&form)).await;
        answer.status == 200
    }

    async fn actions(&self) -> Vec<(String, String, Value)> {
        sqlx::query_as("SELECT actor_kind, action, detail FROM audit_events WHERE target_id = $1 ORDER BY id")
            .bind(self.resource.id.uuid())
            .fetch_all(&self.app.owner)
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn the_published_key_proves_the_agent_which_is_the_tenants_owners() {
    let mut scene = Scene::new().await;
    let mut agent = TestAgent::new();
    let owner = scene.owner.id.parse().unwrap();
    for _ in 0..2 {
        assert_eq!(scene.publish(&mut agent).await, Adoption::Done(owner));
    }
    let token = scene.app.token(&agent).await;
    let me = scene.app.get("/v1/me", Some(&token)).await;
    let wanted = json!({
        "kind": "agent", "id": agent.id, "key_id": agent.key_id, "tenant_id": scene.tenant.to_string(),
        "owner_id": scene.owner.id, "expires_at": me.body["expires_at"],
        "scopes": ["self", "tenant:read", "agents:read", "templates:read", "runs:read", "runs:write"],
    });
    assert_eq!(me.told(), (200, &wanted));
    let thumbprint = jwk::thumbprint(&read(&agent.public_key()).unwrap());
    let wanted = [
        (
            "agent.register",
            json!({"resource": "scout", "owner_id": scene.owner.id}),
        ),
        (
            "agent_key.add",
            json!({"key_id": agent.key_id, "thumbprint": thumbprint}),
        ),
    ]
    .map(|(action, detail)| ("system".to_owned(), action.to_owned(), detail));
    assert_eq!(scene.actions().await[..2], wanted);
}

#[tokio::test]
async fn a_key_that_was_revoked_stays_revoked_when_it_is_published_again() {
    let mut scene = Scene::new().await;
    let (mut published, mut own) = (TestAgent::new(), TestAgent::new());
    scene.publish(&mut published).await;
    let token = scene.app.token(&published).await;
    let addition = own.addition(&published.id, scene.app.now());
    let added = scene
        .app
        .with_token(Method::POST, "/v1/me/keys", &token, Some(&addition))
        .await;
    assert_eq!(added.status, 201, "{:?}", added.body);
    own.id = published.id.clone();
    own.key_id = added.body["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/me/keys/{}", published.key_id);
    let token = scene.app.token(&own).await;
    assert_eq!(
        scene.app.with_token(Method::DELETE, &path, &token, None).await.status,
        204
    );
    scene.publish(&mut published).await;
    assert_eq!(
        (scene.proves(&published).await, scene.proves(&own).await),
        (false, true)
    );
}

#[tokio::test]
async fn a_new_published_key_takes_the_place_of_the_old_one() {
    let mut scene = Scene::new().await;
    let (mut old, mut new) = (TestAgent::new(), TestAgent::new());
    scene.publish(&mut old).await;
    scene.publish(&mut new).await;
    assert_eq!((scene.proves(&old).await, scene.proves(&new).await), (false, true));
}

#[tokio::test]
async fn somebody_elses_key_is_not_taken() {
    let mut scene = Scene::new().await;
    let other = scene.app.agent().await;
    let mut published = TestAgent {
        id: String::new(),
        key_id: String::new(),
        pair: other.pair,
    };
    let owner = scene.owner.id.parse().unwrap();
    assert_eq!(scene.publish(&mut published).await, Adoption::Done(owner));
    assert!(!scene.proves(&published).await);
}

#[tokio::test]
async fn an_agent_that_has_ended_does_not_come_back() {
    let mut scene = Scene::new().await;
    let mut agent = TestAgent::new();
    scene.publish(&mut agent).await;
    let token = scene.app.token(&agent).await;
    let state = &scene.app.state;
    for _ in 0..2 {
        end(&state.database, scene.tenant, scene.resource.id, state.clock.now())
            .await
            .unwrap();
    }
    assert_eq!(scene.app.get("/v1/me", Some(&token)).await.status, 401);
    assert_eq!(scene.publish(&mut agent).await, Adoption::Ended);
    assert!(!scene.proves(&agent).await);
    let ended = scene
        .actions()
        .await
        .into_iter()
        .filter(|(_, action, _)| action == "agent.delete");
    assert_eq!(ended.count(), 1);
}

#[test]
fn the_id_of_a_published_key_follows_from_its_thumbprint() {
    // The key of RFC 8037, appendix A, and 16 bytes of its thumbprint with version and variant of RFC 9562, section 5.8.
    let thumbprint = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
    let digest = URL_SAFE_NO_PAD.decode(thumbprint).unwrap();
    let mut wanted: [u8; 16] = digest[..16].try_into().unwrap();
    wanted[6] = wanted[6] & 0x0f | 0x80;
    wanted[8] = wanted[8] & 0x3f | 0x80;
    assert_eq!(key_id(thumbprint).as_bytes(), &wanted);
    assert_eq!(key_id(thumbprint).to_string(), "90facafe-a9b1-8566-9854-0f70c0117a22");
}

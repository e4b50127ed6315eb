//! People whom issuers outside vouch for, OAuth clients, and agents that are known by their pods.

use super::*;
use crate::{
    auth::{rights::Role, vouched::Organisation},
    testing::TestPerson,
};

const ISSUER: &str = "https://id.example";

/// What a replica knows of each of them; nothing, if it cannot say.
type Known = Option<[bool; 4]>;

struct World {
    two: Two,
    ada: TestPerson,
    client: String,
    organisation: Organisation,
}

impl World {
    async fn new() -> Self {
        let two = two().await;
        let app = &two.here;
        let ada = app.person("ada@example.com").await;
        let made = app
            .as_person(Method::POST, "/v1/tenants", &ada, Some(&json!({"name": "acme"})))
            .await;
        assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
        let client = json!({"client_name": "Build board", "grant_types": ["client_credentials"], "scope": "runs:read"});
        let made = app
            .as_person(Method::POST, "/v1/tenants/acme/clients", &ada, Some(&client))
            .await;
        assert_eq!(made.status, StatusCode::CREATED, "{:?}", made.body);
        execute(
            &app.owner,
            "INSERT INTO identities (id, issuer, subject, overseer_id, created_at)
             SELECT gen_random_uuid(), 'https://id.example', 'ada', id, now() FROM overseers WHERE kind = 'person'",
        )
        .await;
        execute(
            &app.owner,
            "UPDATE tenants SET organisation_issuer = 'https://id.example', organisation_id = 'org_acme' WHERE name = 'acme'",
        )
        .await;
        Self {
            client: made.body["client_id"].as_str().unwrap().to_owned(),
            ada,
            two,
            organisation: Organisation {
                id: "org_acme".to_owned(),
                role: Role::Developer,
            },
        }
    }

    async fn known(&self, app: &TestApp) -> Known {
        let standing = &app.state.standing;
        Some([
            standing
                .find_person(ISSUER, "ada")
                .await
                .ok()?
                .is_some_and(|p| !p.blocked),
            standing
                .find_organisation(ISSUER, &self.organisation)
                .await
                .ok()?
                .is_some(),
            standing.find_client(&self.client).await.ok()?.is_some(),
            standing.find_agent(ids(&self.two.agent).0).await.ok()?.is_some(),
        ])
    }
}

#[tokio::test]
async fn they_are_known_without_the_database() {
    let world = World::new().await;
    let there = &world.two.there;
    assert_eq!(world.known(there).await, Some([true; 4]));
    cut(there).await;
    assert_eq!(world.known(there).await, Some([true; 4]));
}

/// What each change leaves of what two replicas know, of which one reaches no database: there it is not known any more.
#[tokio::test]
async fn what_has_ended_is_known_nowhere() {
    let world = World::new().await;
    let (here, ada) = (&world.two.here, &world.ada);
    let identities = here.as_person(Method::GET, "/v1/me/identities", ada, None).await;
    let identity = identities.body["identities"][0]["id"].as_str().unwrap_or_default();
    let ends = [
        (format!("/v1/me/identities/{identity}"), [false, true, true, true]),
        ("/v1/tenants/acme/organisation".to_owned(), [false, false, true, true]),
        (
            format!("/v1/tenants/acme/clients/{}", world.client),
            [false, false, false, true],
        ),
    ];
    assert_eq!(world.known(here).await, Some([true; 4]));
    for (path, left) in ends {
        let there = world.two.there.replica();
        there.refresh_keys().await;
        let following = follow(&there);
        until("it hears the others", || there.state.standing.in_touch()).await;
        world.known(&there).await;
        cut(&there).await;
        let ended = here.as_person(Method::DELETE, &path, ada, None).await;
        assert!(ended.status.is_success(), "{path}: {:?}", ended.body);
        assert_eq!(world.known(here).await, Some(left), "{path}");
        assert_eq!(world.known(&there).await, None, "{path}");
        following.abort();
    }
}

/// Everything that a remembered answer depends on leaves a change.
#[tokio::test]
async fn these_leave_a_change() {
    let world = World::new().await;
    let app = &world.two.here;
    let of = async |sql: &'static str| -> Uuid { sqlx::query_scalar(sql).fetch_one(&app.owner).await.unwrap() };
    let client = of("SELECT id FROM oauth_clients").await;
    let acme = of("SELECT id FROM tenants WHERE name = 'acme'").await;
    let ada: Uuid = world.ada.id.parse().unwrap();
    let cases = [
        ("UPDATE oauth_clients SET scopes = '{templates:read}'", vec![client]),
        ("UPDATE oauth_clients SET secret_hash = sha256('other')", vec![client]),
        ("UPDATE oauth_clients SET dpop_bound_access_tokens = true", vec![client]),
        ("DELETE FROM oauth_clients", vec![client]),
        (
            "UPDATE tenants SET organisation_id = 'org_other' WHERE name = 'acme'",
            vec![acme],
        ),
        ("UPDATE identities SET subject = 'other'", vec![ada]),
        ("DELETE FROM identities", vec![ada]),
    ];
    for (sql, wanted) in cases {
        assert_eq!(changed(app, sql).await, wanted, "{sql}");
    }
}

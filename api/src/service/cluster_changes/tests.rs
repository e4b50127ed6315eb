use axum::http::Method;
use domain::TenantId;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::{
    cluster::{Place, Places},
    store::{cluster_changes::By, cluster_resources, tenants},
    testing::{TestApp, TestPerson},
};

const RUN: Observed = Observed::Run;
const TENANT_UID: Uuid = Uuid::from_u128(0x0198_c5b4_5a0e_4000_8000_0000_0000_0001);
const ID: Uuid = Uuid::from_u128(0x0198_c5b4_5a0e_4000_8000_0000_0000_0002);

fn looks() -> Looks {
    Looks {
        namespace: Some("tenant-acme".to_owned()),
        name: "answer".to_owned(),
        made_at: "2027-01-15T08:00:00Z".parse().unwrap(),
        account: None,
        generation: 1,
        metadata_hash: [1; 32],
        change: None,
        is_ending: false,
    }
}

fn marked(change: &str, looks: Looks) -> Looks {
    let change = Some(change.to_owned());
    Looks { change, ..looks }
}

fn generation(generation: i64, looks: Looks) -> Looks {
    Looks { generation, ..looks }
}

fn ending(looks: Looks) -> Looks {
    Looks {
        is_ending: true,
        ..looks
    }
}

#[test]
fn what_was_done_shows_by_what_differs() {
    let (one, two) = (generation(1, looks()), generation(2, looks()));
    let labelled = Looks {
        metadata_hash: [2; 32],
        ..looks()
    };
    let (ours, ours_again) = (marked("c1", one.clone()), marked("c2", two.clone()));
    let cases = [
        ("made", None, &one, false, Some(Verb::Create)),
        ("made by us", None, &ours, false, None),
        ("the same", Some(&one), &one, false, None),
        ("another specification", Some(&one), &two, false, Some(Verb::Update)),
        ("another label", Some(&one), &labelled, false, Some(Verb::Update)),
        ("changed by us", Some(&ours), &ours_again, false, None),
        (
            "ours, changed by another",
            Some(&ours),
            &marked("c1", two.clone()),
            false,
            Some(Verb::Update),
        ),
        ("another's, changed by us", Some(&one), &ours_again, false, None),
        ("our mark taken away", Some(&ours_again), &two, false, None),
        (
            "our mark taken away, and changed",
            Some(&ours),
            &two,
            false,
            Some(Verb::Update),
        ),
        (
            "its end asked for",
            Some(&one),
            &ending(two.clone()),
            false,
            Some(Verb::Delete),
        ),
        (
            "its end asked for again",
            Some(&ending(one.clone())),
            &ending(one.clone()),
            false,
            None,
        ),
        (
            "changed while it ends",
            Some(&ending(one.clone())),
            &ending(two.clone()),
            false,
            Some(Verb::Update),
        ),
        ("gone at once", Some(&one), &one, true, Some(Verb::Delete)),
        (
            "gone as asked for",
            Some(&ending(one.clone())),
            &ending(one.clone()),
            true,
            None,
        ),
        (
            "made, marked and ending when it is first seen",
            None,
            &ending(ours.clone()),
            false,
            Some(Verb::Delete),
        ),
    ];
    for (name, before, now, is_gone, wanted) in cases {
        assert_eq!(done(before, now, is_gone), wanted, "{name}");
    }
}

/// A tenant `acme` whose Tenant has this UID, and a watch of runs that has come to version 10.
struct Scene {
    app: TestApp,
    ada: TestPerson,
    tenant: TenantId,
    places: Places,
}

impl Scene {
    async fn new() -> Self {
        let app = TestApp::start().await;
        let ada = app.person("ada@example.com").await;
        let made = app
            .as_person(Method::POST, "/v1/tenants", &ada, Some(&json!({"name": "acme"})))
            .await;
        assert_eq!(made.status, 201, "{:?}", made.body);
        let tenant: TenantId = made.body["id"].as_str().unwrap().parse().unwrap();
        let mut tx = app.state.database.tenant(tenant).await.unwrap();
        tenants::set_resource(&mut tx, Some(TENANT_UID), None).await.unwrap();
        tx.commit().await.unwrap();
        let place = Place {
            account: tenant,
            uid: TENANT_UID,
            made_at: "2027-01-15T07:59:00Z".parse().unwrap(),
        };
        let scene = Self {
            app,
            ada,
            tenant,
            places: [("tenant-acme".to_owned(), place)].into(),
        };
        assert!(scene.compare(None, &[], 10).await);
        scene
    }

    fn now(&self) -> Timestamp {
        self.app.state.clock.now()
    }

    async fn compare(&self, before: Option<u64>, all: &[Sight], version: u64) -> bool {
        compare(&self.app.state.database, RUN, before, all, version, self.now())
            .await
            .unwrap()
    }

    async fn note(&self, shown: &[Shown]) -> Noted {
        note(&self.app.state.database, RUN, shown, self.now()).await.unwrap()
    }

    async fn due(&self, is_told: bool) -> Vec<settle::Due> {
        due(&self.app.state.database, is_told, self.now()).await.unwrap()
    }

    async fn settle(&self) -> usize {
        let database = &self.app.state.database;
        let gaps = changes::gaps(database.pool()).await.unwrap();
        settle_gaps(database, &self.places, gaps, self.now()).await.unwrap();
        settle(database, &self.places, self.due(false).await).await.unwrap()
    }

    /// What the tenant's audit says of the cluster's own door and its gaps, the oldest first.
    async fn told(&self) -> Vec<Value> {
        self.app.seal().await;
        let answer = self
            .app
            .as_person(Method::GET, "/v1/tenants/acme/audit", &self.ada, None)
            .await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        let mut told: Vec<Value> = answer.body["events"].as_array().unwrap().clone();
        told.retain(|event| event["actor_kind"] == "kubernetes" || event["action"] == "cluster.gap");
        told.reverse();
        for event in &mut told {
            event.as_object_mut().unwrap().remove("sequence");
        }
        told
    }

    async fn known(&self) -> HashMap<Uuid, Looks> {
        let mut tx = self.app.state.database.platform().await.unwrap();
        cluster_resources::all(&mut tx, "run").await.unwrap()
    }
}

fn now(version: u64, looks: Looks) -> Shown {
    Shown::Now(Sight { id: ID, version, looks })
}

fn gone(version: u64, looks: Looks) -> Shown {
    Shown::Gone(Sight { id: ID, version, looks })
}

fn event(action: &str, version: u64, generation: i64) -> Value {
    json!({
        "at": "2027-01-15T08:00:00Z", "actor_kind": "kubernetes", "actor_id": null, "action": action, "target_id": ID.to_string(),
        "request_id": "", "detail": {"run": "answer", "resource_version": version, "generation": generation},
    })
}

#[tokio::test]
async fn what_somebody_does_with_kubectl_is_in_the_audit_once() {
    let scene = Scene::new().await;
    let shown = [
        now(11, looks()),
        now(12, looks()),
        now(13, generation(2, looks())),
        now(14, marked("c1", generation(3, looks()))),
        Shown::Nothing(15),
    ];
    assert_eq!(scene.note(&shown[..3]).await, Noted::All);
    // Another process, which is not as far, and goes on.
    assert_eq!(scene.note(&shown).await, Noted::All);
    let later = [
        now(16, ending(marked("c1", generation(4, looks())))),
        gone(17, ending(marked("c1", generation(4, looks())))),
    ];
    assert_eq!(scene.note(&later).await, Noted::All);
    assert_eq!(scene.known().await, HashMap::new());

    let due = scene.due(false).await;
    let database = &scene.app.state.database;
    let both = tokio::join!(
        settle(database, &scene.places, due.clone()),
        settle(database, &scene.places, due)
    );
    assert_eq!(both.0.unwrap() + both.1.unwrap(), 3);
    let wanted = [
        event("run.create", 11, 1),
        event("run.update", 13, 2),
        event("run.delete", 16, 4),
    ];
    assert_eq!(scene.told().await, wanted);
}

#[tokio::test]
async fn what_was_done_through_the_api_has_its_row_already() {
    let scene = Scene::new().await;
    let ours = marked("c1", looks());
    scene
        .note(&[
            now(11, ours.clone()),
            now(12, marked("c2", generation(2, ours.clone()))),
        ])
        .await;
    let mut tx = scene.app.state.database.platform().await.unwrap();
    note_own_deletion(&mut tx, ID, "r", scene.now()).await.unwrap();
    let own = Request {
        resource: ID,
        version: DELETION,
        by: None,
        request_id: "r".to_owned(),
        at: scene.now(),
    };
    let cluster_says = Request {
        by: Some(by("system:serviceaccount:pinfold-system:pinfold-api")),
        ..own.clone()
    };
    changes::ask(&mut tx, &[own, cluster_says]).await.unwrap();
    tx.commit().await.unwrap();
    scene.note(&[gone(13, marked("c2", generation(2, ours)))]).await;
    assert_eq!(scene.settle().await, 0);
    assert_eq!(scene.told().await, Vec::<Value>::new());
    assert_eq!(scene.due(false).await, []);
}

fn by(user: &str) -> By {
    By {
        user: user.to_owned(),
        acting_as: None,
    }
}

#[tokio::test]
async fn the_cluster_says_who_it_was_or_nobody_does_in_time() {
    let scene = Scene::new().await;
    scene
        .note(&[
            now(11, looks()),
            now(12, generation(2, looks())),
            gone(13, generation(2, looks())),
        ])
        .await;
    assert_eq!(scene.due(true).await, [], "the cluster may still say who it was");
    let request = |version, by, at: i64| Request {
        resource: ID,
        version,
        by: Some(by),
        request_id: format!("audit-{version}"),
        at: Timestamp::from_second(scene.now().as_second() - at).unwrap(),
    };
    let jane = By {
        user: "jane@example.com".to_owned(),
        acting_as: Some("deploy".to_owned()),
    };
    let said = [
        // Who changed nothing was answered with the version that was there, and came later.
        request(11, by("nobody-did-this"), 1),
        request(11, jane, 2),
        request(DELETION, by("namespace-controller"), 1),
    ];
    let mut tx = scene.app.state.database.platform().await.unwrap();
    changes::ask(&mut tx, &said).await.unwrap();
    tx.commit().await.unwrap();
    let due: Vec<u64> = scene.due(true).await.iter().map(|(change, _)| change.version).collect();
    assert_eq!(due, [11, 13]);
    scene.app.wait(60);
    assert_eq!(scene.due(true).await.len(), 3);
    assert_eq!(scene.settle().await, 3);
    let mut told = scene.told().await;
    assert_eq!(
        told[0]["detail"]["acting_as"].as_str().map(str::len),
        Some(36),
        "an id, and no name"
    );
    for event in &mut told {
        for member in ["actor_id", "detail"] {
            event.as_object_mut().unwrap().remove(member);
        }
    }
    let base = |action: &str, at: &str, request: &str| json!({"at": at, "actor_kind": "kubernetes", "action": action, "target_id": ID.to_string(), "request_id": request});
    let mut create = base("run.create", "2027-01-15T07:59:58Z", "audit-11");
    create["kubernetes_user"] = json!("jane@example.com");
    create["kubernetes_acting_as"] = json!("deploy");
    let mut delete = base("run.delete", "2027-01-15T07:59:59Z", "audit-0");
    delete["kubernetes_user"] = json!("namespace-controller");
    assert_eq!(told, [create, base("run.update", "2027-01-15T08:00:00Z", ""), delete]);
}

#[tokio::test]
async fn a_time_in_which_nobody_watched_is_in_the_audit_itself() {
    let scene = Scene::new().await;
    let other = Uuid::from_u128(ID.as_u128() + 1);
    let (vanished, held) = (Uuid::from_u128(ID.as_u128() + 2), Uuid::from_u128(ID.as_u128() + 3));
    let sight = |id, version, looks| Shown::Now(Sight { id, version, looks });
    let ours = |n| marked(&format!("c{n}"), looks());
    scene
        .note(&[
            sight(ID, 11, ours(1)),
            sight(vanished, 12, ours(2)),
            sight(held, 13, ending(ours(3))),
        ])
        .await;
    assert_eq!(scene.settle().await, 1, "the end of one was asked for");
    let all = [
        Sight {
            id: ID,
            version: 20,
            looks: generation(3, ours(1)),
        },
        Sight {
            id: other,
            version: 21,
            looks: Looks {
                name: "other".to_owned(),
                ..looks()
            },
        },
    ];
    assert!(!scene.compare(Some(12), &all, 30).await, "somebody has come further");
    assert!(scene.compare(Some(13), &all, 30).await);
    assert_eq!(scene.settle().await, 3);
    let missed = |action: &str, id: Uuid, name: &str, version, generation| {
        let mut event = event(action, version, generation);
        event["target_id"] = json!(id.to_string());
        event["detail"]["run"] = json!(name);
        event["detail"]["was_missed"] = json!(true);
        event
    };
    let gap = json!({
        "at": "2027-01-15T08:00:00Z", "actor_kind": "system", "actor_id": null, "action": "cluster.gap",
        "target_id": scene.tenant.to_string(), "request_id": "", "detail": {"kind": "run", "after_version": 13, "version": 30},
    });
    let mut ended = event("run.delete", 13, 1);
    ended["target_id"] = json!(held.to_string());
    let wanted = [
        ended,
        gap,
        missed("run.update", ID, "answer", 20, 3),
        missed("run.create", other, "other", 21, 1),
        missed("run.delete", vanished, "answer", 30, 1),
    ];
    assert_eq!(scene.told().await, wanted);
    assert_eq!(scene.known().await.len(), 2);
    assert_eq!(scene.settle().await, 0);
}

#[tokio::test]
async fn what_is_nobodys_here_is_in_the_audit_of_the_platform() {
    let scene = Scene::new().await;
    let before_the_tenant = Looks {
        made_at: "2027-01-15T07:00:00Z".parse().unwrap(),
        ..looks()
    };
    let elsewhere = Looks {
        namespace: Some("tenant-kubectl".to_owned()),
        ..looks()
    };
    let own = |id: u128, version, looks| {
        Shown::Now(Sight {
            id: Uuid::from_u128(id),
            version,
            looks,
        })
    };
    scene
        .note(&[
            own(1, 11, before_the_tenant),
            own(2, 12, elsewhere),
            own(3, 13, looks()),
        ])
        .await;
    assert_eq!(scene.settle().await, 3);
    assert_eq!(scene.told().await.len(), 1);
    let mut tx = scene.app.state.database.platform().await.unwrap();
    let rows: Vec<Value> = sqlx::query_scalar(
        "SELECT detail FROM audit_events WHERE tenant_id IS NULL AND actor_kind = 'kubernetes' ORDER BY id",
    )
    .fetch_all(tx.connection())
    .await
    .unwrap();
    let wanted = |version, namespace: &str| json!({"run": "answer", "resource_version": version, "generation": 1, "namespace": namespace});
    assert_eq!(rows, [wanted(11, "tenant-acme"), wanted(12, "tenant-kubectl")]);
}

#[tokio::test]
async fn a_tenant_of_the_cluster_is_found_by_the_row_that_knows_it() {
    let scene = Scene::new().await;
    let database = &scene.app.state.database;
    let kind = Observed::Tenant;
    assert!(compare(database, kind, None, &[], 10, scene.now()).await.unwrap());
    let of = |account| Looks {
        namespace: None,
        name: "acme".to_owned(),
        account,
        ..looks()
    };
    let sight = |id, version, looks| Shown::Now(Sight { id, version, looks });
    let linked = of(Some(scene.tenant));
    let forged = Uuid::from_u128(9);
    let shown = [
        sight(TENANT_UID, 11, marked("c1", linked.clone())),
        sight(TENANT_UID, 12, marked("c1", generation(2, linked.clone()))),
        // Another Tenant that says that it stands for the row.
        sight(forged, 13, linked),
    ];
    assert_eq!(note(database, kind, &shown, scene.now()).await.unwrap(), Noted::All);
    assert_eq!(scene.settle().await, 2);
    let told = scene.told().await;
    let told: Vec<(&Value, &Value)> = told.iter().map(|event| (&event["action"], &event["detail"])).collect();
    let detail = json!({"tenant": "acme", "resource_version": 12, "generation": 2});
    assert_eq!(told, [(&json!("tenant.update"), &detail)]);
}

#[tokio::test]
async fn a_watch_that_never_began_notes_nothing() {
    let scene = Scene::new().await;
    let database = &scene.app.state.database;
    let shown = [now(11, looks())];
    let noted = note(database, Observed::Agent, &shown, scene.now()).await.unwrap();
    assert_eq!(noted, Noted::NotBegun);
    assert!(
        !compare(database, RUN, None, &[], 11, scene.now()).await.unwrap(),
        "it has begun"
    );
}

//! AP-13: whoever pages through a list sees each row that is there all the while once, whatever comes and goes meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use support::api::{Agent, Client, Person, Service, database, migrate, settings};

/// Rows of which several fit no page.
const LASTING: usize = 25;

#[tokio::test]
async fn a_walk_through_a_list_misses_and_repeats_nothing() {
    let walks = if support::full() { 10_000 } else { 40 };
    let database = database().await;
    migrate(&database).await;
    let folder = tempfile::tempdir().expect("a folder");
    let mail = folder.path().join("mail");
    let mut settings = settings(&database);
    let most = || "1000000".to_owned();
    settings.extend([
        ("ENVIRONMENT", "development".to_owned()),
        ("PINFOLD_SIGN_UP", "open".to_owned()),
        ("PINFOLD_MAIL_DIRECTORY", mail.display().to_string()),
        ("PINFOLD_CALLS_PER_MINUTE", most()),
        ("PINFOLD_WRITES_PER_MINUTE", most()),
        ("PINFOLD_REQUESTS_PER_MINUTE", most()),
    ]);
    let (one, two) = tokio::join!(Service::start(&settings), Service::start(&settings));
    let ada = Person::sign_up(&one.client, &mail, "ada@example.com").await;
    let made = ada.post(&one.client, "/v1/tenants", &json!({"name": "acme"})).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    let mut lasting = Vec::new();
    for number in 0..LASTING {
        // Between those that last stand some that go.
        let agent = Agent::of_person(&ada, &one.client, "acme", &format!("agent-{number}")).await;
        lasting.push(agent.id);
        Agent::of_person(&ada, &one.client, "acme", "passing").await;
    }

    let done = AtomicBool::new(false);
    let churn = async {
        let mut turned = 0;
        while !done.load(Ordering::Relaxed) {
            let agent = Agent::of_person(&ada, &two.client, "acme", "passing").await;
            let oldest = passing(&ada, &two.client).await.unwrap_or(agent.id);
            let gone = ada
                .send(
                    &two.client,
                    "DELETE",
                    &format!("/v1/tenants/acme/agents/{oldest}"),
                    None,
                )
                .await;
            assert_eq!(gone.status, 204, "{:?}", gone.body);
            turned += 1;
        }
        turned
    };
    let walk = async {
        for number in 0..walks {
            // Pages of every length up to one that has all.
            let seen = walked(&ada, &one.client, 1 + number % (LASTING + 5)).await;
            let mut unique = seen.clone();
            unique.sort_unstable();
            unique.dedup();
            assert_eq!(unique.len(), seen.len(), "walk {number} repeats a row");
            let kept: Vec<&String> = seen.iter().filter(|id| lasting.contains(id)).collect();
            assert_eq!(kept, lasting.iter().collect::<Vec<_>>(), "walk {number}");
        }
        done.store(true, Ordering::Relaxed);
    };
    let (turned, ()) = tokio::join!(churn, walk);
    assert!(turned > 0, "nothing came and went");
    eprintln!("{walks} walks, while {turned} rows came and went");
}

/// The ids of all agents, as pages of a length show them.
async fn walked(person: &Person, client: &Client, limit: usize) -> Vec<String> {
    let mut seen = Vec::new();
    let mut next = String::new();
    loop {
        let page = person
            .get(client, &format!("/v1/tenants/acme/agents?limit={limit}{next}"))
            .await;
        assert_eq!(page.status, 200, "{:?}", page.body);
        let agents = page.body["agents"].as_array().expect("agents");
        seen.extend(agents.iter().map(|agent| text(&agent["id"])));
        match page.body["next_page_token"].as_str() {
            Some(token) => next = format!("&page_token={token}"),
            None => return seen,
        }
    }
}

/// The oldest of those that go.
async fn passing(person: &Person, client: &Client) -> Option<String> {
    let page = person.get(client, "/v1/tenants/acme/agents?limit=500").await;
    let agents = page.body["agents"].as_array().expect("agents");
    let oldest = agents.iter().find(|agent| agent["name"] == "passing")?;
    Some(text(&oldest["id"]))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

//! What is ended at one replica, until it is of no use at the other.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use http_body_util::Full;
use hyper::{Request, body::Bytes};
use serde_json::json;
use support::api::{Agent, Client, Person, secret};

use super::{
    api::Stage,
    grants,
    place::DEADLINE,
    report::{Row, milliseconds, quantile},
};

const ROUNDS: usize = 5;

/// How replicas hear of one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Through Redis.
    Redis,
    /// Through PostgreSQL alone.
    Database,
}

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Self::Redis => "",
            Self::Database => " without Redis",
        }
    }

    /// What is promised, in milliseconds.
    const fn limit(self) -> f64 {
        match self {
            Self::Redis => 1000.0,
            Self::Database => 5000.0,
        }
    }
}

/// Two replicas, and what is there to be ended.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) one: &'a Client,
    pub(crate) two: &'a Client,
    pub(crate) owner: &'a Person,
    pub(crate) tenant: &'a str,
}

pub(crate) async fn measure(place: Place<'_>, way: Way, rows: &mut Vec<Row>) -> Result<()> {
    let Place {
        one,
        two,
        owner,
        tenant,
        ..
    } = place;
    let mut taken = [
        "session",
        "API key",
        "agent",
        "agent's key",
        "membership",
        "oversight",
        "grant",
        "consent",
        "client",
        "client by its block",
    ]
    .map(|what| (what, Vec::new()));
    for round in 0..ROUNDS {
        let name = format!("{way:?}-{round}").to_lowercase();
        let figures = [
            session(one, two).await?,
            api_key(one, two, owner, tenant).await?,
            agent(one, two, owner, tenant, &format!("short-lived-{name}")).await?,
            agent_key(one, two, owner, tenant, &format!("rotating-{name}")).await?,
            membership(place, &format!("guest-{name}@pinfold.test")).await?,
            oversight(place, &format!("overseer-{name}@pinfold.test")).await?,
            grants::grant(place, "/v1/me/grants", "grants").await?,
            grants::grant(place, "/v1/me/consents", "consents").await?,
            grants::client(place).await?,
            grants::block(place).await?,
        ];
        for ((_, all), figure) in taken.iter_mut().zip(figures) {
            all.push(figure);
        }
    }
    for (what, all) in taken {
        let name = format!(
            "API: end of a {what}, until the other replica refuses{}, median of 5",
            way.name()
        );
        rows.push(
            Row::new(name, quantile(&all, 50), "ms")
                .at_most(way.limit())
                .note(format!("longest {:.1} ms", quantile(&all, 100))),
        );
    }
    Ok(())
}

async fn session(one: &Client, two: &Client) -> Result<f64> {
    let person = Person::log_in(one, "bench@pinfold.test").await;
    let reading = || person.request(two, "GET", "/v1/me", None);
    let ending = person.request(one, "DELETE", "/v1/sessions", None);
    ended(one, two, ending, reading).await
}

async fn api_key(one: &Client, two: &Client, owner: &Person, tenant: &str) -> Result<f64> {
    let path = format!("/v1/tenants/{tenant}/api-keys");
    let wanted = json!({"name": "bench", "scopes": ["runs:read"]});
    let made = owner.post(one, &path, &wanted).await;
    ensure!(made.status == 201, "no API key is made: {}", made.body);
    let text = |name: &str| made.body[name].as_str().unwrap_or_default().to_owned();
    let (id, key) = (text("id"), text("secret"));
    let ending = owner.request(one, "DELETE", &format!("{path}/{id}"), None);
    let runs = format!("/v1/tenants/{tenant}/runs?limit=1");
    ended(one, two, ending, || two.reading(&runs, Some(&key))).await
}

async fn agent(one: &Client, two: &Client, owner: &Person, tenant: &str, name: &str) -> Result<f64> {
    let agent = Agent::of_person(owner, one, tenant, name).await;
    let token = agent.token(one).await;
    let path = format!("/v1/tenants/{tenant}/agents/{}", agent.id);
    let ending = owner.request(one, "DELETE", &path, None);
    ended(one, two, ending, || two.reading("/v1/me", Some(&token))).await
}

async fn agent_key(one: &Client, two: &Client, owner: &Person, tenant: &str, name: &str) -> Result<f64> {
    let agent = Agent::of_person(owner, one, tenant, name).await;
    let token = agent.token(one).await;
    // The last key is kept.
    agent.add_key(one, &token).await;
    let path = format!("/v1/tenants/{tenant}/agents/{}/keys/{}", agent.id, agent.key_id);
    let ending = owner.request(one, "DELETE", &path, None);
    ended(one, two, ending, || two.reading("/v1/me", Some(&token))).await
}

/// A person who joins the tenant.
async fn guest(place: Place<'_>, email: &str, role: &str) -> Result<Person> {
    let Place {
        stage,
        one,
        owner,
        tenant,
        ..
    } = place;
    let mail = stage.mail();
    let guest = Person::sign_up(one, &mail, email).await;
    let invitation = json!({"email": email, "role": role});
    let invited = owner
        .post(one, &format!("/v1/tenants/{tenant}/invitations"), &invitation)
        .await;
    ensure!(invited.status == 201, "nobody is invited: {}", invited.body);
    let token = json!({"token": secret(&mail, email).await});
    let accepted = guest.post(one, "/v1/invitations/accept", &token).await;
    ensure!(accepted.status == 204, "nobody comes: {}", accepted.body);
    Ok(guest)
}

/// A relation to an agent, without which its keys are not shown.
async fn oversight(place: Place<'_>, email: &str) -> Result<f64> {
    let Place {
        one,
        two,
        owner,
        tenant,
        ..
    } = place;
    let guest = guest(place, email, "developer").await?;
    let agent = Agent::of_person(owner, one, tenant, "overseen").await;
    let agent = format!("/v1/tenants/{tenant}/agents/{}", agent.id);
    let edge = format!("{agent}/oversights/{}", guest.id);
    let granted = owner
        .send(one, "PUT", &edge, Some(&json!({"relation": "viewer"})))
        .await;
    ensure!(granted.status.is_success(), "no relation is given: {}", granted.body);
    let ending = owner.request(one, "DELETE", &edge, None);
    let keys = format!("{agent}/keys");
    ended(one, two, ending, || guest.request(two, "GET", &keys, None)).await
}

async fn membership(place: Place<'_>, email: &str) -> Result<f64> {
    let Place {
        one,
        two,
        owner,
        tenant,
        ..
    } = place;
    let guest = guest(place, email, "viewer").await?;
    let path = format!("/v1/tenants/{tenant}/members/{}", guest.id);
    let ending = owner.request(one, "DELETE", &path, None);
    let runs = format!("/v1/tenants/{tenant}/runs?limit=1");
    ended(one, two, ending, || guest.request(two, "GET", &runs, None)).await
}

/// From the answer of the one who ended it to the other's first refusal.
pub(super) async fn ended(
    one: &Client,
    two: &Client,
    ending: Request<Full<Bytes>>,
    reading: impl Fn() -> Request<Full<Bytes>>,
) -> Result<f64> {
    let before = two.send(reading()).await;
    ensure!(before.status == 200, "it is of no use before its end: {}", before.body);
    let end = one.send(ending).await;
    ensure!(end.status.is_success(), "it is not ended: {}", end.body);
    let since = Instant::now();
    while two.send(reading()).await.status.is_success() {
        ensure!(since.elapsed() < DEADLINE, "it goes on");
        // The figure is exact to this, and the replica has time for others.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(milliseconds(since.elapsed()))
}

use std::sync::atomic::{AtomicI64, Ordering};

use futures::future::join_all;
use serde_json::{Value, json};

use super::*;
use crate::{
    auth::jws,
    testing::{Manner, START, TestIssuer},
};

/// A clock that goes when it is told to.
#[derive(Debug)]
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

type Judged = Result<Option<String>, NoKeys>;

struct Place {
    issuer: TestIssuer,
    issuers: Issuers,
    clock: Arc<Hand>,
}

impl Place {
    async fn with(demand: Demand) -> Self {
        let issuer = TestIssuer::start().await;
        let clock = Arc::new(Hand(AtomicI64::new(START)));
        let config = config::Outside {
            issuers: vec![config::Issuer {
                name: issuer.name.clone(),
                demand,
            }],
        };
        let issuers = Issuers::new(&config, clock.clone()).unwrap();
        Self { issuer, issuers, clock }
    }

    async fn new() -> Self {
        Self::with(Demand::Audience("pinfold".to_owned())).await
    }

    fn wait(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::Relaxed);
    }

    fn claims(&self) -> Value {
        let now = self.clock.now().as_second();
        json!({
            "iss": self.issuer.name, "sub": "user_1", "aud": "pinfold", "azp": "https://console.example",
            "iat": now, "exp": now + 60,
        })
    }

    /// Whom a token vouches for.
    async fn judge(&self, token: &str) -> Judged {
        let parsed = jws::parse(token).unwrap();
        let Some(issuer) = self.issuers.of(&parsed) else {
            return Ok(None);
        };
        let vouched = self.issuers.verify(issuer, &parsed).await?;
        Ok(vouched.map(|vouched| vouched.subject))
    }

    /// The same of a token that is made now, with this algorithm.
    async fn judge_new(&self, algorithm: &str) -> Judged {
        self.judge(&self.issuer.token(algorithm, &self.claims())).await
    }

    /// Waits until keys that are due were fetched.
    async fn refreshed(&self) {
        let issuer = &self.issuers.all[&self.issuer.name];
        issuer.refresh(self.clock.now(), REFRESH).await;
    }
}

/// Whom a token that is believed vouches for.
const ADA: &str = "user_1";

/// What is judged of such a token.
fn believed(judged: Judged) -> bool {
    judged.is_ok_and(|subject| subject.as_deref() == Some(ADA))
}

#[tokio::test]
async fn tokens_of_three_algorithms_count_and_the_keys_are_fetched_once() {
    let place = Place::new().await;
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        assert!(believed(place.judge_new(algorithm).await), "{algorithm}");
    }
    assert_eq!(place.issuer.asked(), 1);
}

#[tokio::test]
async fn clerks_keys_are_where_clerk_has_them() {
    let place = Place::with(Demand::Parties(vec!["https://console.example".to_owned()])).await;
    // It would be refused if anybody looked at it.
    place.issuer.pose_as("https://other.example");
    assert!(believed(place.judge_new("RS256").await));
}

#[tokio::test]
async fn what_is_no_token_for_us_is_refused() {
    let place = Place::new().await;
    let claims = place.claims();
    let header = |changes: Value| {
        let mut header = json!({"alg": "RS256", "kid": "rsa", "typ": "JWT"});
        for (name, value) in changes.as_object().unwrap() {
            header[name] = value.clone();
        }
        header
    };
    for changes in [
        json!({"alg": "none"}),
        json!({"alg": "HS256"}),
        json!({"alg": "RS512"}),
        json!({"alg": "PS256"}),
        json!({"alg": "ES256"}),
        json!({"alg": "EdDSA"}),
        json!({"typ": "dpop+jwt"}),
        json!({"typ": "logout+jwt"}),
        json!({"typ": "secevent+jwt"}),
        json!({"typ": 7}),
        json!({"kid": null}),
        json!({"kid": "another"}),
    ] {
        let token = place.issuer.signed(&header(changes.clone()), &claims);
        assert_eq!(place.judge(&token).await, Ok(None), "{changes}");
    }
    let others = TestIssuer::start().await;
    assert_eq!(place.judge(&others.token("RS256", &claims)).await, Ok(None));
    // A token may have no type at all.
    let plain = place.issuer.signed(&json!({"alg": "EdDSA", "kid": "ed"}), &claims);
    assert!(believed(place.judge(&plain).await));
}

#[tokio::test]
async fn a_flood_of_unknown_keys_asks_once_in_ten_seconds() {
    let place = Place::new().await;
    let flood = || async {
        let tokens: Vec<String> = (0..100)
            .map(|i| {
                let header = json!({"alg": "RS256", "kid": format!("unknown-{i}"), "typ": "JWT"});
                place.issuer.signed(&header, &place.claims())
            })
            .collect();
        join_all(tokens.iter().map(|token| place.judge(token))).await
    };
    for asked in [1, 2] {
        assert_eq!(flood().await, vec![Ok(None); 100]);
        assert_eq!(flood().await, vec![Ok(None); 100]);
        assert_eq!(place.issuer.asked(), asked);
        assert!(believed(place.judge_new("RS256").await));
        place.wait(10);
    }
}

#[tokio::test]
async fn keys_count_for_an_hour_while_the_issuer_is_away() {
    let place = Place::new().await;
    assert!(believed(place.judge_new("RS256").await));
    for manner in [Manner::Away, Manner::Elsewhere, Manner::AtLength, Manner::Nonsense] {
        place.issuer.answer(manner);
        place.wait(600);
        assert!(believed(place.judge_new("RS256").await), "{manner:?}");
        place.refreshed().await;
    }
    place.issuer.answer(Manner::Well);
    place.issuer.pose_as("http://127.0.0.1:1");
    place.wait(1199);
    assert!(believed(place.judge_new("RS256").await));
    place.refreshed().await;
    place.wait(10);
    assert_eq!(place.judge_new("RS256").await, Err(NoKeys(place.issuer.name.clone())));
    place.issuer.pose_as(&place.issuer.name);
    place.wait(10);
    assert!(believed(place.judge_new("RS256").await));
}

#[tokio::test]
async fn a_key_that_was_withdrawn_counts_for_five_minutes_at_most() {
    let place = Place::new().await;
    assert!(believed(place.judge_new("RS256").await));
    place.issuer.withdraw("rsa");
    place.wait(299);
    assert!(believed(place.judge_new("RS256").await));
    place.wait(1);
    // The keys are fetched beside this answer, and the next one is given with them.
    assert!(believed(place.judge_new("EdDSA").await));
    place.refreshed().await;
    assert_eq!(place.judge_new("RS256").await, Ok(None));
    assert!(believed(place.judge_new("EdDSA").await));
    assert_eq!(place.issuer.asked(), 2);
}

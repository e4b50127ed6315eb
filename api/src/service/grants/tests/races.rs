//! What counts once counts once whoever comes with it, however many there are, and whatever becomes of Redis meanwhile.

use std::{cell::Cell, collections::BTreeMap};

use futures::future::join_all;
use serde_json::json;

use super::{
    devices::{self, begin, say},
    error, is_bad, nonce, proof, status, text,
};
use crate::{
    auth::client::assertion,
    testing::{
        Answer, ISSUER, TestApp, TestKey, TestRedis,
        consent::{TestParty, VERIFIER, brought, hidden, request_of, visit},
    },
};

/// What becomes of Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// Nothing.
    None,
    /// It forgets everything while they come.
    Emptied,
    /// Another takes its place while they come.
    FailedOver,
    /// It went away before they came.
    Gone,
    /// It came back with nothing in it before they came, and was away before that.
    Back,
}

impl Trouble {
    const ALL: [Self; 5] = [Self::None, Self::Emptied, Self::FailedOver, Self::Gone, Self::Back];
}

/// Two replicas over one Redis.
struct Two {
    redis: TestRedis,
    app: TestApp,
    replica: TestApp,
    /// How many came.
    came: Cell<u32>,
}

impl Two {
    async fn start() -> Self {
        let redis = TestRedis::start().await;
        let app = TestApp::with_redis(&redis).await;
        let replica = app.replica();
        replica.refresh_keys().await;
        Self {
            redis,
            app,
            replica,
            came: Cell::new(0),
        }
    }

    /// Twenty do the same at once, each from elsewhere: of one address there may not be so many.
    async fn race(&mut self, trouble: Trouble, act: impl AsyncFn(&TestApp, (&str, &str)) -> Answer) -> Vec<Answer> {
        match trouble {
            Trouble::Gone => self.redis.kill(),
            Trouble::Back => self.redis.come_back().await,
            Trouble::None | Trouble::Emptied | Trouble::FailedOver => {}
        }
        let racers = (0..20).map(|n| {
            self.came.set(self.came.get() + 1);
            let address = format!("203.0.113.{}", self.came.get());
            let to = if n % 2 == 0 { &self.app } else { &self.replica };
            let act = &act;
            async move { act(to, ("x-forwarded-for", &address)).await }
        });
        let meanwhile = async {
            match trouble {
                Trouble::Emptied => self.redis.flush().await,
                Trouble::FailedOver => self.redis.fail_over().await,
                Trouble::None | Trouble::Gone | Trouble::Back => {}
            }
        };
        let (answers, ()) = tokio::join!(join_all(racers), meanwhile);
        answers
    }

    /// One got tokens, which ended when the others came with the same.
    async fn one_had_tokens(&self, party: &TestParty, answers: &[Answer]) {
        let (good, bad): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
        assert_eq!(good.len(), 1);
        bad.into_iter().for_each(is_bad);
        for to in [&self.app, &self.replica] {
            assert_eq!(status(to, text(good[0], "access_token")).await, 401);
            is_bad(&party.refresh(to, text(good[0], "refresh_token")).await);
        }
    }
}

/// How often each was told.
fn counted<'a>(answers: &'a [Answer], told: impl Fn(&'a Answer) -> (u16, &'a str)) -> BTreeMap<(u16, &'a str), usize> {
    let mut all = BTreeMap::new();
    for answer in answers {
        *all.entry(told(answer)).or_default() += 1;
    }
    all
}

#[tokio::test]
async fn of_many_who_bring_a_code_one_gets_tokens() {
    let mut two = Two::start().await;
    let party = TestParty::new(&two.app, &json!({})).await;
    for trouble in Trouble::ALL {
        let code = party.code(&two.app, &[("scope", "tenant:read")]).await;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("code_verifier", VERIFIER),
        ];
        let bring = async |to: &TestApp, from: (&str, &str)| party.token(to, &[from], &form).await;
        let answers = two.race(trouble, bring).await;
        two.one_had_tokens(&party, &answers).await;
    }
}

#[tokio::test]
async fn of_many_who_show_a_refresh_token_that_counts_once_one_gets_tokens() {
    let mut two = Two::start().await;
    let party = TestParty::new(&two.app, &json!({"token_endpoint_auth_method": "none"})).await;
    for trouble in Trouble::ALL {
        let code = party.code(&two.app, &[("scope", "tenant:read")]).await;
        let tokens = party.redeem(&two.app, &code, &[]).await;
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", text(&tokens, "refresh_token")),
        ];
        let show = async |to: &TestApp, from: (&str, &str)| party.token(to, &[from], &form).await;
        let answers = two.race(trouble, show).await;
        two.one_had_tokens(&party, &answers).await;
        assert_eq!(status(&two.app, text(&tokens, "access_token")).await, 401);
    }
}

#[tokio::test]
async fn of_many_who_ask_for_a_device_one_gets_tokens() {
    let mut two = Two::start().await;
    let party = devices::party(&two.app).await;
    for trouble in Trouble::ALL {
        let begun = begin(&two.app, &party).await;
        say(&two.app, &party, text(&begun, "user_code"), "allow").await;
        let form = [
            ("grant_type", devices::GRANT),
            ("device_code", text(&begun, "device_code")),
        ];
        let ask = async |to: &TestApp, from: (&str, &str)| party.token(to, &[from], &form).await;
        let answers = two.race(trouble, ask).await;
        two.one_had_tokens(&party, &answers).await;
    }
}

#[tokio::test]
async fn of_many_who_show_an_assertion_one_is_the_client() {
    let mut two = Two::start().await;
    let key = TestKey::ed25519();
    let signs = json!({
        "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [key.registered()]},
        "grant_types": ["client_credentials"], "redirect_uris": null,
    });
    let party = TestParty::new(&two.app, &signs).await;
    for trouble in Trouble::ALL {
        let shown = key.assertion(&party.id, &format!("{trouble:?}"));
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", assertion::TYPE),
            ("client_assertion", &shown),
        ];
        let show = async |to: &TestApp, from: (&str, &str)| to.form_with("/oauth/token", &[from], &form).await;
        let answers = two.race(trouble, show).await;
        let wanted = BTreeMap::from([((200, ""), 1), ((401, "invalid_client"), 19)]);
        assert_eq!(counted(&answers, error), wanted, "{trouble:?}");
    }
}

/// A proof may come to nothing, and be asked for anew; it never counts twice.
#[tokio::test]
async fn of_many_who_show_a_proof_one_gets_a_token_at_most() {
    let mut two = Two::start().await;
    let itself = json!({"grant_types": ["client_credentials"], "redirect_uris": null, "scope": "runs:read"});
    let party = TestParty::new(&two.app, &itself).await;
    let key = TestKey::p256();
    let form = [("grant_type", "client_credentials")];
    for trouble in Trouble::ALL {
        let nonce = nonce(&two.app, &party, &key).await;
        let proof = proof(&key, "/oauth/token", &format!("{trouble:?}"), &nonce);
        let show = async |to: &TestApp, from: (&str, &str)| party.token(to, &[from, ("dpop", &proof)], &form).await;
        let mut answers = two.race(trouble, show).await;
        if trouble == Trouble::None {
            let wanted = BTreeMap::from([((200, ""), 1), ((400, "invalid_dpop_proof"), 19)]);
            assert_eq!(counted(&answers, error), wanted);
        }
        answers.extend(two.race(Trouble::None, show).await);
        let mut told = counted(&answers, error);
        assert!(
            told.remove(&(200, "")).is_none_or(|good| good == 1),
            "{trouble:?} {told:?}"
        );
        for refused in told.into_keys() {
            let known = [
                (400, "invalid_dpop_proof"),
                (400, "use_dpop_nonce"),
                (503, "temporarily_unavailable"),
            ];
            assert!(known.contains(&refused), "{trouble:?} {refused:?}");
        }
    }
}

/// How often a form of a page was answered so.
fn statuses(answers: &[Answer]) -> BTreeMap<u16, usize> {
    let told = counted(answers, |answer| (answer.status.as_u16(), ""));
    told.into_iter().map(|((status, _), count)| (status, count)).collect()
}

/// A person who presses twice, in as many windows as there are, lets a client in once.
#[tokio::test]
async fn of_many_answers_to_a_request_one_counts() {
    let mut two = Two::start().await;
    let party = TestParty::new(&two.app, &json!({})).await;
    for trouble in Trouble::ALL {
        let asked = party.parameters(&[("scope", "tenant:read"), ("prompt", "consent")]);
        let request = request_of(&party.authorize(&two.app, &asked).await);
        let page = visit(&two.app, &party.owner, &format!("/consent?request={request}")).await;
        let form = [
            ("request", request.as_str()),
            ("shown", hidden(&page, "shown")),
            ("tenant", "acme"),
            ("decision", "allow"),
            ("csrf", &party.owner.csrf),
        ];
        let say = async |to: &TestApp, from: (&str, &str)| {
            let headers = [from, ("cookie", &party.owner.cookie), ("origin", ISSUER)];
            to.form_with("/consent", &headers, &form).await
        };
        let answers = two.race(trouble, say).await;
        assert_eq!(statuses(&answers), BTreeMap::from([(303, 1), (400, 19)]), "{trouble:?}");
        let codes: Vec<_> = answers.iter().map(brought).filter(|back| !back.is_empty()).collect();
        assert_eq!(codes.len(), 1);
        let tokens = party.redeem(&two.app, &codes[0][0].1, &[]).await;
        assert_eq!(tokens.status, 200, "{:?}", tokens.body);
    }
}

#[tokio::test]
async fn of_many_answers_to_a_device_one_counts() {
    let mut two = Two::start().await;
    let party = devices::party(&two.app).await;
    for trouble in Trouble::ALL {
        let begun = begin(&two.app, &party).await;
        let form = [
            ("user_code", text(&begun, "user_code")),
            ("tenant", "acme"),
            ("decision", "allow"),
            ("csrf", &party.owner.csrf),
        ];
        let say = async |to: &TestApp, from: (&str, &str)| {
            let headers = [from, ("cookie", &party.owner.cookie), ("origin", ISSUER)];
            to.form_with("/device/answer", &headers, &form).await
        };
        let answers = two.race(trouble, say).await;
        assert_eq!(statuses(&answers), BTreeMap::from([(200, 1), (400, 19)]), "{trouble:?}");
        let tokens = devices::ask(&two.app, &party, text(&begun, "device_code")).await;
        assert_eq!(tokens.status, 200, "{:?}", tokens.body);
    }
    let grants: i64 = sqlx::query_scalar("SELECT count(*) FROM oauth_grants")
        .fetch_one(&two.app.owner)
        .await
        .unwrap();
    assert_eq!(grants, 5, "one for each device");
}

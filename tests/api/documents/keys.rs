use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use support::api::{Answer, ISSUER, Page, Service};

use super::{CLIENT, World, unproven};

struct Key(Ed25519KeyPair, &'static str);

impl Key {
    fn new(id: &'static str) -> Self {
        Self(Ed25519KeyPair::generate().expect("a key"), id)
    }

    fn public(&self) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": self.1, "x": URL_SAFE_NO_PAD.encode(self.0.public_key())})
    }

    /// What proves the client that has it (RFC 7523).
    fn assertion(&self, client_id: &str) -> String {
        let now = jiff::Timestamp::now().as_second();
        let claims = json!({
            "iss": client_id, "sub": client_id, "aud": ISSUER, "jti": format!("{:032x}", rand::random::<u128>()),
            "iat": now, "exp": now + 60,
        });
        let header = json!({"alg": "EdDSA", "kid": self.1, "typ": "JWT"});
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let text = format!("{}.{}", encode(&header), encode(&claims));
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(self.0.sign(text.as_bytes())))
    }
}

async fn begin(at: &Service, assertion: &str) -> Answer {
    let form = [
        ("client_assertion", assertion),
        (
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        ),
        ("scope", "tenant:read"),
        ("resource", ISSUER),
    ];
    at.client.form("/oauth/device_authorization", &form).await
}

fn proves_itself_by(place: &str) -> Value {
    json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": place})
}

#[tokio::test]
async fn a_client_proves_itself_by_a_key_that_it_publishes() {
    let world = World::new().await;
    let (one, two, forged) = (Key::new("one"), Key::new("two"), Key::new("one"));
    let publish = |keys: &[&Key]| {
        let keys: Vec<Value> = keys.iter().map(|key| key.public()).collect();
        world
            .publisher
            .publish("keys.example/set", Page::json(&json!({"keys": keys})));
    };
    world.describe(CLIENT, proves_itself_by("https://keys.example/set"));
    publish(&[&one]);
    let good = one.assertion(CLIENT);
    let begun = begin(&world.service, &good).await;
    assert_eq!(begun.status, 200, "{:?}", begun.body);
    // It counts once, for its client, with its key; and its name alone proves nothing.
    assert_eq!(begin(&world.service, &good).await.told(), (401, &unproven()));
    assert_eq!(
        begin(&world.service, &forged.assertion(CLIENT)).await.told(),
        (401, &unproven())
    );
    let form = [("client_id", CLIENT), ("scope", "tenant:read"), ("resource", ISSUER)];
    let named = world.service.client.form("/oauth/device_authorization", &form).await;
    assert_eq!(named.told(), (401, &unproven()));
    // Keys that it has not are asked for once in ten seconds, however many.
    for id in ["two", "three", "four"] {
        let unknown = Key::new(id).assertion(CLIENT);
        assert_eq!(begin(&world.service, &unknown).await.told(), (401, &unproven()));
    }
    assert_eq!(
        world.publisher.requests(),
        ["app.example/client.json", "keys.example/set"]
    );

    // A replica that comes later reads what there is then.
    publish(&[&two]);
    let replica = world.replica().await;
    assert_eq!(begin(&replica, &one.assertion(CLIENT)).await.told(), (401, &unproven()));
    let begun = begin(&replica, &two.assertion(CLIENT)).await;
    assert_eq!(begun.status, 200, "{:?}", begun.body);
}

#[tokio::test]
async fn keys_are_fetched_like_descriptions() {
    let world = World::new().await;
    let key = Key::new("one");
    let set = json!({"keys": [key.public()]}).to_string();
    let padded = |length: usize| format!("{set}{}", " ".repeat(length - set.len()));
    let html = Page::Whole("200 OK\r\ncontent-type: text/html".to_owned(), set.clone().into_bytes());
    let jwk_set = "200 OK\r\ncontent-type: application/jwk-set+json".to_owned();
    let pages = [
        (
            "keys.example/good",
            Page::Whole(jwk_set, set.clone().into_bytes()),
            true,
        ),
        ("keys.example/fits", Page::bytes(padded(16 * 1024)), true),
        ("keys.example/long", Page::bytes(padded(16 * 1024 + 1)), false),
        ("keys.example/html", html, false),
        ("keys.example/endless", Page::Endless, false),
        ("private.example/set", Page::bytes(set.clone()), false),
        ("mixed.example/set", Page::bytes(set.clone()), false),
        ("metadata.example/set", Page::bytes(set.clone()), false),
    ];
    let mut asked = Vec::new();
    for (number, (place, page, is_good)) in pages.into_iter().enumerate() {
        world.publisher.publish(place, page);
        let client_id = format!("https://app.example/{number}");
        world.describe(&client_id, proves_itself_by(&format!("https://{place}")));
        let answer = begin(&world.service, &key.assertion(&client_id)).await;
        assert_eq!(
            answer.status,
            if is_good { 200 } else { 401 },
            "{place}: {:?}",
            answer.body
        );
        asked.push(format!("app.example/{number}"));
        asked.extend(Some(place.to_owned()).filter(|place| place.starts_with("keys.example")));
    }
    assert_eq!(world.publisher.requests(), asked);
}

//! A service that is not ours: its keys are a map, and its store is a set.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::Mutex,
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{GrantId, OverseerId, TenantId};
use serde_json::{Value, json};

use super::*;
use crate::{jwk, jws, token::Denied};

const HERE: &str = "https://gateway.example/v2";
const NOW: i64 = 1_800_000_000;

struct Gateway {
    keys: BTreeMap<String, PublicKey>,
    epoch: Mutex<Epoch>,
    spent: Mutex<BTreeSet<[u8; 32]>>,
    known: Known,
}

impl Service for Gateway {
    type Error = Infallible;

    fn key(&self, id: &str) -> Option<PublicKey> {
        self.keys.get(id).cloned()
    }

    async fn epoch(&self, _: Timestamp) -> Result<Epoch, Infallible> {
        Ok(*self.epoch.lock().unwrap())
    }

    async fn spend(&self, once: Once, _: Timestamp) -> Result<Spent, Infallible> {
        if once.epoch != *self.epoch.lock().unwrap() {
            return Ok(Spent::Forgotten);
        }
        let is_first = self.spent.lock().unwrap().insert(once.digest);
        Ok(if is_first { Spent::First } else { Spent::Again })
    }
}

fn pair(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn public(pair: &Ed25519KeyPair) -> PublicKey {
    PublicKey::Ed25519(pair.public_key().as_ref().try_into().unwrap())
}

fn signed(pair: &Ed25519KeyPair, header: &Value, claims: &Value) -> String {
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let text = format!("{}.{}", encode(header), encode(claims));
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(pair.sign(text.as_bytes())))
}

fn gateway() -> Gateway {
    Gateway {
        keys: BTreeMap::from([("k1".to_owned(), public(&pair(1)))]),
        epoch: Mutex::new(Epoch::Redis([7; 16])),
        spent: Mutex::default(),
        known: Known::default(),
    }
}

fn nonces() -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &[5; 32])
}

fn server<'a>(gateway: &'a Gateway, nonces: &'a hmac::Key) -> ResourceServer<'a, Gateway> {
    ResourceServer {
        issuer: HERE,
        audience: "urn:gateway",
        nonces,
        known: &gateway.known,
        service: gateway,
    }
}

/// A token for the gateway, bound to the key of this seed.
fn token(holder: Option<u8>) -> String {
    let mut claims = json!({
        "iss": HERE, "aud": "urn:gateway", "sub": OverseerId::from_u128(1).to_string(), "client_id": "board", "jti": "t", "iat": NOW,
        "exp": NOW + 600, "scope": "runs:read tenant:read", "pinfold_tenant": TenantId::from_u128(2).to_string(),
        "pinfold_grant": GrantId::from_u128(3).to_string(),
    });
    if let Some(seed) = holder {
        claims["cnf"] = json!({"jkt": jwk::thumbprint(&public(&pair(seed)))});
    }
    signed(
        &pair(1),
        &json!({"alg": "EdDSA", "typ": token::TYPE, "kid": "k1"}),
        &claims,
    )
}

fn proof(seed: u8, id: &str, nonce: &str, token: &str) -> String {
    let key = jwk::written(&public(&pair(seed)));
    let claims = json!({
        "jti": id, "htm": "GET", "htu": "https://gateway.example/v2/things", "iat": NOW, "nonce": nonce, "ath": dpop::hash_of(token),
    });
    signed(
        &pair(seed),
        &json!({"typ": dpop::TYPE, "alg": "EdDSA", "jwk": key}),
        &claims,
    )
}

/// Who acts, by a token and perhaps a proof; otherwise the error's code, or nothing if the token proves nothing.
async fn asked(gateway: &Gateway, token: &str, proof: Option<&str>) -> Result<Token, Option<&'static str>> {
    let nonces = nonces();
    let server = server(gateway, &nonces);
    let now = Timestamp::from_second(NOW).unwrap();
    let binding = match proof {
        None => None,
        Some(proof) => {
            let request = Request {
                giver: Giver::Resource,
                method: "GET",
                path: "/things",
                access_token: Some(token),
            };
            let judged = server.judge(proof, request, now).await;
            Some(judged.map_err(|refused| Some(refused.code()))?)
        }
    };
    let parsed = jws::parse(token).ok_or(None)?;
    let unspent = server.shown(&parsed, binding, now).ok_or(None)?;
    let spent = unspent.spend(gateway, now).await;
    spent.map_err(|refused| Some(refused.code()))
}

/// The nonce that the gateway gives.
async fn nonce(gateway: &Gateway) -> String {
    let nonces = nonces();
    let server = server(gateway, &nonces);
    let now = Timestamp::from_second(NOW).unwrap();
    server.nonce(Giver::Resource, now).await.unwrap()
}

#[tokio::test]
async fn who_acts_is_known_once_everything_was_judged() {
    let gateway = gateway();
    let nonce = nonce(&gateway).await;
    let (plain, bound) = (token(None), token(Some(2)));
    let read = asked(&gateway, &plain, None).await.unwrap();
    assert_eq!(
        asked(&gateway, &plain, None).await.unwrap(),
        read,
        "what needs no proof counts often"
    );
    let good = proof(2, "one", &nonce, &bound);
    let told = asked(&gateway, &bound, Some(&good)).await.unwrap();
    assert_eq!(told.tenant(), TenantId::from_u128(2));
    for (why, token, proof, wanted) in [
        ("used before", &bound, Some(good), Some("invalid_dpop_proof")),
        ("a bound token alone", &bound, None, None),
        ("of another key", &bound, Some(proof(3, "two", &nonce, &bound)), None),
        ("not bound", &plain, Some(proof(2, "three", &nonce, &plain)), None),
        (
            "another token's",
            &bound,
            Some(proof(2, "four", &nonce, &plain)),
            Some("invalid_dpop_proof"),
        ),
        (
            "no nonce of ours",
            &bound,
            Some(proof(2, "five", "", &bound)),
            Some("use_dpop_nonce"),
        ),
    ] {
        assert_eq!(asked(&gateway, token, proof.as_deref()).await, Err(wanted), "{why}");
    }
    *gateway.epoch.lock().unwrap() = Epoch::Redis([8; 16]);
    let after = asked(&gateway, &bound, Some(&proof(2, "six", &nonce, &bound))).await;
    assert_eq!(after, Err(Some("use_dpop_nonce")), "the store lost what it knew");
    let other = Gateway {
        keys: BTreeMap::new(),
        ..gateway
    };
    assert_eq!(
        asked(&other, &plain, None).await,
        Err(None),
        "a key that is known no more"
    );
}

#[tokio::test]
async fn a_token_is_for_one_tenant_and_some_scopes() {
    let token = asked(&gateway(), &token(None), None).await.unwrap();
    let (own, other) = (TenantId::from_u128(2), TenantId::from_u128(9));
    assert_eq!(token.allows(own, "runs:read"), Ok(()));
    assert_eq!(token.allows(own, "runs:write"), Err(Denied::Scope));
    assert_eq!(token.allows(own, "runs"), Err(Denied::Scope));
    assert_eq!(token.allows(other, "runs:read"), Err(Denied::Tenant));
}

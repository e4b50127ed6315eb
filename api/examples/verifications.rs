//! How many access tokens one core verifies in a second (signature, header, claims), how many with the proof of possession that each is bound to,
//! and how many requests it judges with tokens that were shown before. `cargo xtask bench` builds it optimised and runs it; it writes the medians of
//! five rounds, one to a line.

#![expect(clippy::print_stdout, reason = "the figure is what this program is for")]

use std::{
    convert::Infallible,
    hint::black_box,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use api::auth::{
    jws::{self, PublicKey},
    signing::{self, Algorithm, Pair},
    token::{self, Claims, Confirmation, Who},
};
use aws_lc_rs::{
    digest::{SHA256, digest},
    hmac,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::FutureExt as _;
use jiff::Timestamp;
use resource_server::{
    check::{Once, Request, ResourceServer, Service, Spent},
    dpop::{self, Wanted},
    epoch::Epoch,
    jwk,
    known::Known,
    nonce::{self, Giver},
};
use serde_json::json;
use url::Url;

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(1);
const ISSUER: &str = "https://pinfold.example";
const EPOCH: Epoch = Epoch::Redis([7; 16]);
/// Tokens that differ, so that nothing can be kept from one to the next.
const TOKENS: usize = 64;

fn main() -> Result<()> {
    let pair = Pair::open(Algorithm::EdDsa, &signing::generate(Algorithm::EdDsa)?)?;
    let key = pair.public()?;
    let now = Timestamp::now();
    let tokens: Vec<String> = (0..TOKENS)
        .map(|i| signing::sign(token::TYPE, "k", &pair, &claims(i, now)))
        .collect::<Result<_, _>>()?;
    let alone = median(|| {
        for text in &tokens {
            ensure!(black_box(verify(text, &key, now)).is_some(), "a good token was refused");
        }
        Ok(tokens.len())
    })?;
    let holder = Ed25519KeyPair::generate().context("make a key")?;
    let shown: Vec<(String, String)> = (0..TOKENS)
        .map(|i| bound(i, &pair, &holder, now))
        .collect::<Result<_>>()?;
    let place = Url::parse(&format!("{ISSUER}/v1/me"))?;
    let with_proofs = median(|| {
        for (text, proof) in &shown {
            let read = verify(text, &key, now).context("a good token was refused")?;
            let wanted = Wanted {
                method: "GET",
                uri: &place,
                access_token: Some(text),
                now,
            };
            let proof = dpop::judge(proof, wanted).context("a good proof was refused")?;
            ensure!(black_box(read.jkt) == Some(proof.thumbprint), "a token of another key");
        }
        Ok(shown.len())
    })?;
    let requests = requests(key, &shown, now)?;
    println!("{alone:.0}\n{with_proofs:.0}\n{requests:.0}");
    Ok(())
}

/// A service whose store is always there and knows nothing: what it costs is measured elsewhere.
struct Alone {
    key: PublicKey,
}

impl Service for Alone {
    type Error = Infallible;

    fn key(&self, _: &str) -> Option<PublicKey> {
        Some(self.key.clone())
    }

    async fn epoch(&self, _: Timestamp) -> Result<Epoch, Infallible> {
        Ok(EPOCH)
    }

    async fn spend(&self, _: Once, _: Timestamp) -> Result<Spent, Infallible> {
        Ok(Spent::First)
    }
}

/// Requests as a service judges them: proof, nonce, token, binding. Holders show their tokens again and again.
fn requests(key: PublicKey, shown: &[(String, String)], now: Timestamp) -> Result<f64> {
    let (service, known) = (Alone { key }, Known::default());
    let server = ResourceServer {
        issuer: ISSUER,
        audience: ISSUER,
        nonces: &nonces(),
        known: &known,
        service: &service,
    };
    median(|| {
        for (text, proof) in shown {
            let request = Request {
                giver: Giver::Resource,
                method: "GET",
                path: "/v1/me",
                access_token: Some(text),
            };
            let token = async {
                let binding = server.judge(proof, request, now).await.ok()?;
                let unspent = server.shown(&jws::parse(text)?, Some(binding), now)?;
                unspent.spend(&service, now).await.ok()
            };
            let token = token.now_or_never().flatten();
            ensure!(black_box(token).is_some(), "a good request was refused");
        }
        Ok(shown.len())
    })
}

fn nonces() -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &[5; 32])
}

/// How often something is done in a second: each call says how often it did it.
fn median(work: impl Fn() -> Result<usize>) -> Result<f64> {
    let mut rates = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let (started, mut done) = (Instant::now(), 0);
        while started.elapsed() < ROUND {
            done += work()?;
        }
        rates.push(f64::from(u32::try_from(done)?) / started.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    Ok(rates[ROUNDS / 2])
}

/// A token that is bound to a key, and a proof of that key for it.
fn bound(i: usize, pair: &Pair, holder: &Ed25519KeyPair, now: Timestamp) -> Result<(String, String)> {
    let point = holder.public_key().as_ref();
    let jkt = jwk::ed25519_thumbprint(point.try_into().unwrap_or(&[0; 32]));
    let claims = Claims {
        cnf: Some(Confirmation { jkt }),
        ..claims(i, now)
    };
    let token = signing::sign(token::TYPE, "k", pair, &claims)?;
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let header =
        json!({"typ": dpop::TYPE, "alg": "EdDSA", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": encode(point)}});
    let said = json!({
        "jti": format!("proof-{i}"), "htm": "GET", "htu": format!("{ISSUER}/v1/me"), "iat": now.as_second(),
        "ath": encode(digest(&SHA256, token.as_bytes()).as_ref()), "nonce": nonce::mint(&nonces(), Giver::Resource, EPOCH, now),
    });
    let text = format!(
        "{}.{}",
        encode(header.to_string().as_bytes()),
        encode(said.to_string().as_bytes())
    );
    let signature = holder.sign(text.as_bytes());
    Ok((token, format!("{text}.{}", encode(signature.as_ref()))))
}

fn verify(text: &str, key: &PublicKey, now: Timestamp) -> Option<token::Read> {
    let parsed = jws::parse(text)?;
    parsed.key_id()?;
    resource_server::token::read(&parsed.verify(token::TYPE, key)?, ISSUER, ISSUER, now)
}

fn claims(i: usize, now: Timestamp) -> Claims {
    let agent = format!("0198c5b4-5a0e-7000-8000-{i:012x}");
    Claims {
        iss: ISSUER.to_owned(),
        sub: agent.clone(),
        aud: ISSUER.to_owned(),
        exp: now.as_second() + 600,
        iat: now.as_second(),
        jti: format!("token-{i}"),
        client_id: agent.clone(),
        scope: "runs:read runs:write self".to_owned(),
        pinfold_tenant: agent.clone(),
        cnf: None,
        who: Who::Agent {
            pinfold_owner: agent.clone(),
            pinfold_key: Some(agent),
            pinfold_pod: None,
        },
    }
}

//! How many access tokens one core verifies in a second: signature, header, claims. `cargo xtask bench` builds it optimised
//! and runs it; it writes the median of five rounds.

#![expect(clippy::print_stdout, reason = "the figure is what this program is for")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use api::auth::{
    jws::{self, PublicKey},
    token::{self, Claims, Who},
};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use jiff::Timestamp;

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(1);
const ISSUER: &str = "https://pinfold.example";
/// Tokens that differ, so that nothing can be kept from one to the next.
const TOKENS: usize = 64;

fn main() -> Result<()> {
    let pair = Ed25519KeyPair::generate().context("make a key")?;
    let point = pair.public_key().as_ref().try_into().context("a public key")?;
    let key = PublicKey::Ed25519(point);
    let now = Timestamp::now();
    let tokens: Vec<String> = (0..TOKENS)
        .map(|i| jws::sign(token::TYPE, "k", &pair, &claims(i, now)))
        .collect();
    let mut rates = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let (started, mut verified) = (Instant::now(), 0_u32);
        while started.elapsed() < ROUND {
            for text in &tokens {
                ensure!(black_box(verify(text, &key, now)).is_some(), "a good token was refused");
                verified += 1;
            }
        }
        rates.push(f64::from(verified) / started.elapsed().as_secs_f64());
    }
    rates.sort_by(f64::total_cmp);
    println!("{:.0}", rates[ROUNDS / 2]);
    Ok(())
}

fn verify(text: &str, key: &PublicKey, now: Timestamp) -> Option<token::Read> {
    let parsed = jws::parse(text)?;
    parsed.key_id()?;
    token::read(&parsed.verify(token::TYPE, key)?, ISSUER, ISSUER, now)
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

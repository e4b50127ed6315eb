//! Whether the time of a refusal tells which clients and people there are (AU-05): Welch's t of two kinds of requests in turn, of which a
//! stranger must not know the difference. Beyond 4.5 there is one (Reparaz, Balasch, Verbauwhede: dude, is my code constant time?).

use std::time::Instant;

use anyhow::{Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_body_util::Full;
use hyper::{Request, body::Bytes, header};
use serde_json::json;
use support::api::{Agent, Client, OAuthClient, Person};

use super::{
    api::Stage,
    report::{Row, milliseconds},
};

/// Beyond this there is a difference.
const LIMIT: f64 = 4.5;

/// How many people are tried, and as many that there are not.
const LOGINS: usize = 40;

pub(crate) async fn measure(
    stage: &Stage,
    client: &Client,
    known: &OAuthClient,
    agent: &Agent,
    rows: &mut Vec<Row>,
) -> Result<()> {
    let secret = |id: &str| {
        let authorization = format!("Basic {}", STANDARD.encode(format!("{id}:wrong")));
        Request::post(client.url("/oauth/token"))
            .header(header::AUTHORIZATION, authorization)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::from("grant_type=client_credentials"))
    };
    let nobody = "0198c5b4-5a0e-7000-8000-00000000000a";
    let t = compared(client, 2000, 401, || (secret(nobody), secret(&known.id))).await?;
    rows.push(row("token of an unknown client to a wrong secret", t, 2000));

    for turn in 1..=LOGINS {
        Person::sign_up(client, &stage.mail(), &format!("somebody-{turn}@pinfold.test")).await;
    }
    let login = |email: &str| {
        let body = json!({"email": email, "password": "a wrong sentence"});
        Request::post(client.url("/v1/sessions"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body.to_string()))
    };
    let mut turn = 0;
    let both = || {
        turn += 1;
        // Each tries somebody once: who is tried often is told so.
        (
            login(&format!("nobody-{turn}@pinfold.test")),
            login(&format!("somebody-{turn}@pinfold.test")),
        )
    };
    let t = compared(client, LOGINS, 401, both).await?;
    rows.push(row("login of nobody to a wrong password", t, LOGINS));

    // Whoever names a key gets a challenge for it.
    let challenge = async |key: &str| {
        let path = format!("/v1/agents/{}/challenges", agent.id);
        let asked = client.post(&path, &json!({"key_id": key})).await;
        asked.body["challenge"].as_str().unwrap_or_default().to_owned()
    };
    let (of_nobody, of_agent) = (challenge(nobody).await, challenge(&agent.key_id).await);
    let answered = |key: &str, challenge: &str| {
        let form = format!(
            "grant_type=urn%3Apinfold%3Aparams%3Aoauth%3Agrant-type%3Aagent-challenge&agent_id={}&key_id={key}&challenge={challenge}&signature={}",
            agent.id,
            "A".repeat(86)
        );
        Request::post(client.url("/oauth/token"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::from(form))
    };
    let t = compared(client, 2000, 400, || {
        (answered(nobody, &of_nobody), answered(&agent.key_id, &of_agent))
    })
    .await?;
    rows.push(row("answer by an unknown key to a wrong signature", t, 2000));
    Ok(())
}

fn row(what: &str, t: f64, pairs: usize) -> Row {
    Row::new(format!("API: timing, {what}, Welch's t"), t, "")
        .at_most(LIMIT)
        .note(format!("{pairs} pairs"))
}

type Made = Result<Request<Full<Bytes>>, hyper::http::Error>;

/// The statistic of so many pairs, each of which is sent in turn.
async fn compared(client: &Client, pairs: usize, status: u16, mut both: impl FnMut() -> (Made, Made)) -> Result<f64> {
    let (mut ones, mut others) = (Vec::with_capacity(pairs), Vec::with_capacity(pairs));
    for i in 0..pairs {
        let (one, other) = both();
        let (one, other) = (one?, other?);
        // Whichever comes first finds the machine a little different.
        if i % 2 == 0 {
            ones.push(timed(client, one, status).await?);
            others.push(timed(client, other, status).await?);
        } else {
            others.push(timed(client, other, status).await?);
            ones.push(timed(client, one, status).await?);
        }
    }
    Ok(welch(&ones, &others))
}

async fn timed(client: &Client, request: Request<Full<Bytes>>, status: u16) -> Result<f64> {
    let begun = Instant::now();
    let answer = client.send(request).await;
    let took = milliseconds(begun.elapsed());
    ensure!(answer.status == status, "{}: {}", answer.status, answer.body);
    Ok(took)
}

/// Of what is below the 95th percentile of all: the rest is the machine's.
fn welch(ones: &[f64], others: &[f64]) -> f64 {
    let mut all: Vec<f64> = ones.iter().chain(others).copied().collect();
    all.sort_by(f64::total_cmp);
    let longest = all.get(all.len() * 95 / 100).copied().unwrap_or(f64::MAX);
    let of = |times: &[f64]| {
        let kept: Vec<f64> = times.iter().copied().filter(|time| *time <= longest).collect();
        let count = f64::from(u32::try_from(kept.len()).unwrap_or(u32::MAX));
        let mean = kept.iter().sum::<f64>() / count;
        let variance = kept.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    };
    let ((one, of_one), (other, of_other)) = (of(ones), of(others));
    (one - other).abs() / (of_one + of_other).sqrt()
}

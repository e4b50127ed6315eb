//! The client's side: connections, and one request after another on each of them.

use std::{convert::Infallible, fmt::Write as _, sync::Arc};

use http::{Request, Response, header::AUTHORIZATION};
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    Moment, RequestInfo, Rule, RuleId, Verb,
    forward::{Answer, forward, selected},
    list,
    rule::Fault,
    state::State,
    status::{expired_watch, full, refusal},
    watch::{self, Aborted, ProxyBody},
};

/// Serves until it is dropped; its connections end with it.
pub async fn serve(listener: TcpListener, tls: TlsAcceptor, state: Arc<State>) -> Infallible {
    let mut connections = JoinSet::new();
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            connections.spawn(connection(stream, tls.clone(), state.clone()));
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: TcpStream, tls: TlsAcceptor, state: Arc<State>) {
    let _ = stream.set_nodelay(true);
    let Ok(stream) = tls.accept(stream).await else { return };
    let service = service_fn(move |request| handle(state.clone(), request));
    // An error here is the client's going away, or our own wish to drop it.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn handle(state: Arc<State>, request: Request<Incoming>) -> Result<Response<ProxyBody>, Aborted> {
    let wanted = format!("Bearer {}", state.token);
    if request
        .headers()
        .get(AUTHORIZATION)
        .is_none_or(|given| given.as_bytes() != wanted.as_bytes())
    {
        return Ok(refusal(401, "the proxy serves its own kubeconfig only"));
    }
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Aborted)?.to_bytes();
    state.gate().await;
    let query = parts.uri.query().unwrap_or_default();
    let Some(info) = RequestInfo::parse(&parts.method, parts.uri.path(), query, &body) else {
        let answer = forward(state, None, parts, body, false).await.map_err(|_| Aborted)?;
        return Ok(whole(answer));
    };
    let sequence = state.record(&info, hex(&Sha256::digest(&body)));
    let held = if info.is_write() { state.count_write() } else { None };
    if held == Some(Moment::BeforeForwarding) {
        state.hold_at(&info);
        return std::future::pending().await;
    }
    if let Some(selector) = state.narrow.as_ref().and_then(|narrow| narrow(&info)) {
        parts.uri = selected(&parts.uri, &selector).map_err(|_| Aborted)?;
    }
    let faults = state.faults_of(&info);
    let answer = if let Some(refused) = before(&faults).await {
        refused
    } else {
        let watches = info.verb == Verb::Watch;
        // In a task of its own: what the client has sent takes effect even if it is killed now.
        let asked = tokio::spawn(forward(state.clone(), Some(sequence), parts, body, watches));
        let answer = asked.await.map_err(|_| Aborted)?.map_err(|_| Aborted)?;
        if held == Some(Moment::AfterForwarding) {
            state.hold_at(&info);
            return std::future::pending().await;
        }
        after(&state, &info, &faults, answer)?
    };
    let code = answer.status().as_u16();
    state.amend(sequence, |record| record.told = Some(code));
    Ok(answer)
}

/// The faults that come before the API server is asked; an answer, if it is not asked at all.
async fn before(faults: &[(RuleId, Rule)]) -> Option<Response<ProxyBody>> {
    for (_, rule) in faults {
        match &rule.fault {
            Fault::Delay(wait) => tokio::time::sleep(*wait).await,
            Fault::Refuse { code, message } => return Some(refusal(*code, message)),
            Fault::ExpireWatch => return Some(expired_watch()),
            _ => {}
        }
    }
    None
}

/// The faults that come after it has answered.
fn after(
    state: &Arc<State>,
    info: &RequestInfo,
    faults: &[(RuleId, Rule)],
    answer: Answer,
) -> Result<Response<ProxyBody>, Aborted> {
    for (_, rule) in faults {
        match rule.fault {
            Fault::LoseReply => return Err(Aborted),
            Fault::AnswerInstead(code) => return Ok(refusal(code, "the proxy kept the answer to itself")),
            _ => {}
        }
    }
    Ok(match answer {
        Answer::Stream(response) => {
            let (parts, body) = response.into_parts();
            Response::from_parts(parts, watch::body(state.clone(), info.clone(), faults.to_vec(), body))
        }
        Answer::Whole(response) if response.status().is_success() => {
            response.map(|body| full(list::rework(state, info, faults, body)))
        }
        Answer::Whole(response) => response.map(full),
    })
}

fn whole(answer: Answer) -> Response<ProxyBody> {
    match answer {
        Answer::Whole(response) => response.map(full),
        Answer::Stream(response) => response.map(|body| body.map_err(|_| Aborted).boxed_unsync()),
    }
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

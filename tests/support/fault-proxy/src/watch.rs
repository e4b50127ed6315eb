//! The stream of a watch, event by event.

use std::{fmt, sync::Arc};

use futures::stream;
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Bytes, Frame, Incoming};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::{
    RequestInfo, Rule, RuleId, list,
    state::{State, Verdict},
};

/// The body of every answer.
pub type ProxyBody = UnsyncBoxBody<Bytes, Aborted>;

/// The connection to the client is closed in the middle.
#[derive(Debug, Clone, Copy)]
pub struct Aborted;

impl fmt::Display for Aborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the proxy closed the connection")
    }
}

impl std::error::Error for Aborted {}

type Sender = mpsc::Sender<Result<Frame<Bytes>, Aborted>>;

/// The body that the client gets for the body that the API server sends.
pub fn body(state: Arc<State>, request: RequestInfo, faults: Vec<(RuleId, Rule)>, upstream: Incoming) -> ProxyBody {
    let (sender, receiver) = mpsc::channel(16);
    tokio::spawn(pump(state, request, faults, upstream, sender));
    let frames = stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    StreamBody::new(frames).boxed_unsync()
}

async fn pump(
    state: Arc<State>,
    request: RequestInfo,
    faults: Vec<(RuleId, Rule)>,
    mut upstream: Incoming,
    client: Sender,
) {
    let mut rest = Vec::new();
    loop {
        let frame = tokio::select! {
            frame = upstream.frame() => frame,
            () = client.closed() => return,
        };
        match frame {
            None => return,
            Some(Err(_)) => {
                let _ = client.send(Err(Aborted)).await;
                return;
            }
            Some(Ok(frame)) => {
                let Ok(data) = frame.into_data() else { continue };
                rest.extend_from_slice(&data);
            }
        }
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            if !event(&state, &request, &faults, line, &client).await {
                return;
            }
        }
    }
}

/// Hands one event on; false ends the stream.
async fn event(
    state: &State,
    request: &RequestInfo,
    faults: &[(RuleId, Rule)],
    mut line: Vec<u8>,
    client: &Sender,
) -> bool {
    if !state.looks_inside(request) {
        return client.send(Ok(Frame::data(line.into()))).await.is_ok();
    }
    let Ok(mut event) = serde_json::from_slice::<Value>(&line) else {
        return client.send(Ok(Frame::data(line.into()))).await.is_ok();
    };
    let is_about_object = !matches!(event["type"].as_str(), Some("BOOKMARK" | "ERROR"));
    if is_about_object {
        if state.view.as_ref().is_some_and(|view| !view(request, &event["object"])) {
            return true;
        }
        for (_, rule) in faults {
            list::rewrite(rule, &mut event["object"]);
        }
        if !faults.is_empty() {
            line = event.to_string().into_bytes();
            line.push(b'\n');
        }
    }
    let mut changed = state.rules_changed();
    loop {
        match state.judge_event(request, &event["object"]) {
            Verdict::Pass => return client.send(Ok(Frame::data(line.into()))).await.is_ok(),
            Verdict::Drop => return true,
            Verdict::Cut => {
                line.truncate(line.len() / 2);
                let _ = client.send(Ok(Frame::data(line.into()))).await;
                let _ = client.send(Err(Aborted)).await;
                return false;
            }
            Verdict::Hold => tokio::select! {
                _ = changed.changed() => {}
                () = client.closed() => return false,
            },
        }
    }
}

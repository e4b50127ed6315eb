//! Server-sent events (WHATWG HTML, section 9.2) as an answer.

use std::convert::Infallible;

use axum::response::{
    IntoResponse as _, Response, Sse,
    sse::{Event, KeepAlive},
};
use futures::{StreamExt as _, stream};
use tokio::sync::mpsc;

/// What is sent goes to the client, until the sender is dropped or the client goes away.
pub fn of(receive: mpsc::Receiver<Event>) -> Response {
    let events = stream::unfold(receive, async |mut receive| {
        receive.recv().await.map(|event| (event, receive))
    });
    Sse::new(events.map(Ok::<_, Infallible>))
        .keep_alive(KeepAlive::default())
        .into_response()
}

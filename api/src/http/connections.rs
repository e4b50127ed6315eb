//! Connections, each with limits on what may come before a request has been read: axum's own server sets none on the time.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo, serve::Listener};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    sync::{Semaphore, watch},
    time::timeout,
};
use tower::ServiceExt as _;
use tracing::debug;

use crate::http::lingering::Lingering;

/// How long the line and the fields of a request may be together. Longer ones are answered 431.
const HEAD: usize = 32 * 1024;

/// How much of what comes is held at once: the head, and of the body what came with it.
const HELD: usize = 64 * 1024;

/// How long a connection that was just taken may still bring its first request, when the server is told to stop.
const FIRST: Duration = Duration::from_secs(2);

/// Answers requests of whoever connects, until it is told to stop; then those that are under way.
///
/// A request's line and fields are to come within `idle`, and so is the next one of a connection that is kept open.
pub async fn serve<L>(mut listener: L, router: Router, idle: Duration, stop: impl Future<Output = ()>)
where
    L: Listener<Addr = SocketAddr>,
{
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .max_header_size(HEAD)
        .max_buf_size(HELD);
    // Its state is bound once, and not for each request.
    let router: Router = router.with_state(());
    let (tell, told) = watch::channel(());
    let mut stop = pin!(stop);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        tokio::spawn(answer(server.clone(), stream, peer, router.clone(), told.clone()));
    }
    drop((listener, told));
    // Each connection has a receiver until it has ended.
    tell.send_replace(());
    tell.closed().await;
}

/// Answers the requests of one connection.
async fn answer<S>(server: http1::Builder, stream: S, peer: SocketAddr, router: Router, mut told: watch::Receiver<()>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    // Has a permit once a request was read.
    let asked = Arc::new(Semaphore::new(0));
    let asking = asked.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        if asking.available_permits() == 0 {
            asking.add_permits(1);
        }
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request.map(Body::new))
    });
    let mut connection = pin!(server.serve_connection(TokioIo::new(Lingering::new(stream)), service));
    let stopped = async {
        // The sender lives until all connections have ended.
        let _ = told.changed().await;
        // Who was let in a moment ago is not turned away with the first request on its way.
        let _ = timeout(FIRST, asked.acquire()).await;
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, client.address = %peer, "a connection ended");
    }
}

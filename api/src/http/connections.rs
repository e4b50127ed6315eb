//! Connections, each with limits on what may come before a request has been read: axum's own server sets none on the time.

use std::{io, net::SocketAddr, time::Duration};

use axum::{Router, extract::ConnectInfo, serve::Listener};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tower::ServiceExt as _;
use tracing::debug;

/// How long the line and the fields of a request may be together. Longer ones are answered 431.
const HEAD: usize = 32 * 1024;

/// How much of what comes is held at once: the head, and of the body what came with it.
const HELD: usize = 64 * 1024;

/// Answers requests of whoever connects, until it is told to stop; then those that are under way.
///
/// A request's line and fields are to come within `idle`, and so is the next one of a connection that is kept open.
pub async fn serve<L>(mut listener: L, router: Router, idle: Duration, stop: impl Future<Output = ()>) -> io::Result<()>
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
    let under_way = GracefulShutdown::new();
    tokio::pin!(stop);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let router = router.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            router.clone().oneshot(request)
        });
        let connection = under_way.watch(server.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!(%error, client.address = %peer, "a connection ended");
            }
        });
    }
    drop(listener);
    under_way.shutdown().await;
    Ok(())
}

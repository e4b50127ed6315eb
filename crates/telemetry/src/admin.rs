//! The port on which a process answers the platform: `/healthz`, `/readyz` and `/metrics`.

use std::{fmt::Debug, io, net::SocketAddr, sync::Arc};

use axum::{
    Router, extract::State, http::StatusCode, http::header::CONTENT_TYPE, response::IntoResponse, routing::get,
};
use prometheus_client::{encoding::text::encode, registry::Registry};
use tokio::net::TcpListener;

/// What a process says of itself.
pub trait Health: Debug + Send + Sync + 'static {
    /// Whether the process makes progress. False makes the kubelet start it anew, so nothing outside the
    /// process may decide it.
    fn live(&self) -> Result<(), String>;

    /// Whether the process should be counted on.
    fn ready(&self) -> Result<(), String>;

    /// Called before each scrape, to bring gauges up to date.
    fn refresh(&self);
}

#[derive(Clone)]
struct Admin {
    health: Arc<dyn Health>,
    registry: Arc<Registry>,
}

/// Opens the port; the server runs once the returned future is polled.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves until the process ends.
pub async fn serve(listener: TcpListener, health: Arc<dyn Health>, registry: Arc<Registry>) -> io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Admin { health, registry });
    axum::serve(listener, router).await
}

async fn healthz(State(admin): State<Admin>) -> impl IntoResponse {
    answer(admin.health.live())
}

async fn readyz(State(admin): State<Admin>) -> impl IntoResponse {
    answer(admin.health.ready())
}

fn answer(result: Result<(), String>) -> (StatusCode, String) {
    match result {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    admin.health.refresh();
    let mut text = String::new();
    match encode(&mut text, &admin.registry) {
        Ok(()) => (
            StatusCode::OK,
            [(
                CONTENT_TYPE,
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
            )],
            text,
        ),
        Err(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            [(CONTENT_TYPE, "text/plain")],
            "metrics do not encode\n".to_owned(),
        ),
    }
}

//! `pinfold-api serve`: answers requests until it is asked to stop.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use axum::{
    extract::{Request, State},
    http::{HeaderValue, header},
    middleware::{self, Next},
    response::Response,
};
use prometheus_client::registry::Registry;
use telemetry::{
    admin::{self, Health},
    logging::chain,
    shutdown,
};
use tokio::net::TcpListener;
use tracing::{error, info};

use crate::{app::AppState, config::Config, router, store::replay};

/// How often what has ended is forgotten.
const FORGET: Duration = Duration::from_mins(1);

/// How long requests under way may take to end after the request to stop.
const FAREWELL: Duration = Duration::from_secs(20);

/// Between saying that it is not ready and taking no more requests: what sends requests here must hear of it first.
const NOTICE: Duration = Duration::from_secs(3);

#[derive(Debug)]
struct ApiHealth {
    state: AppState,
    stopping: Arc<AtomicBool>,
}

impl Health for ApiHealth {
    fn live(&self) -> Result<(), String> {
        Ok(())
    }

    fn ready(&self) -> Result<(), String> {
        if self.stopping.load(Ordering::Relaxed) {
            return Err("asked to stop".to_owned());
        }
        match self.state.keyring.signing(self.state.clock.now()) {
            Some(_) => Ok(()),
            None => Err("no signing key was read yet".to_owned()),
        }
    }

    fn refresh(&self) {}
}

/// Serves.
pub async fn serve(config: &Config) -> Result<()> {
    let state = AppState::new(config)?;
    state.database.check().await.context("check the database")?;
    state
        .keyring
        .refresh(&state.database, &state.master, state.clock.now())
        .await
        .context("read the signing keys")?;
    let bind = |address: SocketAddr, name: &'static str| async move {
        TcpListener::bind(address)
            .await
            .with_context(|| format!("listen on {address} ({name})"))
    };
    let listener = bind(config.http.address, "http.address").await?;
    let admin_listener = bind(config.http.admin_address, "http.admin_address").await?;
    // Port 0 asks for any that is free; the log says which it is.
    let (address, admin_address) = (listener.local_addr()?, admin_listener.local_addr()?);
    let stopping = Arc::new(AtomicBool::new(false));
    let health = Arc::new(ApiHealth {
        state: state.clone(),
        stopping: stopping.clone(),
    });
    let mut background = tokio::task::JoinSet::new();
    background.spawn(async move {
        if let Err(error) = admin::serve(admin_listener, health, Arc::new(Registry::default())).await {
            error!(%error, "the admin port failed");
        }
    });
    let kept = state.clone();
    background.spawn(async move { kept.keyring.keep(&kept.database, &kept.master, &*kept.clock).await });
    let forgetting = state.clone();
    background.spawn(async move { forget(&forgetting).await });

    info!(
        http.address = %address,
        http.admin_address = %admin_address,
        issuer = config.http.issuer,
        "serving"
    );
    let (told, asked) = tokio::sync::oneshot::channel();
    let router = router::router(state).layer(middleware::from_fn_with_state(stopping.clone(), last_answers));
    let server = axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async move {
            match shutdown::requested().await {
                Ok(signal) => info!(signal, "stopping"),
                Err(error) => error!(%error, "signals are not heard; stopping"),
            }
            stopping.store(true, Ordering::Relaxed);
            tokio::time::sleep(NOTICE).await;
            // The receiver lives until the server has ended.
            let _ = told.send(());
        });
    tokio::select! {
        ended = server => ended.context("serve")?,
        () = async { if asked.await.is_ok() { tokio::time::sleep(FAREWELL).await } else { std::future::pending().await } } => {
            info!("requests were still under way and are cut off");
        }
    }
    Ok(())
}

/// From the request to stop on, each answer is its connection's last: a connection that is kept open might be closed
/// just when its client sends the next request.
async fn last_answers(State(stopping): State<Arc<AtomicBool>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if stopping.load(Ordering::Relaxed) {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn forget(state: &AppState) {
    let mut ticks = tokio::time::interval(FORGET);
    loop {
        ticks.tick().await;
        state.limits.forget();
        if let Err(error) = replay::forget(state.database.pool(), state.clock.now()).await {
            tracing::warn!(error = chain(&error), "what has ended was not forgotten");
        }
    }
}

//! `pinfold-api serve`: answers requests until it is asked to stop.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, bail};
use axum::{
    extract::{Request, State},
    http::{HeaderValue, header},
    middleware::Next,
    response::Response,
    serve::ListenerExt as _,
};
use listenfd::ListenFd;
use telemetry::{
    admin::{self, Health},
    logging::chain,
    shutdown,
};
use tokio::{net::TcpListener, task::JoinSet};
use tracing::{error, info, warn};

use crate::{
    app::AppState,
    auth::signing::Algorithm,
    cluster::Cluster,
    config::Config,
    http::{
        connections, layers,
        tls::{Certificate, TlsListener},
    },
    mail::Mailer,
    redis::RedisError,
    router,
    service::grants,
    store::{changes, idempotency, mail_links, passkeys, replay, sessions},
    work,
};

/// How often what has ended is forgotten.
const FORGET: Duration = Duration::from_mins(1);

/// Before a database that is away is asked again.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the certificate is read again.
const RENEW: Duration = Duration::from_mins(1);

/// How long requests under way may take to end after the request to stop.
const FAREWELL: Duration = Duration::from_secs(20);

/// Between saying that it is not ready and taking no more requests: what sends requests here must hear of it first.
const NOTICE: Duration = Duration::from_secs(3);

/// How a process stands that may still be waiting for what it needs.
#[derive(Debug)]
struct ProcessHealth {
    state: AppState,
    prepared: Arc<AtomicBool>,
}

impl Health for ProcessHealth {
    fn live(&self) -> Result<(), String> {
        Ok(())
    }

    fn ready(&self) -> Result<(), String> {
        if self.state.is_stopping() {
            return Err("asked to stop".to_owned());
        }
        if self.prepared.load(Ordering::Relaxed) {
            Ok(())
        } else {
            Err("waiting for the database".to_owned())
        }
    }

    fn refresh(&self) {
        self.state.metrics.connections(self.state.database.connections());
    }
}

/// A process that has begun: its admin port answers, and from here on it hears signals.
struct Process {
    state: AppState,
    background: JoinSet<()>,
    admin_address: SocketAddr,
    prepared: Arc<AtomicBool>,
    signal: Pin<Box<dyn Future<Output = io::Result<&'static str>> + Send>>,
}

impl Process {
    async fn begin(config: &Config) -> Result<Self> {
        let signal = Box::pin(shutdown::requested());
        let cluster = Cluster::open(&config.cluster).await.context("find the cluster")?;
        let state = AppState::new(config, cluster)?;
        let listener = bind(config.http.admin_address, "http.admin_address").await?;
        // Port 0 asks for any that is free; the log says which it is.
        let admin_address = listener.local_addr()?;
        let prepared = Arc::new(AtomicBool::new(false));
        let health = ProcessHealth {
            state: state.clone(),
            prepared: prepared.clone(),
        };
        let registry = Arc::new(state.metrics.registry());
        let mut background = JoinSet::new();
        background.spawn(async move {
            if let Err(error) = admin::serve(listener, Arc::new(health), registry).await {
                error!(%error, "the admin port failed");
            }
        });
        Ok(Self {
            state,
            background,
            admin_address,
            prepared,
            signal,
        })
    }

    /// Does what must be done before anything else, unless the process is asked to stop meanwhile.
    async fn prepare(&mut self, needed: impl Future<Output = Result<()>>) -> Result<()> {
        tokio::select! {
            done = needed => done?,
            signal = &mut self.signal => bail!("asked to stop ({}) before it was ready", signal?),
        }
        self.prepared.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// Serves, and does the jobs too if it is told to.
pub async fn serve(config: &Config, jobs: bool) -> Result<()> {
    let mut process = Process::begin(config).await?;
    let state = process.state.clone();
    let certificate = config
        .http
        .tls
        .clone()
        .map(Certificate::read)
        .transpose()?
        .map(Arc::new);
    let listener = match handed_over()? {
        Some(listener) => listener,
        None => bind(config.http.address, "http.address").await?,
    };
    let address = listener.local_addr()?;
    let needed = async {
        until_database(&state).await?;
        look_at_redis(&state).await?;
        let (now, needed) = (state.clock.now(), &Algorithm::OF_ACCESS_TOKENS);
        let refreshed = state.keyring.refresh(&state.database, &state.master, needed, now);
        refreshed.await.context("read the signing keys")
    };
    process.prepare(needed).await?;
    let Process {
        mut background,
        admin_address,
        signal,
        ..
    } = process;
    if let Some(certificate) = certificate.clone() {
        background.spawn(async move { renew(&certificate).await });
    }
    let kept = state.clone();
    background.spawn(async move { kept.keyring.keep(&kept.database, &kept.master, &*kept.clock).await });
    let forgetting = state.clone();
    background.spawn(async move { forget(&forgetting).await });
    let standing = state.standing.clone();
    background.spawn(async move { standing.follow().await });
    let announcing = state.clone();
    background.spawn(async move { announcing.bell.announce(&announcing.database).await });
    if let Some(cluster) = state.cluster.clone() {
        background.spawn(async move { cluster.follow().await });
    }
    if jobs {
        work::start(&mut background, &state, Mailer::new(&config.mail)?);
    }

    info!(
        http.address = %address,
        http.admin_address = %admin_address,
        issuer = config.http.issuer,
        "serving"
    );
    let standing = state.standing.clone();
    let (told, asked) = tokio::sync::oneshot::channel();
    let router = router::router(state.clone()).layer(layers::passing_with(state.clone(), last_answers));
    let stop = async move {
        match signal.await {
            Ok(signal) => info!(signal, "stopping"),
            Err(error) => error!(%error, "signals are not heard; stopping"),
        }
        state.stop.send_replace(true);
        tokio::time::sleep(NOTICE).await;
        // The receiver lives until the server has ended.
        let _ = told.send(());
    };
    let idle = config.http.idle;
    let server = async {
        if let Some(certificate) = certificate {
            connections::serve(TlsListener::new(listener, certificate)?, router, idle, stop).await;
        } else {
            let listener = listener.tap_io(|stream| {
                // Lines of a stream do not wait for the client to acknowledge those before. Without it they are late, and no more.
                let _ = stream.set_nodelay(true);
            });
            connections::serve(listener, router, idle, stop).await;
        }
        Ok::<_, io::Error>(())
    };
    tokio::select! {
        ended = server => ended.context("serve")?,
        () = async { if asked.await.is_ok() { tokio::time::sleep(FAREWELL).await } else { std::future::pending().await } } => {
            info!("requests were still under way and are cut off");
        }
    }
    standing.leave().await;
    Ok(())
}

/// Does jobs until it is asked to stop.
pub async fn work(config: &Config) -> Result<()> {
    let mut process = Process::begin(config).await?;
    let state = process.state.clone();
    process.prepare(until_database(&state)).await?;
    work::start(&mut process.background, &state, Mailer::new(&config.mail)?);
    info!(http.admin_address = %process.admin_address, "working");
    let signal = process.signal.await.context("hear signals")?;
    info!(signal, "stopping; jobs under way are taken over by others");
    state.stop.send_replace(true);
    Ok(())
}

/// Waits for a database that is away: it may be starting as well. One that is not ours is refused.
async fn until_database(state: &AppState) -> Result<()> {
    loop {
        match state.database.check().await {
            Ok(()) => return Ok(()),
            Err(error) if error.is_transient() => warn!(error = chain(&error), "waiting for the database"),
            Err(error) => return Err(error).context("check the database"),
        }
        tokio::time::sleep(PATIENCE).await;
    }
}

/// Redis may be away; one that would forget what it is told is refused.
async fn look_at_redis(state: &AppState) -> Result<()> {
    let Some(redis) = &state.redis else { return Ok(()) };
    match redis.check().await {
        Ok(()) => Ok(()),
        Err(error @ RedisError::Evicts(_)) => {
            Err(error).context("redis.url (REDIS_URL): a full server would forget what clients have used up")
        }
        Err(error) => {
            warn!(
                error = chain(&error),
                "going on without Redis until it answers; each replica counts for itself"
            );
            Ok(())
        }
    }
}

/// The socket that whoever started this process listens on already, and hands over as systemd does (`sd_listen_fds(3)`).
fn handed_over() -> Result<Option<TcpListener>> {
    let taken = || {
        let Some(listener) = ListenFd::from_env().take_tcp_listener(0)? else {
            return Ok(None);
        };
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener).map(Some)
    };
    taken().map_err(|error: io::Error| anyhow!("LISTEN_FDS: the first socket cannot be listened on: {error}"))
}

async fn bind(address: SocketAddr, setting: &'static str) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("listen on {address} ({setting})"))
}

/// From the request to stop on, each answer is its connection's last: a connection that is kept open might be closed
/// just when its client sends the next request.
async fn last_answers(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if state.is_stopping() {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn renew(certificate: &Certificate) {
    let mut ticks = tokio::time::interval(RENEW);
    loop {
        ticks.tick().await;
        certificate.refresh();
    }
}

async fn forget(state: &AppState) {
    let mut ticks = tokio::time::interval(FORGET);
    loop {
        ticks.tick().await;
        state.limits.forget();
        state.throttle.forget();
        let (pool, now) = (state.database.pool(), state.clock.now());
        let gone = async {
            replay::forget(pool, now - crate::service::replay::SLACK).await?;
            sessions::forget(pool, now).await?;
            idempotency::forget(pool, now).await?;
            mail_links::forget(pool, now).await?;
            passkeys::forget(pool, now).await?;
            grants::forget(&state.database, now).await?;
            changes::forget(pool).await
        };
        if let Err(error) = gone.await {
            warn!(error = chain(&error), "what has ended was not forgotten");
        }
    }
}

//! The composition root: makes every part, starts it, and takes it down in order.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, bail};
use domain::SystemClock;
use kube::{Client, Config};
use prometheus_client::registry::Registry;
use telemetry::{admin, logging, shutdown};
use tokio::task::JoinSet;
use tracing::{error, info};

use crate::{
    agent::AgentController,
    cluster::{
        client,
        event::Events,
        lease::{Candidate, Leadership, Terms},
    },
    config::{Flags, Platform},
    metrics::Metrics,
    runtime::worker,
    sandbox_run::{
        SandboxRunController, admissions::Admissions, injection, orphan::OrphanController, trouble::Troubles,
    },
    shared::{Caches, Installation, Queues, Shared},
    tenant::TenantController,
};

mod health;
mod watches;

/// How long passes under way may take to end after the request to stop.
const FAREWELL: Duration = Duration::from_secs(6);

/// Runs the operator until it is asked to stop or loses its lease.
pub fn run(flags: Flags) -> anyhow::Result<()> {
    logging::init(flags.log_format, &flags.log)?;
    let platform = Platform::load(&flags.config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("start the runtime")?;
    let result = runtime.block_on(serve(flags, platform));
    // Not waited for: a look-up of a name that hangs must not keep a process that lost its lease.
    runtime.shutdown_background();
    result
}

async fn serve(flags: Flags, platform: Platform) -> anyhow::Result<()> {
    let mut registry = Registry::default();
    let metrics = Arc::new(Metrics::new(&mut registry));
    let leadership = Leadership::default();
    let config = Config::infer()
        .await
        .context("find the cluster: neither a kubeconfig nor a service account")?;
    let client = client::build(config, leadership.clone(), metrics.clone()).context("build the client")?;
    let listener = admin::bind(flags.admin_address)
        .await
        .with_context(|| format!("listen on {} (--admin-address)", flags.admin_address))?;
    let shared = Arc::new(assemble(
        &flags,
        platform,
        client.clone(),
        leadership.clone(),
        metrics.clone(),
    ));

    let mut background = JoinSet::new();
    let health = Arc::new(health::OperatorHealth::new(shared.clone(), leadership.clone()));
    background.spawn(async move {
        if let Err(error) = admin::serve(listener, health, Arc::new(registry)).await {
            error!(%error, "the admin port failed");
        }
    });
    watches::start(&shared, &mut background);

    let terms = Terms {
        namespace: flags.namespace.clone(),
        name: flags.lease_name.clone(),
        identity: flags.identity.clone(),
        duration: flags.lease_duration(),
    };
    let candidate = Candidate::new(client, terms, leadership.clone());
    lead(&flags, shared, candidate, leadership, metrics).await
}

fn assemble(
    flags: &Flags,
    platform: Platform,
    client: Client,
    leadership: Leadership,
    metrics: Arc<Metrics>,
) -> Shared {
    Shared {
        events: Events::start(client.clone(), &flags.identity, leadership),
        client,
        caches: Caches::default(),
        queues: Queues::new(usize::from(flags.workers)),
        installation: Installation {
            namespace: flags.namespace.clone(),
            service_account: flags.service_account.clone(),
            api_service_account: platform.api_service_account.clone(),
        },
        metrics,
        clock: Arc::new(SystemClock),
        admissions: Admissions::default(),
        injection: injection::Injection::new(platform.injection),
        troubles: Troubles::default(),
        platform,
        stopping: AtomicBool::new(false),
    }
}

/// Waits for the lease, works while it is held, and goes down in order: no new passes, passes under way end, the
/// lease is given up.
async fn lead(
    flags: &Flags,
    shared: Arc<Shared>,
    mut candidate: Candidate,
    leadership: Leadership,
    metrics: Arc<Metrics>,
) -> anyhow::Result<()> {
    let stop = shutdown::requested();
    tokio::pin!(stop);
    tokio::select! {
        signal = &mut stop => {
            shared.stopping.store(true, Ordering::Relaxed);
            info!(signal = signal.context("wait for signals")?, "stopped before leading");
            return Ok(());
        }
        () = async { shared.caches.wait_filled().await; candidate.acquire().await } => {}
    }
    metrics.leading(true);

    let workers = usize::from(flags.workers);
    let mut controllers = JoinSet::new();
    let (queues, lead) = (&shared.queues, &leadership);
    controllers.spawn(worker::run(
        Arc::new(TenantController::new(shared.clone())),
        queues.tenants.clone(),
        workers,
        lead.clone(),
        metrics.clone(),
    ));
    controllers.spawn(worker::run(
        Arc::new(AgentController::new(shared.clone())),
        queues.agents.clone(),
        workers,
        lead.clone(),
        metrics.clone(),
    ));
    controllers.spawn(worker::run(
        Arc::new(SandboxRunController::new(shared.clone())),
        queues.runs.clone(),
        workers,
        lead.clone(),
        metrics.clone(),
    ));
    controllers.spawn(worker::run(
        Arc::new(OrphanController::new(shared.clone())),
        queues.orphans.clone(),
        workers,
        lead.clone(),
        metrics.clone(),
    ));
    let finding = tokio::spawn(injection::find_out(shared.clone()));

    let lost = tokio::select! {
        signal = &mut stop => {
            info!(signal = signal.context("wait for signals")?, "stopping");
            false
        }
        () = candidate.hold() => true,
    };
    finding.abort();
    shared.stopping.store(true, Ordering::Relaxed);
    shared.queues.close();
    if lost {
        metrics.leading(false);
        bail!("the lease was lost: another replica may be at work, so this one ends");
    }
    // The lease is renewed until the last pass has ended: passes may write only while it is held.
    let farewell = async { while controllers.join_next().await.is_some() {} };
    tokio::select! {
        _ = tokio::time::timeout(FAREWELL, farewell) => {}
        () = candidate.hold() => {}
    }
    controllers.abort_all();
    injection::withdraw(&shared).await;
    metrics.leading(false);
    candidate.release().await;
    Ok(())
}

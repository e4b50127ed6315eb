//! Watches what is done to the cluster's resources by the cluster's own means, and has it written into the audit.

use std::{collections::HashMap, pin::pin, time::Duration};

use futures::StreamExt as _;
use jiff::SignedDuration;
use telemetry::logging::chain;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::{info, warn};
use uuid::Uuid;

use crate::{
    app::AppState,
    cluster::{Cluster, ClusterError, Looks, Observed, Places, Shown},
    service::cluster_changes::{self as service, Noted},
    store::{cluster_changes, cluster_resources},
    work::Failed,
};

/// What is noted in one transaction at most.
const MOST: usize = 200;

/// After so long is done again what failed.
const AGAIN: Duration = Duration::from_secs(5);

/// Between two watches, and after everything was looked at: what fails at once fails no faster than this.
const BREATH: Duration = Duration::from_secs(1);

/// How often changes are written into the audit.
const SETTLE: Duration = Duration::from_secs(1);

/// How often is forgotten who asked for changes that never were.
const FORGET: Duration = Duration::from_mins(10);

/// For so long is known who asked for what, counted from the request. A process that has just begun may have to catch up, and forgets
/// nothing before [`FORGET`].
const KNOWN: SignedDuration = SignedDuration::from_hours(1);

/// Follows a kind until the task is dropped.
pub async fn follow(state: &AppState, cluster: &Cluster, kind: Observed) {
    loop {
        let pause = match watch(state, cluster, kind).await {
            Ok(()) => BREATH,
            Err(error) => {
                warn!(
                    kind = kind.as_str(),
                    error = chain(&error),
                    "changes cannot be watched at the moment; nothing is lost unless that lasts"
                );
                AGAIN
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Goes on from where any process has come, through as many watches as it takes, until one fails.
async fn watch(state: &AppState, cluster: &Cluster, kind: Observed) -> Result<(), Failed> {
    let Some(mut come) = cluster_resources::version(state.database.pool(), kind.as_str()).await? else {
        return look(state, cluster, kind, None).await;
    };
    let mut last = Last::default();
    loop {
        // A cluster that was restored, or another one: its versions begin anew, and a watch would wait for what is long past.
        if cluster.newest(kind).await? < come {
            return look(state, cluster, kind, Some(come)).await;
        }
        let mut shown = match cluster.observe(kind, come).await {
            Ok(shown) => pin!(shown.ready_chunks(MOST)),
            Err(error) if is_too_late(&error) => return look(state, cluster, kind, Some(come)).await,
            Err(error) => return Err(error.into()),
        };
        while let Some(chunk) = shown.next().await {
            let mut good = Vec::with_capacity(chunk.len());
            let mut failed = None;
            for one in chunk {
                match one {
                    Ok(one) => good.push(one),
                    Err(error) => failed = Some(error),
                }
            }
            come = good.last().map_or(come, Shown::version);
            good.retain(|shown| last.differs(shown));
            if service::note(&state.database, kind, &good, state.clock.now()).await? == Noted::NotBegun {
                return Ok(());
            }
            match failed {
                None => {}
                Some(error) if is_too_late(&error) => return look(state, cluster, kind, Some(come)).await,
                Some(error) => return Err(error.into()),
            }
        }
        tokio::time::sleep(BREATH).await;
    }
}

/// Looks at all that there is, the first time and when a watch cannot go on.
async fn look(state: &AppState, cluster: &Cluster, kind: Observed, before: Option<u64>) -> Result<(), Failed> {
    let (all, version) = cluster.look(kind).await?;
    if !service::compare(&state.database, kind, before, &all, version, state.clock.now()).await? {
        return Ok(());
    }
    match before {
        None => info!(
            kind = kind.as_str(),
            count = all.len(),
            "changes are watched from now on"
        ),
        Some(before) => warn!(
            kind = kind.as_str(),
            before,
            version,
            "the cluster no longer knows what happened since; what is there was compared with what was known"
        ),
    }
    Ok(())
}

fn is_too_late(error: &ClusterError) -> bool {
    error.code() == Some(410)
}

/// What this process was shown last of each resource: most changes are of a status, which is none of anybody's doing.
#[derive(Debug, Default)]
struct Last(HashMap<Uuid, Looks>);

impl Last {
    fn differs(&mut self, shown: &Shown) -> bool {
        match shown {
            Shown::Now(sight) => self.0.insert(sight.id, sight.looks.clone()).as_ref() != Some(&sight.looks),
            Shown::Gone(sight) => {
                self.0.remove(&sight.id);
                true
            }
            Shown::Nothing(_) => true,
        }
    }
}

/// Writes changes into the audit until the task is dropped.
pub async fn keep_settling(state: &AppState, cluster: &Cluster) {
    let mut ticks = tokio::time::interval(SETTLE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut forgets = tokio::time::interval_at(Instant::now() + FORGET, FORGET);
    let mut places = Places::new();
    loop {
        let done = tokio::select! {
            _ = ticks.tick() => settle(state, cluster, &mut places).await,
            _ = forgets.tick() => forget(state).await,
        };
        if let Err(error) = done {
            warn!(
                error = chain(&error),
                "changes of the cluster's resources are not in the audit yet; it is tried again"
            );
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// A namespace whose Tenant has gone meanwhile is still known: its last changes are its tenant's.
async fn settle(state: &AppState, cluster: &Cluster, places: &mut Places) -> Result<(), Failed> {
    let database = &state.database;
    if !cluster_changes::is_any(database.pool()).await? {
        return Ok(());
    }
    places.extend(cluster.places().await?);
    let due = service::due(database, state.cluster_audit.is_some(), state.clock.now()).await?;
    service::settle(database, places, due).await?;
    let gaps = cluster_changes::gaps(database.pool()).await?;
    Ok(service::settle_gaps(database, places, gaps, state.clock.now()).await?)
}

async fn forget(state: &AppState) -> Result<(), Failed> {
    let before = state.clock.now() - KNOWN;
    while cluster_changes::forget(state.database.pool(), before).await? {}
    Ok(())
}

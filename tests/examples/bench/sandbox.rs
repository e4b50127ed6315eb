//! What `sandboxd` costs in a sandbox that waits.

use std::time::Duration;

use anyhow::Result;
use crds::{SandboxRun, condition, sandbox_run::condition_type};
use serde_json::json;

use super::{
    objects::tiny_run,
    place::{Bench, DEADLINE, create},
    process::Process,
    report::Row,
    sightings::Sightings,
};

/// After this long nothing of the start is under way.
const IDLE: Duration = Duration::from_secs(5);

pub(crate) async fn measure(bench: &Bench, rows: &mut Vec<Row>) -> Result<()> {
    let place = bench.tenant(json!({})).await?;
    let has_started = |run: &SandboxRun| {
        let status = run.status.as_ref();
        status.is_some_and(|s| s.pod_uid.is_some() && condition::is_true(&s.conditions, condition_type::STARTED))
    };
    let watch = Sightings::start(place.api::<SandboxRun>(), has_started);
    let mut spec = tiny_run();
    spec["timeoutSeconds"] = json!(600);
    if let Some(spec) = spec.as_object_mut() {
        spec.remove("command");
    }
    create(&place.api::<SandboxRun>(), "interactive", spec).await?;
    let (_, run) = watch.of("interactive", DEADLINE).await?;
    tokio::time::sleep(IDLE).await;
    let uid = run.status.and_then(|s| s.pod_uid).unwrap_or_default();
    let sandboxd = Process::of_pod(&uid, "sandboxd")?;
    rows.push(Row::new("sandboxd: memory, idle", sandboxd.rss()?, "MiB RSS").at_most(10.0));
    rows.push(Row::new("sandboxd: program", sandboxd.program_size()?, "MiB").at_most(8.0));
    Ok(())
}

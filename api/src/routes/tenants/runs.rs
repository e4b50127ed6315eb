//! `/v1/tenants/{tenant}/runs`: programs, each run once in a sandbox of its own.

use std::collections::BTreeMap;

use axum::response::Response;
use crds::{
    condition::ConditionStatus,
    sandbox_run::{OutputTail, SandboxRun, condition_type},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::rights::Needs,
    cluster::{Cluster, Namespace},
    http::{access::In, error::ApiError, etag},
    routes::tenants::resources,
    store::tenants,
};

pub mod cancel;
pub mod create;
pub mod delete;
pub mod events;
pub mod get;
pub mod list;
pub mod log;
pub mod update;
mod wanted;

pub use wanted::NewRun;

/// A run.
#[derive(Debug, Serialize, ToSchema)]
pub struct Run {
    /// Its name in the tenant.
    #[schema(example = "answer")]
    name: String,
    /// Its UID in the cluster: another run of the same name has another.
    #[schema(example = "7b1b8f2e-6a54-4a43-9d4e-0b4f1d0f9a11")]
    uid: String,
    /// When it was made (RFC 3339).
    #[schema(example = "2027-01-15T08:00:00Z")]
    created_at: String,
    /// `pending`, `running`, `succeeded` or `failed`.
    #[schema(example = "succeeded")]
    state: &'static str,
    /// How far it is, or how it ended: one stable word (docs/reference lists them).
    #[schema(example = "Completed")]
    reason: String,
    /// The same for people.
    message: String,
    /// Its labels.
    labels: BTreeMap<String, String>,
    /// The template of its sandbox.
    #[schema(example = "python")]
    template: Option<String>,
    /// The image of its sandbox, if it has no template.
    image: Option<String>,
    /// How long the program may run, in seconds.
    #[schema(example = 300)]
    timeout_seconds: i32,
    /// Whether its end was asked for.
    cancel: bool,
    /// When the program was started (RFC 3339).
    started_at: Option<String>,
    /// When the run was over (RFC 3339).
    finished_at: Option<String>,
    /// The program's exit code: 0 to 255; none if it did not exit by itself.
    #[schema(example = 0)]
    exit_code: Option<i32>,
    /// The number of the signal that ended the program.
    signal: Option<i32>,
    /// The end of what the program wrote to standard output, once it has finished.
    stdout: Option<Output>,
    /// The end of what the program wrote to standard error.
    stderr: Option<Output>,
}

/// The end of one of a program's outputs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RunOutput)]
pub struct Output {
    /// The last bytes as text; what is not UTF-8 is replaced by U+FFFD.
    #[schema(example = "the answer is 42\n")]
    text: String,
    /// Whether earlier output is missing. The log has it while the pod exists.
    truncated: bool,
    /// How many bytes the program wrote.
    #[schema(example = 17)]
    total_bytes: i64,
}

impl From<OutputTail> for Output {
    fn from(tail: OutputTail) -> Self {
        Self {
            text: tail.text,
            truncated: tail.truncated,
            total_bytes: tail.total_bytes,
        }
    }
}

impl From<SandboxRun> for Run {
    fn from(run: SandboxRun) -> Self {
        let state = state(&run);
        let created_at = run
            .metadata
            .creation_timestamp
            .as_ref()
            .map_or_else(String::new, |at| at.0.to_string());
        let status = run.status.unwrap_or_default();
        Self {
            name: run.metadata.name.unwrap_or_default(),
            uid: run.metadata.uid.unwrap_or_default(),
            created_at,
            state,
            reason: status
                .reason
                .unwrap_or_else(|| crds::sandbox_run::reason::PENDING.to_owned()),
            message: status.message.unwrap_or_default(),
            labels: run.metadata.labels.unwrap_or_default(),
            template: run.spec.template,
            image: run.spec.image,
            timeout_seconds: run.spec.timeout_seconds,
            cancel: run.spec.cancel,
            started_at: status.start_time.map(|at| at.to_string()),
            finished_at: status.finish_time.map(|at| at.to_string()),
            exit_code: status.exit_code,
            signal: status.signal,
            stdout: status.stdout.map(Output::from),
            stderr: status.stderr.map(Output::from),
        }
    }
}

/// Whether a run is over.
pub fn is_over(run: &SandboxRun) -> bool {
    holds(run, condition_type::FINISHED)
}

fn state(run: &SandboxRun) -> &'static str {
    match (
        is_over(run),
        holds(run, condition_type::SUCCEEDED),
        holds(run, condition_type::STARTED),
    ) {
        (true, true, _) => "succeeded",
        (true, false, _) => "failed",
        (false, _, true) => "running",
        (false, _, false) => "pending",
    }
}

/// Whether a condition of a run holds.
pub fn holds(run: &SandboxRun, condition: &str) -> bool {
    let conditions = run.status.as_ref().map_or(&[][..], |status| &status.conditions);
    conditions
        .iter()
        .any(|c| c.type_ == condition && c.status == ConditionStatus::True)
}

/// What clients write of a run, as far as a change is meant for it.
#[derive(Debug, Serialize)]
pub struct Content {
    uid: Option<String>,
    generation: Option<i64>,
    labels: Option<BTreeMap<String, String>>,
}

/// See [`Content`].
pub fn content(run: &SandboxRun) -> Content {
    Content {
        uid: run.metadata.uid.clone(),
        generation: run.metadata.generation,
        labels: run.metadata.labels.clone(),
    }
}

/// A run with its validator.
pub fn tagged(run: SandboxRun) -> Result<Response, ApiError> {
    let (content, version) = (content(&run), run.metadata.resource_version.clone());
    etag::tagged_by(&Run::from(run), &content, &version.unwrap_or_default())
}

/// A run of the tenant, by name, as the cluster has it.
pub async fn find<R: Needs>(
    state: &AppState,
    access: &In<R>,
    name: &str,
) -> Result<(Cluster, Namespace, SandboxRun), ApiError> {
    let (cluster, namespace) = resources::place(state, access).await?;
    resources::ensure_name(name)?;
    let run = cluster.run(&namespace, name).await?.ok_or(ApiError::NotFound)?;
    Ok((cluster.clone(), namespace, run))
}

/// A run of the tenant, by name, to look at: no older than what was written of it through the API.
pub async fn read<R: Needs>(
    state: &AppState,
    access: &In<R>,
    name: &str,
) -> Result<(Cluster, Namespace, SandboxRun), ApiError> {
    let (cluster, namespace) = resources::place(state, access).await?;
    resources::ensure_name(name)?;
    let run = cluster.run_since(&namespace, name, access.runs_version).await?;
    Ok((cluster.clone(), namespace, run.ok_or(ApiError::NotFound)?))
}

/// Remembers what a write gave: whichever replica is asked next shows nothing older.
pub async fn wrote<R: Needs>(state: &AppState, access: &In<R>, version: u64) -> Result<(), ApiError> {
    let mut tx = state.database.tenant(access.tenant).await?;
    tenants::note_runs_version(&mut tx, version).await?;
    tx.commit().await?;
    state.standing.wrote(access.tenant, version).await;
    Ok(())
}

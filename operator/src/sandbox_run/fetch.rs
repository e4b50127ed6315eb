//! Step 1: a run with its tenant, template and pod.

use std::sync::Arc;

use crds::{SandboxRun, SandboxTemplate, Tenant};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt};

use crate::{
    cluster::{apply::failure, meta},
    runtime::{Failure, Key},
    sandbox_run::{
        build::Injected,
        is_finished, observe, pods,
        refusal::Refusal,
        trouble,
        validate::{self, Program, ValidatedRun},
    },
    shared::Shared,
    tenant::{
        fetch::tenant_of,
        validate::{effective_limits, readiness},
    },
};

/// What is known of a run's pod.
#[derive(Debug, Clone)]
pub enum PodState {
    /// There has been none.
    NotMade,
    /// There it is.
    There(Arc<Pod>),
    /// There was one, and the API server says that it is gone.
    Gone,
}

/// A run with everything that decides what happens next.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The run.
    pub run: Arc<SandboxRun>,
    /// Its pod.
    pub pod: PodState,
    /// Why the tenant is suspended, if it is.
    pub suspended: Option<String>,
    /// The run as a pod can be built from it, or why not. Only looked at before there is a pod.
    pub plan: Result<Box<ValidatedRun>, Refusal>,
    /// How many runs of the tenant may be under way at once.
    pub concurrent_runs: usize,
    /// How `sandboxd` comes in; nothing while that is being found out.
    pub injected: Option<Injected>,
    /// A trouble of the pod that only its events tell.
    pub trouble: Option<(&'static str, String)>,
    /// The pass should end here.
    pub stop: bool,
}

/// Looks a run up; nothing if it is gone.
pub async fn fetch(shared: &Shared, key: &Key) -> Result<Option<Fetched>, Failure> {
    let caches = &shared.caches;
    let Some(run) = caches.runs.get(&key.scope, &key.name) else {
        return Ok(None);
    };
    let uid = run.uid().unwrap_or_default();
    let pod = find_pod(shared, &run, &key.scope, &uid).await?;
    let tenant = tenant_of(shared, &key.scope);
    let suspended = tenant
        .as_ref()
        .filter(|t| t.spec.suspended)
        .map(|t| t.spec.suspension_reason.clone().unwrap_or_default());
    let limits = tenant.as_ref().and_then(|t| effective_limits(t, &shared.platform));
    let plan = match (&pod, is_finished(&run)) {
        (PodState::NotMade, false) => plan(shared, &run, &key.scope, tenant.as_deref()),
        _ => Err(Refusal::not_needed()),
    };
    let injected = plan.as_ref().ok().and_then(|plan| injected(shared, plan));
    let trouble = match &pod {
        PodState::There(pod) => trouble::of(shared, pod).await?,
        _ => None,
    };
    Ok(Some(Fetched {
        pod,
        suspended,
        plan,
        concurrent_runs: limits.map_or(0, |l| usize::try_from(l.concurrent_runs).unwrap_or(0)),
        injected,
        trouble,
        run,
        stop: false,
    }))
}

/// How `sandboxd` comes into the run's sandbox, as far as that is known.
fn injected(shared: &Shared, plan: &ValidatedRun) -> Option<Injected> {
    let classes = &shared.caches.runtime_classes;
    let class = plan.runtime_class.as_ref().and_then(|class| classes.get("", class));
    shared.injection.under(class.as_deref())
}

async fn find_pod(shared: &Shared, run: &SandboxRun, namespace: &str, uid: &str) -> Result<PodState, Failure> {
    let name = meta::run_pod_name(uid);
    if let Some(pod) = shared.caches.pods.get(namespace, &name) {
        return Ok(PodState::There(pod));
    }
    let was_made = run.status.as_ref().is_some_and(|s| s.pod_name.is_some());
    if !was_made || is_finished(run) {
        return Ok(PodState::NotMade);
    }
    // The cache may lag behind our own write; whether a pod is lost is not decided on its absence there.
    let live = live_pod(shared, namespace, uid).await?;
    Ok(live.map_or(PodState::Gone, PodState::There))
}

/// Looks with the API server for a pod that the caches do not know; whether there is one.
pub async fn find_unseen_pod(shared: &Shared, fetched: &mut Fetched) -> Result<bool, Failure> {
    if !matches!(fetched.pod, PodState::NotMade) {
        return Ok(false);
    }
    let uid = fetched.run.uid().unwrap_or_default();
    let Some(pod) = live_pod(shared, &fetched.run.namespace().unwrap_or_default(), &uid).await? else {
        return Ok(false);
    };
    fetched.pod = PodState::There(pod);
    Ok(true)
}

async fn live_pod(shared: &Shared, namespace: &str, run_uid: &str) -> Result<Option<Arc<Pod>>, Failure> {
    let name = meta::run_pod_name(run_uid);
    let live = pods(shared, namespace)
        .get_opt(&name)
        .await
        .map_err(|error| failure(format!("look for pod {name}"), error))?;
    Ok(live.filter(|pod| meta::is_controlled_by(pod, run_uid)).map(|pod| {
        let pod = observe::trimmed(pod);
        shared.caches.pods.insert(pod.clone());
        Arc::new(pod)
    }))
}

/// The run with its program, as the API server has it, if it still is what was decided on. If it is not, another pass
/// is asked for: a pod that was made on account of an old version might be a second one.
pub async fn live_run(shared: &Shared, run: &SandboxRun) -> Result<Option<SandboxRun>, Failure> {
    let name = run.name_any();
    let api: Api<SandboxRun> = Api::namespaced(shared.client.clone(), &run.namespace().unwrap_or_default());
    let live = api
        .get_opt(&name)
        .await
        .map_err(|error| failure(format!("read run {name}"), error))?;
    let Some(live) = live.filter(|live| live.uid() == run.uid()) else {
        return Ok(None);
    };
    if live.resource_version() == run.resource_version() {
        return Ok(Some(live));
    }
    let key = super::key(&live);
    let live = super::trimmed(live);
    shared.admissions.observe_run(&live, false);
    shared.caches.runs.insert(live);
    shared.queues.runs.add(key);
    Ok(None)
}

/// The program of a run that [`live_run`] gave.
pub fn program(shared: &Shared, live: &SandboxRun) -> Result<Program, Refusal> {
    let template = template(shared, live, &live.namespace().unwrap_or_default())?;
    validate::program(live, template.as_deref())
}

fn plan(
    shared: &Shared,
    run: &SandboxRun,
    namespace: &str,
    tenant: Option<&Tenant>,
) -> Result<Box<ValidatedRun>, Refusal> {
    let tenant = tenant.ok_or_else(|| Refusal::tenant_not_ready("this namespace belongs to no Tenant"))?;
    readiness(tenant).map_err(|message| Refusal::tenant_not_ready(&message))?;
    let limits = effective_limits(tenant, &shared.platform)
        .ok_or_else(|| Refusal::tenant_not_ready("the tenant's plan does not exist"))?;
    let template = template(shared, run, namespace)?;
    let classes = |name: &str| shared.caches.runtime_classes.get("", name).is_some();
    validate::validate(run, template.as_deref(), tenant, &limits, &shared.platform, classes).map(Box::new)
}

/// The run's template: the tenant's own wins over a built-in one of the same name.
fn template(shared: &Shared, run: &SandboxRun, namespace: &str) -> Result<Option<Arc<SandboxTemplate>>, Refusal> {
    let Some(name) = &run.spec.template else {
        return Ok(None);
    };
    let templates = &shared.caches.templates;
    templates
        .get(namespace, name)
        .or_else(|| templates.get(&shared.platform.templates_namespace, name))
        .map(Some)
        .ok_or_else(|| Refusal::template_not_found(name, &shared.built_in_templates()))
}

//! One test's part of the world: a tenant's name of its own, a proxy that shows nothing else, an operator behind it.

use std::{
    fmt::Debug,
    fs,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use crds::{Agent, SandboxRun, Tenant, condition, sandbox_run};
use fault_proxy::{FaultProxy, RequestInfo, Verb};
use k8s_openapi::{NamespaceResourceScope, api::core::v1::Pod};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use rand::Rng;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    cluster,
    history::Recorder,
    install::{self, TEMPLATES_NAMESPACE},
    operator::{OperatorProcess, Settings, tail},
    wait,
};

const PLATFORM: &str = r#"
plans:
  standard: {cpu: "1000", memory: 1000Gi, storage: 4000Gi, pods: 1000, concurrentRuns: 1000, maxRunDurationSeconds: 86400, runs: 50000, agents: 2000}
  small: {cpu: "2", memory: 2Gi, storage: 8Gi, pods: 3, concurrentRuns: 2, maxRunDurationSeconds: 600, agents: 1, templates: 1, secrets: 3}
deniedCidrs: [10.0.0.0/16, "fd00::/64"]
sandboxd: {image: "pinfold.dev/sandboxd:test", injection: imageVolume}
workloadIdentity:
  audience: https://pinfold.test
  namespace: pinfold-system
  podLabels: {app.kubernetes.io/component: api}
  port: 8080
"#;

/// What the control-plane API calls itself that this cluster's pods prove themselves to.
pub const ISSUER: &str = "https://pinfold.test";

/// Long, so that no operator loses its lease because the machine is busy; one that is started again has the same name
/// and need not wait for the end of the term.
const LEASE_SECONDS: u32 = 30;

/// Scenes that are played at once: each is an operator, a proxy and some fifty connections.
const SCENES: u32 = 8;

static STAGES: Semaphore = Semaphore::const_new(SCENES as usize);

/// Room for a test without a scene; keeps apart from it those that must be alone.
pub async fn stage() -> SemaphorePermit<'static> {
    STAGES.acquire().await.expect("the semaphore is never closed")
}

/// A tenant's name of its own, a proxy, and an operator.
pub struct Scene {
    /// The tenant's name; further tenants are called `<id>-<something>`.
    pub id: String,
    /// A client that may do everything, past the proxy.
    pub admin: Client,
    /// What the operator speaks through.
    pub proxy: FaultProxy,
    /// Every version of the tenant's objects.
    pub recorder: Recorder,
    settings: Settings,
    operator: Mutex<Option<OperatorProcess>>,
    folder: PathBuf,
    _stage: SemaphorePermit<'static>,
}

impl Scene {
    /// A world with an operator in it and nothing else.
    pub async fn start() -> Self {
        let scene = Self::without_operator().await;
        scene.start_operator();
        scene
    }

    /// A world with an operator and a tenant of the plan `standard` that is ready.
    pub async fn with_tenant() -> Self {
        let scene = Self::start().await;
        scene.make_tenant(&scene.id, json!({})).await;
        scene.ready_tenant(&scene.id).await;
        scene
    }

    /// The same, while no other scene is played: for what changes the control plane itself.
    pub async fn with_tenant_alone() -> Self {
        let stage = STAGES
            .acquire_many(SCENES)
            .await
            .expect("the semaphore is never closed");
        let scene = Self::on(stage, false).await;
        scene.start_operator();
        scene.make_tenant(&scene.id, json!({})).await;
        scene.ready_tenant(&scene.id).await;
        scene
    }

    /// A world in which nobody is at work yet.
    pub async fn without_operator() -> Self {
        Self::on(stage().await, false).await
    }

    /// A world with an operator that is told of nothing but what belongs to the tenant [`Scene::id`]. The API server and the proxy
    /// are spared what other tests left behind: for those that play many scenes.
    pub async fn of_one_tenant() -> Self {
        let scene = Self::on(stage().await, true).await;
        scene.start_operator();
        scene
    }

    async fn on(stage: SemaphorePermit<'static>, one_tenant: bool) -> Self {
        let admin = cluster::client("admin").await;
        install::ensure().await;
        let id = unique();
        let own = id.clone();
        let mut proxy = FaultProxy::builder(&cluster::kubeconfig("operator"))
            .view(move |request, object| sees(&own, request, object));
        if one_tenant {
            let own = id.clone();
            proxy = proxy.narrow(move |request| about(&own, request));
        }
        let proxy = proxy.start().await.expect("start the proxy");
        let folder = std::env::temp_dir().join(format!("pinfold-suite-{id}"));
        fs::create_dir_all(&folder).expect("make a folder");
        fs::write(folder.join("platform.yaml"), PLATFORM).expect("write the platform file");
        let settings = Settings {
            kubeconfig: proxy.kubeconfig().to_owned(),
            platform: folder.join("platform.yaml"),
            lease: format!("suite-{id}"),
            identity: format!("{id}-0"),
            lease_seconds: LEASE_SECONDS,
            log: folder.join("operator.log"),
        };
        let recorder = Recorder::start(admin.clone(), &id);
        Self {
            id,
            admin,
            proxy,
            recorder,
            settings,
            operator: Mutex::default(),
            folder,
            _stage: stage,
        }
    }

    /// What the operator of this scene is told.
    pub fn settings(&self) -> Settings {
        self.settings.clone()
    }

    /// Starts the operator, as a container is started again: under the same name.
    pub fn start_operator(&self) {
        let before = self.slot().replace(OperatorProcess::start(&self.settings));
        assert!(before.is_none(), "the operator ran already");
    }

    /// Takes the operator out of the scene's care.
    pub fn take_operator(&self) -> OperatorProcess {
        self.slot().take().expect("an operator runs")
    }

    /// Kills the operator where it stands.
    pub async fn kill_operator(&self) {
        let operator = self.take_operator();
        operator.kill().await;
    }

    /// The value of one of the operator's metrics, named with its labels as it is exposed.
    pub async fn metric(&self, series: &str) -> Option<f64> {
        let admin = self.slot().as_ref().map(OperatorProcess::admin_port)?;
        admin.metric(series).await
    }

    fn slot(&self) -> MutexGuard<'_, Option<OperatorProcess>> {
        self.operator.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tenant's namespace.
    pub fn namespace(&self) -> String {
        format!("tenant-{}", self.id)
    }

    /// A kind in the tenant's namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.admin.clone(), &self.namespace())
    }

    /// Tenants.
    pub fn tenants(&self) -> Api<Tenant> {
        Api::all(self.admin.clone())
    }

    /// Makes a tenant.
    pub async fn make_tenant(&self, name: &str, spec: Value) -> Tenant {
        create(&self.tenants(), name, spec).await
    }

    /// Waits for a tenant whose present spec is in force.
    pub async fn ready_tenant(&self, name: &str) -> Tenant {
        wait::until(&self.tenants(), name, "the tenant is ready", |t| {
            t.is_some_and(tenant_is_ready)
        })
        .await
        .expect("a tenant")
    }

    /// Waits until a tenant is not ready for this reason; gives its message.
    pub async fn tenant_refused(&self, name: &str, reason: &str) -> String {
        let what = format!("the tenant is not ready: {reason}");
        let tenant = wait::until(&self.tenants(), name, &what, |found| {
            let Some(tenant) = found else { return false };
            let ready = tenant
                .status
                .as_ref()
                .and_then(|s| condition::find(&s.conditions, "Ready"));
            ready.is_some_and(|c| c.reason == reason && c.observed_generation == tenant.metadata.generation)
        })
        .await
        .expect("a tenant");
        condition::find(&tenant.status.unwrap_or_default().conditions, "Ready")
            .map(|c| c.message.clone())
            .unwrap_or_default()
    }

    /// Makes an agent.
    pub async fn make_agent(&self, name: &str, spec: Value) -> Agent {
        create(&self.api(), name, spec).await
    }

    /// Waits until an agent's `Ready` has this reason for the present spec.
    pub async fn agent_is(&self, name: &str, reason: &str) -> Agent {
        let what = format!("the agent says {reason}");
        wait::until(&self.api::<Agent>(), name, &what, |found| {
            let Some(agent) = found else { return false };
            let ready = agent
                .status
                .as_ref()
                .and_then(|s| condition::find(&s.conditions, "Ready"));
            ready.is_some_and(|c| c.reason == reason && c.observed_generation == agent.metadata.generation)
        })
        .await
        .expect("an agent")
    }

    /// Makes a run.
    pub async fn make_run(&self, name: &str, spec: Value) -> SandboxRun {
        create(&self.api(), name, spec).await
    }

    /// Waits until a run's status has this reason.
    pub async fn run_is(&self, name: &str, reason: &str) -> SandboxRun {
        let what = format!("the run says {reason}");
        wait::until(&self.api::<SandboxRun>(), name, &what, |found| {
            found.and_then(|r| r.status.as_ref()?.reason.as_deref()) == Some(reason)
        })
        .await
        .expect("a run")
    }

    /// Waits until a run is over.
    pub async fn finished(&self, name: &str) -> SandboxRun {
        wait::until(&self.api::<SandboxRun>(), name, "the run is over", |found| {
            found.is_some_and(is_finished)
        })
        .await
        .expect("a run")
    }

    /// Waits for the pod of a run.
    pub async fn pod_of(&self, run: &SandboxRun) -> Pod {
        let name = pod_name(run);
        wait::until(&self.api::<Pod>(), &name, "the run has a pod", |pod| pod.is_some())
            .await
            .expect("a pod")
    }

    /// Waits until nothing holds a run's pod any more.
    pub async fn released(&self, run: &SandboxRun) {
        let name = pod_name(run);
        wait::until(&self.api::<Pod>(), &name, "the pod is released", |pod| {
            pod.is_none_or(|p| p.finalizers().is_empty())
        })
        .await;
    }

    /// Changes an object by a merge patch.
    pub async fn patch<K>(&self, api: &Api<K>, name: &str, patch: Value) -> K
    where
        K: Clone + Debug + DeserializeOwned,
    {
        api.patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .expect("patch an object")
    }

    /// Waits until the operator has not written for a while; then checks the recorded history.
    pub async fn settle(&self) {
        wait::soon(
            "the operator stops writing",
            self.proxy.quiet(Duration::from_millis(700)),
        )
        .await;
        self.recorder.check().await;
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if thread::panicking() {
            let writes = self.proxy.writes();
            let lines: Vec<String> = writes
                .iter()
                .rev()
                .take(30)
                .rev()
                .map(|w| {
                    format!(
                        "{:>8.3} {:?} {} {:?}/{:?} {:?}",
                        w.at.as_secs_f64(),
                        w.request.verb,
                        w.request.resource,
                        w.request.name,
                        w.request.subresource,
                        w.answered
                    )
                })
                .collect();
            let log = tail(&self.settings.log);
            eprintln!(
                "--- {}: the operator's last writes\n{}\n--- and log ({})\n{log}",
                self.id,
                lines.join("\n"),
                self.settings.log.display()
            );
        } else {
            // What remains of a test that passed is of no use to anybody.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// A name that nobody has used.
pub fn unique() -> String {
    const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyz";
    let mut rng = rand::rng();
    (0..8)
        .map(|_| char::from(LETTERS[rng.random_range(0..LETTERS.len())]))
        .collect()
}

/// Makes an object of a name and a spec.
pub async fn create<K>(api: &Api<K>, name: &str, spec: Value) -> K
where
    K: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned,
{
    let object = json!({
        "apiVersion": K::api_version(&()), "kind": K::kind(&()), "metadata": {"name": name}, "spec": spec,
    });
    let object: K = serde_json::from_value(object).expect("an object");
    api.create(&PostParams::default(), &object)
        .await
        .expect("make an object")
}

/// The name of a run's pod.
pub fn pod_name(run: &SandboxRun) -> String {
    format!("run-{}", run.uid().expect("a run that is stored"))
}

/// Whether a run is over.
pub fn is_finished(run: &SandboxRun) -> bool {
    run.status
        .as_ref()
        .is_some_and(|s| condition::is_true(&s.conditions, sandbox_run::condition_type::FINISHED))
}

fn tenant_is_ready(tenant: &Tenant) -> bool {
    tenant.status.as_ref().is_some_and(|s| {
        s.observed_generation == tenant.metadata.generation && condition::is_true(&s.conditions, "Ready")
    })
}

/// What a list or a watch over everything is to be asked about instead, so that its answer is about this tenant.
fn about(id: &str, request: &RequestInfo) -> Option<String> {
    if !matches!(request.verb, Verb::List | Verb::Watch) || request.namespace.is_some() {
        return None;
    }
    match request.resource.as_str() {
        "tenants" => Some(format!("metadata.name={id}")),
        "namespaces" => Some(format!("metadata.name=tenant-{id}")),
        // Built-in templates are in a namespace of their own, runtime classes in none.
        "sandboxtemplates" | "runtimeclasses" => None,
        _ => Some(format!("metadata.namespace=tenant-{id}")),
    }
}

fn sees(id: &str, request: &RequestInfo, object: &Value) -> bool {
    let mine = |name: &str| {
        name.strip_prefix(id)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    match (object["metadata"]["namespace"].as_str(), request.resource.as_str()) {
        (Some(namespace), _) => namespace == TEMPLATES_NAMESPACE || namespace.strip_prefix("tenant-").is_some_and(mine),
        (None, "namespaces") => name.strip_prefix("tenant-").is_some_and(mine),
        (None, "tenants" | "runtimeclasses") => mine(name),
        _ => true,
    }
}

//! A tenant of its own for each test, on the cluster that the environment names.

use std::{fmt::Debug, thread};

use crds::{Agent, SandboxRun, Tenant, condition};
use k8s_openapi::{NamespaceResourceScope, api::core::v1::Pod};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use support::{
    cluster,
    scene::{create, is_finished, unique},
    wait,
};

/// Requests small enough that many tests fit on one node at once.
pub(crate) fn small() -> Value {
    json!({"requests": {"cpu": "20m", "memory": "32Mi", "ephemeralStorage": "32Mi"}, "limits": {"cpu": "1", "memory": "256Mi", "ephemeralStorage": "512Mi"}})
}

pub(crate) struct World {
    pub(crate) client: Client,
    pub(crate) tenant: String,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(json!({})).await
    }

    /// A tenant with alice as admin, bob as developer and carol as viewer, and this besides.
    pub(crate) async fn with(spec: Value) -> Self {
        let world = Self {
            client: cluster::client("admin").await,
            tenant: format!("e2e-{}", unique()),
        };
        let mut full = json!({
            "owners": [
                {"kind": "User", "name": "alice", "role": "admin"},
                {"kind": "User", "name": "bob", "role": "developer"},
                {"kind": "User", "name": "carol", "role": "viewer"},
            ],
        });
        for (key, value) in spec.as_object().into_iter().flatten() {
            full[key] = value.clone();
        }
        create::<Tenant>(&world.tenants(), &world.tenant, full).await;
        world.tenant_is_ready().await;
        world
    }

    pub(crate) fn namespace(&self) -> String {
        format!("tenant-{}", self.tenant)
    }

    pub(crate) fn tenants(&self) -> Api<Tenant> {
        Api::all(self.client.clone())
    }

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace())
    }

    pub(crate) async fn tenant_is_ready(&self) -> Tenant {
        let ready = |t: &Tenant| {
            t.status.as_ref().is_some_and(|s| {
                s.observed_generation == t.metadata.generation && condition::is_true(&s.conditions, "Ready")
            })
        };
        wait::until(&self.tenants(), &self.tenant, "the tenant is ready", |t| {
            t.is_some_and(ready)
        })
        .await
        .unwrap()
    }

    /// Makes a run with small resources unless it says otherwise.
    pub(crate) async fn start(&self, name: &str, mut spec: Value) -> SandboxRun {
        if spec.get("resources").is_none() {
            spec["resources"] = small();
        }
        create(&self.api(), name, spec).await
    }

    /// Makes a run and waits for its end.
    pub(crate) async fn run(&self, spec: Value) -> SandboxRun {
        let name = unique();
        self.start(&name, spec).await;
        self.finished(&name).await
    }

    pub(crate) async fn finished(&self, name: &str) -> SandboxRun {
        self.run_until(name, "the run is over", is_finished).await
    }

    pub(crate) async fn reason_is(&self, name: &str, reason: &str) -> SandboxRun {
        let what = format!("the run's reason is {reason}");
        let is = |r: &SandboxRun| r.status.as_ref().is_some_and(|s| s.reason.as_deref() == Some(reason));
        self.run_until(name, &what, is).await
    }

    async fn run_until(&self, name: &str, what: &str, holds: impl Fn(&SandboxRun) -> bool) -> SandboxRun {
        wait::until(&self.api(), name, what, |run: Option<&SandboxRun>| {
            run.is_some_and(&holds)
        })
        .await
        .unwrap()
    }

    pub(crate) async fn agent(&self, name: &str, spec: Value) -> Agent {
        create::<Agent>(&self.api(), name, spec).await;
        self.agent_is(name, "Ready").await
    }

    pub(crate) async fn agent_is(&self, name: &str, reason: &str) -> Agent {
        let is = |a: &Agent| {
            a.status.as_ref().is_some_and(|s| {
                s.observed_generation == a.metadata.generation
                    && condition::find(&s.conditions, "Ready").is_some_and(|c| c.reason == reason)
            })
        };
        let what = format!("the agent's reason is {reason}");
        wait::until(&self.api(), name, &what, |a| a.is_some_and(is))
            .await
            .unwrap()
    }

    pub(crate) async fn pod_of(&self, run: &SandboxRun) -> Pod {
        let name = format!("run-{}", run.uid().unwrap());
        self.api::<Pod>().get(&name).await.unwrap()
    }

    pub(crate) async fn edit<K>(&self, api: &Api<K>, name: &str, patch: Value) -> K
    where
        K: Clone + Debug + DeserializeOwned + Serialize,
    {
        api.patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let tenant = self.tenant.clone();
        let delete = async move {
            let tenants: Api<Tenant> = Api::all(cluster::client("admin").await);
            let _ = tenants.delete(&tenant, &DeleteParams::background()).await;
        };
        // A test's own runtime may be on its way down: the tenant is deleted on another.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let _ = thread::spawn(move || runtime.map(|r| r.block_on(delete))).join();
    }
}

/// What a user reads first of a run's end.
#[derive(Debug, PartialEq)]
pub(crate) struct End {
    pub(crate) reason: String,
    pub(crate) exit_code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn end(run: &SandboxRun) -> End {
    let status = run.status.clone().unwrap();
    let text = |tail: Option<crds::sandbox_run::OutputTail>| tail.map(|t| t.text).unwrap_or_default();
    End {
        reason: status.reason.unwrap(),
        exit_code: status.exit_code,
        signal: status.signal,
        stdout: text(status.stdout),
        stderr: text(status.stderr),
    }
}

pub(crate) fn ended(reason: &str, exit_code: Option<i32>, signal: Option<i32>, stdout: &str, stderr: &str) -> End {
    End {
        reason: reason.into(),
        exit_code,
        signal,
        stdout: stdout.into(),
        stderr: stderr.into(),
    }
}

//! Which kinds are watched, what is kept of them, and which objects a change concerns.

use std::{fmt::Debug, sync::Arc};

use crds::{SandboxRun, Tenant, labels};
use domain::TenantName;
use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{Namespace, ObjectReference, Pod, ServiceAccount},
};
use kube::{
    Api, Resource, ResourceExt,
    core::{DeserializeGuard, error_boundary::InvalidObject},
    runtime::watcher,
};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use crate::{
    agent,
    runtime::{
        Cache, Key,
        watch::{Source, follow},
    },
    sandbox_run::{self, observe},
    shared::Shared,
    tenant,
};

/// Starts every watch.
pub fn start(shared: &Arc<Shared>, tasks: &mut JoinSet<()>) {
    let caches = &shared.caches;
    start_own(shared, tasks);

    let ours = || watcher::Config::default().labels(&format!("{}={}", labels::MANAGED_BY, labels::MANAGER));
    watch(
        shared,
        tasks,
        "Pod",
        ours(),
        caches.pods.clone(),
        observe::trim,
        pod_changed,
    );
    watch(
        shared,
        tasks,
        "Namespace",
        watcher::Config::default(),
        caches.namespaces.clone(),
        keep,
        namespace_changed,
    );
    watch(
        shared,
        tasks,
        "ResourceQuota",
        ours(),
        caches.quotas.clone(),
        keep,
        tenant_child_changed,
    );
    watch(
        shared,
        tasks,
        "LimitRange",
        ours(),
        caches.limit_ranges.clone(),
        keep,
        tenant_child_changed,
    );
    watch(
        shared,
        tasks,
        "NetworkPolicy",
        ours(),
        caches.network_policies.clone(),
        keep,
        tenant_child_changed,
    );
    watch(
        shared,
        tasks,
        "RoleBinding",
        ours(),
        caches.role_bindings.clone(),
        keep,
        tenant_child_changed,
    );
    watch(
        shared,
        tasks,
        "ServiceAccount",
        ours(),
        caches.service_accounts.clone(),
        keep,
        account_changed,
    );
    watch(
        shared,
        tasks,
        "Deployment",
        ours(),
        caches.deployments.clone(),
        keep,
        agent_child_changed,
    );
    watch(
        shared,
        tasks,
        "Service",
        ours(),
        caches.services.clone(),
        keep,
        agent_child_changed,
    );
    watch(
        shared,
        tasks,
        "PodDisruptionBudget",
        ours(),
        caches.disruption_budgets.clone(),
        keep,
        agent_child_changed,
    );
    watch(
        shared,
        tasks,
        "RuntimeClass",
        watcher::Config::default(),
        caches.runtime_classes.clone(),
        keep,
        |shared, _| {
            shared.injection.classes_changed();
            for tenant in shared.caches.tenants.all() {
                shared.runs_changed(&namespace_of(&tenant));
            }
        },
    );
}

/// The watches of our own kinds.
fn start_own(shared: &Arc<Shared>, tasks: &mut JoinSet<()>) {
    let caches = &shared.caches;
    let all = watcher::Config::default;
    watch(
        shared,
        tasks,
        "Tenant",
        all(),
        caches.tenants.clone(),
        keep,
        |shared, tenant| {
            shared.queues.tenants.add(tenant::key(tenant));
            shared.tenant_changed(&tenant.name_any());
        },
    );
    watch(
        shared,
        tasks,
        "Agent",
        all(),
        caches.agents.clone(),
        keep,
        |shared, agent| {
            shared.queues.agents.add(agent::key(agent));
        },
    );
    watch(
        shared,
        tasks,
        "SandboxTemplate",
        all(),
        caches.templates.clone(),
        keep,
        |shared, template| {
            let namespace = template.namespace().unwrap_or_default();
            if namespace == shared.platform.templates_namespace {
                for tenant in shared.caches.tenants.all() {
                    shared.queues.tenants.add(tenant::key(&tenant));
                    shared.runs_changed(&namespace_of(&tenant));
                }
            } else {
                shared.runs_changed(&namespace);
            }
        },
    );
    watch(
        shared,
        tasks,
        "SandboxRun",
        all(),
        caches.runs.clone(),
        sandbox_run::trim,
        run_changed,
    );
}

fn watch<K>(
    shared: &Arc<Shared>,
    tasks: &mut JoinSet<()>,
    kind: &'static str,
    selector: watcher::Config,
    cache: Arc<Cache<K>>,
    trim: fn(&mut K),
    changed: fn(&Shared, &K),
) where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let api: Api<DeserializeGuard<K>> = Api::all(shared.client.clone());
    let (for_changes, for_broken) = (shared.clone(), shared.clone());
    tasks.spawn(follow(
        api,
        Source { kind, selector, trim },
        cache,
        shared.metrics.clone(),
        move |object| {
            for_changes
                .metrics
                .decodable(kind, &object.namespace().unwrap_or_default(), &object.name_any());
            changed(&for_changes, object);
        },
        move |invalid| tell_undecodable::<K>(&for_broken, kind, invalid),
    ));
}

fn keep<K>(_: &mut K) {}

fn run_changed(shared: &Shared, run: &SandboxRun) {
    let namespace = run.namespace().unwrap_or_default();
    if shared
        .caches
        .runs
        .get(&namespace, &run.name_any())
        .is_some_and(|r| r.uid() == run.uid())
    {
        shared.admissions.observe_run(run, pod_of(shared, run).is_some());
    } else {
        shared.admissions.forget_run(run);
        for key in shared.admissions.next_waiting(&namespace) {
            shared.queues.runs.add(key);
        }
        // Its pod may have been held for a result that nobody stores any more.
        let pod = crate::cluster::meta::run_pod_name(&run.uid().unwrap_or_default());
        shared.queues.orphans.add(Key::new(namespace, pod));
    }
    shared.queues.runs.add(sandbox_run::key(run));
}

fn pod_changed(shared: &Shared, pod: &Pod) {
    let namespace = pod.namespace().unwrap_or_default();
    if let Some(run) = pod.labels().get(labels::RUN) {
        // Only for a run that is known: one that is gone would hold its place for ever.
        if let Some(known) = shared.caches.runs.get(&namespace, run)
            && pod_of(shared, &known).is_some_and(|own| own.uid() == pod.uid())
        {
            shared.admissions.observe_run(&known, true);
        }
        shared.queues.runs.add(Key::new(namespace.clone(), run));
        if pod.metadata.deletion_timestamp.is_some() {
            shared.queues.orphans.add(Key::new(namespace, pod.name_any()));
        }
    } else if let Some(agent) = pod.labels().get(labels::AGENT) {
        shared.queues.agents.add(Key::new(namespace, agent));
    }
}

fn namespace_changed(shared: &Shared, namespace: &Namespace) {
    if let Some(name) = TenantName::of_namespace(&namespace.name_any()) {
        shared.queues.tenants.add(Key::new(name.as_str(), name.as_str()));
    }
}

/// The pod of a run, by the name that holds the run's UID.
fn pod_of(shared: &Shared, run: &SandboxRun) -> Option<Arc<Pod>> {
    let name = crate::cluster::meta::run_pod_name(&run.uid()?);
    shared.caches.pods.get(&run.namespace()?, &name)
}

/// By the namespace and not by a label, which somebody may have changed.
fn tenant_child_changed<K: Resource<Scope = NamespaceResourceScope>>(shared: &Shared, child: &K) {
    if let Some(name) = TenantName::of_namespace(&child.namespace().unwrap_or_default()) {
        shared.queues.tenants.add(Key::new(name.as_str(), name.as_str()));
    }
}

fn agent_child_changed<K: Resource<Scope = NamespaceResourceScope>>(shared: &Shared, child: &K) {
    shared
        .queues
        .agents
        .add(Key::new(child.namespace().unwrap_or_default(), child.name_any()));
}

fn account_changed(shared: &Shared, account: &ServiceAccount) {
    if let Some(agent) = account.labels().get(labels::AGENT) {
        shared
            .queues
            .agents
            .add(Key::new(account.namespace().unwrap_or_default(), agent));
    } else {
        tenant_child_changed(shared, account);
    }
}

fn namespace_of(tenant: &Tenant) -> String {
    TenantName::parse(&tenant.name_any())
        .map(|n| n.namespace())
        .unwrap_or_default()
}

fn tell_undecodable<K: Resource<DynamicType = ()>>(shared: &Shared, kind: &str, invalid: &InvalidObject) {
    let metadata = invalid.metadata.clone();
    let about = ObjectReference {
        api_version: Some(K::api_version(&()).into_owned()),
        kind: Some(K::kind(&()).into_owned()),
        name: metadata.name,
        namespace: metadata.namespace,
        uid: metadata.uid,
        ..ObjectReference::default()
    };
    let note = format!(
        "this {kind} cannot be read and is left alone until it is mended: {}",
        invalid.error
    );
    shared.events.warning_about(about, "Decode", "Undecodable", &note);
}

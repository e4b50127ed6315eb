//! Pods that prove themselves by the tokens that the kubelet makes for them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crds::{
    agent::Agent,
    labels::{self, component},
    sandbox_run::SandboxRun,
};
use domain::{AgentId, RunId, TenantId};
use k8s_openapi::api::{
    authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus, UserInfo},
    core::v1::Pod,
};
use kube::{
    Api, Resource, ResourceExt as _,
    api::{ObjectMeta, PostParams},
};
use serde::Deserialize;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::{
    auth::token::PodRef,
    cluster::{Cluster, ClusterError, Namespace, agents::id_of, tenants, within},
};

/// How long a pod is taken to be there without asking. What was proved by its token ends no later than this after it.
const FRESH: Duration = Duration::from_secs(5);

/// So many pods are remembered before those that are not fresh are forgotten.
const MOST: usize = 4096;

/// The service account that every sandbox has.
const SANDBOX: &str = "pinfold-sandbox";

/// A user of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The name.
    pub user: String,
    /// The groups.
    pub groups: Vec<String>,
}

/// What a pod proved.
#[derive(Debug)]
pub struct Workload {
    /// The row of its tenant; none if its Tenant stands for no row.
    pub tenant: Option<TenantId>,
    /// The UID of that Tenant.
    pub resource: Uuid,
    /// The pod.
    pub pod: PodRef,
    /// What runs in it.
    pub what: What,
}

/// What runs in a pod.
#[derive(Debug)]
pub enum What {
    /// A replica of an agent.
    Agent(Box<AgentResource>),
    /// A run.
    Run(RunId, String),
}

/// An Agent resource, as an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentResource {
    /// Its UID, which is the agent's id.
    pub id: AgentId,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its public key in base64url, if the operator has published one.
    pub public_key: Option<String>,
}

/// What is remembered of the cluster's workloads.
#[derive(Debug, Default)]
pub(super) struct Known {
    issuer: OnceCell<String>,
    pods: Mutex<HashMap<Uuid, (Instant, bool)>>,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
}

impl Cluster {
    /// What the cluster calls itself in the tokens of service accounts (Kubernetes, service account issuer discovery).
    pub async fn token_issuer(&self) -> Result<&str, ClusterError> {
        let read = || async {
            let request = http::Request::get("/.well-known/openid-configuration")
                .body(Vec::new())
                .map_err(|error| ClusterError::Configuration(error.to_string()))?;
            let document = within(
                "read the issuer of service accounts",
                self.client.request::<Discovery>(request),
            );
            Ok(document.await?.issuer)
        };
        Ok(self.workloads.issuer.get_or_try_init(read).await?)
    }

    /// The workload whose token this is; none if the API server does not vouch for it, or if the pod is none that proves itself.
    pub async fn workload(&self, token: &str, audience: &str) -> Result<Option<Workload>, ClusterError> {
        let Some(user) = self.review(token, audience).await? else {
            return Ok(None);
        };
        let Some(account) = ServiceAccount::of(&user) else {
            return Ok(None);
        };
        let Some(pod) = self.pod(&account).await? else {
            return Ok(None);
        };
        let Some(tenant) = pod.labels().get(labels::TENANT) else {
            return Ok(None);
        };
        let Some(tenant) = self.tenant(tenant).await? else {
            return Ok(None);
        };
        let own = tenant.status.as_ref().and_then(|status| status.namespace.as_deref());
        if own != Some(&account.namespace) {
            return Ok(None);
        }
        // From here on the namespace is what its Tenant says.
        let namespace = Namespace(account.namespace.as_str().into());
        let what = match pod.labels().get(labels::COMPONENT).map(String::as_str) {
            Some(component::AGENT) => self.agent_of(&namespace, &pod, &account).await?,
            Some(component::SANDBOX) => self.run_of(&namespace, &pod, &account).await?,
            _ => None,
        };
        Ok(what.and_then(|what| {
            Some(Workload {
                tenant: tenants::account(&tenant),
                resource: tenants::uid(&tenant).ok()?,
                pod: account.pod,
                what,
            })
        }))
    }

    /// The user whose token for the API server itself this is.
    pub async fn subject(&self, token: &str) -> Result<Option<Subject>, ClusterError> {
        let status = self.reviewed(token, None).await?;
        let user = status
            .filter(|status| status.authenticated == Some(true))
            .and_then(|status| status.user);
        Ok(user.and_then(|user| {
            Some(Subject {
                user: user.username?,
                groups: user.groups.unwrap_or_default(),
            })
        }))
    }

    async fn reviewed(
        &self,
        token: &str,
        audiences: Option<Vec<String>>,
    ) -> Result<Option<TokenReviewStatus>, ClusterError> {
        let reviews: Api<TokenReview> = Api::all(self.client.clone());
        let asked = TokenReview {
            metadata: ObjectMeta::default(),
            spec: TokenReviewSpec {
                audiences,
                token: Some(token.to_owned()),
            },
            status: None,
        };
        let reviewed = within("review a token", reviews.create(&PostParams::default(), &asked)).await?;
        Ok(reviewed.status)
    }

    async fn review(&self, token: &str, audience: &str) -> Result<Option<UserInfo>, ClusterError> {
        let Some(status) = self.reviewed(token, Some(vec![audience.to_owned()])).await? else {
            return Ok(None);
        };
        // An API server that does not know audiences leaves them out: such a token may be meant for anybody.
        let for_us = status.audiences.iter().flatten().any(|known| known == audience);
        Ok(status.user.filter(|_| status.authenticated == Some(true) && for_us))
    }

    /// The pod that a token is bound to, while its programs may run.
    async fn pod(&self, account: &ServiceAccount) -> Result<Option<Pod>, ClusterError> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &account.namespace);
        match within("read a pod", pods.get_opt(&account.pod.name)).await {
            Ok(pod) => Ok(pod.filter(|pod| is_alive(pod, account.pod.uid))),
            // Pods are read in the namespaces of tenants alone.
            Err(error) if error.code() == Some(403) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn agent_of(
        &self,
        namespace: &Namespace,
        pod: &Pod,
        account: &ServiceAccount,
    ) -> Result<Option<What>, ClusterError> {
        let Some(name) = pod.labels().get(labels::AGENT) else {
            return Ok(None);
        };
        let Some(agent) = self.get::<Agent>(namespace, name).await? else {
            return Ok(None);
        };
        let known = agent
            .status
            .as_ref()
            .and_then(|status| status.service_account_uid.as_deref());
        if known != Some(&account.uid) || !agent.spec.workload_identity {
            return Ok(None);
        }
        Ok(AgentResource::of(&agent).map(|resource| What::Agent(Box::new(resource))))
    }

    /// All sandboxes of a tenant have one service account: the pod says whose it is, and the run says so, too.
    async fn run_of(
        &self,
        namespace: &Namespace,
        pod: &Pod,
        account: &ServiceAccount,
    ) -> Result<Option<What>, ClusterError> {
        let owners = pod.owner_references().iter();
        let owner = owners
            .filter(|owner| owner.controller == Some(true))
            .find(|owner| owner.kind == SandboxRun::kind(&()) && owner.api_version == SandboxRun::api_version(&()));
        let Some(owner) = owner.filter(|_| account.name == SANDBOX) else {
            return Ok(None);
        };
        let run = self.run(namespace, &owner.name).await?;
        let is_its_pod = |run: &SandboxRun| {
            run.uid().as_deref() == Some(&owner.uid)
                && run.status.as_ref().and_then(|status| status.pod_name.as_deref()) == Some(&account.pod.name)
        };
        let id = Uuid::try_parse(&owner.uid).ok().map(RunId::of_uuid);
        Ok(run
            .filter(is_its_pod)
            .and_then(|run| Some(What::Run(id?, run.name_any()))))
    }

    /// Whether a pod is there and its programs may run, as of a few seconds ago.
    pub async fn pod_lives(&self, namespace: &Namespace, pod: &PodRef) -> Result<bool, ClusterError> {
        if let Some((at, lives)) = self.pods().get(&pod.uid)
            && at.elapsed() < FRESH
        {
            return Ok(*lives);
        }
        // From before the question: it is not known how old the answer is.
        let at = Instant::now();
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &namespace.0);
        let found = match within("read a pod", pods.get_opt(&pod.name)).await {
            // The namespace is going, and with it the right to read there.
            Err(error) if error.code() == Some(403) => None,
            other => other?,
        };
        let lives = found.is_some_and(|found| is_alive(&found, pod.uid));
        let mut known = self.pods();
        if known.len() >= MOST {
            known.retain(|_, (at, _)| at.elapsed() < FRESH);
        }
        known.insert(pod.uid, (at, lives));
        Ok(lives)
    }

    /// Takes a pod for one that is there.
    #[cfg(test)]
    pub(super) fn suppose(&self, pod: Uuid) {
        let far = Instant::now() + Duration::from_hours(1);
        self.pods().insert(pod, (far, true));
    }

    fn pods(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, (Instant, bool)>> {
        self.workloads.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AgentResource {
    /// An Agent as an identity.
    pub(super) fn of(agent: &Agent) -> Option<Self> {
        let identity = agent.status.as_ref().and_then(|status| status.identity.as_ref());
        Some(Self {
            id: id_of(agent)?,
            namespace: agent.namespace()?,
            name: agent.name_any(),
            public_key: identity.map(|identity| identity.public_key.clone()),
        })
    }
}

fn is_alive(pod: &Pod, uid: Uuid) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    let same = pod.uid().and_then(|text| Uuid::try_parse(&text).ok()) == Some(uid);
    same && !matches!(phase, Some("Succeeded" | "Failed"))
}

/// A service account whose token is bound to a pod, as the API server vouches for it.
struct ServiceAccount {
    namespace: String,
    name: String,
    uid: String,
    pod: PodRef,
}

impl ServiceAccount {
    fn of(user: &UserInfo) -> Option<Self> {
        let full = user.username.as_deref()?.strip_prefix("system:serviceaccount:")?;
        let (namespace, name) = full.split_once(':')?;
        let extra = |name: &str| {
            user.extra
                .as_ref()?
                .get(&format!("authentication.kubernetes.io/{name}"))?
                .first()
        };
        Some(Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            uid: user.uid.clone()?,
            pod: PodRef {
                name: extra("pod-name")?.clone(),
                uid: Uuid::try_parse(extra("pod-uid")?).ok()?,
            },
        })
    }
}

/// What is remembered, shared by the copies of a [`Cluster`].
pub(super) type Shared = Arc<Known>;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const UID: &str = "0198c5b4-5a0e-4000-8000-00000000000c";

    fn pod(status: &serde_json::Value) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": "p", "uid": UID}, "status": status})).unwrap()
    }

    #[test]
    fn a_pod_is_alive_while_its_programs_may_run() {
        let uid = Uuid::try_parse(UID).unwrap();
        for (phase, alive) in [
            ("Pending", true),
            ("Running", true),
            ("Succeeded", false),
            ("Failed", false),
        ] {
            assert_eq!(is_alive(&pod(&json!({"phase": phase})), uid), alive, "{phase}");
        }
        assert!(
            !is_alive(&pod(&json!({"phase": "Running"})), Uuid::nil()),
            "another of its name"
        );
    }

    #[test]
    fn only_a_service_account_with_a_pod_is_one() {
        let user = |name: &str, extra: serde_json::Value| -> UserInfo {
            serde_json::from_value(json!({"username": name, "uid": "a", "extra": extra})).unwrap()
        };
        let bound =
            json!({"authentication.kubernetes.io/pod-name": ["p"], "authentication.kubernetes.io/pod-uid": [UID]});
        let read = |name: &str, extra: &serde_json::Value| {
            let account = ServiceAccount::of(&user(name, extra.clone()))?;
            Some((account.namespace, account.name, account.uid, account.pod.name))
        };
        let wanted = ["tenant-acme", "agent-x", "a", "p"].map(str::to_owned);
        let [namespace, name, uid, pod] = wanted;
        assert_eq!(
            read("system:serviceaccount:tenant-acme:agent-x", &bound),
            Some((namespace, name, uid, pod))
        );
        assert_eq!(read("system:serviceaccount:tenant-acme:agent-x", &json!({})), None);
        assert_eq!(read("alice", &bound), None);
        assert_eq!(read("system:serviceaccount:tenant-acme", &bound), None);
    }
}

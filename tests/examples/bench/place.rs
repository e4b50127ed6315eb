//! Where a measurement happens: a tenant of its own with room for anything, and what is taken away at the end.

use std::{
    fmt::Debug,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use crds::{Tenant, condition};
use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{Namespace, ServiceAccount},
};
use kube::{
    Api, Client, Resource,
    api::{DeleteParams, PostParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use support::{cluster, scene::unique};

/// Stops a hang; long, because a busy machine is slow and no figure comes from here.
pub(crate) const DEADLINE: Duration = Duration::from_mins(5);

/// Deleting a namespace with ten thousand pods takes its controller this long.
const GONE: Duration = Duration::from_mins(15);

const LOOK: Duration = Duration::from_millis(200);

/// The cluster, and everything made in it that is not in a tenant.
pub(crate) struct Bench {
    pub(crate) client: Client,
    tenants: Mutex<Vec<String>>,
}

/// A tenant.
pub(crate) struct Place {
    pub(crate) client: Client,
    pub(crate) tenant: String,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self {
            client: cluster::client("admin").await,
            tenants: Mutex::default(),
        }
    }

    fn made(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a tenant that is about to be made, so that it is taken away at the end.
    pub(crate) fn will_make(&self, tenant: &str) {
        self.made().push(tenant.to_owned());
    }

    /// A new tenant that is ready.
    pub(crate) async fn tenant(&self, mut spec: Value) -> Result<Place> {
        let tenant = format!("bench-{}", unique());
        spec["limits"] = json!({
            "cpu": "20000", "memory": "20000Gi", "storage": "20000Gi", "pods": 20_000, "concurrentRuns": 20_000,
            "runs": 20_000,
        });
        let tenants: Api<Tenant> = Api::all(self.client.clone());
        self.will_make(&tenant);
        create(&tenants, &tenant, spec).await?;
        let ready = |t: &Tenant| {
            t.status.as_ref().is_some_and(|s| {
                s.observed_generation == t.metadata.generation && condition::is_true(&s.conditions, "Ready")
            })
        };
        until("the tenant is ready", DEADLINE, async || {
            Ok(tenants.get(&tenant).await.is_ok_and(|t| ready(&t)))
        })
        .await?;
        let place = Place {
            client: self.client.clone(),
            tenant,
        };
        // Bare pods run under the sandboxes' account, and admission refuses them before it exists.
        let accounts = place.api::<ServiceAccount>();
        until("the tenant has its service account", DEADLINE, async || {
            Ok(accounts.get_opt("pinfold-sandbox").await?.is_some())
        })
        .await?;
        Ok(place)
    }

    /// Takes away every tenant that was made, and waits until nothing of them is left.
    pub(crate) async fn remove_tenants(&self) -> Result<()> {
        let made = std::mem::take(&mut *self.made());
        let tenants: Api<Tenant> = Api::all(self.client.clone());
        for tenant in &made {
            if let Err(error) = tenants.delete(tenant, &DeleteParams::background()).await
                && !matches!(&error, kube::Error::Api(status) if status.code == 404)
            {
                return Err(error).with_context(|| format!("delete the tenant {tenant}"));
            }
        }
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        for tenant in &made {
            until(&format!("nothing is left of the tenant {tenant}"), GONE, async || {
                Ok(tenants.get_opt(tenant).await?.is_none()
                    && namespaces.get_opt(&format!("tenant-{tenant}")).await?.is_none())
            })
            .await?;
        }
        Ok(())
    }
}

impl Place {
    pub(crate) fn namespace(&self) -> String {
        format!("tenant-{}", self.tenant)
    }

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.namespace())
    }
}

/// Makes an object of a name and a spec.
pub(crate) async fn create<K>(api: &Api<K>, name: &str, spec: Value) -> Result<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned,
{
    let object = json!({
        "apiVersion": K::api_version(&()), "kind": K::kind(&()), "metadata": {"name": name}, "spec": spec,
    });
    let object = serde_json::from_value(object).with_context(|| format!("{} {name}", K::kind(&())))?;
    post(api, &object).await
}

/// Makes an object.
pub(crate) async fn post<K>(api: &Api<K>, object: &K) -> Result<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned,
{
    api.create(&PostParams::default(), object)
        .await
        .with_context(|| format!("create a {}", K::kind(&())))
}

/// Looks again and again until something holds.
pub(crate) async fn until(what: &str, deadline: Duration, mut holds: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let looks = async {
        while !holds().await? {
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    };
    match tokio::time::timeout(deadline, looks).await {
        Ok(result) => result,
        Err(_) => bail!("waited {} s for: {what}", deadline.as_secs()),
    }
}

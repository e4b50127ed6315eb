//! The Tenant controller: a namespace with everything that keeps its tenant apart from the others.

use std::{sync::Arc, time::Duration};

use crds::{
    Tenant,
    condition::Finding,
    tenant::{condition_type, reason},
};
use jiff::SignedDuration;
use kube::ResourceExt;

use crate::{
    runtime::{Action, Failure, FailureClass, Key, Reconciler},
    shared::Shared,
    tenant::{
        build::build,
        validate::{ValidatedTenant, validate},
    },
};

mod apply;
pub(crate) mod build;
pub(crate) mod fetch;
mod finalizer;
mod status;
pub(crate) mod validate;

/// The field manager of this controller.
pub const MANAGER: &str = "pinfold-tenant";

/// Something that should not last was seen: looked at again after this time, events apart.
const SOON: Duration = Duration::from_secs(2);

/// Makes passes over Tenants.
#[derive(Debug)]
pub struct TenantController {
    shared: Arc<Shared>,
}

impl TenantController {
    /// The controller over the process's caches.
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl Reconciler for TenantController {
    const KIND: &'static str = "Tenant";

    fn uid(&self, key: &Key) -> Option<String> {
        self.shared.caches.tenants.get("", &key.name).and_then(|t| t.uid())
    }

    async fn reconcile(&self, key: &Key) -> Result<Action, Failure> {
        let shared = &*self.shared;
        let step = |name| shared.metrics.step(Self::KIND, name);

        let timer = step("fetch");
        let Some(fetched) = fetch::fetch(shared, key) else {
            return Ok(Action::Wait);
        };
        drop(timer);
        let tenant = &*fetched.tenant;
        if tenant.metadata.deletion_timestamp.is_some() {
            let _timer = step("finalizer");
            finalizer::let_go(shared, tenant).await?;
            return Ok(Action::Wait);
        }

        let timer = step("validate");
        let validated = match validate(tenant, &fetched, &shared.platform) {
            Ok(validated) => validated,
            Err(refusal) => {
                let finding = Finding::new(condition_type::READY, false, refusal.reason, refusal.message);
                status::write(shared, tenant, None, finding).await?;
                return Ok(if refusal.waits {
                    Action::After(SOON)
                } else {
                    Action::Wait
                });
            }
        };
        drop(timer);

        let timer = step("build");
        let prepared = build(&validated, &shared.platform, &shared.installation);
        drop(timer);

        let timer = step("finalizer");
        finalizer::hold(shared, tenant).await?;
        drop(timer);

        let timer = step("apply");
        let applied = apply::apply(shared, &fetched, prepared)
            .await
            .map_err(|failure| binding_is_young(shared, &validated, failure))?;
        drop(timer);

        let _timer = step("status");
        let ready = status::judge(&applied, &validated);
        let settled = ready.reason == reason::READY;
        status::write(shared, tenant, Some((&validated, &applied)), ready).await?;
        Ok(if settled { Action::Wait } else { Action::After(SOON) })
    }
}

/// The API server honours a new role binding a moment after it was made. Until then it refuses what the binding
/// grants, which is no more than a conflict: another pass soon will do.
fn binding_is_young(shared: &Shared, tenant: &ValidatedTenant, failure: Failure) -> Failure {
    let binding = shared
        .caches
        .role_bindings
        .get(&tenant.name.namespace(), build::role_binding::OPERATOR);
    let made = binding.and_then(|b| b.metadata.creation_timestamp.as_ref().map(|t| t.0));
    let young = made.is_some_and(|at| shared.clock.now() < at + SignedDuration::from_secs(10));
    match failure.class {
        FailureClass::Forbidden if young => Failure {
            class: FailureClass::Conflict,
            ..failure
        },
        _ => failure,
    }
}

/// The key of a tenant: each tenant is a turn of its own.
pub fn key(tenant: &Tenant) -> Key {
    let name = tenant.name_any();
    Key::new(name.clone(), name)
}

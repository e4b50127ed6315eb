//! A pod's own token becomes one of ours (RFC 7523, section 2.1): no key is stored in the pod.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::TenantId;
use jiff::Timestamp;
use resource_server::check::Binding;
use serde_json::json;

use crate::{
    auth::{
        signing::Algorithm,
        token::{PodClaim, Who},
        workload::{self, Wanted},
    },
    cluster::{Cluster, ClusterError, What, Workload},
    service::{
        limiter::TooOften,
        namespaces,
        replay::Record,
        resource_agents::{self, Adoption},
        throttle::Throttle,
        tokens::{self, Issued, Maker, Said},
    },
    store::{StoreError, audit::Actor},
};

/// What is shown, and what for.
#[derive(Debug)]
pub struct Assertion<'a> {
    /// The pod's token.
    pub token: &'a str,
    /// The scopes that are asked for; all that there are, if none are named.
    pub scopes: Option<Vec<&'a str>>,
    /// The key that the token is to be bound to.
    pub binding: Option<Binding>,
    /// The request's id.
    pub request_id: &'a str,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The API server does not vouch for it, or it is of no pod that proves itself. Which it is, is not told.
    #[error("the token proves nothing")]
    Unproven,
    /// The Tenant in the cluster stands for no tenant here, or nobody owns it.
    #[error("the tenant of this pod belongs to nobody here")]
    NoTenant,
    /// Somebody ended the agent.
    #[error("the agent of this pod has ended")]
    Ended,
    /// The pod asks too often.
    #[error(transparent)]
    TooOften(#[from] TooOften),
    /// The cluster failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// No token is issued.
    #[error(transparent)]
    Token(#[from] tokens::Refused),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Token(error.into())
    }
}

/// Has a pod's token judged and issues ours. The issue is recorded before the token leaves.
pub async fn exchange(
    maker: Maker<'_>,
    cluster: &Cluster,
    throttle: &Throttle,
    assertion: Assertion<'_>,
    now: Timestamp,
    random: [u8; 16],
) -> Result<Issued, Refused> {
    let wanted = Wanted {
        issuer: cluster.token_issuer().await?,
        audience: maker.issuer,
    };
    workload::pod_of(assertion.token, wanted, now).ok_or(Refused::Unproven)?;
    throttle.review(assertion.token).await?;
    let reviewed = cluster.workload(assertion.token, maker.issuer).await?;
    let workload = reviewed.ok_or(Refused::Unproven)?;
    let tenant = tenant_of(maker, &workload).await?;
    let jti = URL_SAFE_NO_PAD.encode(random);
    let pod = PodClaim::from(&workload.pod);
    let (subject, actor, who, grantable) = match workload.what {
        What::Agent(resource) => {
            let adopted = resource_agents::adopt(maker.database, tenant, &resource, assertion.request_id, now).await?;
            let owner = match adopted {
                Adoption::Done(owner) => owner,
                Adoption::Ended => return Err(Refused::Ended),
                Adoption::NoOwner => return Err(Refused::NoTenant),
            };
            let who = Who::Agent {
                pinfold_owner: owner.to_string(),
                pinfold_key: None,
                pinfold_pod: Some(pod),
            };
            (
                resource.id.uuid(),
                Actor::Agent(resource.id),
                who,
                tokens::grantable(tenant),
            )
        }
        What::Run(run, name) => {
            let who = Who::Run {
                pinfold_run: name,
                pinfold_pod: pod,
            };
            (run.uuid(), Actor::Run(run), who, tokens::grantable_to_runs())
        }
    };
    let scope = tokens::granted(grantable, assertion.scopes.as_deref())?;
    let signing = maker.signing(Algorithm::EdDsa, now)?;
    let record = Record {
        tenant,
        actor,
        target: subject,
        request_id: assertion.request_id.to_owned(),
        detail: json!({"grant": "workload", "pod": workload.pod.uid.to_string(), "jti": jti}),
    };
    let jkt = maker.record(assertion.binding, record, now).await?;
    let said = Said {
        subject: subject.to_string(),
        client_id: subject.to_string(),
        tenant,
        jti,
        scope,
        jkt,
        until: None,
        who,
    };
    Ok(maker.issued(&signing, said, now)?)
}

/// The tenant that a pod's Tenant stands for.
async fn tenant_of(maker: Maker<'_>, workload: &Workload) -> Result<TenantId, Refused> {
    let tenant = workload.tenant.ok_or(Refused::NoTenant)?;
    if namespaces::is_of(maker.database, tenant, workload.resource).await? {
        Ok(tenant)
    } else {
        Err(Refused::NoTenant)
    }
}

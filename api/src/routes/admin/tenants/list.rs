//! `GET /v1/admin/tenants`.

use axum::extract::State;
use crds::{condition, tenant::Tenant};
use kube::ResourceExt as _;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    cluster,
    http::{
        caller::Admin,
        error::ApiError,
        parse,
        query::{Paging, Query},
    },
};

/// A tenant, as the cluster has it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClusterTenant {
    /// Its name.
    #[schema(example = "acme")]
    name: String,
    /// Whose limits apply.
    #[schema(example = "standard")]
    plan: String,
    /// Whether something can run in it.
    ready: bool,
    /// Why it is ready or not.
    #[schema(example = "Ready")]
    reason: Option<String>,
    /// When it was made (RFC 3339).
    #[schema(example = "2027-01-15T08:00:00Z")]
    created_at: Option<String>,
    /// The id of the tenant that people and agents use through this API; none where it was made with kubectl and nobody has
    /// linked it.
    #[schema(example = "0198c5b4-5a0e-7000-8000-00000000000e")]
    id: Option<String>,
}

/// A page of the cluster's tenants.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClusterTenants {
    /// By name.
    tenants: Vec<ClusterTenant>,
    /// What asks for the next page; none on the last.
    next_page_token: Option<String>,
}

impl From<Tenant> for ClusterTenant {
    fn from(tenant: Tenant) -> Self {
        let status = tenant.status.as_ref();
        let ready = status.and_then(|s| condition::find(&s.conditions, "Ready"));
        Self {
            name: tenant.name_any(),
            ready: status.is_some_and(|s| condition::is_true(&s.conditions, "Ready")),
            reason: ready.map(|condition| condition.reason.clone()),
            created_at: tenant.creation_timestamp().map(|time| time.0.to_string()),
            id: cluster::account(&tenant).map(|id| id.to_string()),
            plan: tenant.spec.plan,
        }
    }
}

/// List the cluster's tenants.
///
/// For those who run the platform: those that people made here, and those that somebody made with kubectl.
#[utoipa::path(
    get,
    path = "/v1/admin/tenants",
    tag = "admin",
    params(Paging),
    responses((status = 200, description = "The tenants.", body = ClusterTenants)),
    security(("session" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    _: Admin,
    Query(which): Query<Paging>,
) -> Result<axum::Json<ClusterTenants>, ApiError> {
    let limit = parse::limit(which.limit)?;
    let page = state
        .cluster()?
        .list_tenants(limit, which.page_token.as_deref())
        .await?;
    Ok(axum::Json(ClusterTenants {
        tenants: page.items.into_iter().map(ClusterTenant::from).collect(),
        next_page_token: page.next,
    }))
}

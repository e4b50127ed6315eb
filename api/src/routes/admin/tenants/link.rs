//! `POST /v1/admin/tenants/{tenant}/link`.

use axum::{
    extract::{Path, State},
    response::Response,
};
use domain::{OverseerId, TenantName};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    cluster::is_ending,
    http::{
        caller::Admin,
        error::{ApiError, Problem},
        once::{IdempotencyKey, Once},
        parse,
        request_id::RequestId,
    },
    routes::tenants::{
        Tenant,
        create::is_reserved,
        linked::{self, Linking},
    },
    service::members::By,
    store::accounts,
};

/// Whose a tenant is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The id of the person who will be its owner.
    #[schema(example = "0198c5b4-5a0e-7000-8000-00000000000d")]
    owner: String,
}

/// Link a tenant that was made with kubectl.
///
/// For those who run the platform. Its owner uses it through this API from then on, and invites others; what runs in it stays
/// as it is. Who deletes it here deletes it in the cluster.
#[utoipa::path(
    post,
    path = "/v1/admin/tenants/{tenant}/link",
    tag = "admin",
    params(("tenant" = String, Path, description = "The tenant's name."), IdempotencyKey),
    request_body = Link,
    responses(
        (status = 201, description = "The tenant is linked.", body = Tenant),
        (status = 409, description = "A tenant of this name is there already, linked or asked for (`name_taken`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("session" = []))
)]
pub async fn link(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Admin(login): Admin,
    Path(tenant): Path<String>,
    Once { body: wanted, claim }: Once<Link>,
) -> Result<Response, ApiError> {
    let owner: OverseerId = parse::id("owner", &wanted.owner)?;
    let name = TenantName::parse(&tenant).map_err(|_| ApiError::NotFound)?;
    if is_reserved(&name) {
        return Err(ApiError::invalid(
            "tenant",
            "names that begin with `u-`, and `shadow`, are the platform's own; make one of another name",
        ));
    }
    let found = state
        .cluster()?
        .tenant(name.as_str())
        .await?
        .filter(|tenant| !is_ending(tenant))
        .ok_or(ApiError::NotFound)?;
    let mut tx = state.database.platform().await?;
    if accounts::find(&mut tx, owner).await?.is_none() {
        return Err(ApiError::invalid("owner", "there is no such person"));
    }
    drop(tx);
    let linking = Linking {
        name: &name,
        resource: &found,
        owner,
        by: By::person(login.overseer(), &request_id),
    };
    linked::link(&state, linking, claim).await
}

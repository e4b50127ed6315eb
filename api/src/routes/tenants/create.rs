//! `POST /v1/tenants`.

use axum::{extract::State, http::StatusCode, response::Response};
use domain::TenantName;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    http::{
        caller::Person,
        error::{ApiError, Problem},
        once::{IdempotencyKey, Once},
        request_id::RequestId,
    },
    routes::tenants::Tenant,
    service::tenants::{self, Creation, MOST},
};

/// A new tenant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTenant {
    /// Its name: a DNS label of at most 56 characters (RFC 1123). It cannot be changed.
    #[schema(example = "acme", min_length = 1, max_length = 56)]
    name: String,
}

/// Make a tenant.
///
/// You are its owner. Its namespace in the cluster follows: `resource.state` tells.
#[utoipa::path(
    post,
    path = "/v1/tenants",
    tag = "tenants",
    params(IdempotencyKey),
    request_body = NewTenant,
    responses(
        (status = 201, description = "The tenant is made.", body = Tenant),
        (status = 409, description = "The name is taken (`name_taken`), or you own twenty (`too_many_tenants`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("session" = []))
)]
pub async fn create(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Person(login): Person,
    Once { body: new, claim }: Once<NewTenant>,
) -> Result<Response, ApiError> {
    let name = TenantName::parse(&new.name).map_err(|error| ApiError::invalid("name", error.to_string()))?;
    if is_reserved(&name) {
        return Err(ApiError::invalid(
            "name",
            "choose one that is not `shadow` and does not begin with `u-`",
        ));
    }
    let owner = login.overseer();
    match tenants::create(&state.database, owner, &name, &request_id, state.clock.now()).await? {
        Creation::Made(tx, tenant) => {
            let made = claim.commit(tx, StatusCode::CREATED, &Tenant::from(*tenant)).await?;
            state.bell.ring();
            Ok(made)
        }
        Creation::Taken => Err(ApiError::Conflict {
            code: "name_taken",
            message: "there is a tenant of this name; choose another".to_owned(),
        }),
        Creation::TooMany => Err(too_many()),
    }
}

/// Why somebody gets no more tenants.
pub fn too_many() -> ApiError {
    ApiError::Conflict {
        code: "too_many_tenants",
        message: format!("you own {MOST} tenants; delete one, or ask somebody else to make it"),
    }
}

/// Names of people's own tenants are not for choosing.
pub fn is_reserved(name: &TenantName) -> bool {
    name.as_str().starts_with("u-") || name.as_str() == "shadow"
}

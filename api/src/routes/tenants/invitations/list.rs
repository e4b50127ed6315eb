//! `GET /v1/tenants/{tenant}/invitations`.

use std::cmp::Reverse;

use axum::extract::State;
use domain::InvitationId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::rights::need,
    http::{
        access::In,
        error::ApiError,
        parse,
        query::{Paging, Query},
    },
    routes::tenants::invitations::Invitation,
    store::invitations,
};

/// A tenant's invitations.
#[derive(Debug, Serialize, ToSchema)]
pub struct Invitations {
    /// The newest first; those that can still be accepted.
    invitations: Vec<Invitation>,
    /// What asks for the next page; none on the last.
    next_page_token: Option<String>,
}

/// List a tenant's invitations.
#[utoipa::path(
    get,
    path = "/v1/tenants/{tenant}/invitations",
    tag = "tenants",
    params(("tenant" = String, Path, description = "The tenant's name."), Paging),
    responses((status = 200, description = "The invitations.", body = Invitations)),
    security(("api_key" = ["members:read"]), ("session" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    access: In<need::MembersRead>,
    Query(which): Query<Paging>,
) -> Result<axum::Json<Invitations>, ApiError> {
    let after = parse::page_token::<InvitationId>(which.page_token.as_deref())?.map(Reverse);
    let mut tx = state.database.tenant(access.tenant).await?;
    let found = invitations::list(&mut tx, state.clock.now()).await?;
    let (found, next_page_token) = parse::page(
        found,
        which.limit,
        after.as_ref(),
        |i| Reverse(i.id),
        |i| i.id.to_string(),
    )?;
    Ok(axum::Json(Invitations {
        invitations: found.into_iter().map(Invitation::from).collect(),
        next_page_token,
    }))
}

//! `GET /v1/me/grants`.

use axum::extract::State;
use domain::GrantId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::client::values::Scope,
    http::{
        caller::Person,
        error::ApiError,
        parse,
        query::{Paging, Query},
    },
    store::grants,
};

/// An authorization of the caller's.
#[derive(Debug, Serialize, ToSchema)]
pub struct Grant {
    /// The authorization. Tokens name it as `pinfold_grant`, the audit as who did something.
    #[schema(format = "uuid")]
    id: String,
    /// The client, as it calls itself.
    client_id: String,
    /// What the client is called; none if it is gone.
    #[schema(example = "Build board")]
    client_name: Option<String>,
    /// The tenant that it is for.
    #[schema(example = "acme")]
    tenant: String,
    /// What the client may do there, as far as the caller may.
    #[schema(example = json!(["runs:read"]))]
    scopes: Vec<&'static str>,
    /// The agents, if one acts for the caller: the one that acts now, and whom it acts for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    actors: Vec<String>,
    /// When it was given (RFC 3339).
    created_at: String,
    /// When a token was last got by it (RFC 3339).
    used_at: Option<String>,
    /// Its end (RFC 3339).
    expires_at: String,
}

/// The caller's authorizations.
#[derive(Debug, Serialize, ToSchema)]
pub struct Grants {
    /// The newest first.
    grants: Vec<Grant>,
    /// What asks for the next page; none on the last.
    next_page_token: Option<String>,
}

/// List what I have let OAuth clients do.
///
/// One for each time that a client was let in: a program on two machines has two.
#[utoipa::path(
    get,
    path = "/v1/me/grants",
    tag = "people",
    params(Paging),
    responses((status = 200, description = "The authorizations in force.", body = Grants)),
    security(("session" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    Person(login): Person,
    Query(which): Query<Paging>,
) -> Result<axum::Json<Grants>, ApiError> {
    let limit = parse::limit(which.limit)?;
    let after = parse::page_token::<GrantId>(which.page_token.as_deref())?;
    let (pool, now) = (state.database.pool(), state.clock.now());
    let mut found = grants::list(pool, login.overseer(), after, i64::from(limit) + 1, now).await?;
    let next_page_token = parse::next_page(&mut found, limit, |grant| grant.id.to_string());
    let mut told = Vec::with_capacity(found.len());
    for grant in found {
        let client = state.standing.find_client(&grant.client_id).await?;
        told.push(Grant {
            id: grant.id.to_string(),
            client_name: client.map(|client| client.metadata.name.clone()),
            client_id: grant.client_id,
            tenant: grant.tenant_name,
            scopes: grant.scopes.into_iter().map(Scope::as_str).collect(),
            actors: grant.actors.iter().map(ToString::to_string).collect(),
            created_at: grant.created_at.to_string(),
            used_at: grant.used_at.map(|at| at.to_string()),
            expires_at: grant.expires_at.to_string(),
        });
    }
    Ok(axum::Json(Grants {
        grants: told,
        next_page_token,
    }))
}

//! `GET /v1/me/client-blocks`.

use axum::extract::State;

use super::{ClientBlocks, listed};
use crate::{
    app::AppState,
    http::{
        caller::Person,
        error::ApiError,
        parse,
        query::{Paging, Query},
    },
    store::client_blocks,
};

/// List the OAuth clients that I have blocked.
#[utoipa::path(
    get,
    path = "/v1/me/client-blocks",
    tag = "people",
    params(Paging),
    responses((status = 200, description = "The blocks.", body = ClientBlocks)),
    security(("session" = []))
)]
pub async fn list(
    State(state): State<AppState>,
    Person(login): Person,
    Query(which): Query<Paging>,
) -> Result<axum::Json<ClientBlocks>, ApiError> {
    let after = parse::page_token(which.page_token.as_deref())?;
    let found = client_blocks::of_person(state.database.pool(), login.overseer()).await?;
    listed(found, which.limit, after).map(axum::Json)
}

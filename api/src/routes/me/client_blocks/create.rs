//! `POST /v1/me/client-blocks`.

use axum::{extract::State, http::StatusCode, response::Response};

use super::{ClientBlock, ClientToBlock, already, too_many};
use crate::{
    app::AppState,
    http::{
        caller::Person,
        error::{ApiError, Problem},
        once::{IdempotencyKey, Once},
        request_id::RequestId,
    },
    service::{
        client_blocks::{self, MOST},
        members::By,
    },
    store::client_blocks::{self as store, Block},
};

/// Block an OAuth client.
///
/// Its tokens for me are refused from their next request on, and it gets no others, whatever I agreed to.
#[utoipa::path(
    post,
    path = "/v1/me/client-blocks",
    tag = "people",
    params(IdempotencyKey),
    request_body = ClientToBlock,
    responses(
        (status = 201, description = "It is blocked.", body = ClientBlock),
        (status = 409, description = "It is blocked already (`already_blocked`), or a thousand are (`too_many_blocks`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("session" = []))
)]
pub async fn create(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Person(login): Person,
    Once { body, claim }: Once<ClientToBlock>,
) -> Result<Response, ApiError> {
    let client_id = body.check()?;
    let now = state.clock.now();
    let by = By::person(login.overseer(), &request_id);
    let blocked = store::of_person(state.database.pool(), by.overseer).await?;
    let mut tx = state.database.platform().await?;
    if blocked.len() >= MOST {
        return Err(too_many());
    }
    if !client_blocks::block_for_person(&mut tx, &client_id, by, now).await? {
        return Err(already());
    }
    let block = ClientBlock::from(Block {
        client_id,
        created_at: now,
    });
    claim.commit(tx, StatusCode::CREATED, &block).await
}

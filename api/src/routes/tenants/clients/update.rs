//! `PATCH /v1/tenants/{tenant}/clients/{client}`.

use axum::{
    extract::{Path, State},
    response::Response,
};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    app::AppState,
    auth::{client::Written, rights::need},
    http::{
        access::Lasting,
        error::{ApiError, Problem},
        etag::{self, IfMatch, IfMatchHeader},
        json::Json,
        merge::merged,
        parse,
        request_id::RequestId,
    },
    routes::tenants::{
        acting,
        clients::{Client, ensure_grantable, hold},
    },
    service::clients,
};

/// What is to be changed of a client (RFC 7396): members of its metadata. What is not named stays; null takes away.
#[derive(Debug, serde::Deserialize, ToSchema)]
#[schema(as = ClientChange, value_type = Object, example = json!({"redirect_uris": ["https://board.example.com/callback", "https://board.example.com/callback2"]}))]
pub struct Change(Map<String, Value>);

/// Change an OAuth client.
///
/// Needs every right that the client may ask for. A client that changes from a secret to something else loses it; one that changes to a
/// secret gets it by `POST …/secret`.
#[utoipa::path(
    patch,
    path = "/v1/tenants/{tenant}/clients/{client}",
    tag = "clients",
    params(
        ("tenant" = String, Path, description = "The tenant's name."),
        ("client" = String, Path, format = "uuid", description = "The client's id."),
        IfMatchHeader
    ),
    request_body = Change,
    responses(
        (status = 200, description = "The client as it is now.", body = Client, headers(("ETag" = String, description = "Its version, for `If-Match`."))),
        (status = 412, description = "It was changed since (`precondition_failed`).", body = Problem, content_type = "application/problem+json"),
    ),
    security(("api_key" = ["clients:write"]), ("session" = []))
)]
pub async fn update(
    State(state): State<AppState>,
    RequestId(request_id): RequestId,
    Lasting(access): Lasting<need::ClientsWrite>,
    path: Path<(String, String)>,
    version: IfMatch,
    Json(Change(change)): Json<Change>,
) -> Result<Response, ApiError> {
    let Path((_, client)) = path;
    let id = parse::id("client", &client)?;
    let by = acting(&access, &request_id)?;
    let (mut tx, client) = hold(&state, &access, id).await?;
    version.check(&Client::from(client.clone()))?;
    let metadata = merged(&Written::from(client.metadata.clone()), &change)?.check()?;
    ensure_grantable(&access, &metadata)?;
    let client = clients::change(&mut tx, client, metadata, by, state.clock.now()).await?;
    tx.commit().await?;
    etag::tagged(&Client::from(client))
}

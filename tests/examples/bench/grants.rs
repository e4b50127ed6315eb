//! What a person lets an OAuth client do, ended at one replica, until it is of no use at the other.

use anyhow::{Context as _, Result};
use serde_json::json;
use support::api::WebClient;

use super::revocations::{Place, ended};

/// A client with a token of the owner's.
async fn let_in(place: Place<'_>) -> Result<(WebClient, String)> {
    let client = WebClient::register(place.one, place.owner, place.tenant).await;
    let token = client.token(place.one, place.owner, place.tenant).await;
    Ok((client, token))
}

/// The newest of a list of the owner's.
pub(super) async fn grant(place: Place<'_>, list: &str, name: &str) -> Result<f64> {
    let (client, token) = let_in(place).await?;
    let all = place.owner.get(place.one, list).await.body;
    let found = all[name].as_array().context("a list")?;
    let own = found.iter().find(|one| one["client_id"] == client.id);
    let id = own.and_then(|one| one["id"].as_str()).context("an id")?;
    let ending = place.owner.request(place.one, "DELETE", &format!("{list}/{id}"), None);
    ended(place.one, place.two, ending, || {
        place.two.reading("/v1/me", Some(&token))
    })
    .await
}

pub(super) async fn client(place: Place<'_>) -> Result<f64> {
    let (client, token) = let_in(place).await?;
    let path = format!("/v1/tenants/{}/clients/{}", place.tenant, client.id);
    let ending = place.owner.request(place.one, "DELETE", &path, None);
    ended(place.one, place.two, ending, || {
        place.two.reading("/v1/me", Some(&token))
    })
    .await
}

pub(super) async fn block(place: Place<'_>) -> Result<f64> {
    let (client, token) = let_in(place).await?;
    let body = json!({"client_id": client.id});
    let ending = place
        .owner
        .request(place.one, "POST", "/v1/me/client-blocks", Some(&body));
    ended(place.one, place.two, ending, || {
        place.two.reading("/v1/me", Some(&token))
    })
    .await
}

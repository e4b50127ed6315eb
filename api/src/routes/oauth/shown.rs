//! Tokens of ours that a client shows us, to be told of or to be rid of.

use jiff::Timestamp;

use crate::{
    app::AppState,
    auth::{jws, token::Read},
    service::grants,
    store::{
        StoreError,
        refresh_tokens::{self, RefreshToken},
    },
};

/// The refresh token that it is.
pub async fn refresh_token(state: &AppState, text: &str) -> Result<Option<RefreshToken>, StoreError> {
    match grants::tokens::hash(text) {
        Some(hash) => refresh_tokens::find(state.database.pool(), &hash).await,
        None => Ok(None),
    }
}

/// The access token that it is, if it has not reached its end, with the key that it is bound to.
pub fn read(state: &AppState, text: &str, now: Timestamp) -> Option<Read> {
    state.resource_server().read(&jws::parse(text)?, now)
}

//! Clients that may do nothing in the caller's name, and what is said of blocks wherever they are.

use domain::ClientBlockId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    auth::opaque::sha256,
    http::{error::ApiError, parse},
    store::client_blocks,
};

pub mod create;
pub mod delete;
pub mod list;

/// A client that is blocked.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClientBlock {
    /// The block.
    #[schema(format = "uuid")]
    id: String,
    /// The client, as it calls itself.
    client_id: String,
    /// Since when (RFC 3339).
    created_at: String,
}

/// The clients that are blocked.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClientBlocks {
    /// In the order of their ids.
    client_blocks: Vec<ClientBlock>,
    /// What asks for the next page; none on the last.
    next_page_token: Option<String>,
}

/// The client that is to be blocked.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientToBlock {
    /// What it calls itself: 1 to 2000 bytes. It need not be registered.
    #[schema(example = "0198c5b4-5a0e-7000-8000-00000000000d", min_length = 1, max_length = 2000)]
    client_id: String,
}

impl ClientToBlock {
    /// What the client calls itself, if a client may.
    pub fn check(self) -> Result<String, ApiError> {
        let client_id = self.client_id;
        if (1..=2000).contains(&client_id.len()) && !client_id.chars().any(char::is_control) {
            Ok(client_id)
        } else {
            Err(ApiError::invalid(
                "client_id",
                "write what the client calls itself, 1 to 2000 bytes",
            ))
        }
    }
}

/// A page of the clients that are blocked.
pub fn listed(
    found: Vec<client_blocks::Block>,
    limit: Option<u32>,
    after: Option<ClientBlockId>,
) -> Result<ClientBlocks, ApiError> {
    let key = |block: &client_blocks::Block| id(&block.client_id);
    let (found, next_page_token) = parse::page(found, limit, after.as_ref(), key, |block| key(block).to_string())?;
    Ok(ClientBlocks {
        client_blocks: found.into_iter().map(ClientBlock::from).collect(),
        next_page_token,
    })
}

/// The client that a block names.
pub fn named(found: Vec<client_blocks::Block>, wanted: ClientBlockId) -> Result<String, ApiError> {
    let block = found.into_iter().find(|known| id(&known.client_id) == wanted);
    Ok(block.ok_or(ApiError::NotFound)?.client_id)
}

/// There is no room for another.
pub fn too_many() -> ApiError {
    ApiError::Conflict {
        code: "too_many_blocks",
        message: "a thousand clients are blocked; let one in again first".to_owned(),
    }
}

/// It is blocked.
pub fn already() -> ApiError {
    ApiError::Conflict {
        code: "already_blocked",
        message: "the client is blocked already".to_owned(),
    }
}

/// What names the block of a client.
fn id(client_id: &str) -> ClientBlockId {
    ClientBlockId::of_digest(&sha256(client_id.as_bytes()))
}

impl From<client_blocks::Block> for ClientBlock {
    fn from(block: client_blocks::Block) -> Self {
        Self {
            id: id(&block.client_id).to_string(),
            client_id: block.client_id,
            created_at: block.created_at.to_string(),
        }
    }
}

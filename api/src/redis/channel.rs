//! A channel on which replicas tell one another what they may also find out otherwise.

use futures::{Stream, StreamExt as _};

use tokio::time::timeout;

use super::{FIRST, PATIENCE, Redis, RedisError};

impl Redis {
    /// Tells everybody who listens to the channel. That it failed says nothing of the questions that others ask: the server may refuse it to
    /// this user.
    pub async fn publish(&self, channel: &str, message: &[u8]) -> Result<(), RedisError> {
        let mut connection = self.connection.clone();
        let mut call = ::redis::cmd("PUBLISH");
        timeout(PATIENCE, call.arg(channel).arg(message).query_async(&mut connection))
            .await
            .map_err(|_| RedisError::Late(PATIENCE))?
            .map_err(RedisError::Away)
    }

    /// Listens to the channel, by a connection of its own: everything that is said from now on, until the connection ends.
    pub async fn listen(&self, channel: &str) -> Result<impl Stream<Item = Vec<u8>> + Unpin + use<>, RedisError> {
        let listening = async {
            let mut connection = self.client.get_async_pubsub().await?;
            connection.subscribe(channel).await?;
            Ok(connection.into_on_message())
        };
        let messages = timeout(FIRST, listening)
            .await
            .map_err(|_| RedisError::Late(FIRST))?
            .map_err(RedisError::Away)?;
        Ok(messages.map(|message| message.get_payload_bytes().to_vec()))
    }
}

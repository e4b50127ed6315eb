//! People whom the platform shuts out.

use domain::OverseerId;
use jiff::Timestamp;
use serde_json::json;

use crate::{
    service::members::By,
    store::{
        Database, PlatformTransaction, StoreError,
        accounts::{self, Person},
        audit::{self, Event},
        sessions,
    },
};

/// Blocks a person or lets them in again, in a transaction that is still to be stored, and gives them as they are then; none if there is nobody. Who is blocked has no
/// login and no key that works, and gets none.
pub async fn set(
    database: &Database,
    overseer: OverseerId,
    blocked: bool,
    by: By<'_>,
    now: Timestamp,
) -> Result<Option<(PlatformTransaction, Person)>, StoreError> {
    let mut tx = database.platform().await?;
    if accounts::set_blocked(&mut tx, overseer, blocked.then_some(now)).await? {
        if blocked {
            sessions::delete_others(&mut tx, overseer, None).await?;
        }
        let event = Event {
            at: now,
            actor: by.actor,
            action: if blocked { "account.block" } else { "account.unblock" },
            target: overseer.uuid(),
            request_id: by.request_id,
            detail: json!({}),
        };
        audit::append(&mut tx, &event).await?;
    }
    let person = accounts::find(&mut tx, overseer).await?;
    Ok(person.map(|person| (tx, person)))
}

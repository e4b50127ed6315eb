//! What a person is asked to allow, and for which of their tenants.

use minijinja::{Value, context};
use serde::Deserialize;

use crate::{
    auth::client::values::Scope,
    http::error::ApiError,
    service::grants,
    store::{clients::Named, tenants::Seat},
};

/// What the person says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Decision {
    Allow,
    Deny,
}

/// Where a client comes from: who vouches for it, or where it describes itself.
pub(super) fn origin(client: &Named) -> Value {
    let place = client.registered.is_none().then(|| client.client_id.clone());
    context! { voucher => client.voucher(), place }
}

/// What the page says of it.
pub(super) fn of(asked: &[Scope], seats: &[Seat]) -> Value {
    let scopes: Vec<&str> = asked.iter().copied().map(Scope::about).collect();
    let tenants: Vec<Value> = seats
        .iter()
        .filter_map(|seat| {
            let given = grants::given(asked, seat.role);
            let less = given.len() < asked.len();
            let words: Vec<&str> = given.iter().copied().map(Scope::about).collect();
            let given = less.then(|| words.join("; "));
            (!words.is_empty()).then(|| context! { name => seat.name.clone(), role => seat.role.as_str(), given })
        })
        .collect();
    context! { scopes, tenants }
}

/// The tenant that the person chose, where they may do some of it.
pub(super) fn chosen<'a>(seats: &'a [Seat], name: Option<&str>, asked: &[Scope]) -> Result<&'a Seat, ApiError> {
    let seat = name.and_then(|name| seats.iter().find(|seat| seat.name == name));
    let fits = |seat: &&Seat| !grants::given(asked, seat.role).is_empty();
    seat.filter(fits)
        .ok_or_else(|| ApiError::invalid("tenant", "choose one of those here"))
}

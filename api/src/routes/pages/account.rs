//! `/account`: who is logged in, and where they belong.

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use minijinja::context;

use super::{page, see_other};
use crate::{
    app::AppState,
    auth::csrf,
    http::{
        caller::{Login, Person, Proof},
        error::ApiError,
    },
    store::{accounts, passkeys, tenants},
};

/// The page.
pub async fn show(State(state): State<AppState>, person: Result<Person, ApiError>) -> Response {
    match person {
        Ok(Person(login)) => match written(&state, &login, None).await {
            Ok(page) => page,
            Err(error) => error.into_response(),
        },
        Err(ApiError::Unauthenticated { .. }) => see_other("/login", Vec::new()),
        Err(error) => error.into_response(),
    }
}

/// The page, and why what was asked on it was not done.
pub(super) async fn refused(state: &AppState, login: &Login, why: &ApiError) -> Response {
    match written(state, login, Some(why)).await {
        Ok(page) => page,
        Err(error) => error.into_response(),
    }
}

async fn written(state: &AppState, login: &Login, refused: Option<&ApiError>) -> Result<Response, ApiError> {
    let mut tx = state.database.platform().await?;
    let person = accounts::find(&mut tx, login.overseer())
        .await?
        .ok_or(ApiError::NotFound)?;
    let passkeys = passkeys::list(&mut tx, login.overseer()).await?;
    let has_password = accounts::has_password(&mut tx, login.overseer()).await?;
    drop(tx);
    let seats = tenants::of_overseer(state.database.pool(), login.overseer()).await?;
    let tenants: Vec<_> = seats
        .into_iter()
        .map(|seat| context! { name => seat.name, role => seat.role.as_str() })
        .collect();
    let passkeys: Vec<_> = passkeys
        .into_iter()
        .map(|passkey| context! { id => passkey.id.to_string(), name => passkey.name })
        .collect();
    let can_add = state.relying_party.is_some();
    let own = context! { email => person.email, tenants, can_add, has_password, passkeys, csrf => token(state, login) };
    Ok(page("account.html", &person.name, refused, own))
}

/// What a form of this login sends, so that it is known for ours.
pub(super) fn token(state: &AppState, login: &Login) -> Option<String> {
    match &login.proof {
        Proof::Session(cookied) => Some(csrf::mint(&state.keys.csrf, &cookied.token_hash)),
        Proof::Outside(_) => None,
    }
}

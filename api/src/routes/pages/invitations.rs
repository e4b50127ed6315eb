//! `/invitations`: whoever has one joins a tenant.

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use minijinja::context;

use super::{account::token, page, see_other};
use crate::{
    app::AppState,
    http::{
        caller::{Login, Person},
        error::ApiError,
        form::Form,
        once::Once,
        request_id::RequestId,
    },
    routes::invitations::accept::{self, Token},
    store::accounts,
};

/// The form; for whoever is not logged in, the two ways to it.
pub async fn show(State(state): State<AppState>, person: Result<Person, ApiError>) -> Response {
    match person {
        Ok(Person(login)) => form(&state, &login, None).await,
        Err(ApiError::Unauthenticated { .. }) => page("invitations.html", "An invitation", None, context! {}),
        Err(error) => error.into_response(),
    }
}

/// The invitation is accepted.
pub async fn send(
    State(state): State<AppState>,
    request_id: RequestId,
    person: Result<Person, ApiError>,
    given: Result<Form<Token>, ApiError>,
) -> Response {
    let login = match person {
        Ok(Person(login)) => login,
        Err(ApiError::Unauthenticated { .. }) => return see_other("/login?next=invitations", Vec::new()),
        Err(error) => return error.into_response(),
    };
    let done = match given {
        Ok(Form(given)) => {
            let once = Once::unnamed(given);
            accept::accept(State(state.clone()), request_id, Person(login.clone()), once).await
        }
        Err(error) => Err(error),
    };
    match done {
        Ok(_) => see_other("/account", Vec::new()),
        Err(error) => form(&state, &login, Some(&error)).await,
    }
}

async fn form(state: &AppState, login: &Login, refused: Option<&ApiError>) -> Response {
    let found = async {
        let mut tx = state.database.platform().await?;
        accounts::find(&mut tx, login.overseer()).await
    };
    match found.await {
        Ok(person) => {
            let name = person.map(|person| person.email.unwrap_or(person.name));
            let own = context! { csrf => token(state, login), name };
            page("invitations.html", "An invitation", refused, own)
        }
        Err(error) => ApiError::from(error).into_response(),
    }
}

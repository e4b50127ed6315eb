//! `/claim`: a person looks at an agent that registered itself, and becomes its owner.

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use minijinja::context;

use super::{account::token, message, page, see_other};
use crate::{
    app::AppState,
    auth::rights::{Right, need},
    http::{
        access::In,
        caller::{Login, Person},
        error::ApiError,
        form::Form,
        once::Once,
        request_id::RequestId,
    },
    routes::tenants::agents::claim::{self, Shown, code_ended},
    service::claims,
    store::tenants,
};

const TITLE: &str = "Claim an agent";

/// The form for the code.
pub async fn show(State(state): State<AppState>, person: Result<Person, ApiError>) -> Response {
    match person {
        Ok(Person(login)) => form(&state, &login, None),
        Err(error) => refused(error),
    }
}

/// The agent whose code it is, and the tenants that it may become an agent of.
pub async fn look(
    State(state): State<AppState>,
    person: Result<Person, ApiError>,
    given: Result<Form<Shown>, ApiError>,
) -> Response {
    let login = match person {
        Ok(Person(login)) => login,
        Err(error) => return refused(error),
    };
    let seen = async {
        let Form(shown) = given?;
        let found = claims::find(&state.database, &shown.claim_code, state.clock.now()).await?;
        let agent = found.ok_or_else(code_ended)?;
        let seats = tenants::of_overseer(state.database.pool(), login.overseer()).await?;
        let seats = seats.into_iter().filter(|seat| seat.role.gives(Right::AgentsWrite));
        let agent = context! {
            name => agent.name, created_at => agent.created_at.to_string(), thumbprints => agent.thumbprints,
        };
        let names: Vec<String> = seats.map(|seat| seat.name).collect();
        Ok(context! { agent, tenants => names, code => shown.claim_code, csrf => token(&state, &login) })
    };
    match seen.await {
        Ok(own) => page("claim.html", TITLE, None, own),
        Err(error) => form(&state, &login, Some(&error)),
    }
}

/// The agent is the person's.
pub async fn take(
    State(state): State<AppState>,
    request_id: RequestId,
    person: Result<Person, ApiError>,
    access: Result<In<need::AgentsWrite>, ApiError>,
    given: Result<Form<Shown>, ApiError>,
) -> Response {
    let login = match person {
        Ok(Person(login)) => login,
        Err(error) => return refused(error),
    };
    let done = match (access, given) {
        (Ok(access), Ok(Form(shown))) => {
            let person = Person(login.clone());
            claim::claim(State(state.clone()), request_id, person, access, Once::unnamed(shown)).await
        }
        (Err(error), _) | (_, Err(error)) => Err(error),
    };
    match done {
        Ok(_) => message(
            "The agent is yours",
            "Its tokens have ended; it gets new ones with the same key.",
            Some(("/account", "My account")),
        ),
        Err(error) => form(&state, &login, Some(&error)),
    }
}

fn form(state: &AppState, login: &Login, refused: Option<&ApiError>) -> Response {
    page("claim.html", TITLE, refused, context! { csrf => token(state, login) })
}

fn refused(error: ApiError) -> Response {
    match error {
        ApiError::Unauthenticated { .. } => see_other("/login?next=claim", Vec::new()),
        error => error.into_response(),
    }
}

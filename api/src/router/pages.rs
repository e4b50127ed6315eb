//! Pages for people: no part of what programs are described. One mounts with who may see it, which a test asks of each.

use axum::{
    Router,
    routing::{MethodRouter, get, post},
};

use crate::{
    app::AppState,
    http::{
        form, layers,
        limits::{self, Group},
    },
    routes::{docs, pages},
};

/// Who may see a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Anybody.
    Anybody,
    /// A person who has logged in; others are led to the login.
    Person,
}

impl Who {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Anybody => "anybody",
            Self::Person => "a person who has logged in",
        }
    }
}

/// A page, or a form of one.
#[derive(Debug, Clone)]
pub struct Page {
    /// Where it is.
    pub path: &'static str,
    /// Who may see it.
    pub who: Who,
    handler: MethodRouter<AppState>,
}

const fn page(path: &'static str, who: Who, handler: MethodRouter<AppState>) -> Page {
    Page { path, who, handler }
}

/// What is read.
pub fn shown() -> Vec<Page> {
    use Who::{Anybody, Person};
    vec![
        page("/assets/pinfold.css", Anybody, get(pages::assets::style)),
        page("/assets/pinfold.js", Anybody, get(pages::assets::script)),
        page("/login", Anybody, get(pages::login::show)),
        page("/sign-up", Anybody, get(pages::sign_up::show)),
        page("/sign-up/complete", Anybody, get(pages::sign_up::show_complete)),
        page("/password-reset", Anybody, get(pages::password_reset::show)),
        page(
            "/password-reset/complete",
            Anybody,
            get(pages::password_reset::show_complete),
        ),
        page("/account", Person, get(pages::account::show)),
        page("/invitations", Anybody, get(pages::invitations::show)),
        page("/claim", Person, get(pages::claim::show)),
        page("/consent", Person, get(pages::consent::show)),
        page("/device", Person, get(pages::device::show)),
        // Clients send browsers here, by a link or by a form of theirs (OpenID Connect Core 1.0, section 3.1.2.1).
        page(
            "/oauth/authorize",
            Anybody,
            get(pages::authorize::by_query).post(pages::authorize::by_form),
        ),
        page("/docs", Anybody, get(docs::page)),
        page("/docs/", Anybody, get(docs::index)),
        page("/docs/{*file}", Anybody, get(docs::file)),
    ]
}

/// The forms that are sent.
pub fn sent() -> Vec<Page> {
    use Who::{Anybody, Person};
    vec![
        page("/login", Anybody, post(pages::login::send)),
        page("/login/passkey", Anybody, post(pages::login::send_passkey)),
        page("/account/passkeys", Person, post(pages::passkeys::begin)),
        page("/account/passkeys/new", Person, post(pages::passkeys::create)),
        page(
            "/account/passkeys/{passkey}/remove",
            Person,
            post(pages::passkeys::remove),
        ),
        page("/logout", Person, post(pages::login::leave)),
        page("/sign-up", Anybody, post(pages::sign_up::send)),
        page("/sign-up/complete", Anybody, post(pages::sign_up::complete)),
        page("/password-reset", Anybody, post(pages::password_reset::send)),
        page(
            "/password-reset/complete",
            Anybody,
            post(pages::password_reset::complete),
        ),
        page("/invitations", Person, post(pages::invitations::send)),
        page("/claim", Person, post(pages::claim::look)),
        page("/consent", Person, post(pages::consent::answer)),
        page("/device", Person, post(pages::device::look)),
        page("/device/answer", Person, post(pages::device::answer)),
        page("/claim/{tenant}", Person, post(pages::claim::take)),
    ]
}

fn mounted(pages: Vec<Page>) -> Router<AppState> {
    pages
        .into_iter()
        .fold(Router::new(), |router, page| router.route(page.path, page.handler))
}

/// All of them.
pub fn router(state: &AppState) -> Router<AppState> {
    let sent = mounted(sent())
        .route_layer(layers::passing(layers::told))
        .route_layer(layers::passing_with(state.clone(), form::layer))
        .route_layer(layers::passing_with(Group::Logins, limits::layer))
        .route_layer(layers::passing(layers::timely));
    mounted(shown())
        .route_layer(layers::passing_with(Group::Anonymous, limits::layer))
        .route_layer(layers::passing(layers::timely))
        .merge(sent)
}

#[cfg(test)]
mod tests;

//! Who asks.

mod proof;
mod standing;
#[cfg(test)]
mod tests;

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderName, Method, request::Parts},
};
use domain::{AgentId, OverseerId};
use jiff::Timestamp;
use resource_server::{
    check::{Binding, Request},
    nonce::Giver,
};
use uuid::Uuid;

use crate::{
    app::AppState,
    auth::{
        api_key::ApiKey,
        token::{AgentToken, ClientToken, GrantToken, RunToken, Token},
        vouched::Organisation,
    },
    http::{
        alias::SentTo,
        dpop,
        error::{ApiError, Forbidden},
        limits::Tally,
        named::{Beside, named},
        presented::{self, Credential},
        request_id::RequestId,
    },
    service::{limiter::Standing, tokens},
    store::{accounts, api_keys::Presented, audit::Actor, sessions::Session},
};

/// The header that a request with a session's cookie must have if it changes something.
pub const CSRF: HeaderName = HeaderName::from_static("x-csrf-token");

/// Somebody who proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// An agent, by an access token.
    Agent(AgentToken),
    /// What runs in a sandbox, by an access token.
    Run(RunToken),
    /// An OAuth client that acts on its own, by an access token.
    Client(ClientToken),
    /// An OAuth client that acts for a person, by an access token.
    Grant(GrantToken),
    /// A person, by a login.
    Person(Login),
    /// A program, by an API key.
    Key(Presented),
}

/// A person's login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    overseer: OverseerId,
    /// What shows that it is that person.
    pub proof: Proof,
}

/// What shows who a person is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The cookie of a session of ours.
    Session(Cookied),
    /// The token of an issuer outside.
    Outside(Outsider),
}

/// A session and its cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cookied {
    /// The session.
    pub session: Session,
    /// What its cookie is stored as.
    pub token_hash: [u8; 32],
}

/// What an issuer outside says besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outsider {
    /// The issuer.
    pub issuer: String,
    /// Its name for the person.
    pub subject: String,
    /// The organisation that the person acts in.
    pub organisation: Option<Organisation>,
    /// The token's end.
    pub expires_at: Timestamp,
}

/// An agent, and nobody else, whose token is for what is its own (the scope `self`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent(pub AgentToken);

/// A person who has logged in, and nobody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person(pub Login);

/// A person who has logged in here, by a session of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnSession(pub Session);

/// A person who has logged in and runs the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin(pub Login);

impl Caller {
    /// Whose token it is.
    pub fn of(token: Token) -> Self {
        match token {
            Token::Agent(agent) => Self::Agent(agent),
            Token::Run(run) => Self::Run(run),
            Token::Client(client) => Self::Client(client),
            Token::Grant(grant) => Self::Grant(grant),
        }
    }

    /// Who is named as having done what the caller does.
    pub fn actor(&self) -> Actor {
        match self {
            Self::Agent(agent) => Actor::Agent(agent.agent),
            Self::Run(run) => Actor::Run(run.run),
            Self::Client(client) => Actor::Client(client.client),
            Self::Grant(grant) => Actor::Grant(grant.grant),
            Self::Person(login) => Actor::Overseer(login.overseer),
            Self::Key(key) => Actor::Overseer(key.overseer),
        }
    }

    /// Whose requests are repeated by the same key: the agent's, the person's, or the API key's.
    pub fn principal(&self) -> String {
        match self {
            Self::Agent(agent) => format!("agent/{}", agent.agent),
            Self::Run(run) => format!("run/{}", run.run),
            Self::Client(client) => format!("client/{}", client.client),
            Self::Grant(grant) => format!("grant/{}", grant.grant),
            Self::Person(login) => format!("overseer/{}", login.overseer()),
            Self::Key(key) => format!("key/{}", key.id),
        }
    }

    /// What its requests are counted by: the agent, the person, or the key.
    fn id(&self) -> &[u8; 16] {
        match self {
            Self::Agent(agent) => agent.agent.as_bytes(),
            Self::Run(run) => run.run.as_bytes(),
            Self::Client(client) => client.client.as_bytes(),
            Self::Grant(grant) => grant.grant.as_bytes(),
            Self::Person(login) => login.overseer.as_bytes(),
            Self::Key(key) => key.id.as_bytes(),
        }
    }

    /// What the caller's standing depends on, of what replicas tell one another.
    pub fn subjects(&self) -> Vec<Uuid> {
        match self {
            Self::Agent(agent) => vec![agent.agent.uuid(), agent.tenant.uuid(), agent.owner.uuid()],
            Self::Run(run) => vec![run.tenant.uuid()],
            Self::Client(client) => vec![client.client.uuid(), client.tenant.uuid()],
            Self::Grant(grant) => {
                let actors = grant.actors().iter().map(AgentId::uuid);
                let own = [grant.grant.uuid(), grant.overseer.uuid(), grant.tenant.uuid()];
                own.into_iter().chain(actors).collect()
            }
            Self::Person(login) => match &login.proof {
                Proof::Session(cookied) => vec![login.overseer.uuid(), cookied.session.id.uuid()],
                Proof::Outside(_) => vec![login.overseer.uuid()],
            },
            Self::Key(key) => {
                let tenant = key.tenant.map(|tenant| tenant.uuid());
                [key.id.uuid(), key.overseer.uuid()].into_iter().chain(tenant).collect()
            }
        }
    }

    /// The person who asks, or for whom a key or a client does.
    pub fn overseer(&self) -> Result<OverseerId, ApiError> {
        match self {
            Self::Person(login) => Ok(login.overseer()),
            Self::Key(key) => Ok(key.overseer),
            Self::Grant(grant) => Ok(grant.overseer),
            Self::Agent(_) | Self::Run(_) | Self::Client(_) => Err(ApiError::Forbidden(Forbidden::PeopleOnly)),
        }
    }
}

impl Login {
    /// Whose it is.
    pub fn overseer(&self) -> OverseerId {
        self.overseer
    }

    /// The session, which only a login of ours has.
    pub fn session(&self) -> Result<&Session, ApiError> {
        match &self.proof {
            Proof::Session(cookied) => Ok(&cookied.session),
            Proof::Outside(_) => Err(ApiError::Forbidden(Forbidden::SessionOnly)),
        }
    }

    /// The organisation that the person acts in, and whose it is.
    pub fn organisation(&self) -> Option<(&str, &Organisation)> {
        match &self.proof {
            Proof::Session(_) => None,
            Proof::Outside(outsider) => Some((&outsider.issuer, outsider.organisation.as_ref()?)),
        }
    }
}

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    AppState: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        // A request has one caller, who is judged and counted once.
        if let Some(known) = parts.extensions.get::<Self>() {
            return Ok(known.clone());
        }
        let state = AppState::from_ref(state);
        let now = state.clock.now();
        parts.extensions.insert(state.standing.now());
        let Ok(RequestId(request_id)) = RequestId::from_request_parts(parts, &state).await;
        let named = named(parts, &state).await;
        let tally = parts.extensions.get::<Tally>().cloned().unwrap_or_default();
        let shown = match presented::of(&parts.headers)? {
            Credential::Nothing => None,
            Credential::Plain(text) => Some((text, None)),
            Credential::Bound(text) => Some((text, Some(bound(&state, parts, text, now).await?))),
        };
        let (caller, beside) = match shown {
            None => {
                let caller = proof::by_cookie(&state, &parts.method, &parts.headers, now).await?;
                (caller, Beside::NotAsked)
            }
            Some((text, binding)) => {
                if let Some(key) = ApiKey::parse(text).filter(|_| binding.is_none()) {
                    (proof::by_key(&state, &key, now).await?, Beside::NotAsked)
                } else {
                    let tally = &tally;
                    let shown = proof::Shown {
                        text,
                        binding,
                        tally,
                        method: &parts.method,
                    };
                    proof::by_token(&state, shown, named.as_ref(), &request_id, now).await?
                }
            }
        };
        parts.extensions.insert(beside);
        if !tally.is_noted() {
            let standing = counted(&state, caller.id(), &parts.method).await;
            tally.note(standing);
            standing.left?;
        }
        parts.extensions.insert(caller.clone());
        Ok(caller)
    }
}

/// Counts a request by who sends it and what it is for.
async fn counted(state: &AppState, id: &[u8; 16], method: &Method) -> Standing {
    if method.is_safe() {
        state.throttle.call(id).await
    } else {
        state.throttle.write(id).await
    }
}

/// The key that was proved beside a token. What a client signed is where it sent the request to.
async fn bound(state: &AppState, parts: &Parts, token: &str, now: Timestamp) -> Result<Binding, ApiError> {
    let proof = dpop::header(&parts.headers)?.ok_or(dpop::Refused::Missing)?;
    let sent_to = parts.extensions.get::<SentTo>();
    let wanted = Request {
        giver: Giver::Resource,
        method: parts.method.as_str(),
        path: sent_to.map_or(&parts.uri, |SentTo(uri)| uri).path(),
        access_token: Some(token),
    };
    Ok(state.resource_server().judge(proof, wanted, now).await?)
}

impl<S> FromRequestParts<S> for Agent
where
    S: Send + Sync,
    AppState: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Caller::from_request_parts(parts, state).await? {
            Caller::Agent(agent) if agent.scopes.iter().any(|scope| scope == tokens::SELF) => Ok(Self(agent)),
            Caller::Agent(_) => Err(ApiError::Forbidden(Forbidden::NotOneself)),
            Caller::Person(_) | Caller::Key(_) | Caller::Run(_) | Caller::Client(_) | Caller::Grant(_) => {
                Err(ApiError::Forbidden(Forbidden::AgentsOnly))
            }
        }
    }
}

impl<S> FromRequestParts<S> for Person
where
    S: Send + Sync,
    AppState: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Caller::from_request_parts(parts, state).await? {
            Caller::Person(login) => Ok(Self(login)),
            Caller::Agent(_) | Caller::Key(_) | Caller::Run(_) | Caller::Client(_) | Caller::Grant(_) => {
                Err(ApiError::Forbidden(Forbidden::LoginOnly))
            }
        }
    }
}

impl<S> FromRequestParts<S> for OwnSession
where
    S: Send + Sync,
    AppState: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Person(login) = Person::from_request_parts(parts, state).await?;
        login.session().cloned().map(Self)
    }
}

impl<S> FromRequestParts<S> for Admin
where
    S: Send + Sync,
    AppState: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Person(login) = Person::from_request_parts(parts, state).await?;
        let mut tx = AppState::from_ref(state).database.platform().await?;
        match accounts::find(&mut tx, login.overseer()).await? {
            Some(person) if person.platform_admin => Ok(Self(login)),
            _ => Err(ApiError::Forbidden(Forbidden::AdminsOnly)),
        }
    }
}

//! Who asks.

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, HeaderName, Method, header, request::Parts},
};
use domain::{AgentKeyId, OverseerId, TenantId, TenantName};
use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    app::AppState,
    auth::{
        api_key::ApiKey,
        csrf,
        jws::{self, Parsed},
        opaque::Opaque,
        token::{self, AgentProof, AgentToken, PodRef, RunToken, Token},
        vouched::Organisation,
    },
    http::{
        cookies::Cookie,
        error::{ApiError, Forbidden},
        limits::Tally,
        named::{Beside, named},
        request_id::RequestId,
        used,
    },
    service::{
        namespaces::{self, NamespaceError},
        outside, tokens,
    },
    store::{
        StoreError, accounts,
        agents::{self, Holder},
        api_keys::Presented,
        audit::Actor,
        sessions::Session,
    },
};

/// The header that a request with a session's cookie must have if it changes something.
pub const CSRF: HeaderName = HeaderName::from_static("x-csrf-token");

/// Where an API key may stand instead of `Authorization`, as the E2B SDKs send it.
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Somebody who proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// An agent, by an access token.
    Agent(AgentToken),
    /// What runs in a sandbox, by an access token.
    Run(RunToken),
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

/// A person who has logged in and runs the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin(pub Login);

impl Caller {
    /// Who is named as having done what the caller does.
    pub fn actor(&self) -> Actor {
        match self {
            Self::Agent(agent) => Actor::Agent(agent.agent),
            Self::Run(run) => Actor::Run(run.run),
            Self::Person(login) => Actor::Overseer(login.overseer),
            Self::Key(key) => Actor::Overseer(key.overseer),
        }
    }

    /// Whose requests are repeated by the same key: the agent's, the person's, or the API key's.
    pub fn principal(&self) -> String {
        match self {
            Self::Agent(agent) => format!("agent/{}", agent.agent),
            Self::Run(run) => format!("run/{}", run.run),
            Self::Person(login) => format!("overseer/{}", login.overseer()),
            Self::Key(key) => format!("key/{}", key.id),
        }
    }

    /// What its requests are counted by: the agent, the person, or the key.
    fn id(&self) -> &[u8; 16] {
        match self {
            Self::Agent(agent) => agent.agent.as_bytes(),
            Self::Run(run) => run.run.as_bytes(),
            Self::Person(login) => login.overseer.as_bytes(),
            Self::Key(key) => key.id.as_bytes(),
        }
    }

    /// What the caller's standing depends on, of what replicas tell one another.
    pub fn subjects(&self) -> Vec<Uuid> {
        match self {
            Self::Agent(agent) => vec![agent.agent.uuid(), agent.tenant.uuid()],
            Self::Run(run) => vec![run.tenant.uuid()],
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

    /// The person who asks, or for whom a key does.
    pub fn overseer(&self) -> Result<OverseerId, ApiError> {
        match self {
            Self::Person(login) => Ok(login.overseer()),
            Self::Key(key) => Ok(key.overseer),
            Self::Agent(_) | Self::Run(_) => Err(ApiError::Forbidden(Forbidden::PeopleOnly)),
        }
    }

    /// Whether the proof still holds: what goes on for long asks again.
    pub async fn stands(&self, state: &AppState) -> Result<bool, ApiError> {
        let (pool, standing, now) = (state.database.pool(), &state.standing, state.clock.now());
        Ok(match self {
            Self::Agent(agent) => match &agent.proof {
                AgentProof::Key(key) => holder(state, agent, *key, None, now).await?.is_some(),
                AgentProof::Pod(pod) => {
                    let standing = agents::find_standing(pool, agent.agent).await?;
                    standing.is_some_and(|s| s.stands(now) && s.tenant == agent.tenant && s.owner == agent.owner)
                        && lives(state, agent.tenant, pod).await?
                }
            },
            Self::Run(run) => lives(state, run.tenant, &run.pod).await?,
            Self::Person(login) => match &login.proof {
                Proof::Session(cookied) => standing.find_session(&cookied.token_hash, now).await?.is_some(),
                // What goes on for long is not ended by a token that lives for a minute.
                Proof::Outside(_) => accounts::is_open(pool, login.overseer).await?,
            },
            Self::Key(key) => standing.find_key(&key.hash, now).await?.is_some(),
        })
    }
}

/// The holder of the key that an agent's token names, if the agent still is who the token says.
async fn holder(
    state: &AppState,
    agent: &AgentToken,
    key: AgentKeyId,
    beside: Option<&str>,
    now: Timestamp,
) -> Result<Option<Holder>, StoreError> {
    let holder = state.standing.find_holder(agent.agent, key, beside).await?;
    Ok(holder.filter(|h| h.stands(now) && h.tenant == agent.tenant && h.owner == agent.owner))
}

/// Whether a pod of a tenant's is there. Where the tenant is no more, it is not.
async fn lives(state: &AppState, tenant: TenantId, pod: &PodRef) -> Result<bool, ApiError> {
    let cluster = state.cluster()?;
    match namespaces::find(&state.database, cluster, tenant).await {
        Ok(namespace) => Ok(cluster.pod_lives(&namespace, pod).await?),
        Err(NamespaceError::NoTenant) => Ok(false),
        Err(error) => Err(error.into()),
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
        let (caller, beside) = match presented(&parts.headers)? {
            Some(text) => match ApiKey::parse(text) {
                Some(key) => (by_key(&state, &key, now).await?, Beside::NotAsked),
                None => by_token(&state, text, named.as_ref(), &request_id, now).await?,
            },
            None => (
                by_cookie(&state, &parts.method, &parts.headers, now).await?,
                Beside::NotAsked,
            ),
        };
        parts.extensions.insert(beside);
        let standing = state.throttle.call(caller.id()).await;
        if let Some(tally) = parts.extensions.get::<Tally>() {
            tally.note(standing);
        }
        standing.left?;
        parts.extensions.insert(caller.clone());
        Ok(caller)
    }
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
            Caller::Person(_) | Caller::Key(_) | Caller::Run(_) => Err(ApiError::Forbidden(Forbidden::AgentsOnly)),
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
            Caller::Agent(_) | Caller::Key(_) | Caller::Run(_) => Err(ApiError::Forbidden(Forbidden::LoginOnly)),
        }
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

const REFUSED: ApiError = ApiError::Unauthenticated { invalid_token: true };
const NOBODY: ApiError = ApiError::Unauthenticated { invalid_token: false };

/// The token or key of the request: of the one Authorization header or of the one X-API-Key.
fn presented(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    match (bearer(headers)?, one(headers, API_KEY)?) {
        // Two proofs may be two people's.
        (Some(_), Some(_)) => Err(REFUSED),
        (token, key) => Ok(token.or(key)),
    }
}

/// The token of the one Authorization header (RFC 6750, section 2.1).
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let Some(value) = one(headers, header::AUTHORIZATION)? else {
        return Ok(None);
    };
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token)),
        _ => Err(REFUSED),
    }
}

fn one(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, ApiError> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| REFUSED),
        (Some(_), Some(_)) => Err(REFUSED),
    }
}

async fn by_token(
    state: &AppState,
    text: &str,
    named: Option<&TenantName>,
    request_id: &str,
    now: Timestamp,
) -> Result<(Caller, Beside), ApiError> {
    let parsed = jws::parse(text).ok_or(REFUSED)?;
    if let Some(issuer) = state.issuers.of(&parsed) {
        let caller = by_outside(state, issuer, &parsed, request_id, now).await?;
        return Ok((caller, Beside::NotAsked));
    }
    // A key that is revoked is revoked for the next request.
    let caller = match verified(state, &parsed, now).ok_or(REFUSED)? {
        Token::Agent(agent) => {
            if let (AgentProof::Key(key), Some(name)) = (&agent.proof, named) {
                let holder = holder(state, &agent, *key, Some(name.as_str()), now).await?;
                let beside = Beside::Asked(holder.ok_or(REFUSED)?.beside);
                return Ok((Caller::Agent(agent), beside));
            }
            Caller::Agent(agent)
        }
        Token::Run(run) => Caller::Run(run),
    };
    if caller.stands(state).await? {
        Ok((caller, Beside::NotAsked))
    } else {
        Err(REFUSED)
    }
}

fn verified(state: &AppState, parsed: &Parsed<'_>, now: Timestamp) -> Option<Token> {
    let key = state.keyring.verifying(parsed.key_id()?)?;
    let claims = parsed.verify(token::TYPE, &key)?;
    token::read(&claims, &state.issuer, &state.issuer, now)
}

async fn by_outside(
    state: &AppState,
    issuer: &str,
    parsed: &Parsed<'_>,
    request_id: &str,
    now: Timestamp,
) -> Result<Caller, ApiError> {
    let vouched = state.issuers.verify(issuer, parsed).await?.ok_or(REFUSED)?;
    let overseer = outside::person(&state.database, issuer, &vouched, request_id, now).await?;
    Ok(Caller::Person(Login {
        overseer: overseer.ok_or(REFUSED)?,
        proof: Proof::Outside(Outsider {
            issuer: issuer.to_owned(),
            organisation: vouched.organisation,
            expires_at: vouched.expires_at,
        }),
    }))
}

async fn by_key(state: &AppState, key: &ApiKey, now: Timestamp) -> Result<Caller, ApiError> {
    let found = state.standing.find_key(&key.hash(), now).await?.ok_or(REFUSED)?;
    used::key(state, &found, now).await;
    Ok(Caller::Key(found))
}

async fn by_cookie(state: &AppState, method: &Method, headers: &HeaderMap, now: Timestamp) -> Result<Caller, ApiError> {
    let cookie = state.cookies.read(headers, Cookie::Session).ok_or(NOBODY)?;
    let token_hash = Opaque::parse(cookie).ok_or(NOBODY)?.hash();
    let session = state.standing.find_session(&token_hash, now).await?.ok_or(NOBODY)?;
    if !method.is_safe() {
        let token = headers
            .get(CSRF)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        if !csrf::is_of(&state.keys.csrf, &token_hash, token) {
            return Err(ApiError::Forbidden(Forbidden::Csrf));
        }
    }
    used::session(state, &session, &token_hash, now).await;
    Ok(Caller::Person(Login {
        overseer: session.overseer,
        proof: Proof::Session(Cookied { session, token_hash }),
    }))
}

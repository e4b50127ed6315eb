//! What the caller may do in the tenant that the path names. A handler that takes [`In`] of a right cannot be entered
//! without it, and gets the tenant from there and nowhere else.

use std::{
    marker::PhantomData,
    time::{Duration, Instant},
};

use axum::{
    extract::{FromRef, FromRequestParts},
    http::request::Parts,
};
use domain::{TenantId, TenantName};

use crate::{
    app::AppState,
    auth::{
        oversight::Asker,
        rights::{Needs, Right, Role},
        token::{AgentToken, ClientToken, GrantToken, RunToken},
    },
    http::{
        caller::Caller,
        error::{ApiError, Forbidden},
        named::{Beside, named as name_of},
    },
    service::standing::Moment,
    store::{api_keys::Presented, tenants::Named},
};

/// How often somebody whose request goes on for long is asked again who they are.
const ASK: Duration = Duration::from_millis(800);

/// How often is looked whether another replica told of a change.
const LOOK: Duration = Duration::from_millis(100);

/// A caller who has the right `R` in a tenant.
#[derive(Debug, Clone)]
pub struct In<R> {
    /// The tenant.
    pub tenant: TenantId,
    /// Its name.
    pub name: TenantName,
    /// Who.
    pub caller: Caller,
    /// What the caller may have written of runs: no older state of them is shown.
    pub runs_version: u64,
    /// As what, if the caller is a person or acts for one.
    pub role: Option<Role>,
    /// The moment before it was asked who the caller is.
    since: Moment,
    right: PhantomData<fn() -> R>,
}

impl<R: Needs, S> FromRequestParts<S> for In<R>
where
    S: Send + Sync,
    AppState: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, state).await;
        let caller = caller.map_err(|error| error.where_needed(R::RIGHT.as_str()))?;
        let app = AppState::from_ref(state);
        let name = name_of(parts, &app).await.ok_or(ApiError::NotFound)?;
        // The caller was found in this request, so it is there.
        let since = parts.extensions.get().copied().unwrap_or_else(|| app.standing.now());
        let beside = parts.extensions.get::<Beside>().copied().unwrap_or_default();
        let (named, role) = match (&caller, beside) {
            (Caller::Agent(agent), Beside::Asked(named)) => (own(named, agent.tenant)?, None),
            _ => seat(&app, &caller, name.as_str()).await?,
        };
        if !has(&caller, role, R::RIGHT) {
            return Err(lacks(&caller, R::RIGHT));
        }
        Ok(Self {
            tenant: named.tenant,
            name,
            caller,
            runs_version: named.runs_version,
            role,
            since,
            right: PhantomData,
        })
    }
}

/// The same of a caller who may make what outlives a consent: what a client was let do ends with the consent, and so would have to what it
/// made.
#[derive(Debug, Clone)]
pub struct Lasting<R>(pub In<R>);

impl<R: Needs, S> FromRequestParts<S> for Lasting<R>
where
    S: Send + Sync,
    AppState: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let access = In::from_request_parts(parts, state).await?;
        match access.caller {
            Caller::Grant(_) => Err(ApiError::Forbidden(Forbidden::Credentials)),
            _ => Ok(Self(access)),
        }
    }
}

impl<R: Needs> In<R> {
    /// Whether the caller still is who they were and still may: what goes on for long asks again.
    async fn lasts(&self, app: &AppState) -> Result<bool, ApiError> {
        if !self.caller.lasts(app).await? {
            return Ok(false);
        }
        match seat(app, &self.caller, self.name.as_str()).await {
            Ok((named, role)) => Ok(named.tenant == self.tenant && has(&self.caller, role, R::RIGHT)),
            Err(ApiError::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Ends when the caller is nobody any more or may no more. A database that is away says neither, but another replica may have
    /// told that something of the caller has changed.
    pub async fn lost(&self, app: &AppState) {
        let mut subjects = self.caller.subjects();
        subjects.push(self.tenant.uuid());
        if let Caller::Grant(grant) = &self.caller {
            subjects.extend(app.standing.client_subjects(grant.grant).await);
        }
        let (mut since, mut asked) = (self.since, Instant::now());
        loop {
            tokio::time::sleep(LOOK).await;
            // What is heard of is looked at at once, and what is not as often as is promised.
            if !app.standing.has_changed(since, &subjects) && asked.elapsed() < ASK {
                continue;
            }
            let before = app.standing.now();
            asked = Instant::now();
            match self.lasts(app).await {
                Ok(false) => return,
                Err(_) if app.standing.has_changed(since, &subjects) => return,
                Ok(true) => since = before,
                Err(_) => {}
            }
        }
    }

    /// Who asks, a person or a key that one made, as what.
    pub fn asker(&self) -> Result<Asker, ApiError> {
        let overseer = self.caller.overseer()?;
        Ok(Asker {
            overseer,
            role: self.role,
        })
    }

    /// All that the caller may do here: nobody gives a right that they do not have.
    pub fn rights(&self) -> Vec<Right> {
        let has = |right: &Right| has(&self.caller, self.role, *right);
        Right::ALL.into_iter().filter(has).collect()
    }

    /// Demands another right besides.
    pub fn also(&self, right: Right) -> Result<(), ApiError> {
        if has(&self.caller, self.role, right) {
            Ok(())
        } else {
            Err(lacks(&self.caller, right))
        }
    }
}

/// Why somebody may not: the role, or what the token was made for, of which another can be got.
fn lacks(caller: &Caller, right: Right) -> ApiError {
    ApiError::Forbidden(if proves(caller, right) {
        Forbidden::Right(right)
    } else {
        Forbidden::Scope(right)
    })
}

/// The tenant that was named, if it is this one.
fn own(named: Option<Named>, tenant: TenantId) -> Result<Named, ApiError> {
    named.filter(|named| named.tenant == tenant).ok_or(ApiError::NotFound)
}

/// The tenant of this name, if the caller belongs to it, and as what. To everybody else there is none.
async fn seat(app: &AppState, caller: &Caller, name: &str) -> Result<(Named, Option<Role>), ApiError> {
    let overseer = match caller {
        Caller::Agent(AgentToken { tenant, .. })
        | Caller::Run(RunToken { tenant, .. })
        | Caller::Client(ClientToken { tenant, .. })
        | Caller::Key(Presented {
            tenant: Some(tenant), ..
        }) => {
            return Ok((own(app.standing.find_tenant(name).await?, *tenant)?, None));
        }
        Caller::Grant(grant) => {
            // As whom the person belongs to the one tenant that it is for.
            let seat = app.standing.find_seat(grant.overseer, name).await?;
            let (named, role) = seat.ok_or(ApiError::NotFound)?;
            return Ok((own(Some(named), grant.tenant)?, Some(role)));
        }
        Caller::Person(login) => login.overseer(),
        Caller::Key(key) => key.overseer,
    };
    if let Some((named, role)) = app.standing.find_seat(overseer, name).await? {
        return Ok((named, Some(role)));
    }
    let Caller::Person(login) = caller else {
        return Err(ApiError::NotFound);
    };
    let (issuer, organisation) = login.organisation().ok_or(ApiError::NotFound)?;
    let found = app.standing.find_organisation(issuer, organisation).await?;
    let (named, _) = found.filter(|(_, known)| known == name).ok_or(ApiError::NotFound)?;
    Ok((named, Some(organisation.role)))
}

/// The intersection of what the role gives and what the proof was made for.
fn has(caller: &Caller, role: Option<Role>, right: Right) -> bool {
    role.is_none_or(|role| role.gives(right)) && proves(caller, right)
}

/// Whether the proof was made for it.
fn proves(caller: &Caller, right: Right) -> bool {
    match caller {
        Caller::Person(_) => true,
        Caller::Key(key) => key.scopes.contains(&right),
        Caller::Agent(AgentToken { scopes, .. })
        | Caller::Run(RunToken { scopes, .. })
        | Caller::Client(ClientToken { scopes, .. })
        | Caller::Grant(GrantToken { scopes, .. }) => scopes.iter().any(|scope| scope == right.as_str()),
    }
}

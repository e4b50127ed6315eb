//! What an access token says (RFC 9068), and whose it is.

use domain::{AgentId, AgentKeyId, ClientId, GrantId, OverseerId, RunId, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use uuid::Uuid;

/// The `typ` of an access token (RFC 9068, section 2.1).
pub const TYPE: &str = "at+jwt";

/// How far a clock may be off.
const SKEW: SignedDuration = SignedDuration::from_secs(5);

/// The most audiences that are compared.
const AUDIENCES: usize = 8;

/// How many may act one for another: more are no delegation but a chain that nobody oversees.
pub const ACTORS: usize = 3;

/// A pod, by its name and by what no other pod ever has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodRef {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: Uuid,
}

/// Whom a token is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// An agent's.
    Agent(AgentToken),
    /// A run's.
    Run(RunToken),
    /// An OAuth client's.
    Client(ClientToken),
    /// A person's, in an OAuth client's hands.
    Grant(GrantToken),
}

impl Token {
    /// What its holder's requests are counted by.
    pub fn id(&self) -> &[u8; 16] {
        match self {
            Self::Agent(agent) => agent.agent.as_bytes(),
            Self::Run(run) => run.run.as_bytes(),
            Self::Client(client) => client.client.as_bytes(),
            Self::Grant(grant) => grant.grant.as_bytes(),
        }
    }

    /// The client that got it: who acts on their own is their own.
    pub fn client_id(&self) -> String {
        match self {
            Self::Agent(agent) => agent.agent.to_string(),
            Self::Run(run) => run.run.to_string(),
            Self::Client(client) => client.client_id.clone(),
            Self::Grant(grant) => grant.client_id.clone(),
        }
    }

    /// What it may be used for.
    pub fn scopes(&self) -> &[String] {
        match self {
            Self::Agent(AgentToken { scopes, .. })
            | Self::Run(RunToken { scopes, .. })
            | Self::Client(ClientToken { scopes, .. })
            | Self::Grant(GrantToken { scopes, .. }) => scopes,
        }
    }

    /// Whether it may be used for this in this tenant.
    pub fn allows(&self, tenant: TenantId, scope: &str) -> Result<(), Denied> {
        if self.tenant() != tenant {
            return Err(Denied::Tenant);
        }
        let named = self.scopes().iter().any(|name| name == scope);
        named.then_some(()).ok_or(Denied::Scope)
    }

    /// The tenant that it is for.
    pub fn tenant(&self) -> TenantId {
        match self {
            Self::Agent(agent) => agent.tenant,
            Self::Run(run) => run.tenant,
            Self::Client(client) => client.tenant,
            Self::Grant(grant) => grant.tenant,
        }
    }
}

/// Why a token may not be used for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It is another tenant's: for its holder there is nothing here.
    #[error("the token is for another tenant")]
    Tenant,
    /// It was made for less.
    #[error("the token was made for less")]
    Scope,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Whom it is of.
    pub token: Token,
    /// The thumbprint of the key that it is bound to.
    pub jkt: Option<String>,
}

/// An agent, as its token names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentToken {
    /// The agent.
    pub agent: AgentId,
    /// What it proved itself with.
    pub proof: AgentProof,
    /// Its tenant.
    pub tenant: TenantId,
    /// Its owner.
    pub owner: OverseerId,
    /// What the token may be used for.
    pub scopes: Vec<String>,
    /// Its end.
    pub expires_at: Timestamp,
}

/// What an agent proved itself with. The token is of no use once that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentProof {
    /// A key of its own.
    Key(AgentKeyId),
    /// The pod that it runs in.
    Pod(PodRef),
}

/// A run, as its token names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunToken {
    /// The run.
    pub run: RunId,
    /// Its name.
    pub name: String,
    /// The pod that it runs in. The token is of no use once that is gone.
    pub pod: PodRef,
    /// Its tenant.
    pub tenant: TenantId,
    /// What the token may be used for.
    pub scopes: Vec<String>,
    /// Its end.
    pub expires_at: Timestamp,
}

/// An OAuth client that acts on its own, as its token names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientToken {
    /// Its registration.
    pub client: ClientId,
    /// What it calls itself by.
    pub client_id: String,
    /// The tenant that registered it.
    pub tenant: TenantId,
    /// Which secret it proved itself by. The token is of no use once that is good no more.
    pub secret: String,
    /// Whether the token is bound to a key.
    pub bound: bool,
    /// What the token may be used for.
    pub scopes: Vec<String>,
    /// Its end.
    pub expires_at: Timestamp,
}

/// A person for whom an OAuth client acts, as its token names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantToken {
    /// What the person allowed. The token is of no use once that has ended.
    pub grant: GrantId,
    /// The person.
    pub overseer: OverseerId,
    /// The client.
    pub client_id: String,
    /// The tenant that it is for.
    pub tenant: TenantId,
    /// The agent that acts, if one does.
    pub actor: Option<Acting>,
    /// Whether the token is bound to a key.
    pub bound: bool,
    /// What the token may be used for.
    pub scopes: Vec<String>,
    /// Its end.
    pub expires_at: Timestamp,
}

impl GrantToken {
    /// The agent that acts, and whom it acts for; nobody, if the client does.
    pub fn actors(&self) -> &[AgentId] {
        self.actor
            .as_ref()
            .map(|actor| actor.chain.as_slice())
            .unwrap_or_default()
    }
}

/// An agent that acts for a person. Those before it are told, and count no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acting {
    /// The agent, and whom it acts for, the one that acts now first.
    pub chain: Vec<AgentId>,
    /// What it proved itself with.
    pub proof: AgentProof,
    /// Its owner.
    pub owner: OverseerId,
}

/// Reads claims whose signature was good; nothing unless they are ours, for this audience, and in force.
pub fn read(claims: &Map<String, Value>, issuer: &str, audience: &str, now: Timestamp) -> Option<Read> {
    let jkt = match claims.get("cnf") {
        None => None,
        // A way to confirm that is not known here confirms nothing (RFC 7800, section 3.1).
        Some(Value::Object(cnf)) if cnf.len() == 1 => Some(cnf.get("jkt")?.as_str()?.to_owned()),
        Some(_) => return None,
    };
    let token = token(claims, issuer, audience, now)?;
    Some(Read { token, jkt })
}

fn token(claims: &Map<String, Value>, issuer: &str, audience: &str, now: Timestamp) -> Option<Token> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss")? != issuer || !is_for(claims.get("aud")?, audience) {
        return None;
    }
    let expires_at = moment(claims.get("exp")?)?;
    let issued_at = moment(claims.get("iat")?)?;
    let not_before = claims.get("nbf").map_or(Some(issued_at), moment)?;
    let soon = now.checked_add(SKEW).ok()?;
    if now >= expires_at || issued_at > soon || not_before > soon || text("jti")?.is_empty() {
        return None;
    }
    let (subject, client_id) = (text("sub")?, text("client_id")?);
    let tenant = text("pinfold_tenant")?.parse().ok()?;
    let scopes = text("scope")?.split(' ').map(str::to_owned).collect();
    if let Some(grant) = claims.get("pinfold_grant") {
        return Some(Token::Grant(GrantToken {
            grant: grant.as_str()?.parse().ok()?,
            overseer: subject.parse().ok()?,
            client_id: client_id.to_owned(),
            tenant,
            bound: claims.contains_key("cnf"),
            actor: match claims.get("act") {
                None => None,
                Some(act) => Some(Acting {
                    chain: chain(act)?,
                    proof: proof(claims)?,
                    owner: text("pinfold_owner")?.parse().ok()?,
                }),
            },
            scopes,
            expires_at,
        }));
    }
    if client_id != subject {
        return None;
    }
    if let Some(name) = claims.get("pinfold_run") {
        return Some(Token::Run(RunToken {
            run: subject.parse().ok()?,
            name: name.as_str()?.to_owned(),
            pod: pod(claims.get("pinfold_pod")?)?,
            tenant,
            scopes,
            expires_at,
        }));
    }
    if let Some(client) = claims.get("pinfold_client") {
        return Some(Token::Client(ClientToken {
            client: client.as_str()?.parse().ok()?,
            client_id: subject.to_owned(),
            tenant,
            secret: text("pinfold_secret")?.to_owned(),
            bound: claims.contains_key("cnf"),
            scopes,
            expires_at,
        }));
    }
    Some(Token::Agent(AgentToken {
        agent: subject.parse().ok()?,
        proof: proof(claims)?,
        tenant,
        owner: text("pinfold_owner")?.parse().ok()?,
        scopes,
        expires_at,
    }))
}

fn proof(claims: &Map<String, Value>) -> Option<AgentProof> {
    match (claims.get("pinfold_key"), claims.get("pinfold_pod")) {
        (Some(key), None) => Some(AgentProof::Key(key.as_str()?.parse().ok()?)),
        (None, Some(claim)) => Some(AgentProof::Pod(pod(claim)?)),
        _ => None,
    }
}

/// Who acts, and whom they act for, no more than act one for another.
fn chain(claim: &Value) -> Option<Vec<AgentId>> {
    let mut actors = Vec::new();
    let mut next = Some(claim);
    while let Some(act) = next {
        if actors.len() == ACTORS {
            return None;
        }
        actors.push(act.get("sub")?.as_str()?.parse().ok()?);
        next = act.get("act");
    }
    Some(actors)
}

fn pod(claim: &Value) -> Option<PodRef> {
    Some(PodRef {
        name: claim.get("name")?.as_str()?.to_owned(),
        uid: Uuid::try_parse(claim.get("uid")?.as_str()?).ok()?,
    })
}

/// RFC 7519, section 4.1.3: one audience or a list of them, each once.
pub fn is_for(claim: &Value, audience: &str) -> bool {
    match claim {
        Value::String(one) => one == audience,
        Value::Array(many) if many.len() <= AUDIENCES => {
            many.iter().all(Value::is_string) && many.iter().filter(|one| *one == audience).count() == 1
        }
        _ => false,
    }
}

/// A whole number of seconds. RFC 7519 lets dates be fractions; ours never are, and a text is none.
pub fn moment(claim: &Value) -> Option<Timestamp> {
    Timestamp::from_second(claim.as_i64().filter(|seconds| *seconds > 0)?).ok()
}

#[cfg(test)]
mod tests;

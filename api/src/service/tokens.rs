//! The token of an agent that answered a challenge.

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::TenantId;
use jiff::{SignedDuration, Timestamp};
use resource_server::check::{Binding, Once};
use serde_json::json;

use crate::{
    auth::{
        challenge::{self, Subject},
        client::values::Scope,
        opaque::sha256,
        possession,
        rights::Right,
        signing::{self, Algorithm},
        token::{self, Claims, Confirmation, Who},
    },
    service::{
        keyring::{Keyring, SigningKey},
        replay::{Record, Replay, Spending, Why},
        standing::Standing,
    },
    store::{Database, StoreError, agents, audit::Actor, tenants},
};

/// What lets an agent see and change what is its own: its keys and its claim code.
pub const SELF: &str = "self";

/// What an agent may do besides, in a tenant of people.
pub const RIGHTS: [Right; 5] = [
    Right::TenantRead,
    Right::AgentsRead,
    Right::TemplatesRead,
    Right::RunsRead,
    Right::RunsWrite,
];

/// The scopes that an agent of this tenant may have. Agents that registered themselves share a tenant, and see nothing of
/// one another.
pub fn grantable(tenant: TenantId) -> Vec<&'static str> {
    let rights = RIGHTS.into_iter().filter(|_| tenant != tenants::SHADOW);
    [SELF].into_iter().chain(rights.map(Right::as_str)).collect()
}

/// What a run may do: it reads. Whatever code a sandbox runs has its token.
pub const RUN_RIGHTS: [Right; 3] = [Right::TenantRead, Right::TemplatesRead, Right::RunsRead];

/// The scopes that a run may have.
pub fn grantable_to_runs() -> Vec<&'static str> {
    RUN_RIGHTS.into_iter().map(Right::as_str).collect()
}

/// Of what may be given what is asked for: all, if nothing is named.
pub fn granted(mut grantable: Vec<&'static str>, asked: Option<&[&str]>) -> Result<String, Refused> {
    if let Some(asked) = asked {
        grantable.retain(|scope| asked.contains(scope));
    }
    if grantable.is_empty() {
        return Err(Refused::Scope);
    }
    Ok(grantable.join(" "))
}

/// Whether there is a scope of this name.
pub fn is_scope(name: &str) -> bool {
    name == SELF || Scope::parse(name).is_some()
}

/// An answer to a challenge.
#[derive(Debug)]
pub struct Answer<'a> {
    /// Who answers.
    pub subject: Subject,
    /// The challenge, as it was given.
    pub challenge: &'a str,
    /// The signature over [`challenge::signed_bytes`].
    pub signature: &'a [u8],
    /// The scopes that are asked for; all that there are, if none are named.
    pub scopes: Option<Vec<&'a str>>,
    /// The key that the token is to be bound to.
    pub binding: Option<Binding>,
    /// The request's id.
    pub request_id: &'a str,
}

/// A token that was issued.
#[derive(Debug)]
pub struct Issued {
    /// The token.
    pub token: String,
    /// What it may be used for.
    pub scope: String,
    /// Its end.
    pub expires_at: Timestamp,
}

/// What tokens are made with.
#[derive(Debug, Clone, Copy)]
pub struct Maker<'a> {
    /// The database.
    pub database: &'a Database,
    /// Whose keys are whose.
    pub standing: &'a Standing,
    /// Where a challenge counts once.
    pub replay: &'a Replay,
    /// The signing keys.
    pub keyring: &'a Keyring,
    /// The key that challenges are authenticated with.
    pub challenge_key: &'a hmac::Key,
    /// The issuer, which is also the one resource there is.
    pub issuer: &'a str,
    /// How long a token is valid.
    pub lifetime: SignedDuration,
}

/// What a token is to say.
#[derive(Debug)]
pub struct Said {
    /// Whom it is of.
    pub subject: String,
    /// Who got it: their own, if they act on their own (RFC 9068, section 2.2).
    pub client_id: String,
    /// The tenant.
    pub tenant: TenantId,
    /// The token's own name.
    pub jti: String,
    /// What it may be used for.
    pub scope: String,
    /// The thumbprint of the key that it is bound to.
    pub jkt: Option<String>,
    /// When it ends at the latest.
    pub until: Option<Timestamp>,
    /// What else there is to say of whom it is of.
    pub who: Who,
}

impl Maker<'_> {
    /// Records a token before it leaves, and uses up the proof that came for it, if one did; gives the thumbprint of the key it is bound to.
    pub async fn record(
        &self,
        binding: Option<Binding>,
        record: Record,
        now: Timestamp,
    ) -> Result<Option<String>, Refused> {
        if let Some(binding) = binding {
            let spent = self.replay.bind(binding, Some(record), now).await?;
            return spent.map(Some).map_err(Refused::Proof);
        }
        let spending = Spending {
            thing: None,
            record: Some(record),
            at: now,
        };
        self.replay.spend(spending).await?;
        Ok(None)
    }

    /// What a token is signed with that is made now: asked for before anything is used up.
    pub fn signing(&self, algorithm: Algorithm, now: Timestamp) -> Result<Arc<SigningKey>, Refused> {
        self.keyring.signing(algorithm, now).ok_or(Refused::NoKey)
    }

    /// Signs a token, which is valid from now on.
    pub fn issued(&self, signing: &SigningKey, said: Said, now: Timestamp) -> Result<Issued, Refused> {
        let until = now.checked_add(self.lifetime).unwrap_or(Timestamp::MAX);
        let until = said.until.map_or(until, |latest| until.min(latest));
        let scope = said.scope.clone();
        let claims = Claims {
            iss: self.issuer.to_owned(),
            client_id: said.client_id,
            sub: said.subject,
            aud: self.issuer.to_owned(),
            exp: until.as_second(),
            iat: now.as_second(),
            jti: said.jti,
            scope: said.scope,
            pinfold_tenant: said.tenant.to_string(),
            cnf: said.jkt.map(|jkt| Confirmation { jkt }),
            who: said.who,
        };
        Ok(Issued {
            token: signing::sign(token::TYPE, &signing.id, &signing.pair, &claims)?,
            scope,
            expires_at: until,
        })
    }
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The answer proves nothing. Why is not told: it would tell which agents and keys there are.
    #[error("the answer proves nothing")]
    Unproven,
    /// Of what was asked for, this agent may have nothing.
    #[error("none of the scopes can be given")]
    Scope,
    /// The proof of possession does not count.
    #[error("the proof does not count: {0:?}")]
    Proof(Why),
    /// No key signs at the moment.
    #[error("no key signs at the moment")]
    NoKey,
    /// The cryptography failed.
    #[error(transparent)]
    Unsigned(#[from] signing::Failed),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Judges an answer and issues a token. The challenge is used up, and the issue recorded, before the token leaves.
pub async fn issue(maker: Maker<'_>, answer: Answer<'_>, now: Timestamp, random: [u8; 16]) -> Result<Issued, Refused> {
    let subject = answer.subject;
    let returned = challenge::read(maker.challenge_key, subject, answer.challenge, now).ok_or(Refused::Unproven)?;
    let is_remembered = maker.standing.known_holder(subject.agent, subject.key, None).is_some();
    let holder = maker.standing.find_holder(subject.agent, subject.key, None).await?;
    let signed = challenge::signed_bytes(maker.issuer, subject, answer.challenge, returned.expires_at);
    // An unknown key costs a verification like a known one.
    let key = holder.as_ref().map_or(possession::NOBODYS, |h| h.public_key);
    let good = possession::verify(&key, &signed, answer.signature);
    let Some(holder) = holder.filter(|h| good && h.stands(now)) else {
        if is_remembered {
            // The database was asked for one that there is not.
            agents::find_holder(maker.database.pool(), subject.agent, subject.key, None).await?;
        }
        return Err(Refused::Unproven);
    };
    let scope = granted(grantable(holder.tenant), answer.scopes.as_deref())?;
    let signing = maker.signing(Algorithm::EdDsa, now)?;

    let jti = URL_SAFE_NO_PAD.encode(random);
    let challenge = Once {
        digest: sha256(answer.challenge.as_bytes()),
        epoch: returned.epoch,
        forget_at: returned.expires_at,
    };
    let jkt = match answer.binding {
        Some(binding) => Some(maker.replay.bind(binding, None, now).await?.map_err(Refused::Proof)?),
        None => None,
    };
    let spending = Spending {
        thing: Some(challenge),
        record: Some(Record {
            tenant: holder.tenant,
            actor: Actor::Agent(subject.agent),
            target: subject.agent.uuid(),
            request_id: answer.request_id.to_owned(),
            detail: json!({"grant": "agent_challenge", "key_id": subject.key.to_string(), "jti": jti}),
        }),
        at: now,
    };
    if !maker.replay.spend(spending).await? {
        return Err(Refused::Unproven);
    }

    let said = Said {
        subject: subject.agent.to_string(),
        client_id: subject.agent.to_string(),
        tenant: holder.tenant,
        jti,
        scope,
        jkt,
        until: None,
        who: Who::Agent {
            pinfold_owner: holder.owner.to_string(),
            pinfold_key: Some(subject.key.to_string()),
            pinfold_pod: None,
        },
    };
    maker.issued(&signing, said, now)
}

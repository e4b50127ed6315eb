//! Access tokens as they are issued (RFC 9068). What they say is read where they are shown: `resource_server::token`.

use serde::Serialize;

pub use resource_server::token::{
    ACTORS, Acting, AgentProof, AgentToken, ClientToken, GrantToken, PodRef, Read, RunToken, TYPE, Token, is_for,
    moment,
};

/// What a token of ours says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claims {
    /// Who issued the token: our own address.
    pub iss: String,
    /// Whom it is of: the agent, the run, the client, or the person that a client acts for.
    pub sub: String,
    /// For whom it is: one resource.
    pub aud: String,
    /// Its end, in seconds of the epoch.
    pub exp: i64,
    /// When it was issued.
    pub iat: i64,
    /// Its own name, of 128 random bits.
    pub jti: String,
    /// The client that got it: who acts on their own is their own (RFC 9068, section 2.2).
    pub client_id: String,
    /// What it may be used for (RFC 6749, section 3.3).
    pub scope: String,
    /// The tenant.
    pub pinfold_tenant: String,
    /// What whoever shows it must prove besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
    /// What else there is to say of whom it is of.
    #[serde(flatten)]
    pub who: Who,
}

/// A key that a token is bound to (RFC 9449, section 6.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Confirmation {
    /// Its thumbprint (RFC 7638).
    pub jkt: String,
}

/// What a token says of whom it is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Who {
    /// An agent that acts on its own, which proved itself by a key or by its pod.
    Agent {
        /// The agent's owner.
        pinfold_owner: String,
        /// The key that the agent proved.
        #[serde(skip_serializing_if = "Option::is_none")]
        pinfold_key: Option<String>,
        /// The pod that it runs in.
        #[serde(skip_serializing_if = "Option::is_none")]
        pinfold_pod: Option<PodClaim>,
    },
    /// What runs in a sandbox.
    Run {
        /// The run's name.
        pinfold_run: String,
        /// The pod that it runs in.
        pinfold_pod: PodClaim,
    },
    /// An OAuth client that acts on its own.
    Client {
        /// Its registration.
        pinfold_client: String,
        /// Which secret it proved itself by.
        pinfold_secret: String,
    },
    /// A person, for whom an OAuth client acts.
    Grant {
        /// What the person allowed.
        pinfold_grant: String,
    },
    /// A person, for whom an agent acts.
    Delegate {
        /// What the person allowed, and the agent has of it.
        pinfold_grant: String,
        /// The agent, and whom it acts for (RFC 8693, section 4.1).
        act: Act,
        /// The agent's owner.
        pinfold_owner: String,
        /// The key that the agent proved.
        #[serde(skip_serializing_if = "Option::is_none")]
        pinfold_key: Option<String>,
        /// The pod that it runs in.
        #[serde(skip_serializing_if = "Option::is_none")]
        pinfold_pod: Option<PodClaim>,
    },
}

/// Who acts, and for whom they do (RFC 8693, section 4.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Act {
    /// The agent.
    pub sub: String,
    /// Whom it acts for; none if that is the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act: Option<Box<Act>>,
}

/// A pod, as a token names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PodClaim {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

impl From<&PodRef> for PodClaim {
    fn from(pod: &PodRef) -> Self {
        Self {
            name: pod.name.clone(),
            uid: pod.uid.to_string(),
        }
    }
}

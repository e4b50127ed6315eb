//! The agent's Ed25519 key: generated once into a Secret, or brought by its owner. The private half is only ever
//! in that Secret and in the memory of the call that makes it.

use std::collections::BTreeMap;

use aws_lc_rs::{
    digest::{SHA256, digest},
    encoding::{AsDer, Pkcs8V1Der},
    signature::{Ed25519KeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use crds::{
    Agent,
    agent::{AgentIdentityStatus, reason},
    labels::{REPLACE_IDENTITY, RESERVED_SECRET_PREFIX, component},
};
use domain::AgentKeyId;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{Api, ResourceExt, api::PostParams};
use tracing::info;

use crate::{
    agent::MANAGER,
    cluster::{apply::failure, meta},
    runtime::{Failure, FailureClass},
    shared::Shared,
};

/// The key of the Secret that holds the private key (PKCS #8 in PEM, RFC 8410).
pub const PRIVATE: &str = "private.pem";

const PEM_TAG: &str = "PRIVATE KEY";

/// An identity that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its public half and its place.
    pub status: AgentIdentityStatus,
    /// Whether its owner brought it.
    pub provided: bool,
}

impl Identity {
    /// What the control-plane API calls the key.
    pub fn key_id(&self) -> Option<AgentKeyId> {
        let digest = URL_SAFE_NO_PAD.decode(&self.status.thumbprint).ok()?;
        Some(AgentKeyId::of_digest(&digest.try_into().ok()?))
    }
}

/// Why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The condition's reason.
    pub reason: &'static str,
    /// What is wrong and what to do about it.
    pub message: String,
}

/// Name of the Secret that holds a generated key.
pub fn secret_name(agent: &str) -> String {
    format!("{RESERVED_SECRET_PREFIX}identity-{agent}")
}

/// Finds the agent's identity, or generates it the first time.
pub async fn ensure(shared: &Shared, agent: &Agent) -> Result<Result<Identity, Trouble>, Failure> {
    let secrets: Api<Secret> = Api::namespaced(shared.client.clone(), &agent.namespace().unwrap_or_default());
    let provided = agent.spec.identity.as_ref().map(|i| i.secret_name.clone());
    let name = provided.clone().unwrap_or_else(|| secret_name(&agent.name_any()));
    let found = secrets
        .get_opt(&name)
        .await
        .map_err(|e| failure(format!("read Secret {name}"), e))?;
    let secret = match (found, &provided) {
        (Some(secret), Some(_)) => secret,
        (Some(secret), None) => match check_generated(agent, &secret) {
            Ok(()) => secret,
            Err(trouble) => return Ok(Err(trouble)),
        },
        (None, Some(_)) => {
            return Ok(Err(Trouble {
                reason: reason::SECRET_NOT_FOUND,
                message: format!(
                    "spec.identity.secretName: there is no Secret {name:?} in this namespace; create it with the key {PRIVATE}"
                ),
            }));
        }
        (None, None) => match lost(agent) {
            Some(trouble) => return Ok(Err(trouble)),
            None => match generate(&secrets, agent, &name).await? {
                Ok(secret) => secret,
                Err(trouble) => return Ok(Err(trouble)),
            },
        },
    };
    Ok(read(&secret, provided.is_some()))
}

/// A generated key that is gone is not replaced by another without a word: whoever trusts the old one must hear.
fn lost(agent: &Agent) -> Option<Trouble> {
    let known = agent.status.as_ref()?.identity.as_ref()?;
    if known.secret_name != secret_name(&agent.name_any())
        || agent.annotations().get(REPLACE_IDENTITY) == Some(&known.secret_uid)
    {
        return None;
    }
    Some(Trouble {
        reason: reason::SECRET_LOST,
        message: format!(
            "the Secret {} that held this agent's key is gone; restore it, or have a new key made by annotating the agent with {REPLACE_IDENTITY}={}",
            known.secret_name, known.secret_uid
        ),
    })
}

fn check_generated(agent: &Agent, secret: &Secret) -> Result<(), Trouble> {
    let known = agent.status.as_ref().and_then(|s| s.identity.as_ref());
    let uid = secret.uid().unwrap_or_default();
    let replaced = known.is_some_and(|k| k.secret_name == secret.name_any() && k.secret_uid != uid);
    let confirmed = agent.annotations().get(REPLACE_IDENTITY) == known.map(|k| &k.secret_uid);
    if replaced && !confirmed {
        return Err(lost(agent).unwrap_or(Trouble {
            reason: reason::SECRET_LOST,
            message: "the Secret was replaced".to_owned(),
        }));
    }
    if !meta::is_controlled_by(secret, &agent.uid().unwrap_or_default()) {
        return Err(Trouble {
            reason: reason::SECRET_INVALID,
            message: format!("the Secret {} belongs to something else; delete it", secret.name_any()),
        });
    }
    Ok(())
}

async fn generate(secrets: &Api<Secret>, agent: &Agent, name: &str) -> Result<Result<Secret, Trouble>, Failure> {
    let broken = |error: aws_lc_rs::error::Unspecified| Failure {
        attempt: "generate an Ed25519 key".to_owned(),
        class: FailureClass::Transient,
        source: Box::new(error),
    };
    let pair = Ed25519KeyPair::generate().map_err(broken)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(broken)?;
    let pem = pem::encode(&pem::Pem::new(PEM_TAG, der.as_ref()));
    let tenant = agent.namespace().and_then(|n| domain::TenantName::of_namespace(&n));
    let labels = meta::labels(component::AGENT, tenant.as_ref().map_or("", |t| t.as_str()));
    let secret = Secret {
        metadata: meta::child(name, agent.namespace().as_deref(), labels, meta::owned_by(agent)),
        data: Some(BTreeMap::from([(PRIVATE.to_owned(), ByteString(pem.into_bytes()))])),
        immutable: Some(true),
        type_: Some("pinfold.dev/agent-identity".to_owned()),
        ..Secret::default()
    };
    // By POST: an apply would put a new key over one that another pass has just made.
    let parameters = PostParams {
        field_manager: Some(MANAGER.to_owned()),
        ..PostParams::default()
    };
    match secrets.create(&parameters, &secret).await {
        Ok(made) => {
            info!(child.kind = "Secret", child.name = name, "identity generated");
            Ok(Ok(made))
        }
        Err(kube::Error::Api(answer)) if answer.code == 409 => secrets
            .get(name)
            .await
            .map(Ok)
            .map_err(|e| failure(format!("read Secret {name}"), e)),
        Err(kube::Error::Api(answer)) if answer.code == 403 && answer.message.contains("exceeded quota") => {
            Ok(Err(Trouble {
                reason: reason::QUOTA_EXCEEDED,
                message: format!(
                    "the tenant's quota leaves no room for the Secret {name} with this agent's key; delete a Secret, or give \
                     the tenant a plan with more of them: {}",
                    answer.message
                ),
            }))
        }
        Err(error) => Err(failure(format!("create Secret {name}"), error)),
    }
}

/// RFC 7638, section 3, over the members of RFC 8037, section 2.
fn thumbprint(public_key: &[u8]) -> String {
    let x = URL_SAFE_NO_PAD.encode(public_key);
    let text = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

fn read(secret: &Secret, provided: bool) -> Result<Identity, Trouble> {
    let invalid = |what: &str| Trouble {
        reason: reason::SECRET_INVALID,
        message: format!(
            "the Secret {} {what}; its key {PRIVATE} must hold an Ed25519 private key in PKCS #8 PEM, as `openssl genpkey -algorithm ed25519` makes",
            secret.name_any()
        ),
    };
    let data = secret
        .data
        .as_ref()
        .and_then(|d| d.get(PRIVATE))
        .ok_or_else(|| invalid("has no such key"))?;
    let pem = pem::parse(&data.0).map_err(|_| invalid("holds no PEM"))?;
    if pem.tag() != PEM_TAG {
        return Err(invalid("holds another kind of PEM"));
    }
    let pair =
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(pem.contents()).map_err(|_| invalid("holds no Ed25519 key"))?;
    Ok(Identity {
        status: AgentIdentityStatus {
            public_key: URL_SAFE_NO_PAD.encode(pair.public_key().as_ref()),
            thumbprint: thumbprint(pair.public_key().as_ref()),
            secret_name: secret.name_any(),
            secret_uid: secret.uid().unwrap_or_default(),
        },
        provided,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, appendix A.3.
    #[test]
    fn the_thumbprint_is_the_rfcs() {
        let key = URL_SAFE_NO_PAD
            .decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
            .unwrap();
        assert_eq!(thumbprint(&key), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }
}

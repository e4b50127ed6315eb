//! What runs and templates say of a sandbox.

use crds::common::{EnvVar, EnvVarSource, ResourceList, Resources, SecretKeyRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::error::ApiError;

/// An environment variable: with a value, or with one of a Secret in the tenant's namespace.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EnvVar)]
pub struct Variable {
    /// Its name.
    #[schema(example = "GREETING")]
    name: String,
    /// Its value. No secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "hello")]
    value: Option<String>,
    /// The Secret that holds its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<SecretKey>,
}

/// A key of a Secret.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SecretKeyRef)]
pub struct SecretKey {
    /// The Secret's name.
    name: String,
    /// The key in it.
    key: String,
}

/// What a sandbox asks for, and may use at most.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// What is kept free for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    requests: Option<Amounts>,
    /// What it may use at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<Amounts>,
}

/// Amounts, as Kubernetes writes quantities.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ResourceList)]
pub struct Amounts {
    /// Cores: `500m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "500m")]
    cpu: Option<String>,
    /// Bytes: `256Mi`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "256Mi")]
    memory: Option<String>,
    /// Bytes of disk: `1Gi`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "1Gi")]
    ephemeral_storage: Option<String>,
}

impl From<Amounts> for ResourceList {
    fn from(amounts: Amounts) -> Self {
        Self {
            cpu: amounts.cpu,
            memory: amounts.memory,
            ephemeral_storage: amounts.ephemeral_storage,
        }
    }
}

impl From<ResourceList> for Amounts {
    fn from(list: ResourceList) -> Self {
        Self {
            cpu: list.cpu,
            memory: list.memory,
            ephemeral_storage: list.ephemeral_storage,
        }
    }
}

impl From<Limits> for Resources {
    fn from(limits: Limits) -> Self {
        Self {
            requests: limits.requests.map(ResourceList::from),
            limits: limits.limits.map(ResourceList::from),
        }
    }
}

impl From<Resources> for Limits {
    fn from(resources: Resources) -> Self {
        Self {
            requests: resources.requests.map(Amounts::from),
            limits: resources.limits.map(Amounts::from),
        }
    }
}

/// Environment variables as a resource has them.
pub fn variables(given: Vec<Variable>) -> Result<Vec<EnvVar>, ApiError> {
    let each = given.into_iter().enumerate();
    each.map(|(place, variable)| {
        if variable.value.is_some() == variable.secret.is_some() {
            return Err(ApiError::invalid(
                &format!("env[{place}]"),
                "give either value or secret",
            ));
        }
        Ok(EnvVar {
            name: variable.name,
            value: variable.value,
            value_from: variable.secret.map(|secret| EnvVarSource {
                secret_key_ref: SecretKeyRef {
                    name: secret.name,
                    key: secret.key,
                    optional: false,
                },
            }),
        })
    })
    .collect()
}

impl From<EnvVar> for Variable {
    fn from(variable: EnvVar) -> Self {
        Self {
            name: variable.name,
            value: variable.value,
            secret: variable.value_from.map(|from| SecretKey {
                name: from.secret_key_ref.name,
                key: from.secret_key_ref.key,
            }),
        }
    }
}

/// A name that an object of the tenant's may have.
pub fn name(name: String) -> Result<String, ApiError> {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let edges = !name.starts_with('-') && !name.ends_with('-');
    if (1..=63).contains(&name.len()) && name.bytes().all(inner) && edges {
        Ok(name)
    } else {
        Err(ApiError::invalid(
            "name",
            "write 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit",
        ))
    }
}

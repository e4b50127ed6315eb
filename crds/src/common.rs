//! Pieces that several kinds share. Own types rather than embedded Kubernetes ones: those are unbounded.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::{QUANTITY_PATTERN, SECRET_NAME_RULE, SUBDOMAIN_PATTERN, rules};

/// An environment variable: a plain value, or a key of a Secret in the same namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules(&[
    ("has(self.value) != has(self.valueFrom)", "give either value or valueFrom, not both and not neither"),
    ("!self.name.startsWith('PINFOLD_')", "names that begin with PINFOLD_ are reserved; choose another name"),
])))]
pub struct EnvVar {
    /// Name of the variable: a letter or underscore, then letters, digits and underscores. Names that begin
    /// with `PINFOLD_` are reserved.
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub name: String,

    /// The value, passed to the program unchanged (`$(X)` and `$$` are not expanded). Not meant for secret
    /// values: whoever may read this object reads it. At most 2,048 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub value: Option<String>,

    /// Where the value comes from instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_from: Option<EnvVarSource>,
}

/// The source of an environment variable's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvVarSource {
    /// A key of a Secret in the same namespace.
    pub secret_key_ref: SecretKeyRef,
}

/// One key of a Secret in the same namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// Name of the Secret. Names that begin with `pinfold-` are refused.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = SUBDOMAIN_PATTERN),
        extend("x-kubernetes-validations" = rules(&[SECRET_NAME_RULE]))
    )]
    pub name: String,

    /// Key within the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: String,

    /// Whether the program may start without the Secret or the key. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// What a container asks for and may use at most.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// What the scheduler reserves. Where absent, the limit of that resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<ResourceList>,

    /// What the container may use at most. Where absent, the platform's default for that resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<ResourceList>,
}

/// Amounts of resources.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceList {
    /// Processor time, in cores: `500m` is half a core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = QUANTITY_PATTERN))]
    pub cpu: Option<String>,

    /// Memory, in bytes: `512Mi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = QUANTITY_PATTERN))]
    pub memory: Option<String>,

    /// Space on the node's disk for files written and logs, in bytes: `1Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = QUANTITY_PATTERN))]
    pub ephemeral_storage: Option<String>,
}

//! Tenant: a customer of the platform, and the namespace that is theirs.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    condition::Condition,
    schema::{LABEL_PATTERN, QUANTITY_PATTERN, SUBDOMAIN_PATTERN, rules},
};

/// A tenant: people who share one namespace, its quota, its network policy and its bill. The operator makes
/// the namespace `tenant-<name>` and everything in it that keeps it apart from the others.
#[derive(CustomResource, Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "pinfold.dev",
    version = "v1alpha1",
    kind = "Tenant",
    status = "TenantStatus",
    derive = "PartialEq",
    shortname = "pft",
    category = "pinfold",
    doc = "A tenant: people who share one namespace, its quota, its network policy and its bill. The operator makes the namespace tenant-<name> and everything in it that keeps it apart from the others.",
    printcolumn(
        name = "Namespace",
        type_ = "string",
        json_path = ".status.namespace",
        description = "The tenant's namespace"
    ),
    printcolumn(
        name = "Plan",
        type_ = "string",
        json_path = ".spec.plan",
        description = "The plan that sets the limits"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether the namespace is set up and enforced"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules(&[
    ("!self.suspended || (has(self.suspensionReason) && self.suspensionReason.size() > 0)",
     "a suspended tenant needs spec.suspensionReason: say why, its users will read it"),
])))]
pub struct TenantSpec {
    /// Name of the plan whose limits apply. Plans are set by the platform's administrator (chart value
    /// `plans`). Default: `standard`.
    #[serde(default = "default_plan")]
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL_PATTERN))]
    pub plan: String,

    /// Limits that replace the plan's, one by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<TenantLimits>,

    /// Who may use the tenant's namespace through Kubernetes, and as what. At most 64 entries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 64),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["kind", "name"])
    )]
    pub owners: Vec<Owner>,

    /// What the tenant's pods may reach. Absent: cluster DNS and the tenant's own agents only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_policy: Option<TenantNetworkPolicy>,

    /// Which container runtimes the tenant's sandboxes may run under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_classes: Option<TenantRuntimeClasses>,

    /// Whether the tenant is suspended: agents are scaled to zero, running runs are canceled, new ones refused.
    /// Nothing is deleted. Default: false.
    #[serde(default)]
    pub suspended: bool,

    /// Why the tenant is suspended, in words its users will read. At most 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub suspension_reason: Option<String>,

    /// What becomes of the namespace when the Tenant is deleted: `Delete` (default) removes it with everything
    /// in it, `Retain` leaves it as it is.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
}

fn default_plan() -> String {
    "standard".to_owned()
}

/// Limits on what a tenant's pods use together, and on how many runs there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantLimits {
    /// Processor time of all pods together, in cores: `8` or `500m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = QUANTITY_PATTERN))]
    pub cpu: Option<String>,

    /// Memory of all pods together, in bytes: `16Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = QUANTITY_PATTERN))]
    pub memory: Option<String>,

    /// Disk space of all pods together (and, separately, of all volume claims together), in bytes: `50Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = QUANTITY_PATTERN))]
    pub storage: Option<String>,

    /// Pods that exist and have not finished: 0 to 100,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub pods: Option<i32>,

    /// Runs that are admitted and have not finished: 0 to 100,000. Further runs wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub concurrent_runs: Option<i32>,

    /// Runs that exist, finished ones included until they are deleted: 0 to 100,000. Further ones are refused when
    /// they are created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub runs: Option<i32>,

    /// The longest `timeoutSeconds` that a run may ask for, in seconds: 1 to 604,800 (a week).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 604_800))]
    pub max_run_duration_seconds: Option<i32>,
}

/// A person or group with a role in the tenant's namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// `User` or `Group`.
    pub kind: OwnerKind,

    /// Name as the cluster authenticates it. Names that begin with `system:` are refused.
    #[schemars(
        length(min = 1, max = 256),
        extend("x-kubernetes-validations" = rules(&[(
            "!self.startsWith('system:')",
            "names that begin with 'system:' belong to Kubernetes; name a user or group of yours",
        )]))
    )]
    pub name: String,

    /// `viewer` reads; `developer` (default) also writes agents, templates and runs and may exec; `admin` also
    /// creates and deletes Secrets.
    #[serde(default)]
    pub role: Role,
}

/// The kind of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum OwnerKind {
    /// One person.
    User,
    /// Everybody whom the cluster's authentication puts into the group.
    Group,
}

/// What a subject may do in the tenant's namespace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything a developer may, and Secrets can be created and deleted.
    Admin,
    /// Read everything, write agents, templates and runs, exec into pods.
    #[default]
    Developer,
    /// Read Pinfold's kinds, events, pods and logs.
    Viewer,
}

/// What a tenant's pods may reach besides cluster DNS and the tenant's own agents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantNetworkPolicy {
    /// Destinations that are allowed. The platform's denied ranges (cluster nodes, API server, pods, services,
    /// cloud metadata) are always subtracted. At most 32 rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub allowed_egress: Vec<EgressRule>,
}

/// Address ranges and the ports on them that may be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EgressRule {
    /// Address ranges in CIDR notation, IPv4 or IPv6: `203.0.113.0/24`. 1 to 32 entries.
    #[schemars(
        length(min = 1, max = 32),
        inner(length(min = 3, max = 43)),
        extend("x-kubernetes-list-type" = "atomic", "x-kubernetes-validations" = rules(&[(
            "self.all(c, isCIDR(c) && cidr(c) == cidr(c).masked())",
            "write each range in CIDR notation with the host bits zero, such as 203.0.113.0/24 or 2001:db8::/32",
        )]))
    )]
    pub cidrs: Vec<String>,

    /// Ports that are allowed; absent or empty means all. At most 32 entries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub ports: Vec<EgressPort>,
}

/// A port or a range of ports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules(&[
    ("!has(self.endPort) || self.endPort >= self.port", "endPort must not be smaller than port"),
])))]
pub struct EgressPort {
    /// `TCP` (default), `UDP` or `SCTP`.
    #[serde(default)]
    pub protocol: Protocol,

    /// The port, or the first of a range: 1 to 65535.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,

    /// The last port of a range: 1 to 65535.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub end_port: Option<i32>,
}

/// A transport protocol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Protocol {
    /// TCP.
    #[default]
    #[serde(rename = "TCP")]
    Tcp,
    /// UDP.
    #[serde(rename = "UDP")]
    Udp,
    /// SCTP.
    #[serde(rename = "SCTP")]
    Sctp,
}

impl Protocol {
    /// As Kubernetes writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        }
    }
}

/// Container runtimes for a tenant's sandboxes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules(&[(
    "!has(self.default) || (has(self.allowed) && self.default in self.allowed)",
    "the default runtime class must also be listed in allowed",
)])))]
pub struct TenantRuntimeClasses {
    /// RuntimeClass of sandboxes whose run and template name none. Absent: the cluster's default runtime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = SUBDOMAIN_PATTERN))]
    pub default: Option<String>,

    /// RuntimeClasses that runs and templates may name. At most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        inner(length(min = 1, max = 253), regex(pattern = SUBDOMAIN_PATTERN)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub allowed: Vec<String>,
}

/// What becomes of a tenant's namespace when the Tenant is deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// The namespace and everything in it is deleted.
    #[default]
    Delete,
    /// The namespace stays as it is, with its workloads, quota, policies and role bindings.
    Retain,
}

/// What the operator observed of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantStatus {
    /// The generation of the spec that this status was computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,

    /// `Ready`: the namespace is set up and its quota enforced. `Suspended`: the tenant is suspended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub conditions: Vec<Condition>,

    /// The tenant's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub namespace: Option<String>,

    /// The UID of that namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub namespace_uid: Option<String>,

    /// Names of the templates that come with the platform; a template of the tenant's own of the same name wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(max = 63)), extend("x-kubernetes-list-type" = "atomic"))]
    pub built_in_templates: Vec<String>,
}

/// Condition types of a Tenant.
pub mod condition_type {
    /// The namespace is set up and its quota enforced.
    pub const READY: &str = "Ready";
    /// The tenant is suspended.
    pub const SUSPENDED: &str = "Suspended";
}

/// Reasons of a Tenant's conditions.
pub mod reason {
    /// Everything is in place.
    pub const READY: &str = "Ready";
    /// The namespace of an earlier tenant of this name is still being deleted.
    pub const NAMESPACE_TERMINATING: &str = "NamespaceTerminating";
    /// A namespace of the right name exists that does not belong to this Tenant.
    pub const NAMESPACE_CONFLICT: &str = "NamespaceConflict";
    /// A quota is not enforced yet.
    pub const QUOTA_PENDING: &str = "QuotaPending";
    /// `spec.plan` names no plan.
    pub const PLAN_NOT_FOUND: &str = "PlanNotFound";
    /// The spec contradicts itself or the platform's configuration; the previous state keeps running.
    pub const INVALID_SPEC: &str = "InvalidSpec";
    /// More deletions than the deletion brake lets go unconfirmed.
    pub const DELETION_HELD: &str = "DeletionHeld";
    /// The tenant is suspended.
    pub const SUSPENDED: &str = "Suspended";
    /// The tenant is not suspended.
    pub const ACTIVE: &str = "Active";
}

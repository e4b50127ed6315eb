//! Agent: a long-running program of a tenant, with an address and an identity.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    common::{EnvVar, Resources},
    condition::Condition,
    schema::{SECRET_NAME_RULE, SUBDOMAIN_PATTERN, rules},
    tenant::Protocol,
};

/// An agent: a container image that runs for as long as the Agent exists.
#[derive(CustomResource, Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "pinfold.dev",
    version = "v1alpha1",
    kind = "Agent",
    namespaced,
    status = "AgentStatus",
    derive = "PartialEq",
    shortname = "pfa",
    category = "pinfold",
    doc = "An agent: a container image that runs for as long as the Agent exists, behind a Service, with an Ed25519 identity. The operator makes a Deployment, a Service, a ServiceAccount without token, the identity's Secret and, for more than one replica, a PodDisruptionBudget.",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(
        name = "Replicas",
        type_ = "integer",
        json_path = ".status.readyReplicas",
        description = "Replicas that answer"
    ),
    printcolumn(
        name = "Address",
        type_ = "string",
        json_path = ".status.address",
        description = "Where the agent is reached inside the cluster"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether all wanted replicas answer"
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
pub struct AgentSpec {
    /// Container image, such as `pinfold.dev/sandbox-python:0.1.0`. 1 to 512 characters.
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^\S+$"))]
    pub image: String,

    /// Program and first arguments; replaces the image's entrypoint. At most 64 entries of 4,096 characters.
    /// Passed unchanged (`$(X)` is not expanded).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 4096)), extend("x-kubernetes-list-type" = "atomic"))]
    pub command: Vec<String>,

    /// Arguments; replace the image's. At most 32 entries of 2,048 characters. Passed unchanged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 2048)), extend("x-kubernetes-list-type" = "atomic"))]
    pub args: Vec<String>,

    /// Environment variables. At most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 32),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub env: Vec<EnvVar>,

    /// Ports that the agent listens on; each becomes a port of its Service. At most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"], "x-kubernetes-validations" = rules(&[(
            "self.all(a, self.exists_one(b, b.port == a.port && b.protocol == a.protocol))",
            "each port may be listed once for each protocol; remove the repetition",
        )]))
    )]
    pub ports: Vec<AgentPort>,

    /// How many copies run: 0 to 50. Default: 1.
    #[serde(default = "default_replicas")]
    #[schemars(range(min = 0, max = 50))]
    pub replicas: i32,

    /// What each replica asks for and may use at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,

    /// The user id that the program runs as: 1 to 2,147,483,647. Default: 65532. Tenant namespaces do not admit
    /// root, so an image whose user is root or a name runs as this one.
    #[serde(default = "default_user")]
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub run_as_user: i64,

    /// When this fails, the container is started anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liveness_probe: Option<Probe>,

    /// While this fails, the replica gets no traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness_probe: Option<Probe>,

    /// Until this succeeds, the other probes wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup_probe: Option<Probe>,

    /// The agent's Ed25519 identity. Absent: a key is generated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<AgentIdentity>,

    /// Whether the agent's pods prove themselves to the control-plane API without a stored key: they find a token for it
    /// at `/var/run/pinfold/workload/token` and may reach it. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub workload_identity: bool,

    /// Whether the agent is suspended: scaled to zero, everything else kept. Default: false.
    #[serde(default)]
    pub suspended: bool,
}

fn default_replicas() -> i32 {
    1
}

fn default_user() -> i64 {
    65532
}

/// A port that an agent listens on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentPort {
    /// Name of the port: at most 15 characters of a-z, 0-9 and '-', with at least one letter.
    #[schemars(
        length(min = 1, max = 15),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"),
        extend("x-kubernetes-validations" = rules(&[
            ("self.matches('[a-z]') && !self.contains('--')", "a port's name has at least one letter and no two hyphens in a row, such as http or grpc-1"),
        ]))
    )]
    pub name: String,

    /// Port number: 1 to 65535.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,

    /// `TCP` (default), `UDP` or `SCTP`.
    #[serde(default)]
    pub protocol: Protocol,
}

/// How the kubelet asks a container how it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules(&[(
    "[has(self.httpGet), has(self.tcpSocket), has(self.exec)].filter(x, x).size() == 1",
    "give exactly one of httpGet, tcpSocket and exec",
)])))]
pub struct Probe {
    /// Succeeds when an HTTP GET answers with 200 to 399.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_get: Option<HttpGet>,

    /// Succeeds when the port accepts a connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp_socket: Option<TcpSocket>,

    /// Succeeds when the command exits with 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec: Option<Exec>,

    /// Seconds after the start before the first try: 0 to 3600. Default: 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 3600))]
    pub initial_delay_seconds: i32,

    /// Seconds between tries: 1 to 3600. Default: 10.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 3600))]
    pub period_seconds: i32,

    /// Seconds that one try may take: 1 to 3600. Default: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 3600))]
    pub timeout_seconds: i32,

    /// Failures in a row that count as failed: 1 to 100. Default: 3.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 100))]
    pub failure_threshold: i32,
}

fn one() -> i32 {
    1
}

fn three() -> i32 {
    3
}

fn ten() -> i32 {
    10
}

/// An HTTP GET against the pod's own address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpGet {
    /// Path, with a slash first. Default: `/`.
    #[serde(default = "root_path")]
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^/"))]
    pub path: String,

    /// Port number: 1 to 65535.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
}

fn root_path() -> String {
    "/".to_owned()
}

/// A connection to a port of the pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TcpSocket {
    /// Port number: 1 to 65535.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
}

/// A command inside the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Exec {
    /// Program and arguments, not run by a shell. 1 to 32 entries of 512 characters.
    #[schemars(length(min = 1, max = 32), inner(length(max = 512)), extend("x-kubernetes-list-type" = "atomic"))]
    pub command: Vec<String>,
}

/// Where an agent's key comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentIdentity {
    /// Name of a Secret in the same namespace whose key `private.pem` holds an Ed25519 private key (PKCS #8,
    /// RFC 8410). Names that begin with `pinfold-` are refused.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = SUBDOMAIN_PATTERN),
        extend("x-kubernetes-validations" = rules(&[SECRET_NAME_RULE]))
    )]
    pub secret_name: String,
}

/// What the operator observed of an agent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentStatus {
    /// The generation of the spec that this status was computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,

    /// `Ready`: all wanted replicas answer. `IdentityReady`: the key is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub conditions: Vec<Condition>,

    /// Replicas that exist.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub replicas: i32,

    /// Replicas that answer.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub ready_replicas: i32,

    /// Label selector of the agent's pods, for the scale subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub selector: Option<String>,

    /// Where the agent is reached inside the cluster: `<name>.<namespace>.svc:<first port>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub address: Option<String>,

    /// The agent's identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<AgentIdentityStatus>,

    /// UID of the ServiceAccount that the agent's pods have: by it the control-plane API knows their tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub service_account_uid: Option<String>,
}

/// The public half of an agent's identity, and where the private half is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentIdentityStatus {
    /// The Ed25519 public key, 32 bytes in base64url without padding (the `x` of RFC 8037).
    #[schemars(length(max = 64))]
    pub public_key: String,

    /// The key's thumbprint (RFC 7638): SHA-256 of it as a JWK, in base64url without padding.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub thumbprint: String,

    /// Name of the Secret that holds the private key.
    #[schemars(length(max = 253))]
    pub secret_name: String,

    /// UID of that Secret.
    #[schemars(length(max = 64))]
    pub secret_uid: String,
}

/// Condition types of an Agent.
pub mod condition_type {
    /// All wanted replicas answer.
    pub const READY: &str = "Ready";
    /// The agent's key is there.
    pub const IDENTITY_READY: &str = "IdentityReady";
}

/// Reasons of an Agent's conditions.
pub mod reason {
    /// All wanted replicas answer.
    pub const READY: &str = "Ready";
    /// Replicas are being started.
    pub const PROGRESSING: &str = "Progressing";
    /// Replicas have not become ready in time.
    pub const UNAVAILABLE: &str = "Unavailable";
    /// The namespace's quota leaves no room.
    pub const QUOTA_EXCEEDED: &str = "QuotaExceeded";
    /// The agent is suspended.
    pub const SUSPENDED: &str = "Suspended";
    /// The agent's tenant is suspended.
    pub const TENANT_SUSPENDED: &str = "TenantSuspended";
    /// The agent's tenant is not set up yet.
    pub const TENANT_NOT_READY: &str = "TenantNotReady";
    /// The spec contradicts itself; the previous state keeps running.
    pub const INVALID_SPEC: &str = "InvalidSpec";
    /// The image cannot be pulled.
    pub const IMAGE_ERROR: &str = "ImageError";
    /// The key was generated.
    pub const GENERATED: &str = "Generated";
    /// The key was brought.
    pub const PROVIDED: &str = "Provided";
    /// The Secret is missing.
    pub const SECRET_NOT_FOUND: &str = "SecretNotFound";
    /// The Secret holds no usable key.
    pub const SECRET_INVALID: &str = "SecretInvalid";
    /// The Secret that held the generated key was deleted or replaced.
    pub const SECRET_LOST: &str = "SecretLost";
}

//! SandboxRun: one program, run once, in a sandbox of its own.

use jiff::Timestamp;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    common::{EnvVar, Resources},
    condition::Condition,
    schema::{LABEL_PATTERN, SUBDOMAIN_PATTERN, immutable_fields, rules},
};

/// One program, run once.
#[derive(CustomResource, Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "pinfold.dev",
    version = "v1alpha1",
    kind = "SandboxRun",
    namespaced,
    status = "SandboxRunStatus",
    derive = "PartialEq",
    shortname = "pfr",
    category = "pinfold",
    doc = "One program, run once, in a sandbox of its own: a command, a piece of code, or neither (an interactive sandbox that stays until its deadline). A run never runs twice.",
    printcolumn(
        name = "Template",
        type_ = "string",
        json_path = ".spec.template",
        description = "The template of the sandbox"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Succeeded\")].status",
        description = "Whether the run succeeded; Unknown until it has finished"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.reason",
        description = "How far it is, or how it ended"
    ),
    printcolumn(
        name = "Exit",
        type_ = "integer",
        json_path = ".status.exitCode",
        description = "The program's exit code"
    ),
    printcolumn(
        name = "Duration",
        type_ = "string",
        json_path = ".status.duration",
        description = "From the program's start to its end"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = run_rules()))]
pub struct SandboxRunSpec {
    /// Name of a SandboxTemplate: of this namespace, or else a built-in one (`base`, `python`, `node`). Give
    /// either this or `image`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = LABEL_PATTERN))]
    pub template: Option<String>,

    /// Container image to run without a template. 1 to 512 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^\S+$"))]
    pub image: Option<String>,

    /// Program and arguments, not run by a shell. 1 to 64 entries of 2,048 characters, at most 32 KiB together.
    /// Free text: do not put secrets here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 2048)), extend("x-kubernetes-list-type" = "atomic"))]
    pub command: Vec<String>,

    /// Source code to run, at most 65,536 bytes. Needs `language`. Free text: do not put secrets here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65536))]
    pub code: Option<String>,

    /// The language of `code`: `python` (run by python3), `bash` or `javascript` (run by node). The image must
    /// hold the interpreter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,

    /// Text for the program's standard input, at most 65,536 bytes. Absent: an empty input. Free text: do not
    /// put secrets here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65536))]
    pub stdin: Option<String>,

    /// Environment variables; they win over the template's of the same name. At most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 32),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub env: Vec<EnvVar>,

    /// How long the sandbox may take from its creation to the program's start, image pull included, in seconds:
    /// 1 to 3600. Default: 120.
    #[serde(default = "default_start_timeout")]
    #[schemars(range(min = 1, max = 3600))]
    pub start_timeout_seconds: i32,

    /// How long the program may run, from its start, in seconds: 1 to 604,800. Default: 300. Then it gets
    /// SIGTERM and, ten seconds later, SIGKILL.
    #[serde(default = "default_timeout")]
    #[schemars(range(min = 1, max = 604_800))]
    pub timeout_seconds: i32,

    /// How long the SandboxRun is kept after it has finished, in seconds: 0 to 31,536,000 (a year). Absent: until
    /// somebody deletes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 31_536_000))]
    pub ttl_seconds_after_finished: Option<i32>,

    /// What the sandbox asks for and may use at most; replaces the template's, one by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,

    /// The user id that the program runs as; replaces the template's: 1 to 2,147,483,647. Default with `image`:
    /// 65532.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub run_as_user: Option<i64>,

    /// The working directory, absolute; replaces the template's. At most 512 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^/"))]
    pub workdir: Option<String>,

    /// RuntimeClass of the sandbox; replaces the template's. The tenant must be allowed to use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = SUBDOMAIN_PATTERN))]
    pub runtime_class_name: Option<String>,

    /// Set to true to end the run: the program gets SIGTERM and, ten seconds later, SIGKILL. Cannot be taken
    /// back. Default: false.
    #[serde(default)]
    pub cancel: bool,
}

fn run_rules() -> Value {
    let Value::Array(mut all) = rules(&[
        (
            "has(self.template) != has(self.image)",
            "give either spec.template or spec.image, not both and not neither",
        ),
        (
            "!(has(self.command) && self.command.size() > 0) || !has(self.code)",
            "give spec.command or spec.code, not both; leave out both for an interactive sandbox",
        ),
        (
            "has(self.code) == has(self.language)",
            "spec.code and spec.language belong together: set language to python, bash or javascript",
        ),
        (
            "!has(self.stdin) || has(self.code) || (has(self.command) && self.command.size() > 0)",
            "spec.stdin needs a program that reads it: give spec.command or spec.code",
        ),
        (
            "!has(self.command) || self.command.size() == 0 || self.command[0].size() > 0",
            "spec.command[0] is the program and cannot be empty",
        ),
    ]) else {
        return Value::Null;
    };
    all.extend(immutable_fields(
        "SandboxRun",
        &[
            "template",
            "image",
            "command",
            "code",
            "language",
            "stdin",
            "env",
            "startTimeoutSeconds",
            "timeoutSeconds",
            "resources",
            "runAsUser",
            "workdir",
            "runtimeClassName",
        ],
    ));
    all.push(serde_json::json!({
        "rule": "!oldSelf.cancel || self.cancel",
        "message": "spec.cancel cannot be taken back; create a new SandboxRun instead",
    }));
    Value::Array(all)
}

fn default_start_timeout() -> i32 {
    120
}

fn default_timeout() -> i32 {
    300
}

/// Languages that code may be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Run by `python3`.
    Python,
    /// Run by `bash`.
    Bash,
    /// Run by `node`.
    Javascript,
}

/// What the operator observed of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SandboxRunStatus {
    /// The generation of the spec that this status was computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,

    /// `Admitted`: a pod was made. `PodReady`: the pod is ready. `Started`: the program was started. `Finished`:
    /// the run is over. `Succeeded`: it ended as it should.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub conditions: Vec<Condition>,

    /// How far the run is, or how it ended: the reason of the condition that matters now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub reason: Option<String>,

    /// The same for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,

    /// Name of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub pod_name: Option<String>,

    /// UID of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub pod_uid: Option<String>,

    /// IP address of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub address: Option<String>,

    /// When the program was started (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time", "maxLength" = 40))]
    pub start_time: Option<Timestamp>,

    /// When the run was over (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time", "maxLength" = 40))]
    pub finish_time: Option<Timestamp>,

    /// From the program's start to its end, such as `1.204s`; written when the run has finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub duration: Option<String>,

    /// The program's exit code: 0 to 255. Absent if it did not exit by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 255))]
    pub exit_code: Option<i32>,

    /// The number of the signal that ended the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub signal: Option<i32>,

    /// The end of what the program wrote to standard output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<OutputTail>,

    /// The end of what the program wrote to standard error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<OutputTail>,
}

/// The end of one of a program's outputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutputTail {
    /// The last bytes as text; what is not UTF-8 is replaced by U+FFFD.
    #[schemars(length(max = 16384))]
    pub text: String,

    /// Whether earlier output is missing. The container's log has it while the pod exists.
    #[serde(default)]
    pub truncated: bool,

    /// How many bytes the program wrote.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub total_bytes: i64,
}

/// Condition types of a `SandboxRun`.
pub mod condition_type {
    /// A pod was made for the run.
    pub const ADMITTED: &str = "Admitted";
    /// The pod is ready.
    pub const POD_READY: &str = "PodReady";
    /// The program was started.
    pub const STARTED: &str = "Started";
    /// The run is over.
    pub const FINISHED: &str = "Finished";
    /// The run ended as it should.
    pub const SUCCEEDED: &str = "Succeeded";
}

/// Reasons of a `SandboxRun`'s conditions and of `status.reason`.
pub mod reason {
    /// Not looked at yet.
    pub const PENDING: &str = "Pending";
    /// The pod was made.
    pub const ADMITTED: &str = "Admitted";
    /// The pod is being started.
    pub const STARTING: &str = "Starting";
    /// The program runs.
    pub const RUNNING: &str = "Running";
    /// The program exited with 0, or an interactive sandbox reached its deadline.
    pub const COMPLETED: &str = "Completed";
    /// The program exited with another code or was ended by a signal of its own making.
    pub const FAILED: &str = "Failed";
    /// The program ran longer than `timeoutSeconds`.
    pub const DEADLINE_EXCEEDED: &str = "DeadlineExceeded";
    /// The program was not started within `startTimeoutSeconds`.
    pub const START_TIMEOUT: &str = "StartTimeout";
    /// The program, or one it started, used more memory than its limit.
    pub const OOM_KILLED: &str = "OOMKilled";
    /// `spec.cancel` was set, or the tenant was suspended.
    pub const CANCELED: &str = "Canceled";
    /// The pod was evicted.
    pub const EVICTED: &str = "Evicted";
    /// Somebody deleted the pod.
    pub const POD_DELETED: &str = "PodDeleted";
    /// The pod is gone and left no result.
    pub const POD_LOST: &str = "PodLost";
    /// The node stopped answering.
    pub const NODE_LOST: &str = "NodeLost";
    /// The node refused the pod.
    pub const POD_REJECTED: &str = "PodRejected";
    /// The image cannot be pulled.
    pub const IMAGE_ERROR: &str = "ImageError";
    /// The program or its sandbox cannot be started.
    pub const START_ERROR: &str = "StartError";
    /// A Secret or key that the environment refers to is missing.
    pub const SECRET_NOT_FOUND: &str = "SecretNotFound";
    /// The node cannot make a sandbox of this RuntimeClass.
    pub const RUNTIME_NOT_READY: &str = "RuntimeNotReady";
    /// The template demands a user namespace, and the node, its runtime or the API server cannot give one.
    pub const USER_NAMESPACE_UNSUPPORTED: &str = "UserNamespaceUnsupported";
    /// No node has room or fits.
    pub const UNSCHEDULABLE: &str = "Unschedulable";
    /// The tenant's quota leaves no room; the run waits.
    pub const QUOTA_EXCEEDED: &str = "QuotaExceeded";
    /// The tenant has as many runs at once as it may; the run waits.
    pub const CONCURRENCY_LIMIT: &str = "ConcurrencyLimit";
    /// The RuntimeClass does not exist; the run waits.
    pub const RUNTIME_CLASS_NOT_FOUND: &str = "RuntimeClassNotFound";
    /// The tenant may not use the RuntimeClass; the run waits.
    pub const RUNTIME_CLASS_NOT_ALLOWED: &str = "RuntimeClassNotAllowed";
    /// How the sandbox's init comes in is being found out; the run waits.
    pub const CANARY_PENDING: &str = "CanaryPending";
    /// The template does not exist; the run waits.
    pub const TEMPLATE_NOT_FOUND: &str = "TemplateNotFound";
    /// The tenant is not set up; the run waits.
    pub const TENANT_NOT_READY: &str = "TenantNotReady";
    /// The tenant is suspended.
    pub const TENANT_SUSPENDED: &str = "TenantSuspended";
    /// Pod Security or an admission policy of the cluster refused the pod.
    pub const POD_SECURITY_VIOLATION: &str = "PodSecurityViolation";
    /// The API server refused the pod for another reason.
    pub const POD_REFUSED: &str = "PodRefused";
    /// The spec asks for something that cannot be.
    pub const INVALID_SPEC: &str = "InvalidSpec";
}

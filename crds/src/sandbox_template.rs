//! SandboxTemplate: the shape of a sandbox, under a name that runs refer to.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    common::{EnvVar, Resources},
    schema::{SUBDOMAIN_PATTERN, rules},
};

/// A template for sandboxes.
#[derive(CustomResource, Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "pinfold.dev",
    version = "v1alpha1",
    kind = "SandboxTemplate",
    namespaced,
    derive = "PartialEq",
    shortname = "pftpl",
    category = "pinfold",
    doc = "A template for sandboxes: image, resources, user and start-up. Runs refer to it by name; a template of the tenant's own wins over a built-in one of the same name.",
    printcolumn(
        name = "Image",
        type_ = "string",
        json_path = ".spec.image",
        description = "The container image"
    ),
    printcolumn(
        name = "Runtime",
        type_ = "string",
        json_path = ".spec.runtimeClassName",
        description = "The RuntimeClass"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = template_rules()))]
pub struct SandboxTemplateSpec {
    /// Container image. Anything that runs on Linux will do: Pinfold brings its own init. 1 to 512 characters.
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^\S+$"))]
    pub image: String,

    /// What a sandbox asks for and may use at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,

    /// The user id that programs run as: 1 to 2,147,483,647. Default: 65532.
    #[serde(default = "default_user")]
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub run_as_user: i64,

    /// The working directory, absolute; made when it is missing. Default: `/tmp`. At most 512 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^/"))]
    pub workdir: Option<String>,

    /// Environment variables; a run's own of the same name win. At most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 32),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub env: Vec<EnvVar>,

    /// RuntimeClass of the sandbox. The tenant must be allowed to use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = SUBDOMAIN_PATTERN))]
    pub runtime_class_name: Option<String>,

    /// Whether the sandbox shares the node's user namespace. `false` demands one of its own: every user id inside is an
    /// id without rights outside. A node or RuntimeClass that cannot make one does not run the sandbox. Default: true.
    #[serde(default = "default_host_users")]
    pub host_users: bool,

    /// Whether programs in the sandbox prove to the control-plane API which run they are: they find a token for it at
    /// `/var/run/pinfold/workload/token` and may reach it. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub workload_identity: bool,

    /// A service that is started in the background before the run's own command: program and arguments, not
    /// run by a shell. At most 32 entries of 1,024 characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 1024)), extend("x-kubernetes-list-type" = "atomic"))]
    pub start_command: Vec<String>,

    /// Tells when the sandbox is ready: the run's own command starts, and the pod counts as ready, only after
    /// this has succeeded once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_probe: Option<ReadyProbe>,
}

fn default_user() -> i64 {
    65532
}

fn template_rules() -> Value {
    rules(&[
        (
            "!has(self.startCommand) || self.startCommand.size() == 0 || self.startCommand[0] != ''",
            "startCommand begins with a program: give its name or path as the first entry",
        ),
        (
            "!has(self.readyProbe) || self.readyProbe.command[0] != ''",
            "readyProbe.command begins with a program: give its name or path as the first entry",
        ),
    ])
}

fn default_host_users() -> bool {
    true
}

/// A command that succeeds once the sandbox is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReadyProbe {
    /// Program and arguments, not run by a shell. 1 to 32 entries of 1,024 characters.
    #[schemars(length(min = 1, max = 32), inner(length(max = 1024)), extend("x-kubernetes-list-type" = "atomic"))]
    pub command: Vec<String>,
}

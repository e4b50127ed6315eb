//! `/v1/tenants/{tenant}/templates`: shapes of sandboxes, under names that runs refer to.

use crds::{
    common::Resources,
    sandbox_template::{ReadyProbe, SandboxTemplate, SandboxTemplateSpec},
};
use kube::ResourceExt as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    http::error::ApiError,
    routes::tenants::sandbox::{self, Limits, Variable},
};

pub mod create;
pub mod delete;
pub mod get;
pub mod list;
pub mod update;

/// What is written of a template.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTemplate, example = json!({"name": "data", "image": "registry.example.com/data:1.4", "resources": {"limits": {"cpu": "2", "memory": "4Gi"}}}))]
pub struct Shape {
    /// Its name: a DNS label (RFC 1123). It stays.
    #[schema(min_length = 1, max_length = 63, example = "data")]
    name: String,
    /// Container image. Anything that runs on Linux will do: Pinfold brings its own init.
    #[schema(min_length = 1, max_length = 512, example = "registry.example.com/data:1.4")]
    image: String,
    /// What a sandbox asks for and may use at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resources: Option<Limits>,
    /// The user id that programs run as. Default: 65532.
    #[serde(default = "default_user")]
    #[schema(minimum = 1, maximum = 2_147_483_647)]
    run_as_user: i64,
    /// The working directory, absolute; made when it is missing. Default: `/tmp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 512)]
    workdir: Option<String>,
    /// Environment variables; a run's own of the same name win.
    #[serde(default)]
    #[schema(max_items = 32)]
    env: Vec<Variable>,
    /// RuntimeClass of the sandbox; the tenant must be allowed to use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    runtime_class_name: Option<String>,
    /// Whether the sandbox shares the node's user namespace; `false` demands one of its own. Default: true.
    #[serde(default = "default_host_users")]
    host_users: bool,
    /// Whether programs in the sandbox prove here which run they are, by a token that they find at
    /// `/var/run/pinfold/workload/token`. Default: false.
    #[serde(default)]
    workload_identity: bool,
    /// A service that is started in the background before the run's own command: program and arguments, not run by a shell.
    #[serde(default)]
    #[schema(max_items = 32)]
    start_command: Vec<String>,
    /// A command, not run by a shell, that succeeds once the sandbox is ready: the run's own command starts only then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, max_items = 32)]
    ready_probe: Option<Vec<String>>,
}

/// A template.
#[derive(Debug, Serialize, ToSchema)]
pub struct Template {
    /// What is written of it.
    #[serde(flatten)]
    shape: Shape,
    /// Whether it comes with the platform; then nobody changes it here.
    built_in: bool,
    /// When it was made (RFC 3339).
    #[schema(example = "2027-01-15T08:00:00Z")]
    created_at: String,
}

const fn default_user() -> i64 {
    65532
}

const fn default_host_users() -> bool {
    true
}

impl Shape {
    /// The template as a resource. Its rules are the resource's: the API server checks them.
    fn resource(self) -> Result<SandboxTemplate, ApiError> {
        let spec = SandboxTemplateSpec {
            image: self.image,
            resources: self.resources.map(Resources::from),
            run_as_user: self.run_as_user,
            workdir: self.workdir,
            env: sandbox::variables(self.env)?,
            runtime_class_name: self.runtime_class_name,
            host_users: self.host_users,
            workload_identity: self.workload_identity,
            start_command: self.start_command,
            ready_probe: self.ready_probe.map(|command| ReadyProbe { command }),
        };
        Ok(SandboxTemplate::new(&sandbox::name(self.name)?, spec))
    }

    fn of(template: SandboxTemplate) -> Self {
        let name = template.name_any();
        let spec = template.spec;
        Self {
            name,
            image: spec.image,
            resources: spec.resources.map(Limits::from),
            run_as_user: spec.run_as_user,
            workdir: spec.workdir,
            env: spec.env.into_iter().map(Variable::from).collect(),
            runtime_class_name: spec.runtime_class_name,
            host_users: spec.host_users,
            workload_identity: spec.workload_identity,
            start_command: spec.start_command,
            ready_probe: spec.ready_probe.map(|probe| probe.command),
        }
    }
}

impl Template {
    /// One of the tenant's own.
    fn own(template: SandboxTemplate) -> Self {
        Self::of(template, false)
    }

    fn of(template: SandboxTemplate, built_in: bool) -> Self {
        let created_at = template.metadata.creation_timestamp.as_ref();
        Self {
            built_in,
            created_at: created_at.map_or_else(String::new, |at| at.0.to_string()),
            shape: Shape::of(template),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::http::merge::merge;

    /// What a client reads of a template, it may write as it is; nothing is lost on the way through the resource.
    #[test]
    fn goes_through_the_resource_unchanged() {
        let written = json!({
            "name": "data",
            "image": "registry.example.com/data:1.4",
            "resources": {"requests": {"cpu": "500m"}, "limits": {"memory": "4Gi", "ephemeral_storage": "1Gi"}},
            "run_as_user": 1000,
            "workdir": "/home/user",
            "env": [{"name": "A", "value": "1"}, {"name": "B", "secret": {"name": "s", "key": "k"}}],
            "runtime_class_name": "gvisor",
            "host_users": false,
            "workload_identity": true,
            "start_command": ["serve", "--port=1"],
            "ready_probe": ["curl", "localhost:1"],
        });
        let shape: Shape = serde_json::from_value(written.clone()).unwrap();
        let again = serde_json::to_value(Shape::of(shape.resource().unwrap())).unwrap();
        assert_eq!(again, written);
    }

    #[test]
    fn what_is_not_said_is_the_resources_default() {
        let shape: Shape = serde_json::from_value(json!({"name": "data", "image": "i"})).unwrap();
        let spec: Value = serde_json::to_value(shape.resource().unwrap().spec).unwrap();
        let default: SandboxTemplateSpec = serde_json::from_value(json!({"image": "i"})).unwrap();
        assert_eq!(spec, serde_json::to_value(default).unwrap());
    }

    #[test]
    fn a_patch_takes_away_what_it_says_is_null() {
        let shape: Shape = serde_json::from_value(json!({"name": "a", "image": "i", "workdir": "/w"})).unwrap();
        let mut document = serde_json::to_value(shape).unwrap();
        merge(
            &mut document,
            json!({"workdir": null, "host_users": null, "image": "j"}),
        );
        let shape: Shape = serde_json::from_value(document).unwrap();
        assert_eq!(
            (shape.workdir, shape.host_users, shape.image.as_str()),
            (None, true, "j")
        );
    }
}

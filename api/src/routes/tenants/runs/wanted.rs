//! A run as callers ask for it.

use std::collections::BTreeMap;

use crds::{
    common::Resources,
    sandbox_run::{Language, SandboxRun, SandboxRunSpec},
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    auth::hex,
    http::error::ApiError,
    routes::tenants::sandbox::{self, Limits, Variable},
};

/// A new run. Give a template or an image; give code with its language, or a command, or neither for a sandbox that stays until its deadline.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"template": "python", "language": "python", "code": "print(6 * 7)"}))]
pub struct NewRun {
    /// Its name: a DNS label (RFC 1123). Without, one is made.
    #[schema(min_length = 1, max_length = 63)]
    name: Option<String>,
    /// A template of the tenant, or one that comes with the platform: `base`, `python`, `node`.
    #[schema(max_length = 63)]
    template: Option<String>,
    /// A container image, without a template.
    #[schema(max_length = 512)]
    image: Option<String>,
    /// Program and arguments, not run by a shell. No secrets: whoever reads the run reads this.
    #[serde(default)]
    #[schema(max_items = 64)]
    command: Vec<String>,
    /// Source code, at most 65,536 bytes. No secrets.
    #[schema(max_length = 65536)]
    code: Option<String>,
    /// The language of `code`: `python`, `bash` or `javascript`.
    language: Option<String>,
    /// Text for standard input, at most 65,536 bytes. No secrets.
    #[schema(max_length = 65536)]
    stdin: Option<String>,
    /// Environment variables.
    #[serde(default)]
    #[schema(max_items = 32)]
    env: Vec<Variable>,
    /// How long the sandbox may take to start, in seconds: 1 to 3600. Default: 120.
    #[schema(minimum = 1, maximum = 3600)]
    start_timeout_seconds: Option<i32>,
    /// How long the program may run, in seconds: 1 to 604,800. Default: 300.
    #[schema(minimum = 1, maximum = 604_800)]
    timeout_seconds: Option<i32>,
    /// How long the run is kept after it has finished, in seconds. Without, until somebody deletes it.
    #[schema(minimum = 0, maximum = 31_536_000)]
    ttl_seconds_after_finished: Option<i32>,
    /// What the sandbox asks for and may use at most.
    resources: Option<Limits>,
    /// The working directory, absolute.
    #[schema(max_length = 512)]
    workdir: Option<String>,
    /// RuntimeClass of the sandbox; the tenant must be allowed to use it.
    runtime_class_name: Option<String>,
    /// Labels (Kubernetes syntax), by which runs are listed.
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

impl NewRun {
    /// The run as a resource. Its rules are the resource's: the API server checks them.
    pub fn resource(self, random: [u8; 5]) -> Result<SandboxRun, ApiError> {
        let name = match self.name {
            Some(name) => sandbox::name(name)?,
            None => made(random),
        };
        let spec = SandboxRunSpec {
            template: self.template,
            image: self.image,
            command: self.command,
            code: self.code,
            language: self.language.as_deref().map(language).transpose()?,
            stdin: self.stdin,
            env: sandbox::variables(self.env)?,
            start_timeout_seconds: self.start_timeout_seconds.unwrap_or(120),
            timeout_seconds: self.timeout_seconds.unwrap_or(300),
            ttl_seconds_after_finished: self.ttl_seconds_after_finished,
            resources: self.resources.map(Resources::from),
            run_as_user: None,
            workdir: self.workdir,
            runtime_class_name: self.runtime_class_name,
            cancel: false,
        };
        let mut run = SandboxRun::new(&name, spec);
        own_labels(&self.labels)?;
        run.metadata.labels = (!self.labels.is_empty()).then_some(self.labels);
        Ok(run)
    }
}

/// Refuses labels that mean something to Pinfold.
pub fn own_labels(labels: &BTreeMap<String, String>) -> Result<(), ApiError> {
    let is_ours = |key: &&String| key.contains("pinfold.dev/") || *key == "app.kubernetes.io/managed-by";
    match labels.keys().find(is_ours) {
        None => Ok(()),
        Some(key) => Err(ApiError::invalid(
            "labels",
            format!("{key:?} is set by Pinfold alone; use a label of your own"),
        )),
    }
}

fn made(random: [u8; 5]) -> String {
    format!("run-{}", hex::encode(&random))
}

fn language(text: &str) -> Result<Language, ApiError> {
    match text {
        "python" => Ok(Language::Python),
        "bash" => Ok(Language::Bash),
        "javascript" => Ok(Language::Javascript),
        _ => Err(ApiError::invalid("language", "write python, bash or javascript")),
    }
}

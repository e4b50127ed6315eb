//! A run as callers ask for it.

use std::collections::BTreeMap;

use crds::{
    common::{EnvVar, EnvVarSource, ResourceList, Resources, SecretKeyRef},
    sandbox_run::{Language, SandboxRun, SandboxRunSpec},
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{auth::api_key::hex, http::error::ApiError};

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

/// An environment variable: with a value, or with one of a Secret in the tenant's namespace.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = EnvVar)]
pub struct Variable {
    /// Its name.
    #[schema(example = "GREETING")]
    name: String,
    /// Its value. No secrets.
    #[schema(example = "hello")]
    value: Option<String>,
    /// The Secret that holds its value.
    secret: Option<SecretKey>,
}

/// A key of a Secret.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SecretKeyRef)]
pub struct SecretKey {
    /// The Secret's name.
    name: String,
    /// The key in it.
    key: String,
}

/// What a sandbox asks for, and may use at most.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// What is kept free for it.
    requests: Option<Amounts>,
    /// What it may use at most.
    limits: Option<Amounts>,
}

/// Amounts, as Kubernetes writes quantities.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ResourceList)]
pub struct Amounts {
    /// Cores: `500m`.
    #[schema(example = "500m")]
    cpu: Option<String>,
    /// Bytes: `256Mi`.
    #[schema(example = "256Mi")]
    memory: Option<String>,
    /// Bytes of disk: `1Gi`.
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

impl NewRun {
    /// The run as a resource. Its rules are the resource's: the API server checks them.
    pub fn resource(self, random: [u8; 5]) -> Result<SandboxRun, ApiError> {
        let name = match self.name {
            Some(name) => label(name)?,
            None => made(random),
        };
        let spec = SandboxRunSpec {
            template: self.template,
            image: self.image,
            command: self.command,
            code: self.code,
            language: self.language.as_deref().map(language).transpose()?,
            stdin: self.stdin,
            env: self
                .env
                .into_iter()
                .enumerate()
                .map(|(place, v)| variable(place, v))
                .collect::<Result<_, _>>()?,
            start_timeout_seconds: self.start_timeout_seconds.unwrap_or(120),
            timeout_seconds: self.timeout_seconds.unwrap_or(300),
            ttl_seconds_after_finished: self.ttl_seconds_after_finished,
            resources: self.resources.map(|r| Resources {
                requests: r.requests.map(ResourceList::from),
                limits: r.limits.map(ResourceList::from),
            }),
            run_as_user: None,
            workdir: self.workdir,
            runtime_class_name: self.runtime_class_name,
            cancel: false,
        };
        let mut run = SandboxRun::new(&name, spec);
        if let Some(key) = self
            .labels
            .keys()
            .find(|key| key.contains("pinfold.dev/") || *key == "app.kubernetes.io/managed-by")
        {
            return Err(ApiError::invalid(
                "labels",
                format!("{key:?} is set by Pinfold alone; use a label of your own"),
            ));
        }
        run.metadata.labels = (!self.labels.is_empty()).then_some(self.labels);
        Ok(run)
    }
}

fn label(name: String) -> Result<String, ApiError> {
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

fn made(random: [u8; 5]) -> String {
    format!("run-{}", hex(&random))
}

fn language(text: &str) -> Result<Language, ApiError> {
    match text {
        "python" => Ok(Language::Python),
        "bash" => Ok(Language::Bash),
        "javascript" => Ok(Language::Javascript),
        _ => Err(ApiError::invalid("language", "write python, bash or javascript")),
    }
}

fn variable(place: usize, variable: Variable) -> Result<EnvVar, ApiError> {
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
}

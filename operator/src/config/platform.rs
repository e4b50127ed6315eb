//! The platform file: what the administrator of the installation decides for all tenants.

use std::{collections::BTreeMap, fs, path::Path};

use domain::Quantity;
use ipnet::IpNet;
use serde::Deserialize;

use crate::workload_identity::WorkloadIdentity;

/// The platform file as it is used: parsed and checked.
#[derive(Debug, Clone)]
pub struct Platform {
    /// Plans by name.
    pub plans: BTreeMap<String, Plan>,
    /// Address ranges that no tenant ever reaches.
    pub denied_cidrs: Vec<IpNet>,
    /// Image that carries `sandboxd`.
    pub sandboxd_image: String,
    /// Pull policy for [`Platform::sandboxd_image`].
    pub sandboxd_pull_policy: Option<String>,
    /// How `sandboxd` comes into a sandbox.
    pub injection: InjectionMode,
    /// Namespace of the built-in templates.
    pub templates_namespace: String,
    /// The control-plane API's service account, which reads the logs of tenants' pods.
    pub api_service_account: Option<String>,
    /// The control-plane API as pods prove themselves to it, if there is one.
    pub workload_identity: Option<WorkloadIdentity>,
    /// Where cluster DNS runs.
    pub dns: Dns,
    /// What a container gets where nobody says.
    pub defaults: Defaults,
}

/// How `sandboxd` comes into a sandbox.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum InjectionMode {
    /// By an image volume where a canary pod could execute from one, by an init container otherwise.
    #[default]
    Auto,
    /// By an image volume.
    ImageVolume,
    /// By an init container that copies it.
    InitContainer,
}

/// The limits of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Processor time of all pods, in cores.
    pub cpu: Quantity,
    /// Memory of all pods, in bytes.
    pub memory: Quantity,
    /// Disk space of all pods, in bytes.
    pub storage: Quantity,
    /// Unfinished pods.
    pub pods: i32,
    /// Unfinished runs.
    pub concurrent_runs: i32,
    /// The longest run, in seconds.
    pub max_run_duration_seconds: i32,
    /// How many objects of a kind exist.
    pub objects: Objects,
}

/// How many objects of each kind a tenant's people may have. The operator keeps all of them in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Objects {
    /// `SandboxRun`s, finished ones included.
    pub runs: i32,
    /// Agents.
    pub agents: i32,
    /// `SandboxTemplate`s.
    pub templates: i32,
    /// Secrets, one for each agent's generated identity included.
    pub secrets: i32,
}

/// Where cluster DNS runs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dns {
    /// Namespace of the DNS pods.
    #[serde(default = "dns_namespace")]
    pub namespace: String,
    /// Labels of the DNS pods.
    #[serde(default = "dns_labels")]
    pub pod_labels: BTreeMap<String, String>,
}

impl Default for Dns {
    fn default() -> Self {
        Self {
            namespace: dns_namespace(),
            pod_labels: dns_labels(),
        }
    }
}

fn dns_namespace() -> String {
    "kube-system".to_owned()
}

fn dns_labels() -> BTreeMap<String, String> {
    BTreeMap::from([("k8s-app".to_owned(), "kube-dns".to_owned())])
}

/// Limits for containers where neither the resource nor its template sets them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defaults {
    /// Cores.
    pub cpu: Quantity,
    /// Bytes of memory.
    pub memory: Quantity,
    /// Bytes of disk.
    pub ephemeral_storage: Quantity,
}

/// Why the platform file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// It cannot be read.
    #[error("read the platform file {path}")]
    Read {
        /// Where it should be.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It is not the YAML that is expected.
    #[error("parse the platform file {path}")]
    Parse {
        /// Where it is.
        path: String,
        /// What is wrong.
        #[source]
        source: Box<serde_saphyr::Error>,
    },
    /// Its values do not fit; all problems at once.
    #[error("the platform file has {} problems:\n  {}", .0.len(), .0.join("\n  "))]
    Invalid(Vec<String>),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    plans: BTreeMap<String, PlanFile>,
    #[serde(default)]
    denied_cidrs: Vec<String>,
    sandboxd: SandboxdFile,
    #[serde(default = "templates_namespace")]
    templates_namespace: String,
    #[serde(default)]
    api_service_account: Option<String>,
    #[serde(default)]
    workload_identity: Option<WorkloadIdentity>,
    #[serde(default)]
    dns: Dns,
    #[serde(default)]
    defaults: DefaultsFile,
}

fn templates_namespace() -> String {
    "pinfold-templates".to_owned()
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PlanFile {
    cpu: String,
    memory: String,
    storage: String,
    pods: i32,
    concurrent_runs: i32,
    max_run_duration_seconds: i32,
    #[serde(default = "runs")]
    runs: i32,
    #[serde(default = "agents")]
    agents: i32,
    #[serde(default = "templates")]
    templates: i32,
    #[serde(default = "secrets")]
    secrets: i32,
}

fn runs() -> i32 {
    2000
}

fn agents() -> i32 {
    200
}

fn templates() -> i32 {
    200
}

fn secrets() -> i32 {
    500
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SandboxdFile {
    image: String,
    pull_policy: Option<String>,
    #[serde(default)]
    injection: InjectionMode,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct DefaultsFile {
    cpu: String,
    memory: String,
    ephemeral_storage: String,
}

impl Default for DefaultsFile {
    fn default() -> Self {
        Self {
            cpu: "500m".to_owned(),
            memory: "512Mi".to_owned(),
            ephemeral_storage: "1Gi".to_owned(),
        }
    }
}

/// Cloud metadata services and link-local addresses: denied however the file is written.
const ALWAYS_DENIED: [&str; 5] = [
    "169.254.0.0/16",
    "fe80::/10",
    "fd00:ec2::254/128",
    "fd20:ce::254/128",
    "100.100.100.200/32",
];

impl Platform {
    /// Reads and checks the file.
    pub fn load(path: &Path) -> Result<Self, PlatformError> {
        let shown = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|source| PlatformError::Read {
            path: shown.clone(),
            source,
        })?;
        Self::parse(&text).map_err(|error| match error {
            ParseError::Yaml(source) => PlatformError::Parse { path: shown, source },
            ParseError::Invalid(problems) => PlatformError::Invalid(problems),
        })
    }

    fn parse(text: &str) -> Result<Self, ParseError> {
        let file: File = serde_saphyr::from_str(text).map_err(|error| ParseError::Yaml(Box::new(error)))?;
        let mut problems = Vec::new();
        let mut quantity = |field: String, text: &str| {
            text.parse().unwrap_or_else(|error| {
                problems.push(format!("{field}: {error}"));
                Quantity::ZERO
            })
        };
        let plans: BTreeMap<String, Plan> = file
            .plans
            .iter()
            .map(|(name, plan)| {
                let parsed = Plan {
                    cpu: quantity(format!("plans.{name}.cpu"), &plan.cpu),
                    memory: quantity(format!("plans.{name}.memory"), &plan.memory),
                    storage: quantity(format!("plans.{name}.storage"), &plan.storage),
                    pods: plan.pods,
                    concurrent_runs: plan.concurrent_runs,
                    max_run_duration_seconds: plan.max_run_duration_seconds,
                    objects: Objects {
                        runs: plan.runs,
                        agents: plan.agents,
                        templates: plan.templates,
                        secrets: plan.secrets,
                    },
                };
                (name.clone(), parsed)
            })
            .collect();
        let defaults = Defaults {
            cpu: quantity("defaults.cpu".to_owned(), &file.defaults.cpu),
            memory: quantity("defaults.memory".to_owned(), &file.defaults.memory),
            ephemeral_storage: quantity("defaults.ephemeralStorage".to_owned(), &file.defaults.ephemeral_storage),
        };
        let denied = ALWAYS_DENIED
            .iter()
            .map(|c| (*c).to_owned())
            .chain(file.denied_cidrs.iter().cloned());
        let denied_cidrs: Vec<IpNet> = denied
            .enumerate()
            .filter_map(|(n, text)| {
                let net = text.parse::<IpNet>().ok().map(|net| net.trunc());
                if net.is_none() {
                    let n = n - ALWAYS_DENIED.len();
                    problems.push(format!("deniedCidrs[{n}]: {text:?} is not a range such as 10.0.0.0/8"));
                }
                net
            })
            .collect();
        if plans.is_empty() {
            problems.push("plans: at least one plan is needed, such as standard".to_owned());
        }
        for (name, plan) in &plans {
            let objects = plan.objects;
            let counts = [
                plan.pods,
                plan.concurrent_runs,
                objects.runs,
                objects.agents,
                objects.templates,
                objects.secrets,
            ];
            if counts.iter().any(|count| *count < 0) || plan.max_run_duration_seconds < 1 {
                problems.push(format!(
                    "plans.{name}: counts must not be negative and maxRunDurationSeconds at least 1"
                ));
            }
        }
        if !problems.is_empty() {
            return Err(ParseError::Invalid(problems));
        }
        Ok(Self {
            plans,
            denied_cidrs: IpNet::aggregate(&denied_cidrs),
            sandboxd_image: file.sandboxd.image,
            sandboxd_pull_policy: file.sandboxd.pull_policy,
            injection: file.sandboxd.injection,
            templates_namespace: file.templates_namespace,
            api_service_account: file.api_service_account,
            workload_identity: file.workload_identity,
            dns: file.dns,
            defaults,
        })
    }
}

enum ParseError {
    Yaml(Box<serde_saphyr::Error>),
    Invalid(Vec<String>),
}

#[cfg(test)]
impl Platform {
    /// A platform file for tests of pure steps.
    pub fn for_tests() -> Self {
        let text = r#"
plans:
  standard: {cpu: "8", memory: 16Gi, storage: 50Gi, pods: 100, concurrentRuns: 20, maxRunDurationSeconds: 86400}
  small: {cpu: "1", memory: 1Gi, storage: 5Gi, pods: 5, concurrentRuns: 1, maxRunDurationSeconds: 60}
deniedCidrs: [10.0.0.0/16, "fd00::/64"]
sandboxd: {image: "pinfold.dev/sandboxd:test", injection: imageVolume}
workloadIdentity:
  audience: https://pinfold.example
  namespace: pinfold-system
  podLabels: {app.kubernetes.io/component: api}
  port: 8080
"#;
        let Ok(platform) = Self::parse(text) else {
            panic!("the test platform file is valid")
        };
        platform
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_every_problem_at_once() {
        let text = r"
plans:
  a: {cpu: lots, memory: 1Gi, storage: 1Gi, pods: -1, concurrentRuns: 1, maxRunDurationSeconds: 1}
deniedCidrs: [nonsense]
sandboxd: {image: x}
";
        let Err(ParseError::Invalid(problems)) = Platform::parse(text) else {
            panic!("not refused")
        };
        assert_eq!(
            problems,
            vec![
                "plans.a.cpu: \"lots\" is not a resource quantity such as 500m, 2 or 512Mi",
                "deniedCidrs[0]: \"nonsense\" is not a range such as 10.0.0.0/8",
                "plans.a: counts must not be negative and maxRunDurationSeconds at least 1",
            ]
        );
    }

    #[test]
    fn metadata_services_are_denied_whatever_the_file_says() {
        let platform = Platform::for_tests();
        let metadata: IpNet = "169.254.169.254/32".parse().unwrap();
        assert!(platform.denied_cidrs.iter().any(|d| d.contains(&metadata)));
    }

    #[test]
    fn counts_of_objects_have_defaults_and_are_checked() {
        let plan = |more: &str| {
            format!(
                "plans: {{a: {{cpu: '1', memory: 1Gi, storage: 1Gi, pods: 1, concurrentRuns: 1, maxRunDurationSeconds: 1{more}}}}}\nsandboxd: {{image: x}}\n"
            )
        };
        let objects = |more: &str| Platform::parse(&plan(more)).ok().map(|p| p.plans["a"].objects);
        let default = Objects {
            runs: 2000,
            agents: 200,
            templates: 200,
            secrets: 500,
        };
        assert_eq!(objects(""), Some(default));
        assert_eq!(objects(", runs: 7"), Some(Objects { runs: 7, ..default }));
        assert_eq!(objects(", secrets: -1"), None);
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(matches!(
            Platform::parse("plans: {}\nsandbox: {image: x}\n"),
            Err(ParseError::Yaml(_))
        ));
    }
}

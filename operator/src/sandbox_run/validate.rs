//! Step 2: what the run means, or why it cannot be. Pure.

use crds::{
    SandboxRun, SandboxTemplate, Tenant,
    common::EnvVar,
    sandbox_run::{Language, reason},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::ResourceExt;
use sandbox_protocol::{Field, Mode, RunInput, RunSpec};

use crate::{
    cluster::meta,
    config::{Plan, Platform},
    resources::{Amounts, Resolved, field, resolve},
    sandbox_run::{GRACE_SECONDS, refusal::Refusal},
    workload_identity::{Grant, WorkloadIdentity},
};

/// The user that a program runs as where nobody says.
const DEFAULT_USER: i64 = 65532;

/// A run that a pod can be built from.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidatedRun {
    /// Name of the run.
    pub name: String,
    /// Namespace of the run.
    pub namespace: String,
    /// UID of the run.
    pub uid: String,
    /// The tenant.
    pub tenant: String,
    /// The reference that makes the run own its pod.
    pub owner: Option<OwnerReference>,
    /// The container image.
    pub image: String,
    /// The user id of the program.
    pub run_as_user: i64,
    /// What the container reserves.
    pub requests: Amounts,
    /// What the container may use.
    pub limits: Amounts,
    /// The runtime.
    pub runtime_class: Option<String>,
    /// Whether the sandbox may share the node's user namespace.
    pub host_users: bool,
    /// What its programs prove themselves with, if they are to.
    pub workload: Option<Grant>,
    /// Whether the sandbox says when it is ready.
    pub has_ready_probe: bool,
    /// How long the sandbox may take to be ready.
    pub start_timeout_seconds: i32,
    /// The pod's own deadline, the second belt: counts from the pod's start on its node, image pulls included.
    pub active_deadline_seconds: i64,
}

/// What a run hands to its program.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    /// The user's environment.
    pub env: Vec<EnvVar>,
    /// What `sandboxd` is told, as environment strings.
    pub input: Vec<(&'static str, String)>,
}

/// Checks what a run hands to its program. Takes the run as the API server has it: the cache keeps no programs.
pub fn program(run: &SandboxRun, template: Option<&SandboxTemplate>) -> Result<Program, Refusal> {
    let shape = template.map(|t| &t.spec);
    let input = input(run, template)?.encode().map_err(|error| match error.field() {
        // These come from the template, which can be mended.
        Field::StartCommand | Field::ReadyCommand | Field::Spec => Refusal::wait(
            reason::TEMPLATE_NOT_FOUND,
            format!("the template's {error}; the run starts when the template is mended"),
        ),
        _ => Refusal::invalid(format!("spec.{error}")),
    })?;
    Ok(Program {
        env: merge_env(shape.map(|t| t.env.as_slice()).unwrap_or_default(), &run.spec.env),
        input,
    })
}

/// Checks a run against its template, its tenant's limits and the cluster; its program apart.
pub fn validate(
    run: &SandboxRun,
    template: Option<&SandboxTemplate>,
    tenant: &Tenant,
    limits: &Plan,
    platform: &Platform,
    class_exists: impl Fn(&str) -> bool,
) -> Result<ValidatedRun, Refusal> {
    let spec = &run.spec;
    let shape = template.map(|t| &t.spec);
    let image = shape
        .map(|t| t.image.clone())
        .or_else(|| spec.image.clone())
        .ok_or_else(|| Refusal::invalid("give either spec.template or spec.image".to_owned()))?;
    if spec.timeout_seconds > limits.max_run_duration_seconds {
        return Err(Refusal::invalid(format!(
            "spec.timeoutSeconds: {} s is more than the {} s that the tenant's plan allows; make a run with less",
            spec.timeout_seconds, limits.max_run_duration_seconds
        )));
    }
    let resolved = resolve(
        spec.resources.as_ref(),
        shape.and_then(|t| t.resources.as_ref()),
        &platform.defaults,
    )
    .map_err(Refusal::invalid)?;
    within_tenant(&resolved, limits)?;
    let runtime_class = runtime_class(run, template, tenant, class_exists)?;
    let wanted = shape.is_some_and(|t| t.workload_identity);
    let workload = WorkloadIdentity::grant(wanted, platform.workload_identity.as_ref()).map_err(|message| {
        Refusal::wait(
            reason::TEMPLATE_NOT_FOUND,
            format!("the template's {message}; the run starts when the template is mended"),
        )
    })?;
    let deadline =
        i64::from(spec.start_timeout_seconds) + i64::from(spec.timeout_seconds) + i64::from(GRACE_SECONDS) + 10;
    Ok(ValidatedRun {
        name: run.name_any(),
        namespace: run.namespace().unwrap_or_default(),
        uid: run.uid().unwrap_or_default(),
        tenant: tenant.name_any(),
        owner: meta::owned_by(run),
        image,
        run_as_user: spec
            .run_as_user
            .or(shape.map(|t| t.run_as_user))
            .unwrap_or(DEFAULT_USER),
        requests: resolved.requests,
        limits: resolved.limits,
        runtime_class,
        host_users: shape.is_none_or(|t| t.host_users),
        workload,
        has_ready_probe: shape.is_some_and(|t| t.ready_probe.is_some()),
        start_timeout_seconds: spec.start_timeout_seconds,
        active_deadline_seconds: deadline,
    })
}

fn input(run: &SandboxRun, template: Option<&SandboxTemplate>) -> Result<RunInput, Refusal> {
    let spec = &run.spec;
    let shape = template.map(|t| &t.spec);
    let command = (!spec.command.is_empty()).then(|| spec.command.clone());
    let mode = match (&command, &spec.code, spec.language) {
        (Some(_), None, _) => Mode::Command,
        (None, Some(_), Some(language)) => Mode::Code {
            language: match language {
                Language::Python => sandbox_protocol::Language::Python,
                Language::Bash => sandbox_protocol::Language::Bash,
                Language::Javascript => sandbox_protocol::Language::JavaScript,
            },
        },
        (None, None, None) => Mode::Interactive,
        _ => {
            return Err(Refusal::invalid(
                "give spec.command, or spec.code with spec.language, or neither".to_owned(),
            ));
        }
    };
    let seconds = |value: i32| u32::try_from(value).unwrap_or(1);
    Ok(RunInput {
        spec: RunSpec {
            run_uid: run.uid().unwrap_or_default(),
            mode,
            timeout_seconds: seconds(spec.timeout_seconds),
            grace_seconds: GRACE_SECONDS,
            start_timeout_seconds: seconds(spec.start_timeout_seconds),
            workdir: spec.workdir.clone().or_else(|| shape.and_then(|t| t.workdir.clone())),
            start_command: shape.map(|t| t.start_command.clone()).filter(|c| !c.is_empty()),
            ready_command: shape.and_then(|t| t.ready_probe.as_ref()).map(|p| p.command.clone()),
        },
        command,
        code: spec.code.as_ref().map(|c| c.clone().into_bytes()),
        stdin: spec.stdin.as_ref().map(|s| s.clone().into_bytes()),
    })
}

/// The template's environment with the run's own in its place, name by name.
fn merge_env(template: &[EnvVar], own: &[EnvVar]) -> Vec<EnvVar> {
    let inherited = template.iter().filter(|t| !own.iter().any(|o| o.name == t.name));
    inherited.chain(own).cloned().collect()
}

fn within_tenant(resolved: &Resolved, limits: &Plan) -> Result<(), Refusal> {
    for (name, most) in [
        ("cpu", limits.cpu),
        ("memory", limits.memory),
        ("ephemeral-storage", limits.storage),
    ] {
        if let Some(limit) = resolved.limits.get(name).filter(|limit| **limit > most) {
            return Err(Refusal::invalid(format!(
                "spec.resources.limits.{}: {limit} is more than the {most} that all pods of the tenant may use together; make a run with less, or mend its template",
                field(name)
            )));
        }
    }
    Ok(())
}

fn runtime_class(
    run: &SandboxRun,
    template: Option<&SandboxTemplate>,
    tenant: &Tenant,
    exists: impl Fn(&str) -> bool,
) -> Result<Option<String>, Refusal> {
    let own = run.spec.runtime_class_name.clone();
    let asked = own.or_else(|| template.and_then(|t| t.spec.runtime_class_name.clone()));
    let classes = tenant.spec.runtime_classes.clone().unwrap_or_default();
    let Some(name) = asked.clone().or(classes.default) else {
        return Ok(None);
    };
    if asked.is_some() && !classes.allowed.contains(&name) {
        let allowed = if classes.allowed.is_empty() {
            "none".to_owned()
        } else {
            classes.allowed.join(", ")
        };
        return Err(Refusal::wait(
            reason::RUNTIME_CLASS_NOT_ALLOWED,
            format!(
                "the tenant may not use the RuntimeClass {name:?} (allowed: {allowed}); the run starts when it may"
            ),
        ));
    }
    if !exists(&name) {
        return Err(Refusal::wait(
            reason::RUNTIME_CLASS_NOT_FOUND,
            format!("the RuntimeClass {name:?} does not exist in this cluster; the run starts when it does"),
        ));
    }
    Ok(Some(name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::validated_run;

    fn refused(spec: &str, tenant: &str) -> (&'static str, String, bool) {
        let refusal = validated_run(spec, None, tenant).unwrap_err();
        (refusal.reason, refusal.message, refusal.terminal)
    }

    #[test]
    fn names_the_field_the_value_and_the_mend() {
        let table = [
            (
                "{image: x, timeoutSeconds: 61}",
                "{plan: small}",
                (
                    reason::INVALID_SPEC,
                    "spec.timeoutSeconds: 61 s is more than the 60 s that the tenant's plan allows; make a run with less",
                    true,
                ),
            ),
            (
                "{image: x, resources: {requests: {cpu: '2'}, limits: {cpu: '1'}}}",
                "{}",
                (
                    reason::INVALID_SPEC,
                    "spec.resources.requests.cpu: 2 is more than the limit 1; lower it or raise spec.resources.limits.cpu",
                    true,
                ),
            ),
            (
                "{image: x, resources: {limits: {memory: 32Gi}}}",
                "{}",
                (
                    reason::INVALID_SPEC,
                    "spec.resources.limits.memory: 32Gi is more than the 16Gi that all pods of the tenant may use together; make a run with less, or mend its template",
                    true,
                ),
            ),
            (
                "{image: x, runtimeClassName: gvisor}",
                "{}",
                (
                    reason::RUNTIME_CLASS_NOT_ALLOWED,
                    "the tenant may not use the RuntimeClass \"gvisor\" (allowed: none); the run starts when it may",
                    false,
                ),
            ),
            (
                "{image: x, runtimeClassName: kata}",
                "{runtimeClasses: {allowed: [kata]}}",
                (
                    reason::RUNTIME_CLASS_NOT_FOUND,
                    "the RuntimeClass \"kata\" does not exist in this cluster; the run starts when it does",
                    false,
                ),
            ),
        ];
        for (spec, tenant, (reason, message, terminal)) in table {
            assert_eq!(refused(spec, tenant), (reason, message.to_owned(), terminal), "{spec}");
        }
    }

    #[test]
    fn the_runtime_class_is_the_runs_the_templates_or_the_tenants() {
        let tenant = "{runtimeClasses: {default: gvisor, allowed: [gvisor]}}";
        let class = |spec: &str, template: Option<&str>| validated_run(spec, template, tenant).unwrap().runtime_class;
        assert_eq!(class("{image: x}", None).as_deref(), Some("gvisor"));
        assert_eq!(
            class("{template: t}", Some("{image: x, runtimeClassName: gvisor}")).as_deref(),
            Some("gvisor")
        );
        assert_eq!(validated_run("{image: x}", None, "{}").unwrap().runtime_class, None);
    }

    #[test]
    fn bytes_count_and_not_characters() {
        let spec = format!("{{image: x, code: '{}', language: bash}}", "ä".repeat(40_000));
        let refusal = crate::testing::program(&spec, None).unwrap_err();
        assert_eq!(
            (refusal.message.as_str(), refusal.terminal),
            ("spec.code takes 80000 bytes and may take at most 65536", true)
        );
    }

    #[test]
    fn a_template_that_can_be_mended_is_waited_for() {
        let template = format!("{{image: x, startCommand: [a, \"{}\"]}}", "b".repeat(70_000));
        let refusal = crate::testing::program("{template: python}", Some(&template)).unwrap_err();
        assert!(!refusal.terminal);
        assert!(
            refusal.message.starts_with("the template's spec takes 7"),
            "{}",
            refusal.message
        );
    }

    fn amount() -> impl Strategy<Value = String> {
        "([0-9]{1,4}(\\.[0-9]{1,3})?(m|k|M|G|Ki|Mi|Gi)?|[a-z$-]{0,5})"
    }

    proptest! {
        #[test]
        fn never_panics_and_never_exceeds_the_tenant(cpu in amount(), memory in amount(), request in amount(), timeout in 1..700_000_i32) {
            let spec = serde_json::json!({
                "image": "x",
                "timeoutSeconds": timeout,
                "resources": {"limits": {"cpu": cpu, "memory": memory}, "requests": {"cpu": request}},
            });
            if let Ok(run) = validated_run(&spec.to_string(), None, "{}") {
                let plan = &Platform::for_tests().plans["standard"];
                prop_assert!(run.limits["cpu"] <= plan.cpu && run.limits["memory"] <= plan.memory);
                prop_assert!(run.requests.iter().all(|(name, request)| request <= &run.limits[name]));
                prop_assert!(timeout <= plan.max_run_duration_seconds);
            }
        }
    }
}

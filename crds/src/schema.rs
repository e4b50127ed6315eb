//! Helpers for schema attributes, and the finished `CustomResourceDefinition` of every kind.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, ValidationRule,
};
use kube::CustomResourceExt;
use serde_json::{Value, json};

use crate::{Agent, SandboxRun, SandboxTemplate, Tenant};

/// CEL rules with the message that tells the user what to write instead.
pub(crate) fn rules(rules: &[(&str, &str)]) -> Value {
    rules
        .iter()
        .map(|(rule, message)| json!({"rule": rule, "message": message}))
        .collect()
}

/// A rule for each optional field: once created it may neither change, appear nor go.
///
/// A transition rule on the field itself would not run when the field appears or disappears, hence the parent.
pub(crate) fn immutable_fields(kind: &str, fields: &[&str]) -> Vec<Value> {
    fields
        .iter()
        .map(|field| {
            json!({
                "rule": format!(
                    "has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})"
                ),
                "message": format!("spec.{field} cannot be changed; create a new {kind} instead"),
            })
        })
        .collect()
}

/// What every reference to a Secret must satisfy.
pub(crate) const SECRET_NAME_RULE: (&str, &str) = (
    "!self.startsWith('pinfold-')",
    "names that begin with 'pinfold-' are reserved for Secrets that Pinfold makes; refer to a Secret of your own",
);

/// The pattern of a resource quantity, as the API server's own.
pub(crate) const QUANTITY_PATTERN: &str = r"^([0-9]{1,18})(\.[0-9]{1,9})?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$";

/// The pattern of a DNS label (RFC 1123).
pub(crate) const LABEL_PATTERN: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";

/// The pattern of a DNS subdomain (RFC 1123): what most Kubernetes names are.
pub(crate) const SUBDOMAIN_PATTERN: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

/// Every definition of the group, as it is installed.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    vec![
        with_name_rule(
            Tenant::crd(),
            "self.metadata.name.size() <= 56 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
            "a tenant's name has at most 56 characters, consists of a-z, 0-9 and '-', and begins and ends with a letter or digit",
        ),
        with_name_rule(
            Agent::crd(),
            "self.metadata.name.size() <= 50 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
            "an agent's name has at most 50 characters, consists of a-z, 0-9 and '-', begins with a letter and ends with a letter or digit (it becomes a DNS name)",
        ),
        with_name_rule(
            SandboxTemplate::crd(),
            "self.metadata.name.size() <= 63",
            "a template's name has at most 63 characters",
        ),
        with_name_rule(
            SandboxRun::crd(),
            "self.metadata.name.size() <= 63",
            "a run's name has at most 63 characters",
        ),
    ]
}

fn with_name_rule(mut crd: CustomResourceDefinition, rule: &str, message: &str) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let schema = version.schema.as_mut().and_then(|s| s.open_api_v3_schema.as_mut());
        if let Some(schema) = schema {
            schema
                .x_kubernetes_validations
                .get_or_insert_default()
                .push(ValidationRule {
                    rule: rule.to_owned(),
                    message: Some(message.to_owned()),
                    ..ValidationRule::default()
                });
            schema.description = schema.description.take().or_else(|| Some(crd.spec.names.kind.clone()));
            set_list_types(schema);
            forbid_null(schema);
        }
    }
    crd
}

/// A field is given or absent, never null: null would count as given in the rules above.
fn forbid_null(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    for child in schema.properties.iter_mut().flat_map(|p| p.values_mut()) {
        forbid_null(child);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(item)) = &mut schema.items {
        forbid_null(item);
    }
}

/// The condition list is a map by type, so that two writers can each own their conditions.
fn set_list_types(schema: &mut JSONSchemaProps) {
    let conditions = schema
        .properties
        .as_mut()
        .and_then(|p| p.get_mut("status"))
        .and_then(|s| s.properties.as_mut())
        .and_then(|p| p.get_mut("conditions"));
    if let Some(conditions) = conditions {
        conditions.x_kubernetes_list_type = Some("map".to_owned());
        conditions.x_kubernetes_list_map_keys = Some(vec!["type".to_owned()]);
    }
}

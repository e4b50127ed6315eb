//! The schemas of our kinds, without a cluster: everything is described, everything is bounded.

use insta::assert_yaml_snapshot;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::ResourceExt;

/// The most that all bounds of an object may come to, in characters.
const MOST: i64 = 512 * 1024;

fn schemas() -> Vec<(String, JSONSchemaProps)> {
    let all = crds::schema::definitions().into_iter().map(|definition| {
        let name = definition.name_any();
        let version = definition.spec.versions.into_iter().next().expect("a version");
        (
            name,
            version.schema.and_then(|s| s.open_api_v3_schema).expect("a schema"),
        )
    });
    all.collect()
}

/// Calls `look` for every field below a schema, with its path.
fn walk(path: &str, schema: &JSONSchemaProps, look: &mut impl FnMut(&str, &JSONSchemaProps)) {
    for (name, child) in schema.properties.iter().flatten() {
        let path = format!("{path}.{name}");
        look(&path, child);
        walk(&path, child, look);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items {
        let path = format!("{path}[]");
        look(&path, item);
        walk(&path, item, look);
    }
}

/// The most characters that a value of this schema takes; nothing if it has no bound.
fn size(schema: &JSONSchemaProps) -> Option<i64> {
    match schema.type_.as_deref() {
        Some("object") => {
            if let Some(JSONSchemaPropsOrBool::Schema(value)) = &schema.additional_properties {
                return Some(schema.max_properties? * (size(value)? + 64));
            }
            schema
                .properties
                .iter()
                .flatten()
                .map(|(name, child)| Some(i64::try_from(name.len()).ok()? + 4 + size(child)?))
                .sum()
        }
        Some("array") => match &schema.items {
            Some(JSONSchemaPropsOrArray::Schema(item)) => Some(schema.max_items? * (size(item)? + 1)),
            _ => None,
        },
        Some("string") => match &schema.enum_ {
            Some(values) => values
                .iter()
                .map(|v| i64::try_from(v.0.to_string().len()).ok())
                .max()
                .flatten(),
            None => Some(schema.max_length? + 2),
        },
        Some("integer" | "number") => Some(20),
        Some("boolean") => Some(5),
        _ => None,
    }
}

#[test]
fn every_field_is_described() {
    let mut silent = Vec::new();
    for (name, schema) in schemas() {
        walk(&name, &schema, &mut |path, field| {
            let own = path.contains(".spec") || path.contains(".status");
            if own && !path.ends_with("[]") && field.description.as_ref().is_none_or(String::is_empty) {
                silent.push(path.to_owned());
            }
        });
    }
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn every_field_is_bounded() {
    let mut unbounded = Vec::new();
    for (name, schema) in schemas() {
        walk(&name, &schema, &mut |path, field| {
            let own = path.contains(".spec") || path.contains(".status");
            let leaf = field.properties.is_none();
            if own && leaf && size(field).is_none() {
                unbounded.push(path.to_owned());
            }
            let integer = matches!(field.type_.as_deref(), Some("integer" | "number"));
            if own && integer && field.minimum.is_none() {
                unbounded.push(format!("{path} has no minimum"));
            }
        });
    }
    assert_eq!(unbounded, Vec::<String>::new());
}

#[test]
fn an_object_stays_small_whatever_is_written_into_it() {
    let sizes: Vec<(String, i64)> = schemas()
        .into_iter()
        .map(|(name, schema)| {
            let parts = schema
                .properties
                .iter()
                .flatten()
                .filter(|(key, _)| *key == "spec" || *key == "status");
            (name, parts.map(|(_, part)| size(part).expect("bounded")).sum())
        })
        .collect();
    let large: Vec<_> = sizes.iter().filter(|(_, size)| *size >= MOST).collect();
    assert!(large.is_empty(), "{large:?} of {sizes:?}");
}

#[test]
fn lists_say_how_they_are_merged() {
    let mut silent = Vec::new();
    for (name, schema) in schemas() {
        walk(&name, &schema, &mut |path, field| {
            if field.type_.as_deref() == Some("array") && field.x_kubernetes_list_type.is_none() {
                silent.push(path.to_owned());
            }
        });
    }
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn schemas_change_only_on_purpose() {
    for definition in crds::schema::definitions() {
        assert_yaml_snapshot!(definition.name_any(), definition);
    }
}

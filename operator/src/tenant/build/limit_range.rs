//! What a container gets where nobody says.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{LimitRange, LimitRangeItem, LimitRangeSpec},
    apimachinery::pkg::api::resource::Quantity,
};

use crate::{
    config::platform::Defaults,
    tenant::{build::object_meta, validate::ValidatedTenant},
};

/// The `LimitRange`: without it the quota would refuse every pod that does not name all of its limits.
pub fn build(tenant: &ValidatedTenant, defaults: &Defaults) -> LimitRange {
    let values: BTreeMap<String, Quantity> = [
        ("cpu", defaults.cpu),
        ("memory", defaults.memory),
        ("ephemeral-storage", defaults.ephemeral_storage),
    ]
    .into_iter()
    .map(|(name, amount)| (name.to_owned(), Quantity(amount.to_string())))
    .collect();
    LimitRange {
        metadata: object_meta(tenant, "pinfold-defaults"),
        spec: Some(LimitRangeSpec {
            limits: vec![LimitRangeItem {
                type_: "Container".to_owned(),
                default: Some(values.clone()),
                default_request: Some(values),
                ..LimitRangeItem::default()
            }],
        }),
    }
}

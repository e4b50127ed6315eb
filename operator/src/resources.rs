//! What a container asks for and may use, from what its resource, its template and the platform say. Pure.

use std::collections::BTreeMap;

use crds::common::{ResourceList, Resources};
use domain::Quantity;

use crate::config::platform::Defaults;

/// Amounts by Kubernetes' names.
pub type Amounts = BTreeMap<String, Quantity>;

/// What a container asks for and may use.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// What the scheduler reserves.
    pub requests: Amounts,
    /// What the container may use at most.
    pub limits: Amounts,
}

/// One resource: how Kubernetes calls it, how users call it, where to find it, and its default.
type Kind = (
    &'static str,
    &'static str,
    fn(&ResourceList) -> Option<&String>,
    fn(&Defaults) -> Quantity,
);

const KINDS: [Kind; 3] = [
    ("cpu", "cpu", |l| l.cpu.as_ref(), |d| d.cpu),
    ("memory", "memory", |l| l.memory.as_ref(), |d| d.memory),
    (
        "ephemeral-storage",
        "ephemeralStorage",
        |l| l.ephemeral_storage.as_ref(),
        |d| d.ephemeral_storage,
    ),
];

/// How users call a resource.
pub fn field(name: &str) -> &'static str {
    KINDS
        .iter()
        .find(|(kind, ..)| *kind == name)
        .map_or("", |(_, field, ..)| field)
}

/// Takes each amount from the resource itself, else from its template, else the platform's default. The error names
/// field, value and mend.
pub fn resolve(own: Option<&Resources>, template: Option<&Resources>, defaults: &Defaults) -> Result<Resolved, String> {
    let mut resolved = Resolved {
        requests: Amounts::new(),
        limits: Amounts::new(),
    };
    for (name, field, find, default) in KINDS {
        let pick = |side: &str, of: fn(&Resources) -> Option<&ResourceList>| {
            let text = own
                .and_then(of)
                .and_then(find)
                .or_else(|| template.and_then(of).and_then(find));
            text.map(|text| text.parse::<Quantity>())
                .transpose()
                .map_err(|error| format!("spec.resources.{side}.{field}: {error}"))
        };
        let request = pick("requests", |r| r.requests.as_ref())?;
        let limit = pick("limits", |r| r.limits.as_ref())?;
        // A request without a limit may exceed the default; a limit without a request is reserved whole.
        let limit = limit.unwrap_or_else(|| request.map_or(default(defaults), |r| r.max(default(defaults))));
        let request = request.unwrap_or(limit);
        if request > limit {
            return Err(format!(
                "spec.resources.requests.{field}: {request} is more than the limit {limit}; lower it or raise spec.resources.limits.{field}"
            ));
        }
        resolved.requests.insert(name.to_owned(), request);
        resolved.limits.insert(name.to_owned(), limit);
    }
    Ok(resolved)
}

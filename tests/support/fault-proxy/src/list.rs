//! What is done to lists and single objects on their way to the client.

use hyper::body::Bytes;
use serde_json::Value;

use crate::{RequestInfo, Rule, RuleId, Verb, rule::Fault, state::State};

/// The body as the client is to see it.
pub fn rework(state: &State, request: &RequestInfo, faults: &[(RuleId, Rule)], body: Bytes) -> Bytes {
    let narrowed = request.verb == Verb::List && state.view.is_some();
    if !narrowed && !faults.iter().any(|(_, r)| changes_bodies(r)) {
        return body;
    }
    let Ok(mut value) = serde_json::from_slice::<Value>(&body) else {
        return body;
    };
    match request.verb {
        Verb::List => rework_list(state, request, faults, &mut value),
        Verb::Get => faults.iter().for_each(|(_, rule)| rewrite(rule, &mut value)),
        _ => return body,
    }
    serde_json::to_vec(&value).map_or(body, Bytes::from)
}

fn changes_bodies(rule: &Rule) -> bool {
    matches!(rule.fault, Fault::EmptyList | Fault::StaleList | Fault::Rewrite(_))
}

fn rework_list(state: &State, request: &RequestInfo, faults: &[(RuleId, Rule)], list: &mut Value) {
    if let (Some(view), Some(items)) = (&state.view, list["items"].as_array_mut()) {
        items.retain(|item| view(request, item));
    }
    for (id, rule) in faults {
        match &rule.fault {
            Fault::StaleList => *list = state.stale(format!("{} {}", id.0, request.uri), list),
            Fault::EmptyList => {
                if let Some(items) = list["items"].as_array_mut() {
                    items.retain(|item| !rule.concerns_object(item));
                }
            }
            Fault::Rewrite(_) => {
                list["items"]
                    .as_array_mut()
                    .into_iter()
                    .flatten()
                    .for_each(|item| rewrite(rule, item));
            }
            _ => {}
        }
    }
}

/// Changes one object, if the rule is about it.
pub fn rewrite(rule: &Rule, object: &mut Value) {
    if let Fault::Rewrite(change) = &rule.fault
        && rule.concerns_object(object)
    {
        change(object);
    }
}

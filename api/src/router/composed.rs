//! Schemas that are made of another one and more members, for the documentation.

use utoipa::openapi::{
    OpenApi, RefOr, Schema,
    schema::{AdditionalProperties, Object},
};

/// What may be written has no members but its own, and what is read has more: to a schema that says the former, the others would be
/// too many. So the latter has its members, instead of pointing to it.
pub(super) fn open(document: &mut OpenApi) {
    let Some(components) = &mut document.components else {
        return;
    };
    let closed: Vec<(String, Object)> = components
        .schemas
        .iter()
        .filter_map(|(name, schema)| match schema {
            RefOr::T(Schema::Object(object)) if is_closed(object) => Some((place(name), object.clone())),
            _ => None,
        })
        .collect();
    let composed = components.schemas.values_mut().filter_map(|schema| match schema {
        RefOr::T(Schema::AllOf(all)) => Some(all),
        _ => None,
    });
    for part in composed.flat_map(|all| &mut all.items) {
        let RefOr::Ref(to) = part else { continue };
        if let Some((_, object)) = closed.iter().find(|(place, _)| *place == to.ref_location) {
            let mut object = object.clone();
            object.additional_properties = None;
            object.example = None;
            *part = RefOr::T(Schema::Object(object));
        }
    }
}

fn place(name: &str) -> String {
    format!("#/components/schemas/{name}")
}

fn is_closed(object: &Object) -> bool {
    matches!(
        object.additional_properties.as_deref(),
        Some(AdditionalProperties::FreeForm(false))
    )
}

//! The parameters of a request as a type, or an error that names the parameter.

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::IntoParams;

use crate::http::error::ApiError;

/// The parameters behind the `?`.
#[derive(Debug)]
pub struct Query<T>(pub T);

/// Which page of a list that is asked for nothing else.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// How many at most, 1 to 500. Default: 100.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
    /// What the page before gave as `next_page_token`.
    pub page_token: Option<String>,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let text = parts.uri.query().unwrap_or_default();
        let reader = serde_html_form::Deserializer::new(url::form_urlencoded::parse(text.as_bytes()));
        serde_path_to_error::deserialize(reader).map(Self).map_err(|error| {
            let field = error.path().to_string();
            let field = if field == "." || field == "?" {
                "the query".to_owned()
            } else {
                field
            };
            ApiError::Invalid {
                field,
                message: error.into_inner().to_string(),
            }
        })
    }
}

//! Parts of a request as types, or an error that names the part.

use std::str::FromStr;

use domain::{EmailAddress, IdError, display_name};
use uuid::Uuid;

use crate::http::error::ApiError;

/// An id.
pub fn id<T: FromStr<Err = IdError>>(field: &str, text: &str) -> Result<T, ApiError> {
    text.parse()
        .map_err(|error: IdError| ApiError::invalid(field, error.to_string()))
}

/// An id of whatever kind.
pub fn uuid(field: &str, text: &str) -> Result<Uuid, ApiError> {
    Uuid::try_parse(text).map_err(|_| ApiError::invalid(field, IdError.to_string()))
}

/// An address of a mailbox.
pub fn email(text: &str) -> Result<EmailAddress, ApiError> {
    EmailAddress::parse(text).map_err(|error| ApiError::invalid("email", error.to_string()))
}

/// The most entries of a page.
const PAGE: u32 = 500;

/// How many entries a page has, which names no number or one within bounds.
pub fn limit(asked: Option<u32>) -> Result<u32, ApiError> {
    match asked.unwrap_or(100) {
        limit @ 1..=PAGE => Ok(limit),
        _ => Err(ApiError::invalid("limit", format!("write 1 to {PAGE}"))),
    }
}

/// The id behind which a page begins, where pages are told apart by that.
pub fn page_token<T: FromStr<Err = IdError>>(text: Option<&str>) -> Result<Option<T>, ApiError> {
    text.map(|text| id("page_token", text)).transpose()
}

/// Cuts a page off what was read with one entry more than it may have; gives what asks for the next page, if there is one.
pub fn next_page<T>(found: &mut Vec<T>, limit: u32, token: impl Fn(&T) -> String) -> Option<String> {
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    found.last().filter(|_| more).map(token)
}

/// A page of a list that is at hand as a whole, and what asks for the next one, if there is one. The key tells the entries apart and orders
/// them, so what comes or goes meanwhile moves no other.
pub fn page<T, K: Ord>(
    mut all: Vec<T>,
    limit: Option<u32>,
    after: Option<&K>,
    key: impl Fn(&T) -> K,
    token: impl Fn(&T) -> String,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let limit = self::limit(limit)?;
    all.retain(|entry| after.is_none_or(|after| key(entry) > *after));
    all.sort_by_key(&key);
    let next = next_page(&mut all, limit, token);
    Ok((all, next))
}

/// A name that people give.
pub fn name<'a>(field: &str, text: &'a str) -> Result<&'a str, ApiError> {
    match display_name::check(text) {
        Ok(()) => Ok(text),
        Err(error) => Err(ApiError::invalid(field, error.to_string())),
    }
}

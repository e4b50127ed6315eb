//! What all routes share: how a request is read and how it is answered. No rule of the product lives here.

pub mod access;
pub mod alias;
pub mod caller;
pub mod client_address;
pub mod connections;
pub mod cookies;
pub mod cors;
pub mod dpop;
pub mod error;
pub mod etag;
pub mod form;
pub mod json;
pub mod layers;
pub mod limits;
pub mod merge;
pub mod named;
pub mod once;
pub mod parse;
pub mod passkey;
pub mod presented;
pub mod query;
pub mod request_id;
pub mod sse;
pub mod tls;
pub mod trace;
pub mod used;

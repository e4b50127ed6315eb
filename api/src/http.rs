//! What all routes share: how a request is read and how it is answered. No rule of the product lives here.

pub mod caller;
pub mod client_address;
pub mod error;
pub mod json;
pub mod layers;
pub mod limits;
pub mod request_id;

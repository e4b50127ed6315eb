//! Texts of ours that come back to us: a body, and a code of ours over it and over what it was made for, in base64url.

use aws_lc_rs::{constant_time, hmac};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::jws;

const CODE: usize = 32;

/// A text with this body, for this context; each part of the context has a length of its own, or an end.
pub fn mint(key: &hmac::Key, context: &[&[u8]], body: &[u8]) -> String {
    let mut bytes = body.to_vec();
    bytes.extend(code(key, context, body).as_ref());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The body of a text that came back; nothing if it is not ours, was made for something else, or is of another length.
pub fn read<const BODY: usize>(key: &hmac::Key, context: &[&[u8]], text: &str) -> Option<[u8; BODY]> {
    if text.len() > (BODY + CODE) * 2 {
        return None;
    }
    let bytes = jws::decode(text)?;
    let (body, given) = bytes.split_first_chunk::<BODY>()?;
    constant_time::verify_slices_are_equal(code(key, context, body).as_ref(), given).ok()?;
    Some(*body)
}

fn code(key: &hmac::Key, context: &[&[u8]], body: &[u8]) -> hmac::Tag {
    let mut code = hmac::Context::with_key(key);
    for part in context {
        code.update(part);
    }
    code.update(body);
    code.sign()
}

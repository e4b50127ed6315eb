//! Signatures that were found good. Whoever has a token shows it with many requests, and whether a key signed a text does not change: it is
//! found out once. What the token says, and whether its key still counts, is judged each time.

use std::{
    collections::HashSet,
    fmt, mem,
    sync::{Mutex, PoisonError},
};

use aws_lc_rs::digest::{Context, SHA256};

use crate::jws::PublicKey;

/// How many make a generation; the newest two are remembered, in less than 2 MiB.
const GENERATION: usize = 8192;

/// Good signatures, each as SHA-256 over the key, the text and the signature: a bad one leaves nothing here.
#[derive(Default)]
pub struct Known(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    young: HashSet<[u8; 32]>,
    old: HashSet<[u8; 32]>,
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").finish_non_exhaustive()
    }
}

impl Known {
    /// Whether this key signed a message.
    pub fn verify(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        let name = name(key, message, signature);
        if self.has(&name) {
            return true;
        }
        // Nobody waits for the work of others.
        let is_good = key.verify(message, signature);
        if is_good {
            self.put(name);
        }
        is_good
    }

    fn has(&self, name: &[u8; 32]) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.young.contains(name) {
            return true;
        }
        // What is still shown stays when its generation goes.
        let was_old = known.old.contains(name);
        if was_old {
            known.put(*name);
        }
        was_old
    }

    fn put(&self, name: [u8; 32]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(name);
    }
}

impl Generations {
    fn put(&mut self, name: [u8; 32]) {
        if self.young.len() >= GENERATION {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(name);
    }
}

/// Each part behind its length: no two triples are the same bytes.
fn name(key: &PublicKey, message: &[u8], signature: &[u8]) -> [u8; 32] {
    let (kind, parts): (u8, [&[u8]; 2]) = match key {
        PublicKey::Ed25519(point) => (0, [point, &[]]),
        PublicKey::P256(point) => (1, [point, &[]]),
        PublicKey::Rsa { n, e } => (2, [n, e]),
    };
    let mut context = Context::new(&SHA256);
    context.update(&[kind]);
    for part in parts.into_iter().chain([message, signature]) {
        context.update(&part.len().to_be_bytes());
        context.update(part);
    }
    let mut name = [0; 32];
    name.copy_from_slice(context.finish().as_ref());
    name
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};

    use super::*;

    fn key(seed: u8) -> (Ed25519KeyPair, PublicKey) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let public = PublicKey::Ed25519(pair.public_key().as_ref().try_into().unwrap());
        (pair, public)
    }

    fn count(known: &Known) -> (usize, usize) {
        let known = known.0.lock().unwrap();
        (known.young.len(), known.old.len())
    }

    #[test]
    fn what_is_known_of_one_says_nothing_of_another() {
        let (known, (pair, public), (_, other)) = (Known::default(), key(1), key(2));
        let signature = pair.sign(b"text");
        let mut changed = signature.as_ref().to_vec();
        changed[0] ^= 1;
        for _ in 0..2 {
            assert!(known.verify(&public, b"text", signature.as_ref()));
            assert!(!known.verify(&public, b"texs", signature.as_ref()));
            assert!(!known.verify(&public, b"text", &changed));
            assert!(!known.verify(&other, b"text", signature.as_ref()));
            // The same bytes, cut elsewhere.
            let longer = [b"t", signature.as_ref()].concat();
            assert!(!known.verify(&public, b"tex", &longer));
        }
        assert_eq!(count(&known), (1, 0), "bad ones are not remembered");
    }

    #[test]
    fn it_does_not_grow_and_keeps_what_is_shown() {
        let (known, (pair, public)) = (Known::default(), key(1));
        let kept = pair.sign(b"kept");
        for at in 0..3 * GENERATION {
            assert!(known.verify(&public, b"kept", kept.as_ref()));
            known.put(name(&public, &at.to_be_bytes(), b""));
        }
        let (young, old) = count(&known);
        assert!(young <= GENERATION && old <= GENERATION, "{young} and {old}");
        assert!(known.has(&name(&public, b"kept", kept.as_ref())));
        assert!(!known.has(&name(&public, &0_usize.to_be_bytes(), b"")));
    }
}

//! What is built before a cluster starts: Go programs, Rust binaries, root file systems and images.

pub(crate) mod archive;
pub(crate) mod buildah;
mod cache;
pub(crate) mod golang;
pub(crate) mod judges;
pub(crate) mod key;
pub(crate) mod ours;
pub(crate) mod postgres;
pub(crate) mod programs;
pub(crate) mod rootfs;
pub(crate) mod toolchain;
pub(crate) mod vectors;

//! The migrations are read when this crate is compiled.

fn main() {
    println!("cargo:rerun-if-changed=.");
}

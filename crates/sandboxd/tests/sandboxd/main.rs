//! The real binary, as an ordinary process that adopts orphans and as the first process of a PID namespace.

mod ending;
mod environment;
mod folder;
mod harness;
mod output;
mod place;
mod prepare;
mod start;
mod tools;
mod tree;

//! The control-plane API on a real cluster, under the rights that the chart gives it: a person's way from the first
//! request to a run's answer, and what others may see of it.

mod audit;
mod cut;
mod ends;
mod installed;
mod kubectl;
mod linked;
mod relay;
mod resources;
mod runs;
mod stage;
mod standing;
mod wire;
mod workloads;

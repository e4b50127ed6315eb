//! Step 3: the run's pod. Pure, and the only child of a run.

pub mod injection;
pub mod pod;

/// How `sandboxd` comes into the sandbox, as found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Injected {
    /// By an image volume.
    ImageVolume,
    /// By an init container that copies it.
    InitContainer,
}

//! The exit codes that `sandboxd` itself gives to the container. A program's own code and `128 + signal` pass through,
//! so these may collide with a program's: the [`crate::Outcome`] in the termination message tells them apart.

/// The program was still running at its deadline, as `timeout` has it.
pub const DEADLINE_EXCEEDED: u8 = 124;
/// The program was not started for a reason of its surroundings: workdir, start command, input.
pub const START_FAILED: u8 = 125;
/// The program exists but cannot be executed, as shells have it.
pub const NOT_EXECUTABLE: u8 = 126;
/// The program does not exist, as shells have it.
pub const NOT_FOUND: u8 = 127;
/// `sandboxd` was told to terminate: `128 + SIGTERM`, whatever the program did on its way out.
pub const STOPPED: u8 = 143;

//! demo
use anyhow::Result;
use crate::cli::Target;
use crate::stage::Ui;
pub(crate) fn run(_ui: &Ui, _target: &Target) -> Result<()> { Ok(()) }

//! stub
use anyhow::Result;
use crate::stage::Ui;
pub(crate) fn run(_ui: &Ui) -> Result<()> { Ok(()) }

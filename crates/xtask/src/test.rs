//! stub
use anyhow::Result;
use clap::Args;
use crate::stage::Ui;
#[derive(Debug, Args)]
pub(crate) struct Options {}
pub(crate) fn run(_ui: &Ui, _options: &Options) -> Result<()> { Ok(()) }

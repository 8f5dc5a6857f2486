//! The manual page.

use std::path::PathBuf;

use clap::CommandFactory;
use clap_mangen::Man;

use crate::cli::Cli;
use crate::failure::Failure;
use crate::stdio;

#[derive(clap::Args)]
pub(crate) struct ManArgs {
    /// Write the pages of the program and of all its commands into this folder.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(args: &ManArgs) -> anyhow::Result<()> {
    let command = Cli::command();
    if let Some(path) = args.dir.clone() {
        let written = clap_mangen::generate_to(command, &path);
        return Ok(written.map_err(|source| Failure::Write { path, source })?);
    }
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    Ok(stdio::write(None, &page)?)
}

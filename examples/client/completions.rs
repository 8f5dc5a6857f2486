//! Completions of the command line, for shells.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::stdio;

#[derive(clap::Args)]
pub(crate) struct CompletionsArgs {
    /// The shell that is to read it.
    shell: Shell,

    /// The name under which the program is called.
    #[arg(long, value_name = "NAME", default_value = "client")]
    name: String,
}

pub(crate) fn run(args: &CompletionsArgs) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), &args.name, &mut script);
    Ok(stdio::write(None, &script)?)
}

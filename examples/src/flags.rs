//! Command lines whose flags are also variables in the environment.

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Command};

/// Gives each flag its variable.
pub(crate) fn with_variables(command: Command, prefix: &str) -> Command {
    command.mut_args(|arg| {
        let Some(flag) = arg.get_long() else { return arg };
        let variable = format!("{prefix}_{}", flag.to_uppercase().replace('-', "_"));
        // --help would show values, and some of them are not for everyone. The names of the
        // variables follow from the flags.
        let arg = arg.hide_env_values(true).hide_env(true);
        match arg.get_action() {
            // A variable needs a word for yes.
            ArgAction::SetTrue => arg.env(variable).value_parser(BoolishValueParser::new()),
            _ => arg.env(variable),
        }
    })
}

/// Gives each switch a way to say no: `--some-switch=no`.
pub(crate) fn with_switches(command: Command) -> Command {
    command.mut_args(|arg| match arg.get_action() {
        ArgAction::SetTrue => arg
            .action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .value_name("YES|NO")
            .value_parser(BoolishValueParser::new())
            .default_value("no")
            .default_missing_value("yes")
            .hide_default_value(true)
            .hide_possible_values(true),
        _ => arg,
    })
}

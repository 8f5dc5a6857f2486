//! Settings, from wherever an operator puts them: the command line, the environment, or a file.

use std::ffi::OsString;
use std::marker::PhantomData;
use std::path::PathBuf;

use clap::builder::OsStr;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, CommandFactory, FromArgMatches};
use serde::Serialize;

use crate::config_file::ConfigFile;
pub use crate::config_file::Given;
use crate::flags::{with_switches, with_variables};

/// The settings of a program. Each is a flag of clap's, a variable in the environment, and a key of
/// the configuration file: `--response-limit` of a program with the prefix `GATEWAY` is
/// `GATEWAY_RESPONSE_LIMIT` and `response-limit`. A flag replaces the variable, which replaces the file.
///
/// clap reads all three. The file's settings count as flags that precede all others.
pub trait Settings: CommandFactory + FromArgMatches + Serialize {
    /// What the names of variables begin with, before an underscore.
    const PREFIX: &'static str;

    /// Defaults of shared settings that differ in this program, by the names of their flags.
    const DEFAULTS: &'static [(&'static str, &'static str)] = &[];

    /// Keys of the file that hold tables.
    const TABLES: &'static [&'static str] = &[];

    /// Takes over the tables from the text of a file.
    ///
    /// # Errors
    /// If they are not valid.
    fn read_tables(&mut self, file: &str) -> Result<(), toml::de::Error>;

    /// A chance to change what the file gives, for settings that also come from elsewhere. Called
    /// with what would otherwise be in effect.
    ///
    /// # Errors
    /// If what comes from elsewhere cannot be used.
    fn adapt(&self, _given: &mut Given) -> anyhow::Result<()> {
        Ok(())
    }

    /// The settings as a configuration file.
    ///
    /// # Errors
    /// If there is no such file.
    fn to_toml(&self) -> anyhow::Result<String> {
        Ok(toml::to_string(self)?)
    }
}

// The flags that are no settings. (A doc comment would describe the program in its --help.)
#[derive(Args)]
struct SourceFlags {
    /// File with settings (TOML), each under the name of its flag. Flags and variables override it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Check all settings, print those in effect as a configuration file, and exit.
    #[arg(long)]
    check: bool,
}

/// How the settings are given, to be read when the program starts and again later.
pub struct Source<S> {
    command: Command,
    /// The command line that the program was started with.
    arguments: Vec<OsString>,
    matches: ArgMatches,
    config: Option<PathBuf>,
    check: bool,
    settings: PhantomData<fn() -> S>,
}

impl<S: Settings> Source<S> {
    /// The command line and the environment of this program. Ends the program with code 2 if they
    /// are wrong, with code 0 after `--help`.
    pub fn of_program() -> Self {
        Self::new(std::env::args_os().collect()).unwrap_or_else(|error| error.exit())
    }

    fn new(arguments: Vec<OsString>) -> Result<Self, clap::Error> {
        let command = command::<S>();
        let matches = command.clone().try_get_matches_from(&arguments)?;
        let SourceFlags { config, check } = SourceFlags::from_arg_matches(&matches)?;
        Ok(Self { command, arguments, matches, config, check, settings: PhantomData })
    }

    /// Whether only to print the settings.
    pub fn is_check(&self) -> bool {
        self.check
    }

    /// The settings in effect, with the file as it is now.
    ///
    /// # Errors
    /// If the file cannot be read, or has an unknown setting or an invalid value.
    pub fn read(&self) -> anyhow::Result<S> {
        let file = self.config.as_deref().map(ConfigFile::read).transpose()?;
        let flags = with_switches(S::command()).disable_help_flag(true).disable_version_flag(true);
        let mut given = match &file {
            Some(file) => file.given(&flags, S::TABLES)?,
            None => Given::new(),
        };
        self.merge(&given)?.adapt(&mut given)?;
        let mut settings = self.merge(&given)?;
        if let Some(file) = file {
            file.parse(|text| settings.read_tables(text))?;
        }
        Ok(settings)
    }

    /// Puts what is given before the flags, except for what flags or variables override.
    fn merge(&self, given: &Given) -> anyhow::Result<S> {
        let id = |key: &str| {
            let arg = self.command.get_arguments().find(|arg| arg.get_long() == Some(key));
            arg.map(|arg| arg.get_id().as_str())
        };
        let explicit = |key: &str| {
            let source = id(key).and_then(|id| self.matches.value_source(id));
            matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
        };
        let (program, arguments) = self.arguments.split_at(self.arguments.len().min(1));
        let below = given.iter().filter(|(key, _)| !explicit(key)).flat_map(|(key, values)| {
            values.iter().map(move |value| OsString::from(format!("--{key}={value}")))
        });
        let all = program.iter().cloned().chain(below).chain(arguments.iter().cloned());
        let matches = self.command.clone().try_get_matches_from(all)?;
        Ok(S::from_arg_matches(&matches)?)
    }
}

fn command<S: Settings>() -> Command {
    let mut command = with_switches(S::command());
    for &(flag, default) in S::DEFAULTS {
        command =
            command.mut_arg(flag.replace('-', "_"), |arg| arg.default_value(OsStr::from(default)));
    }
    let command = SourceFlags::augment_args(command.next_help_heading(None::<&str>));
    with_variables(command, S::PREFIX).max_term_width(100).next_line_help(true).after_help(format!(
        "Every flag is also a variable, --some-flag as {}_SOME_FLAG, and a key in the file of \
         --config. Switches are off by default; --some-switch=no turns off one that the file turns \
         on. For a list, separate the values with commas, or repeat the flag. RUST_LOG chooses log \
         lines, as in RUST_LOG=debug. No line says who asked for what.",
        S::PREFIX
    ))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde::Deserialize;

    use super::*;

    #[derive(Parser, Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct Example {
        #[arg(long, default_value = "elsewhere")]
        listen: String,
        #[arg(long, default_value_t = 7)]
        body_limit: u32,
        #[arg(long)]
        echo: bool,
        #[arg(long, value_delimiter = ',')]
        list: Vec<String>,
        #[arg(skip)]
        rule: Vec<Rule>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Rule {
        name: String,
    }

    impl Settings for Example {
        const PREFIX: &'static str = "NO_VARIABLE_HAS_THIS_PREFIX";
        const DEFAULTS: &'static [(&'static str, &'static str)] = &[("listen", "here")];
        const TABLES: &'static [&'static str] = &["rule"];

        fn read_tables(&mut self, file: &str) -> Result<(), toml::de::Error> {
            #[derive(Deserialize)]
            struct Tables {
                #[serde(default)]
                rule: Vec<Rule>,
            }

            self.rule = toml::from_str::<Tables>(file)?.rule;
            Ok(())
        }

        fn adapt(&self, given: &mut Given) -> anyhow::Result<()> {
            if self.list == ["double"] {
                given.insert("list".into(), vec!["two".into(), "too".into()]);
            }
            Ok(())
        }
    }

    /// The settings in effect with this file and these flags.
    fn read(file: &str, flags: &[&str]) -> anyhow::Result<Example> {
        // A name that no other test has.
        let name = format!("settings-{}-{:?}", std::process::id(), std::thread::current().id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, file)?;
        let fixed = ["program".into(), "--config".into(), path.clone().into_os_string()];
        let arguments = fixed.into_iter().chain(flags.iter().map(Into::into)).collect();
        let settings = Source::<Example>::new(arguments)?.read();
        std::fs::remove_file(path)?;
        settings
    }

    #[test]
    fn flags_replace_the_file_which_replaces_defaults() {
        let nothing = read("", &[]).unwrap();
        assert_eq!((&*nothing.listen, nothing.body_limit, nothing.echo), ("here", 7, false));

        let file = "body-limit = 8\necho = true\nlist = [\"a\", \"b\"]\n[[rule]]\nname = \"x\"\n";
        let from_file = read(file, &[]).unwrap();
        assert_eq!((&*from_file.listen, from_file.body_limit, from_file.echo), ("here", 8, true));
        assert_eq!(from_file.list, ["a", "b"]);
        assert_eq!(from_file.rule, [Rule { name: "x".into() }]);

        let flags = ["--body-limit", "9", "--echo=no", "--list", "c,d", "--list=e"];
        let replaced = read(file, &flags).unwrap();
        assert_eq!((&*replaced.listen, replaced.body_limit, replaced.echo), ("here", 9, false));
        assert_eq!(replaced.list, ["c", "d", "e"]);
        assert_eq!(replaced.rule.len(), 1);
    }

    #[test]
    fn what_is_in_effect_is_a_file_that_says_the_same() {
        let file = "body-limit = 8\nlist = [\"a\"]\n[[rule]]\nname = \"x\"\n";
        let text = read(file, &["--echo"]).unwrap().to_toml().unwrap();
        assert_eq!(read(&text, &[]).unwrap().to_toml().unwrap(), text);
    }

    #[test]
    fn settings_from_elsewhere_replace_the_file_and_not_the_flags() {
        assert_eq!(read("list = \"double\"", &[]).unwrap().list, ["two", "too"]);
        assert_eq!(read("list = \"a\"", &["--list", "double"]).unwrap().list, ["double"]);
    }

    #[test]
    fn tables_are_checked() {
        let error = read("\n[[rule]]\nname = 1\n", &[]).err().unwrap().to_string();
        assert!(error.contains("line 3"), "{error}");
    }
}

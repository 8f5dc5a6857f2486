//! Configuration files: TOML whose keys are the names of flags.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use anyhow::Context;
use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use toml::{Spanned, Value};

/// Settings by the names of their flags, each with its values: as many as the flag is given times.
pub type Given = BTreeMap<String, Vec<String>>;

/// A file that has been read. The errors of its methods name the file and the line, and show
/// nothing of what is written there: it could be a secret in the wrong place.
pub(crate) struct ConfigFile<'a> {
    path: &'a Path,
    text: String,
}

impl<'a> ConfigFile<'a> {
    pub(crate) fn read(path: &'a Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the configuration file {}", path.display()))?;
        Ok(Self { path, text })
    }

    /// What is set, but for the keys in `tables`. `flags` has the flags there are; each value has
    /// to be one that its flag takes.
    pub(crate) fn given(&self, flags: &Command, tables: &[&str]) -> anyhow::Result<Given> {
        let entries: BTreeMap<String, Spanned<Value>> =
            toml::from_str(&self.text).map_err(|error| self.explain(&error))?;
        let mut given = Given::new();
        for (key, value) in entries {
            if tables.contains(&&*key) {
                continue;
            }
            let at = value.span().start;
            let checked = values(value.into_inner()).and_then(|values| {
                check(flags, &key, &values)?;
                Ok(values)
            });
            let values = checked.map_err(|wrong| self.error_at(at, &wrong))?;
            given.insert(key, values);
        }
        Ok(given)
    }

    /// What the file has for a type of its own.
    pub(crate) fn parse<T>(
        &self,
        parse: impl FnOnce(&str) -> Result<T, toml::de::Error>,
    ) -> anyhow::Result<T> {
        parse(&self.text).map_err(|error| self.explain(&error))
    }

    fn explain(&self, error: &toml::de::Error) -> anyhow::Error {
        self.error_at(error.span().map_or(0, |span| span.start), error.message())
    }

    fn error_at(&self, offset: usize, text: &str) -> anyhow::Error {
        let line = self.text[..offset].matches('\n').count() + 1;
        anyhow::anyhow!("{}, line {line}: {text}", self.path.display())
    }
}

/// A value as it would be written after a flag.
fn values(value: Value) -> Result<Vec<String>, String> {
    Ok(vec![match value {
        Value::String(text) => text,
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(yes) => yes.to_string(),
        Value::Array(list) => {
            return Ok(list.into_iter().map(values).collect::<Result<Vec<_>, _>>()?.concat());
        }
        Value::Datetime(_) | Value::Table(_) => {
            return Err("expected a string, a number, a Boolean or an array of them".into());
        }
    }])
}

/// An error if the flags do not take this.
fn check(flags: &Command, key: &str, values: &[String]) -> Result<(), String> {
    if !flags.get_arguments().any(|arg| arg.get_long() == Some(key)) {
        return Err(match parse(flags, key, &[String::new()]).map_err(similar) {
            Err(Some(similar)) => format!("unknown setting {key:?}: did you mean {similar:?}?"),
            _ => format!("unknown setting {key:?}"),
        });
    }
    let Err(error) = parse(flags, key, values) else { return Ok(()) };
    if error.kind() == ErrorKind::ArgumentConflict {
        return Err(format!("{key} takes one value"));
    }
    Err(match (error.get(ContextKind::ValidValue), error.source()) {
        (Some(ContextValue::Strings(valid)), _) if !valid.is_empty() => {
            format!("{key} must be one of: {}", valid.join(", "))
        }
        (_, Some(cause)) => format!("{key}: {cause}"),
        (_, None) => format!("{key} cannot have this value"),
    })
}

fn parse(flags: &Command, key: &str, values: &[String]) -> Result<(), clap::Error> {
    let arguments = values.iter().map(|value| format!("--{key}={value}"));
    let arguments = ["program".to_owned()].into_iter().chain(arguments);
    flags.clone().try_get_matches_from(arguments).map(|_| ())
}

/// The setting that may have been meant.
fn similar(error: clap::Error) -> Option<String> {
    match error.get(ContextKind::SuggestedArg) {
        Some(ContextValue::String(flag)) => Some(flag.trim_start_matches("--").to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use clap::{Arg, ArgAction};

    use super::*;

    fn given(text: &str) -> Result<Given, String> {
        let flags = Command::new("program").args([
            Arg::new("number").long("body-limit").value_parser(clap::value_parser!(u8)),
            Arg::new("list").long("list").action(ArgAction::Append),
            Arg::new("format").long("format").value_parser(["text", "json"]),
        ]);
        let file = ConfigFile { path: "settings.toml".as_ref(), text: text.into() };
        file.given(&flags, &["table"]).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn values_are_what_would_be_written_after_flags() {
        let given = given("body-limit = 0x10\nlist = [\"a\", 1, 2.5, true]\n[table]\nx = 1\n");
        let expected = [("body-limit", &["16"][..]), ("list", &["a", "1", "2.5", "true"])];
        let expected = expected.map(|(key, values)| {
            (key.to_owned(), values.iter().map(ToString::to_string).collect())
        });
        assert_eq!(given, Ok(Given::from(expected)));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_without_the_value() {
        for (text, expected) in [
            ("body-limit = hunter2", "string values must be quoted"),
            ("body-limit = \"hunter2\"", "body-limit: invalid digit found in string"),
            ("body-limit = [1, 2]", "body-limit takes one value"),
            (
                "body-limits = \"hunter2\"",
                "unknown setting \"body-limits\": did you mean \"body-limit\"?",
            ),
            ("\"list=a\" = \"hunter2\"", "unknown setting \"list=a\""),
            ("help = true", "unknown setting \"help\""),
            ("unheard-of = []", "unknown setting \"unheard-of\""),
            ("format = \"hunter2\"", "format must be one of: text, json"),
            ("format = 1979-05-27", "expected a string"),
            ("list = [{ a = 1 }]", "expected a string"),
        ] {
            let error = given(&format!("# A comment.\n{text}\n")).unwrap_err();
            assert!(error.starts_with("settings.toml, line 2: "), "{error}");
            assert!(error.contains(expected), "{text}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}

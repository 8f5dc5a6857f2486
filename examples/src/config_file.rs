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
            return Ok(list
                .into_iter()
                .map(values)
                .collect::<Result<Vec<_>, _>>()?
                .concat());
        }
        Value::Datetime(_) | Value::Table(_) => {
            return Err("expected a string, a number, a Boolean or an array of them".into());
        }
    }])
}

/// An error if the flags do not take this.
fn check(flags: &Command, key: &str, values: &[String]) -> Result<(), String> {
    // Without values, an empty one shows whether there is such a flag.
    let known = flags.get_arguments().any(|arg| arg.get_long() == Some(key));
    let arguments = values.iter().map(|value| format!("--{key}={value}"));
    let arguments = ["program".to_owned()].into_iter().chain(arguments);
    let unknown = (!known && values.is_empty()).then(|| format!("--{key}="));
    let Err(error) = flags.clone().try_get_matches_from(arguments.chain(unknown)) else {
        return Ok(());
    };
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.trim_start_matches("--").to_owned()),
        Some(ContextValue::Strings(texts)) if !texts.is_empty() => Some(texts.join(", ")),
        _ => None,
    };
    Err(match error.kind() {
        ErrorKind::UnknownArgument => match text(ContextKind::SuggestedArg) {
            Some(similar) => format!("unknown setting {key:?}: did you mean {similar:?}?"),
            None => format!("unknown setting {key:?}"),
        },
        ErrorKind::ArgumentConflict => format!("{key} takes one value"),
        _ => match (text(ContextKind::ValidValue), error.source()) {
            (Some(valid), _) => format!("{key} must be one of: {valid}"),
            (None, Some(cause)) => format!("{key}: {cause}"),
            (None, None) => format!("{key} cannot have this value"),
        },
    })
}

//! Flags from a file, as curl's -K has them.

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches};

use crate::cli::Cli;
use crate::failure::Failure;

/// The command line, with the flags of the files that it names in front of its own.
pub(crate) fn parse() -> Result<Cli, Failure> {
    let mut arguments: Vec<_> = std::env::args_os().collect();
    // What is missing on the command line may be in a file.
    let named = Cli::command().ignore_errors(true);
    let may_name = |argument: &OsString| {
        let text = argument.to_string_lossy();
        text.starts_with("--config") || (text.starts_with('-') && text.contains('K'))
    };
    if arguments.iter().skip(1).any(may_name) {
        let matches = named.get_matches_from(&arguments);
        let files = matches.get_many::<String>("config").into_iter().flatten();
        let mut flags = Vec::new();
        for file in files {
            let text = crate::request::read(file)?;
            flags.extend(read(&String::from_utf8_lossy(&text), file)?);
        }
        arguments.splice(1..1, flags);
    }
    let matches = Cli::command().get_matches_from(arguments);
    Ok(Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()))
}

/// The flags in a file: one in each line, without the dashes if it is a long one, then `=`, `:` or
/// a space, and the value, which may be in quotes.
fn read(text: &str, file: &str) -> Result<Vec<OsString>, Failure> {
    let mut flags = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |what| Failure::Usage(format!("line {number} of {file} {what}"));
        let is_dashed = line.starts_with('-');
        let is_end = |c: char| c.is_whitespace() || (!is_dashed && "=:".contains(c));
        let (name, rest) = line.split_at(line.find(is_end).unwrap_or(line.len()));
        if matches!(name.trim_start_matches('-'), "config" | "K") {
            return Err(wrong("names another file: name all of them on the command line"));
        }
        let rest = rest.trim_start_matches(is_end);
        let name = if is_dashed { name.to_owned() } else { format!("--{name}") };
        let value = match rest.strip_prefix('"') {
            Some(quoted) => Some(unquoted(quoted).ok_or_else(|| wrong("lacks a quote"))?),
            None => rest.split_whitespace().next().map(str::to_owned),
        };
        flags.push(match value {
            Some(url) if name == "--url" => url,
            // In one piece, since it may look like a flag itself.
            Some(value) if name.starts_with("--") => format!("{name}={value}"),
            Some(value) => format!("{name}{value}"),
            None => name,
        });
    }
    Ok(flags.into_iter().map(Into::into).collect())
}

/// What is before the closing quote; `None` if there is none.
fn unquoted(text: &str) -> Option<String> {
    let mut value = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return Some(value),
            '\\' => value.push(match chars.next()? {
                't' => '\t',
                'n' => '\n',
                'r' => '\r',
                'v' => '\u{b}',
                other => other,
            }),
            other => value.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_flag() {
        let text = "# a comment\n\nsilent\n  data = \"a=\\\"1\\\"\\t\"\nheader: \"X: 1\"\n\
                    max-time 5 ignored\n-A agent\n--json={}\nurl = https://a.example/\n";
        let expected = [
            "--silent",
            "--data=a=\"1\"\t",
            "--header=X: 1",
            "--max-time=5",
            "-Aagent",
            "--json={}",
            "https://a.example/",
        ];
        assert_eq!(read(text, "file").unwrap(), expected);
        let unclosed = read("silent\ndata = \"x", "name").unwrap_err().to_string();
        assert!(unclosed.contains("line 2 of name"), "{unclosed}");
        assert!(read("config = other", "name").is_err());
    }
}

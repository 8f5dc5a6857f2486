//! Data: `-d` and its relatives, in the order of the command line.

use bytes::Bytes;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use super::content::{self, Content};
use crate::failure::Failure;

/// The pieces of data, in the order of the command line.
#[derive(Clone, Debug, Default)]
pub(super) struct DataArgs {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
struct Piece {
    kind: Kind,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `@FILE` is a file without its line ends.
    Text,
    /// `@FILE` is those characters.
    Raw,
    /// `@FILE` is a file as it is.
    Binary,
    /// To be percent-encoded.
    UrlEncode,
    /// As `Binary`; pieces follow each other without `&`.
    Json,
}

const FLAGS: [(&str, Option<char>, Kind, &str, &str); 5] = [
    (
        "data",
        Some('d'),
        Kind::Text,
        "DATA|@FILE",
        "Data to send, or @FILE to send a file without its line ends; @- is standard input. Repeat \
         it for more, with & between",
    ),
    ("data-raw", None, Kind::Raw, "DATA", "Like -d, but @ has no meaning"),
    ("data-binary", None, Kind::Binary, "DATA|@FILE", "Like -d, but a file is sent as it is"),
    (
        "data-urlencode",
        None,
        Kind::UrlEncode,
        "[NAME][=]DATA|[NAME]@FILE",
        "Like -d, but percent-encoded except for the name",
    ),
    (
        "json",
        None,
        Kind::Json,
        "DATA|@FILE",
        "JSON to send as it is, with Content-Type and Accept that say so",
    ),
];

impl Args for DataArgs {
    fn augment_args(command: Command) -> Command {
        FLAGS.into_iter().fold(command, |command, (long, short, _, value_name, help)| {
            let arg = Arg::new(long)
                .long(long)
                .value_name(value_name)
                .action(ArgAction::Append)
                .allow_hyphen_values(true)
                .help(help);
            command.arg(match short {
                Some(short) => arg.short(short),
                None => arg,
            })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for DataArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut found: Vec<(usize, Piece)> = Vec::new();
        for (long, _, kind, ..) in FLAGS {
            let values = matches.get_many::<String>(long).into_iter().flatten().cloned();
            let places = matches.indices_of(long).into_iter().flatten();
            found.extend(places.zip(values.map(|text| Piece { kind, text })));
        }
        found.sort_by_key(|(place, _)| *place);
        Ok(Self { pieces: found.into_iter().map(|(_, piece)| piece).collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl DataArgs {
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Whether there is JSON among it.
    pub(super) fn is_json(&self) -> bool {
        self.pieces.iter().any(|piece| piece.kind == Kind::Json)
    }

    /// All of it. A file that is sent as it is, and alone, is read as it is sent.
    pub(super) fn content(&self) -> Result<Content, Failure> {
        if let [Piece { kind: Kind::Binary | Kind::Json, text }] = &self.pieces[..]
            && let Some(file) = text.strip_prefix('@')
        {
            return Content::file(file);
        }
        Ok(Content::Memory(self.in_memory()?))
    }

    /// All of it, joined.
    pub(super) fn in_memory(&self) -> Result<Bytes, Failure> {
        let mut joined = Vec::new();
        for (place, piece) in self.pieces.iter().enumerate() {
            if place > 0 && piece.kind != Kind::Json {
                joined.push(b'&');
            }
            joined.extend(piece.bytes()?);
        }
        Ok(joined.into())
    }
}

impl Piece {
    fn bytes(&self) -> Result<Vec<u8>, Failure> {
        match (self.kind, self.text.strip_prefix('@')) {
            (Kind::Raw, _) | (Kind::Text | Kind::Binary | Kind::Json, None) => {
                Ok(self.text.clone().into_bytes())
            }
            (Kind::Text, Some(file)) => {
                let mut bytes = content::read(file)?;
                bytes.retain(|byte| !b"\r\n\0".contains(byte));
                Ok(bytes)
            }
            (Kind::Binary | Kind::Json, Some(file)) => content::read(file),
            (Kind::UrlEncode, _) => url_encoded(&self.text),
        }
    }
}

/// `content`, `=content`, `name=content`, `@file` or `name@file`.
fn url_encoded(text: &str) -> Result<Vec<u8>, Failure> {
    let Some(mark) = text.find(['=', '@']) else { return Ok(form_encoded(text.as_bytes())) };
    let (name, rest) = (&text[..mark], &text[mark + 1..]);
    let content = match text.as_bytes()[mark] {
        b'@' => content::read(rest)?,
        _ => rest.as_bytes().to_vec(),
    };
    let mut encoded = name.as_bytes().to_vec();
    if !name.is_empty() {
        encoded.push(b'=');
    }
    encoded.extend(form_encoded(&content));
    Ok(encoded)
}

/// Percent-encoded, with `+` for a space.
fn form_encoded(bytes: &[u8]) -> Vec<u8> {
    percent_encoded(bytes).replace("%20", "+").into_bytes()
}

/// Percent-encoded but for the characters that RFC 3986 §2.3 reserves for nothing.
pub(super) fn percent_encoded(bytes: &[u8]) -> String {
    let mut encoded = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(byte.into());
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        data: DataArgs,
    }

    fn joined(arguments: &[&str]) -> String {
        let data = Only::parse_from([&["client"], arguments].concat()).data;
        String::from_utf8(data.in_memory().unwrap().into()).unwrap()
    }

    #[test]
    fn pieces_keep_the_order_of_the_command_line() {
        let mixed = ["--data-raw", "@a", "-d", "-b=1", "--data-binary", "c", "-d", ""];
        assert_eq!(joined(&mixed), "@a&-b=1&c&");
        assert_eq!(joined(&["--json", "{", "--json", "}"]), "{}");
        let encoded =
            ["--data-urlencode", "n=a b&c", "--data-urlencode", "=ä", "--data-urlencode", "x y"];
        assert_eq!(joined(&encoded), "n=a+b%26c&%C3%A4&x+y");
    }
}

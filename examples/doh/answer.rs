//! Answers as text, in the manner of dig.

use std::fmt::Write;

use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{RData, Record};

/// Nothing but the data of what was asked for, a line each.
pub(crate) fn short(message: &Message) -> String {
    message.answers.iter().map(|record| data(record) + "\n").collect()
}

/// All of it.
pub(crate) fn long(message: &Message) -> String {
    let metadata = &message.metadata;
    let status = format!("{:?}", metadata.response_code).to_uppercase();
    let flags = [
        ("qr", true),
        ("aa", metadata.authoritative),
        ("tc", metadata.truncation),
        ("rd", metadata.recursion_desired),
        ("ra", metadata.recursion_available),
        ("ad", metadata.authentic_data),
        ("cd", metadata.checking_disabled),
    ];
    let flags: String =
        flags.iter().filter(|(_, is_set)| *is_set).map(|(flag, _)| format!(" {flag}")).collect();
    let [answers, authorities, additionals] =
        [&message.answers, &message.authorities, &message.additionals];
    let counts = [answers, authorities, additionals].map(Vec::len);
    let mut text = format!(
        ";; ->>HEADER<<- opcode: {}, status: {status}, id: {}\n\
         ;; flags:{flags}; QUERY: {}, ANSWER: {}, AUTHORITY: {}, ADDITIONAL: {}\n\n",
        metadata.op_code,
        metadata.id,
        message.queries.len(),
        counts[0],
        counts[1],
        counts[2],
    );
    let question = |query: &Query| {
        let Query { name, query_class, query_type, .. } = query;
        format!(";{name}\t\t{query_class}\t{query_type}")
    };
    section(&mut text, "QUESTION", message.queries.iter().map(question));
    section(&mut text, "ANSWER", answers.iter().map(record));
    section(&mut text, "AUTHORITY", authorities.iter().map(record));
    section(&mut text, "ADDITIONAL", additionals.iter().map(record));
    text
}

fn section(text: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    let lines: Vec<_> = lines.collect();
    if !lines.is_empty() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, ";; {title} SECTION:\n{}\n", lines.join("\n"));
    }
}

fn record(record: &Record) -> String {
    let Record { name, ttl, dns_class, .. } = record;
    let kind = record.record_type();
    printable(&format!("{name}\t{ttl}\t{dns_class}\t{kind}\t")) + &data(record)
}

fn data(record: &Record) -> String {
    match &record.data {
        RData::TXT(text) => {
            let strings: Vec<_> = text.txt_data.iter().map(|string| quoted(string)).collect();
            strings.join(" ")
        }
        data => printable(&data.to_string()),
    }
}

/// A string of a TXT record (RFC 1035 §5.1).
fn quoted(string: &[u8]) -> String {
    let escaped = string.iter().map(|&byte| match byte {
        b'"' | b'\\' => format!("\\{}", char::from(byte)),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("\\{byte:03}"),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

/// Text without what a terminal might act on, which a resolver could have put in.
fn printable(text: &str) -> String {
    let escaped = text.chars().map(|character| match character {
        '\t' => character.to_string(),
        _ if character.is_control() => format!("\\{:03}", u32::from(character)),
        _ => character.to_string(),
    });
    escaped.collect()
}

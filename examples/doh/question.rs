//! The question: the words of a command line, and the DNS message that they make.

use std::net::IpAddr;

use anyhow::{Context, bail};
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RecordType};

/// A question, and how its answer is to be shown.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) query: Query,
    /// The URL after @.
    pub(crate) resolver: Option<String>,
    pub(crate) short: bool,
    dnssec: bool,
    checking_disabled: bool,
}

impl Question {
    /// Reads the words as dig does: in any order, and what can be a type is one.
    pub(crate) fn of_words(words: &[String], reverse: Option<IpAddr>) -> anyhow::Result<Self> {
        let (mut name, mut kind) = (reverse.map(Name::from), reverse.map(|_| RecordType::PTR));
        let (mut short, mut dnssec, mut checking_disabled) = (false, false, false);
        let mut resolver = None;
        for word in words {
            if let Some(url) = word.strip_prefix('@') {
                resolver = Some(url.to_owned());
            } else if let Some(option) = word.strip_prefix('+') {
                match option {
                    "short" => short = true,
                    "dnssec" => dnssec = true,
                    "cd" | "cdflag" => checking_disabled = true,
                    _ => bail!("there is no option {word}, only +short, +dnssec and +cd"),
                }
            } else if let (None, Some(known)) = (kind, record_type(word)) {
                kind = Some(known);
            } else if name.is_none() {
                let read = Name::from_utf8(word);
                name = Some(read.with_context(|| format!("{word:?} is not a domain name"))?);
            } else {
                bail!("{word:?} is one name too many, or an unknown type of records");
            }
        }
        // Without a name dig asks for the servers of the root.
        let fallback = if name.is_some() { RecordType::A } else { RecordType::NS };
        let mut name = name.unwrap_or_else(Name::root);
        name.set_fqdn(true);
        let query = Query::query(name, kind.unwrap_or(fallback));
        Ok(Self { query, resolver, short, dnssec, checking_disabled })
    }

    /// The query, as it is sent.
    pub(crate) fn to_bytes(&self) -> anyhow::Result<Vec<u8>> {
        // RFC 8484 §4.1: an id of 0 makes equal questions equal messages.
        let mut message = Message::new(0, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        message.metadata.checking_disabled = self.checking_disabled;
        message.add_query(self.query.clone());
        if self.dnssec {
            let mut edns = Edns::new();
            edns.set_dnssec_ok(true);
            message.set_edns(edns);
        }
        Ok(message.to_vec()?)
    }
}

/// A type by its name, or as `TYPE65` by its number (RFC 3597 §5).
fn record_type(word: &str) -> Option<RecordType> {
    let word = word.to_ascii_uppercase();
    let number = || word.strip_prefix("TYPE")?.parse::<u16>().ok().map(RecordType::from);
    word.parse().ok().or_else(number)
}

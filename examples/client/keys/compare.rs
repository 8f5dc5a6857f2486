//! Whether sources say the same, byte for byte (RFC 9458 §7).

use std::fmt;

use oblivious_http::client::KeyDigest;
use oblivious_http::keys::{KeyConfig, KeyConfigList};
use serde::Serialize;

use super::Answer;

#[derive(Serialize)]
pub(super) struct Comparison {
    pub(super) agree: bool,
    sources: Vec<Compared>,
}

#[derive(Serialize)]
struct Compared {
    source: String,
    sha256: String,
    bytes: usize,
    /// Configurations that not all of the others have.
    only_here: Vec<String>,
}

impl Comparison {
    pub(super) fn new(answers: Vec<Answer>) -> anyhow::Result<Self> {
        let mut lists = Vec::new();
        for Answer { name, keys } in answers {
            let list = keys?.list;
            lists.push((name, KeyConfigList::decode(&list)?, list));
        }
        let agree = lists.windows(2).all(|pair| pair[0].2 == pair[1].2);
        let sources = lists.iter().map(|(name, decoded, list)| {
            let in_all = |config: &KeyConfig| {
                lists.iter().all(|(_, other, _)| other.configs().contains(config))
            };
            let only_here = decoded.configs().iter().filter(|config| !in_all(config));
            Compared {
                source: name.clone(),
                sha256: KeyDigest::of(list).to_string(),
                bytes: list.len(),
                only_here: only_here
                    .map(|config| format!("key {}: {}", config.key_id(), config.kem()))
                    .collect(),
            }
        });
        Ok(Self { agree, sources: sources.collect() })
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Compared { source, sha256, bytes, only_here } in &self.sources {
            writeln!(f, "{sha256}  {source} ({bytes} bytes)")?;
            for config in only_here {
                writeln!(f, "  not everywhere: {config}")?;
            }
        }
        let verdict = match self.agree {
            true => "all sources agree",
            false => {
                "the sources differ: either the keys are just changing, or clients are being told apart"
            }
        };
        writeln!(f, "{verdict}")
    }
}

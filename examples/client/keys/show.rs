//! Key configurations, for people and for programs.

use std::fmt;

use oblivious_http::client::{FetchedKeys, KeyDigest};
use oblivious_http::hpke::Provider;
use oblivious_http::keys::{KemId, KeyConfig, KeyConfigList, Preferences, SymmetricSuite};
use serde::Serialize;

/// Of a public key so many digits are shown to people; JSON has all.
const DIGITS: usize = 32;

/// The keys of a source.
#[derive(Serialize)]
pub(super) struct Shown {
    source: String,
    sha256: String,
    bytes: usize,
    /// In seconds.
    fresh_for: Option<u64>,
    configs: Vec<Config>,
    skipped: Vec<Skipped>,
    /// What this client would use.
    chosen: Option<Chosen>,
}

#[derive(Serialize)]
struct Config {
    key_id: u8,
    kem: Named,
    public_key: String,
    suites: Vec<Suite>,
}

#[derive(Serialize)]
struct Suite {
    kdf: Named,
    aead: Named,
}

#[derive(Serialize)]
struct Skipped {
    key_id: u8,
    kem: Named,
}

#[derive(Serialize)]
struct Chosen {
    key_id: u8,
    suite: Suite,
}

/// An identifier, with its name if it has one.
#[derive(PartialEq, Serialize)]
pub(super) struct Named {
    id: u16,
    name: Option<&'static str>,
}

impl Shown {
    pub(super) fn new(source: String, keys: &FetchedKeys) -> anyhow::Result<Self> {
        let list = KeyConfigList::decode(&keys.list)?;
        let preferences = Preferences::default();
        let provider = Provider::fastest();
        let chosen = list
            .candidates(&preferences)
            .find(|candidate| provider.supports(candidate.config.kem(), candidate.suite))
            .map(|found| Chosen { key_id: found.config.key_id(), suite: Suite::new(found.suite) });
        let skipped = list.skipped().iter();
        Ok(Self {
            source,
            sha256: KeyDigest::of(&keys.list).to_string(),
            bytes: keys.list.len(),
            fresh_for: keys.fresh_for.map(|time| time.as_secs()),
            configs: list.configs().iter().map(Config::new).collect(),
            skipped: skipped
                .map(|entry| Skipped { key_id: entry.key_id, kem: Named::kem(entry.kem) })
                .collect(),
            chosen,
        })
    }
}

impl Config {
    fn new(config: &KeyConfig) -> Self {
        Self {
            key_id: config.key_id(),
            kem: Named::kem(config.kem()),
            public_key: hex::encode(config.public_key()),
            suites: config.suites().iter().copied().map(Suite::new).collect(),
        }
    }
}

impl Suite {
    fn new(SymmetricSuite { kdf, aead }: SymmetricSuite) -> Self {
        let named = |id, name| Named { id, name };
        Self { kdf: named(kdf.0, kdf.name()), aead: named(aead.0, aead.name()) }
    }

    fn is(&self, other: &Self) -> bool {
        (self.kdf.id, self.aead.id) == (other.kdf.id, other.aead.id)
    }
}

impl Named {
    fn kem(kem: KemId) -> Self {
        Self { id: kem.0, name: kem.name() }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:#06x})", self.name.unwrap_or("unknown"), self.id)
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.source)?;
        write!(f, "  {} bytes", self.bytes)?;
        if let Some(seconds) = self.fresh_for {
            write!(f, ", fresh for {seconds} seconds")?;
        }
        writeln!(f, "\n  SHA-256 {}", self.sha256)?;
        for Config { key_id, kem, public_key, suites } in &self.configs {
            writeln!(f, "  key {key_id}: {kem}")?;
            let shown = &public_key[..public_key.len().min(DIGITS)];
            let rest = if shown.len() < public_key.len() { "..." } else { "" };
            writeln!(f, "    public key {shown}{rest}, {} bytes", public_key.len() / 2)?;
            for suite in suites {
                let is_chosen = self
                    .chosen
                    .as_ref()
                    .is_some_and(|chosen| chosen.key_id == *key_id && chosen.suite.is(suite));
                let mark = if is_chosen { "  <- this client's choice" } else { "" };
                writeln!(f, "    {} with {}{mark}", suite.kdf, suite.aead)?;
            }
        }
        for Skipped { key_id, kem } in &self.skipped {
            writeln!(f, "  key {key_id}: {kem}, skipped")?;
        }
        if self.chosen.is_none() {
            writeln!(f, "  none of them can be used by this client")?;
        }
        Ok(())
    }
}

//! Faults of key configurations.

use std::error::Error;
use std::fmt;

use oblivious_http::client::KeySourceError;
use oblivious_http::hpke::{Provider, Recipient, RecipientError};
use oblivious_http::keys::{AeadId, KemId, KeyConfig, KeyConfigList, Preferences, SymmetricSuite};
use serde::Serialize;

use super::Answer;
use crate::urls::is_url;

/// What was found at one source.
#[derive(Serialize)]
pub(super) struct Report {
    source: String,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct Finding {
    level: Level,
    message: String,
}

#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Error,
    Warning,
    Note,
}

impl Report {
    pub(super) fn new(answer: &Answer) -> Self {
        let mut report = Self { source: answer.name.clone(), findings: Vec::new() };
        match &answer.keys {
            Err(error) => report.add(Level::Error, with_causes(error)),
            Ok(keys) => {
                if is_url(&answer.name) && keys.fresh_for.is_none() {
                    report.add(
                        Level::Warning,
                        "the response does not say how long it is fresh: add Cache-Control: \
                         max-age, or clients fetch at times of their own"
                            .into(),
                    );
                }
                match KeyConfigList::decode(&keys.list) {
                    Ok(list) => report.check(&list),
                    Err(error) => report.add(Level::Error, error.to_string()),
                }
            }
        }
        if answer.name.starts_with("http://") {
            let exposed = "fetched over http: anyone on the path can replace the keys";
            report.add(Level::Warning, exposed.into());
        }
        report
    }

    /// Whether there are no errors, and if it is strict no warnings.
    pub(super) fn is_sound(&self, is_strict: bool) -> bool {
        self.findings.iter().all(|finding| match finding.level {
            Level::Error => false,
            Level::Warning => !is_strict,
            Level::Note => true,
        })
    }

    fn add(&mut self, level: Level, message: String) {
        self.findings.push(Finding { level, message });
    }

    fn check(&mut self, list: &KeyConfigList) {
        let configs = list.configs();
        for (place, config) in configs.iter().enumerate() {
            let (id, kem) = (config.key_id(), config.kem());
            let earlier = &configs[..place];
            if earlier.iter().any(|other| other.key_id() == id) {
                let message =
                    format!("key {id} appears twice: requests could not say which key they use");
                self.add(Level::Error, message);
            }
            if earlier.iter().any(|other| other.kem() == kem) {
                let message = format!(
                    "key {id} is another one for {kem}: clients that choose differently can be \
                     told apart (RFC 9458 §7)"
                );
                self.add(Level::Warning, message);
            }
            self.check_one(config);
        }
        for entry in list.skipped() {
            let (id, kem) = (entry.key_id, entry.kem);
            self.add(Level::Note, format!("key {id} is for the unknown KEM {kem}"));
        }
        let preferences = Preferences::default();
        let provider = Provider::fastest();
        if Recipient::select(list, &preferences, provider).is_err() {
            let message = "this client can use none of the configurations".to_owned();
            self.add(Level::Error, message);
        }
        let hybrid = [KemId::X_WING, KemId::MLKEM768_P256, KemId::MLKEM1024_P384];
        if !configs.iter().any(|config| hybrid.contains(&config.kem())) {
            let message = "no post-quantum KEM: what is recorded today could be read one day";
            self.add(Level::Note, message.into());
        }
        if !configs.iter().any(|config| config.kem() == KemId::X25519_HKDF_SHA256) {
            let message = format!("no {}, which most clients need", KemId::X25519_HKDF_SHA256);
            self.add(Level::Note, message);
        }
    }

    fn check_one(&mut self, config: &KeyConfig) {
        let id = config.key_id();
        if config.kem() == KemId::X25519_KYBER768_DRAFT00 {
            let message = format!("key {id} is for {}, which is obsolete", config.kem());
            self.add(Level::Warning, message);
        }
        for (place, suite) in config.suites().iter().enumerate() {
            if config.suites()[..place].contains(suite) {
                self.add(Level::Warning, format!("key {id} names {suite} twice"));
            }
            if let Some(why) = unusable(*suite) {
                self.add(Level::Warning, format!("key {id} names {suite}, {why}"));
            }
        }
        let usable = config.suites().iter().find(|suite| unusable(**suite).is_none());
        let Some(suite) = usable else {
            self.add(Level::Error, format!("key {id} has no suite that can be used"));
            return;
        };
        let is_valid = match Recipient::new(config, *suite, Provider::fastest()) {
            // Some keys only turn out to be unusable in use.
            Ok(recipient) => recipient.encapsulate(b"").is_ok(),
            Err(error) => !matches!(error, RecipientError::InvalidPublicKey),
        };
        if !is_valid {
            self.add(
                Level::Error,
                format!("key {id} is not a valid public key of {}", config.kem()),
            );
        }
    }
}

/// Why a suite can never be used for Oblivious HTTP.
fn unusable(suite: SymmetricSuite) -> Option<&'static str> {
    if suite.kdf.is_one_stage() {
        return Some("whose KDF has no Extract and Expand (RFC 9458 §4.4)");
    }
    (suite.aead == AeadId::EXPORT_ONLY).then_some("which cannot encrypt")
}

fn with_causes(error: &KeySourceError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.source)?;
        if self.findings.is_empty() {
            writeln!(f, "  no faults found")?;
        }
        for Finding { level, message } in &self.findings {
            let level = match level {
                Level::Error => "error",
                Level::Warning => "warning",
                Level::Note => "note",
            };
            writeln!(f, "  {level}: {message}")?;
        }
        Ok(())
    }
}

//! The programs' choice of a provider of cryptographic primitives.

use std::fmt;

use oblivious_http::hpke::Provider;
use serde::{Deserialize, Serialize};

/// Where the cryptographic primitives come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProviderName {
    /// Pure Rust, on every processor.
    RustCrypto,
    /// AWS-LC, in programs built with the feature aws-lc.
    AwsLc,
    /// graviola, on x86-64 and aarch64 processors of the last ten years.
    Graviola,
    /// The fastest that the program was built with and that runs on this processor.
    Fastest,
}

impl ProviderName {
    /// The provider.
    ///
    /// # Errors
    /// If the program was built without it, or the processor does not support it.
    pub fn provider(self) -> anyhow::Result<Provider> {
        match self {
            Self::RustCrypto => Ok(Provider::rust_crypto()),
            #[cfg(feature = "aws-lc")]
            Self::AwsLc => Ok(Provider::aws_lc()),
            #[cfg(feature = "graviola")]
            Self::Graviola => Ok(Provider::graviola()?),
            Self::Fastest => Ok(Provider::fastest()),
            #[allow(unreachable_patterns, reason = "with all features there is nothing missing")]
            missing => anyhow::bail!(
                "this program was built without {missing}: build it with --features {missing}"
            ),
        }
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RustCrypto => "rust-crypto",
            Self::AwsLc => "aws-lc",
            Self::Graviola => "graviola",
            Self::Fastest => "fastest",
        })
    }
}

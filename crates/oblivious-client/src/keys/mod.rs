//! Where a client's keys come from, and how they stay fresh and honest.
//!
//! From the bottom up: a [`KeySource`] fetches a list, sources are compared with each other or with
//! a digest, and a [`KeyCache`] keeps what they agree on until it is fetched again.

mod agreement;
mod builder;
mod cache;
mod digest;
#[cfg(feature = "dns")]
mod dns;
mod error;
#[cfg(feature = "extended-keys")]
mod extended;
mod fixed;
mod freshness;
mod handle;
mod location;
mod pinned;
mod refresh;
mod settings;
mod source;
mod store;
mod url;

pub use agreement::{Agreement, AgreementError};
pub use builder::KeyCacheBuilder;
pub use cache::KeyCache;
pub use digest::{KeyDigest, KeyDigestError};
#[cfg(feature = "dns")]
pub use dns::DnsKeys;
pub use error::KeySourceError;
pub use fixed::FixedKeys;
pub use handle::Keys;
pub use location::KeyUrlError;
pub(crate) use location::check as check_url;
pub use pinned::PinnedKeys;
pub(crate) use refresh::{InUse, Refresh};
pub use source::{Demand, FetchedKeys, Fetching, KeySource};
pub use store::{KeyFile, KeyStore, StoredKeys};
pub use url::UrlKeys;

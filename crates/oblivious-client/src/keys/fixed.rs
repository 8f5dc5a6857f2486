//! Keys that come with the program.

use bytes::Bytes;
use http::Uri;
use oblivious_keys::{DecodeError, KeyConfigList};

use super::{Demand, FetchedKeys, Fetching, KeyDigest, KeySource};

/// A list of key configurations that came with the program, or in another way that its author
/// trusts. It never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedKeys {
    list: Bytes,
}

impl FixedKeys {
    /// The list with this encoding, as `application/ohttp-keys` (RFC 9458 §3.2).
    ///
    /// # Errors
    /// If it is not such a list.
    pub fn new(list: impl Into<Bytes>) -> Result<Self, DecodeError> {
        let list = list.into();
        KeyConfigList::decode(&list)?;
        Ok(Self { list })
    }
}

impl KeySource for FixedKeys {
    fn name(&self) -> String {
        // Another list is another source, for what is stored of it.
        format!("the fixed list {}", KeyDigest::of(&self.list))
    }

    fn fetch(&self, _: Demand) -> Fetching<'_> {
        let list = self.list.clone();
        Box::pin(async { Ok(FetchedKeys { list, fresh_for: None }) })
    }

    fn is_independent_of(&self, _: &Uri) -> bool {
        true
    }
}

//! A source whose list is known in advance.

use http::Uri;

use super::{Demand, Fetching, KeyDigest, KeySource, KeySourceError};

/// A source whose list must have one of these digests, whoever it comes from: the simplest check
/// that a client has the keys that all others have (RFC 9458 §7).
///
/// When the gateway's keys change, so does the digest: pin the next one in advance.
#[derive(Debug)]
pub struct PinnedKeys<S> {
    source: S,
    pinned: KeyDigest,
    next: Vec<KeyDigest>,
}

impl<S: KeySource> PinnedKeys<S> {
    /// Accepts a list from `source` if it has this digest.
    pub fn new(source: S, pinned: KeyDigest) -> Self {
        Self { source, pinned, next: Vec::new() }
    }

    /// Also accepts a list with this digest: that of the next keys.
    #[must_use]
    pub fn or(mut self, digest: KeyDigest) -> Self {
        self.next.push(digest);
        self
    }
}

impl<S: KeySource> KeySource for PinnedKeys<S> {
    /// Includes the digests, so that stored keys are not mistaken for those of another pin.
    fn name(&self) -> String {
        let digests = [&[self.pinned][..], &self.next].concat();
        let digests: Vec<_> = digests.iter().map(KeyDigest::to_string).collect();
        format!("{} pinned to {}", self.source.name(), digests.join(" or "))
    }

    fn fetch(&self, demand: Demand) -> Fetching<'_> {
        Box::pin(async move {
            let fetched = self.source.fetch(demand).await?;
            let found = KeyDigest::of(&fetched.list);
            if found != self.pinned && !self.next.contains(&found) {
                let (name, pinned) = (self.source.name(), self.pinned);
                return Err(KeySourceError::Digest { name, found, pinned });
            }
            Ok(fetched)
        })
    }

    /// The digest vouches for the keys, even those that the relay hands out.
    fn is_independent_of(&self, _: &Uri) -> bool {
        true
    }
}

//! Why there are no keys.

use http::StatusCode;
use oblivious_hpke::RecipientError;
use oblivious_keys::DecodeError;
use oblivious_service::BoxError;
use thiserror::Error;

use super::KeyDigest;

/// There are no usable key configurations, so nothing can be sent.
///
/// `name` is the name of the source, usually a URL.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeySourceError {
    /// The source could not be reached, or broke off.
    #[error("cannot fetch key configurations from {name}")]
    Unreachable {
        /// The source.
        name: String,
        /// What the HTTP client says.
        #[source]
        error: BoxError,
    },
    /// The source did not answer in time.
    #[error("{name} did not answer with key configurations in time")]
    TimedOut {
        /// The source.
        name: String,
    },
    /// The source answered with a status other than 200.
    #[error("{name} answered with status {status} instead of key configurations")]
    Status {
        /// The source.
        name: String,
        /// The status of its response.
        status: StatusCode,
    },
    /// The source redirects to a place where the client does not follow.
    #[error(
        "{name} redirects too often, or to where keys must not come from: redirects are followed \
         only in discovery, and only to https"
    )]
    Redirect {
        /// The source.
        name: String,
    },
    /// The answer is not of the type `application/ohttp-keys` (RFC 9458 §3.2).
    #[error("{name} answered with something other than application/ohttp-keys")]
    MediaType {
        /// The source.
        name: String,
    },
    /// The answer is longer than any real list of key configurations.
    #[error("{name} answered with more than {limit} bytes; key configurations are shorter")]
    TooLong {
        /// The source.
        name: String,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The answer is not a list of key configurations; it is discarded as a whole (RFC 9458 §3.2).
    #[error("{name} answered with key configurations that cannot be read")]
    Invalid {
        /// The source.
        name: String,
        /// What is wrong with them.
        #[source]
        error: DecodeError,
    },
    /// None of the configurations is valid now, according to what they say themselves.
    #[error("none of the key configurations from {name} is valid now; check the clock")]
    NoneValid {
        /// The source.
        name: String,
    },
    /// The DNS does not say that the service takes Oblivious HTTP (RFC 9540 §4).
    #[error(
        "the DNS does not say that Oblivious HTTP is offered where {name} is; if you know it is, \
         have the keys discovered without the DNS"
    )]
    NotOffered {
        /// The source.
        name: String,
    },
    /// Sources that should say the same do not (RFC 9458 §7). Nothing was sent. One of them may be
    /// handing out keys to tell clients apart, or the gateway may be changing its keys just now.
    #[error(
        "the sources of key configurations disagree: {}; nothing was sent. If it stays like this, \
         someone may be handing out keys to tell clients apart",
        shown(groups)
    )]
    Disagreement {
        /// The names of the sources, grouped by the list that they gave.
        groups: Vec<Vec<String>>,
    },
    /// Too few sources answered for an agreement.
    #[error(
        "only {answered} of the sources of key configurations answered, but {required} must agree"
    )]
    TooFew {
        /// How many answered.
        answered: usize,
        /// How many must agree.
        required: usize,
        /// Why one of the others did not.
        #[source]
        error: Option<Box<Self>>,
    },
    /// The list is not the one that was pinned.
    #[error(
        "the key configurations from {name} have the SHA-256 digest {found}, but {pinned} is \
         pinned; nothing was sent. Pin the new digest if the gateway's operator confirms it"
    )]
    Digest {
        /// The source.
        name: String,
        /// The digest of what it answered with.
        found: KeyDigest,
        /// The digest that it should have.
        pinned: KeyDigest,
    },
    /// No configuration of the list can be used.
    #[error("none of the key configurations from {name} can be used")]
    Unusable {
        /// The source.
        name: String,
        /// Why.
        #[source]
        error: RecipientError,
    },
    /// The error of a source that the program itself provides.
    #[error("cannot get key configurations from {name}")]
    Other {
        /// The source.
        name: String,
        /// Why.
        #[source]
        error: BoxError,
    },
}

fn shown(groups: &[Vec<String>]) -> String {
    let groups: Vec<_> = groups.iter().map(|names| names.join(" and ")).collect();
    groups.join(", against ")
}

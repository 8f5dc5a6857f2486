//! Encapsulated requests inside encapsulated requests.

use http::{
    HeaderMap, HeaderValue,
    header::{CONTENT_TYPE, VIA},
};
use oblivious_service::{MediaType, Pseudonym};

use crate::refusal::InnerRefusal;

/// How often a request may pass this gateway again, each time inside another.
///
/// The inner request is fresh to every guard, so only the outer `Via` fields can tell: a gateway
/// that forwards a nested request adds its pseudonym there (RFC 9110 §7.6.3).
#[derive(Clone, Debug)]
pub(crate) struct Nesting {
    depth: usize,
    pseudonym: Pseudonym,
}

/// The path that a request has taken, according to its outer fields.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hops {
    via: Vec<HeaderValue>,
    own: usize,
}

impl Nesting {
    /// Up to `depth` times, counted by `pseudonym`.
    pub(crate) fn new(depth: usize, pseudonym: Pseudonym) -> Self {
        Self { depth, pseudonym }
    }

    /// What the outer fields say.
    pub(crate) fn hops(&self, outer: &HeaderMap) -> Hops {
        if self.depth == 0 {
            return Hops::default();
        }
        let via = outer.get_all(VIA).iter().cloned().collect();
        Hops { via, own: self.pseudonym.count_in(outer) }
    }

    /// Refuses a request that is itself encapsulated, if it is nested too deep; otherwise adds the
    /// pseudonym to it.
    pub(crate) fn pass(&self, hops: Hops, inner: &mut HeaderMap) -> Result<(), InnerRefusal> {
        if !is_encapsulated(inner) {
            return Ok(());
        }
        if hops.own >= self.depth {
            return Err(InnerRefusal::Nested);
        }
        for value in hops.via {
            inner.append(VIA, value);
        }
        inner.append(VIA, self.pseudonym.value());
        Ok(())
    }
}

/// Whether any `Content-Type` says that the content is an encapsulated request: a server may look
/// at the first of them, or at the last.
fn is_encapsulated(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONTENT_TYPE)
        .iter()
        .filter_map(|value| MediaType::parse(value.to_str().ok()?))
        .any(|kind| matches!(kind, MediaType::OhttpRequest | MediaType::OhttpChunkedRequest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONTENT_TYPE, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn an_encapsulated_request_is_known_by_any_of_its_types() {
        assert!(is_encapsulated(&typed(&["message/ohttp-req"])));
        assert!(is_encapsulated(&typed(&["Message/OHTTP-chunked-req; a=b"])));
        assert!(is_encapsulated(&typed(&["text/plain", "message/ohttp-req"])));
        assert!(!is_encapsulated(&typed(&["message/ohttp-res", "message/bhttp"])));
        assert!(!is_encapsulated(&typed(&[])));
    }

    /// RFC 9110 §7.6.3
    #[test]
    fn each_pass_is_noted_and_counted() {
        let nesting = Nesting::new(2, Pseudonym::new("me").unwrap());
        let mut outer = HeaderMap::new();
        outer.insert(VIA, HeaderValue::from_static("1.1 relay"));
        for passed in 1..=2 {
            let mut inner = typed(&["message/ohttp-req"]);
            nesting.pass(nesting.hops(&outer), &mut inner).unwrap();
            let via: Vec<_> = inner.get_all(VIA).iter().collect();
            assert_eq!(via, [&["1.1 relay"][..], &["1.1 me", "1.1 me"][..passed]].concat());
            outer = inner;
        }
        let mut inner = typed(&["message/ohttp-req"]);
        let refused = nesting.pass(nesting.hops(&outer), &mut inner);
        assert_eq!(refused, Err(InnerRefusal::Nested));

        let mut plain = typed(&["text/plain"]);
        nesting.pass(nesting.hops(&outer), &mut plain).unwrap();
        assert!(!plain.contains_key(VIA), "nobody else is told of the way");
    }
}

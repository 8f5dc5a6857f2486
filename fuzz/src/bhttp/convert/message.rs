//! A converted message of either kind.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use oblivious_bhttp::{
    Content, ConvertError, DecodeOptions, Informational, decode_request, decode_response,
};

use super::super::case::Case;

#[derive(Debug)]
pub(super) enum Http {
    Request(Request<Content>),
    Response(Response<Content>),
}

/// All that a message says, in a form that can be compared.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Parts {
    pub(super) start: Start,
    pub(super) headers: HeaderMap,
    pub(super) informational: Vec<(StatusCode, HeaderMap)>,
    pub(super) content: Bytes,
    pub(super) trailers: HeaderMap,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Start {
    Request(Method, Uri),
    Response(StatusCode),
}

impl Http {
    pub(super) fn decode(
        case: &Case,
        message: Bytes,
        options: &DecodeOptions,
    ) -> Result<Self, ConvertError> {
        if case.is_request() {
            return decode_request(message, options).map(Self::Request);
        }
        let method = Method::from_bytes(case.request_method().as_bytes()).unwrap();
        decode_response(message, &method, options).map(Self::Response)
    }

    pub(super) fn parts(&self) -> Parts {
        let (start, headers, extensions, content) = match self {
            Self::Request(request) => (
                Start::Request(request.method().clone(), request.uri().clone()),
                request.headers(),
                request.extensions(),
                request.body(),
            ),
            Self::Response(response) => (
                Start::Response(response.status()),
                response.headers(),
                response.extensions(),
                response.body(),
            ),
        };
        let informational = extensions.get::<Informational>().cloned().unwrap_or_default();
        let informational = informational.0.into_iter();
        Parts {
            start,
            headers: headers.clone(),
            informational: informational.map(|one| (one.status(), one.headers().clone())).collect(),
            content: content.data.clone(),
            trailers: content.trailers.clone().unwrap_or_default(),
        }
    }
}

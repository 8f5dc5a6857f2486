//! Answers that say what went wrong: the problem documents of RFC 9458, and plain text.

use crate::MediaType;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};

use crate::Content;

/// Longer documents are not looked at. The ones written here have about 130 bytes.
const MAX_DOCUMENT: usize = 16 * 1024;

/// The problems that RFC 9458 defines a type for, as problem documents (RFC 9457).
///
/// A document only says which kind it is: all failures of one kind look alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Problem {
    /// The gateway could not open the request: the client's key configuration is likely stale
    /// (RFC 9458 §5.3). Sent in clear, since there is no key to encapsulate it with.
    OhttpKey,
    /// The `Date` of a request is too far from the gateway's clock (RFC 9458 §6.5.2). Sent
    /// encapsulated, with the gateway's own `Date`: the relay must not be able to forge it.
    Date,
}

impl Problem {
    const ALL: [Self; 2] = [Self::OhttpKey, Self::Date];

    /// The URI that identifies this problem, as registered with IANA.
    pub const fn type_uri(self) -> &'static str {
        match self {
            Self::OhttpKey => "https://iana.org/assignments/http-problem-types#ohttp-key",
            Self::Date => "https://iana.org/assignments/http-problem-types#date",
        }
    }

    /// What happened, for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::OhttpKey => "key configuration unknown or unusable",
            Self::Date => "date field in request outside of acceptable range",
        }
    }

    /// The status of the response that carries this problem: 422 for
    /// [`OhttpKey`](Self::OhttpKey), 400 for [`Date`](Self::Date).
    ///
    /// Peers may use other statuses; the type of a problem is what counts.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::OhttpKey => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Date => StatusCode::BAD_REQUEST,
        }
    }

    /// The document (RFC 9457 §3), of the media type `application/problem+json`.
    pub fn to_json(self) -> String {
        // Neither text has a character that JSON must escape.
        format!(
            r#"{{"type":"{}","title":"{}","status":{}}}"#,
            self.type_uri(),
            self.title(),
            self.status().as_u16()
        )
    }

    /// A response that carries the document and must not be cached (RFC 9458 §6.5.2).
    pub fn into_response(self) -> Response<Content> {
        let content_type = HeaderValue::from_static(MediaType::ProblemJson.as_str());
        response(self.status(), content_type, self.to_json().into())
    }

    /// Recognizes a document that a peer sent.
    ///
    /// Only the type counts, and it is compared exactly (RFC 9457 §3.1.1). Returns `None` for other
    /// types, for what is not a JSON object, and for documents of more than 16 KiB.
    pub fn parse(document: &[u8]) -> Option<Self> {
        if document.len() > MAX_DOCUMENT {
            return None;
        }
        let document: serde_json::Value = serde_json::from_slice(document).ok()?;
        let found = document.get("type")?.as_str()?;
        Self::ALL.into_iter().find(|known| known.type_uri() == found)
    }
}

/// A response, not to be cached, with a problem document (RFC 9457 §4.2.1) that has no type beyond
/// its status, and `text` as its detail.
///
/// Use it for refusals in clear that concern the client: a relay passes a problem document on, and
/// treats other answers as faults of the gateway. `text` should tell what to do. It is a constant
/// so that nothing of a request can end up in it.
pub fn refusal(status: StatusCode, text: &'static str) -> Response<Content> {
    let document = serde_json::json!({
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "detail": text.trim_end(),
    });
    let content_type = HeaderValue::from_static(MediaType::ProblemJson.as_str());
    response(status, content_type, format!("{document}\n").into())
}

/// A response, not to be cached, with a line of text for people who debug a client.
///
/// `text` should tell what to do. It is a constant so that nothing of a request can end up in it.
pub fn plain_text(status: StatusCode, text: &'static str) -> Response<Content> {
    response(status, HeaderValue::from_static("text/plain; charset=utf-8"), text.into())
}

fn response(status: StatusCode, content_type: HeaderValue, body: Content) -> Response<Content> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_document_reads_back() {
        for problem in Problem::ALL {
            assert_eq!(Problem::parse(problem.to_json().as_bytes()), Some(problem));
        }
    }

    /// RFC 9458 §5.3 and §6.5.2 print these two documents.
    #[test]
    fn the_documents_of_the_rfc_are_recognized() {
        let key = br#"{"type":"https://iana.org/assignments/http-problem-types#ohttp-key",
"title": "key identifier unknown"}"#;
        assert_eq!(Problem::parse(key), Some(Problem::OhttpKey));
        let date = br#"{"type":"https://iana.org/assignments/http-problem-types#date",
"title": "date field in request outside of acceptable range"}"#;
        assert_eq!(Problem::parse(date), Some(Problem::Date));
    }

    #[test]
    fn the_document_is_json_with_its_status() {
        let document: serde_json::Value =
            serde_json::from_str(&Problem::OhttpKey.to_json()).unwrap();
        assert_eq!(document["status"], 422);
        assert_eq!(document["title"], Problem::OhttpKey.title());
    }

    #[test]
    fn nothing_else_is_recognized() {
        let deep = "[".repeat(8000);
        let long = format!(
            r#"{{"type":"{}","detail":"{}"}}"#,
            Problem::Date.type_uri(),
            "x".repeat(MAX_DOCUMENT)
        );
        for document in [
            "",
            "{}",
            "null",
            "\"https://iana.org/assignments/http-problem-types#date\"",
            r#"{"type":null}"#,
            r#"{"type":"about:blank"}"#,
            r#"{"type":"HTTPS://iana.org/assignments/http-problem-types#date"}"#,
            r#"{"type":"https://iana.org/assignments/http-problem-types#date "}"#,
            r#"{"detail":{"type":"https://iana.org/assignments/http-problem-types#date"}}"#,
            r#"{"type":"https://iana.org/assignments/http-problem-types#date""#,
            deep.as_str(),
            long.as_str(),
        ] {
            assert_eq!(Problem::parse(document.as_bytes()), None, "{document:.80}");
        }
        assert_eq!(Problem::parse(b"\xff"), None);
    }

    #[test]
    fn responses_are_typed_and_not_cacheable() {
        let response = Problem::Date.into_response();
        assert_eq!(response.status(), 400);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(response.into_body().data, Problem::Date.to_json());

        let response = refusal(StatusCode::NOT_FOUND, "Try another path.\n");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        let document: serde_json::Value =
            serde_json::from_slice(&response.into_body().data).unwrap();
        let expected = serde_json::json!(
            { "title": "Not Found", "status": 404, "detail": "Try another path." }
        );
        assert_eq!(document, expected);
        assert_eq!(Problem::parse(document.to_string().as_bytes()), None);

        let response = plain_text(StatusCode::NOT_FOUND, "try another path\n");
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
    }
}

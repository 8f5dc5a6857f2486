//! What each party must and must not have seen.

use examples::witness::Message;
use http::{Request, Response};
use http_body::Body;
use oblivious_http::bhttp::Content;

use crate::parties::{COOKIE, USER_AGENT};
use crate::report::Seen;

/// Something that must be so, and whether it is.
pub(crate) struct Finding {
    pub(crate) what: &'static str,
    pub(crate) holds: bool,
}

/// Checks an exchange against what every party saw of it.
pub(crate) fn findings(
    question: &Request<Content>,
    answer: &Response<Content>,
    seen: &Seen,
) -> Vec<Finding> {
    let each_once = [&seen.relay, &seen.gateway, &seen.inside, &seen.target]
        .iter()
        .all(|messages| messages.len() == 1);
    let inner = inner_texts(question, answer);
    let client = client_traces(seen);
    vec![
        Finding { what: "the question reached each party exactly once", holds: each_once },
        Finding {
            what: "the client got the target's answer",
            holds: answer.status().is_success()
                && seen.target.iter().all(|message| {
                    let (status, body) = message.answered.clone().unwrap_or_default();
                    status == answer.status() && body == answer.body().data
                }),
        },
        Finding {
            what: "the target got the question that the client asked",
            holds: seen.target.iter().all(|message| {
                message.method == question.method()
                    && message.uri.path_and_query() == question.uri().path_and_query()
                    && message.body == question.body().clone().data
            }),
        },
        Finding {
            what: "nothing of question or answer was readable at the relay",
            holds: !inner.is_empty() && contain_none(&seen.relay, &inner),
        },
        Finding {
            what: "nothing of the client's address, software or cookies came past the relay",
            holds: !client.is_empty()
                && [&seen.gateway, &seen.inside, &seen.target]
                    .iter()
                    .all(|messages| contain_none(messages, &client) && !came_from(messages, seen)),
        },
    ]
}

/// The parts of question and answer that are long enough to be recognized.
fn inner_texts(question: &Request<Content>, answer: &Response<Content>) -> Vec<Vec<u8>> {
    let uri = question.uri();
    let mut texts = vec![
        uri.authority().map(|authority| authority.as_str().as_bytes().to_vec()).unwrap_or_default(),
        uri.path_and_query().map(|path| path.as_str().as_bytes().to_vec()).unwrap_or_default(),
        answer.body().data.to_vec(),
    ];
    if question.body().size_hint().lower() > 0 {
        texts.push(question.body().clone().data.to_vec());
    }
    texts
}

/// What would give the client away: its address as the relay saw it, and what its HTTP library
/// told the relay.
fn client_traces(seen: &Seen) -> Vec<Vec<u8>> {
    let addresses = seen.relay.iter().filter_map(|message| message.from);
    let mut traces: Vec<_> = addresses.map(|address| address.to_string().into_bytes()).collect();
    traces.extend([USER_AGENT, COOKIE].map(|text| text.as_bytes().to_vec()));
    traces
}

fn contain_none(messages: &[Message], texts: &[Vec<u8>]) -> bool {
    messages.iter().all(|message| {
        let bytes = message.bytes();
        texts.iter().all(|text| !bytes.windows(text.len().max(1)).any(|window| window == text))
    })
}

/// Whether any of the messages came on a connection of the client's own.
fn came_from(messages: &[Message], seen: &Seen) -> bool {
    messages.iter().any(|message| {
        message.from.is_some() && seen.relay.iter().any(|at_relay| at_relay.from == message.from)
    })
}

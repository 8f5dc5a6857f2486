//! Tells what happened, for a reader who has never heard of Oblivious HTTP.

use bytes::Bytes;
use examples::witness::Message;
use http::{HeaderMap, Request, Response};
use oblivious_http::bhttp::Content;

use crate::check::Finding;
use crate::parties::{Gateway, Relay, Target};

/// What the parties noted of one exchange.
pub(crate) struct Seen {
    pub(crate) relay: Vec<Message>,
    pub(crate) gateway: Vec<Message>,
    pub(crate) inside: Vec<Message>,
    pub(crate) target: Vec<Message>,
}

/// How many bytes of a sealed message are shown.
const SHOWN: usize = 24;

pub(crate) fn introduction(target: &Target, gateway: &Gateway, relay: &Relay) {
    println!(
        "Oblivious HTTP: a client asks questions that nobody can connect with it.\n\
         \n\
         \x20   client  --->  relay  --->  gateway  --->  target\n\
         \n\
         The relay knows who asks, but not what. The gateway and the target know what is asked,\n\
         but not by whom. All of them run on this machine, with TLS between each two:\n\
         \n\
         \x20   relay    {}\n\
         \x20   gateway  {}\n\
         \x20   target   {}",
        relay.uri,
        gateway.uri,
        target.party.origin()
    );
}

pub(crate) fn question(question: &Request<Content>) {
    heading(&format!("The client asks: {} {}", question.method(), question.uri()));
    let body = question.body().clone().data;
    if !body.is_empty() {
        println!("    with the data  {}", text(&body));
    }
    println!("    sealed so that only the gateway can open it, and sent to the relay");
}

pub(crate) fn parties(seen: &Seen) {
    for message in &seen.relay {
        party("The RELAY saw", message, "the client");
        sealed("sealed question", &message.body);
        if let Some((status, body)) = &message.answered {
            println!("    status           {status}, whatever the answer inside");
            sealed("sealed answer", body);
        }
    }
    for message in &seen.gateway {
        party("The GATEWAY saw", message, "the relay");
        sealed("sealed question", &message.body);
    }
    for message in &seen.inside {
        println!("    and, after opening it with its key:");
        println!("    question         {} {}", message.method, message.uri);
        fields(&message.headers);
        data(&message.body);
    }
    for message in &seen.target {
        party("The TARGET saw", message, "the gateway");
        data(&message.body);
        if let Some((status, body)) = &message.answered {
            println!("    it answered      {status}: {}", text(body));
        }
    }
}

pub(crate) fn answer(answer: &Response<Content>) {
    println!("\n  The CLIENT opened the answer");
    println!("    {}: {}", answer.status(), text(&answer.body().data));
}

/// Prints what was checked. Returns whether all of it holds.
pub(crate) fn findings(findings: &[Finding]) -> bool {
    println!("\n  Checked");
    for finding in findings {
        println!("    {}  {}", if finding.holds { "yes" } else { "NO " }, finding.what);
    }
    findings.iter().all(|finding| finding.holds)
}

pub(crate) fn conclusion(as_expected: bool) {
    if as_expected {
        println!("\nEvery party saw what it had to see, and no party saw both who and what.");
    } else {
        println!("\nSomething above is NOT as it should be: see the lines that say NO.");
    }
}

fn heading(text: &str) {
    println!("\n{text}\n{}", "-".repeat(text.len()));
}

fn party(title: &str, message: &Message, from: &str) {
    println!("\n  {title}");
    if let Some(address) = message.from {
        println!("    from             {address}, {from}");
    }
    println!("    request          {} {}", message.method, message.uri);
    fields(&message.headers);
}

fn fields(headers: &HeaderMap) {
    for (name, value) in headers {
        println!("    field            {name}: {}", text(value.as_bytes()));
    }
}

fn data(body: &Bytes) {
    if !body.is_empty() {
        println!("    data             {}", text(body));
    }
}

fn sealed(label: &str, body: &Bytes) {
    let start = hex::encode(&body[..body.len().min(SHOWN)]);
    println!("    {label:<16} {} bytes: {start}...", body.len());
}

/// Bytes as text, with everything escaped that a terminal might act on.
fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().replace("\\'", "'")
}

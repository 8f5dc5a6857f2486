//! The header fields of request and response, as `-v` shows them.

use http::{HeaderMap, Request, StatusCode, header};

pub(crate) fn show_request<B>(request: &Request<B>) {
    let uri = request.uri();
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    eprintln!("> {} {path} HTTP", request.method());
    if !request.headers().contains_key(header::HOST) {
        eprintln!("> host: {}", uri.authority().map_or("", |authority| authority.as_str()));
    }
    show_fields('>', request.headers());
}

pub(crate) fn show_response(status: StatusCode, headers: &HeaderMap) {
    eprintln!("< HTTP {status}");
    show_fields('<', headers);
}

fn show_fields(mark: char, headers: &HeaderMap) {
    // Their values are nobody's business.
    let secret =
        [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE, header::SET_COOKIE];
    for (name, value) in headers {
        let value = match secret.contains(name) {
            true => "[hidden]".into(),
            false => String::from_utf8_lossy(value.as_bytes()),
        };
        eprintln!("{mark} {name}: {value}");
    }
    eprintln!("{mark}");
}

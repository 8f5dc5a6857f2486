//! Whole exchanges in chunks by the independent crates `ohttp` and `bhttp`, which share no code
//! with this project: through the real relay, with the real gateway.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bhttp::{Message, Mode};
use futures::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use http::{Request, StatusCode, header};
use oblivious_http::service::Content;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::programs::Server;
use crate::setup::{Setup, relay_to, send};
use crate::target::ANSWER_MARKER;

/// Where their client writes.
#[derive(Clone, Default)]
pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    pub(crate) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl AsyncWrite for Written {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.lock().unwrap().extend_from_slice(data);
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A request of theirs for an absolute URL.
fn request(method: &str, url: &str) -> Message {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (authority, path) = rest.split_at(rest.find('/').unwrap());
    let [method, scheme, authority, path] =
        [method, scheme, authority, path].map(|part| part.as_bytes().to_vec());
    Message::request(method, scheme, authority, path)
}

/// Sends a request in chunks, and reads the answer: all of it with their code.
async fn ask(relay: &Server, gateway: &Server, request: &Message) -> Message {
    let keys = Request::get(gateway.url("/ohttp-keys")).body(Content::default()).unwrap();
    let keys = send(keys).await.body;
    let client = ohttp::ClientRequest::from_encoded_config_list(&keys).unwrap();
    let mut message = Vec::new();
    request.write_bhttp(Mode::IndeterminateLength, &mut message).unwrap();
    let written = Written::default();
    let mut asking = client.encapsulate_stream(written.clone()).unwrap();
    // In pieces that have nothing to do with the parts of the message.
    for piece in message.chunks(1000) {
        asking.write_all(piece).await.unwrap();
    }
    asking.close().await.unwrap();

    let sealed = written.take();
    let outer = Request::post(relay.url("/gateway"))
        .header(header::CONTENT_TYPE, "message/ohttp-chunked-req")
        .header("incremental", "?1")
        .body(Content::from(sealed))
        .unwrap();
    let received = send(outer).await;
    assert_eq!(received.status, StatusCode::OK);
    assert_eq!(received.headers[header::CONTENT_TYPE], "message/ohttp-chunked-res");

    let mut answer = Vec::new();
    let mut reading = asking.response(&received.body[..]).unwrap();
    reading.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer[0], 3, "a response of indeterminate length");
    // It takes no message of which a terminator is left out.
    Message::read_bhttp(&mut io::Cursor::new(answer)).unwrap()
}

fn status(answer: &Message) -> u16 {
    answer.control().status().unwrap().code()
}

/// RFC 9292 §3.2, §3.8, padded or not: with content, without, and what the gateway says itself. All
/// of it in chunks, as it was asked (draft-ietf-ohai-chunked-ohttp §3).
#[tokio::test(flavor = "multi_thread")]
async fn ohttp_and_bhttp_read_every_answer_in_chunks() {
    for padding in [&[][..], &["--pad-responses", "multiple:512"]] {
        let setup = Setup::start_with(padding).await;
        let ask = async |method: &str, path: &str, content: &[u8]| {
            let mut request = request(method, &setup.target.url(path));
            request.write_content(content);
            ask(&setup.relay, &setup.gateway, &request).await
        };
        let question = vec![b'q'; 40_000];
        let answer = ask("POST", "/echo", &question).await;
        assert_eq!(status(&answer), 200);
        assert!(answer.content().starts_with(b"POST /echo\n"));
        assert!(answer.content().ends_with(&question));
        assert_eq!(answer.header().get(b"x-marker"), Some(ANSWER_MARKER.as_bytes()));

        let answer = ask("GET", "/large", b"").await;
        assert_eq!((status(&answer), answer.content().len()), (200, 1 << 20));
        for (method, path, expected) in
            [("GET", "/204", 204), ("GET", "/304", 304), ("HEAD", "/echo", 200)]
        {
            let answer = ask(method, path, b"").await;
            assert_eq!((status(&answer), answer.content()), (expected, &b""[..]), "{path}");
        }
        assert_eq!(status(&ask("GET", "/500", b"").await), 500);

        let refused = request("GET", "https://elsewhere.example/");
        let refused = self::ask(&setup.relay, &setup.gateway, &refused).await;
        assert_eq!(status(&refused), 403);
    }
}

/// RFC 9292 §3.5.1, §3.6: what comes before and after the content.
#[tokio::test(flavor = "multi_thread")]
async fn bhttp_reads_informational_responses_and_trailers_in_chunks() {
    const ANSWER: &str = "HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n\
        HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\nconnection: close\r\n\r\n\
        5\r\nhello\r\n0\r\nx-sum: 532\r\n\r\n";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        stream.write_all(ANSWER.as_bytes()).await.unwrap();
    });
    let gateway = Server::start("gateway", &["--generate-key", "--allow-target", &origin]);
    let relay = relay_to(&gateway.url("/gateway"));
    let mut request = request("GET", &format!("{origin}/"));
    request.put_header("te", "trailers");
    let answer = ask(&relay, &gateway, &request).await;
    let [early] = answer.informational() else { panic!("one of them") };
    assert_eq!(early.status().code(), 103);
    assert_eq!(early.fields().get(b"link"), Some(&b"</style.css>"[..]));
    assert_eq!((status(&answer), answer.content()), (200, &b"hello"[..]));
    assert_eq!(answer.trailer().get(b"x-sum"), Some(&b"532"[..]));
}

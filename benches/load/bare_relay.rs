//! A relay of nothing but hyper's server and client for HTTP/1.1, in one thread, for `relay.sh` to
//! load: what remains of a relay without limits, rules, metrics, or a choice of connections.

use std::{cell::RefCell, future::poll_fn, net::SocketAddr, pin::Pin, rc::Rc};

use http::{
    HeaderValue, Request, Response,
    header::{CONTENT_LENGTH, CONTENT_TYPE, HOST},
};
use hyper::{
    body::Incoming,
    client::conn::http1::{self as client, Connection, SendRequest},
    server::conn::http1 as server,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use oblivious_service::BoxError;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{LocalSet, spawn_local},
};

type Idle = (SendRequest<Incoming>, Connection<TokioIo<TcpStream>, Incoming>);

#[derive(Clone)]
struct Relay {
    gateway: SocketAddr,
    idle: Rc<RefCell<Vec<Idle>>>,
}

impl Relay {
    async fn forward(self, request: Request<Incoming>) -> Result<Response<Incoming>, BoxError> {
        let idle = self.idle.borrow_mut().pop();
        let (mut sender, mut connection) = match idle {
            Some(idle) => idle,
            None => {
                let stream = TcpStream::connect(self.gateway).await?;
                stream.set_nodelay(true)?;
                client::Builder::new().writev(false).handshake(TokioIo::new(stream)).await?
            }
        };
        let (head, body) = request.into_parts();
        let mut request = Request::post("/gateway").body(body)?;
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_static("gateway"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("message/ohttp-req"));
        if let Some(length) = head.headers.get(CONTENT_LENGTH) {
            headers.insert(CONTENT_LENGTH, length.clone());
        }
        let mut answer = Box::pin(sender.send_request(request));
        let answer = poll_fn(|cx| {
            // Its end shows in the answer as well.
            let _ = Pin::new(&mut connection).poll(cx);
            answer.as_mut().poll(cx)
        });
        let answer = answer.await?;
        if sender.is_ready() {
            self.idle.borrow_mut().push((sender, connection));
        } else {
            spawn_local(async move {
                let rest = poll_fn(|cx| {
                    let _ = Pin::new(&mut connection).poll(cx);
                    sender.poll_ready(cx)
                });
                if rest.await.is_ok() {
                    self.idle.borrow_mut().push((sender, connection));
                }
            });
        }
        Ok(answer)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let mut arguments = std::env::args().skip(1);
    let usage = "say: load-bare-relay ADDRESS GATEWAY-ADDRESS";
    let listener = TcpListener::bind(arguments.next().ok_or(usage)?).await?;
    let gateway = arguments.next().ok_or(usage)?.parse()?;
    let relay = Relay { gateway, idle: Rc::default() };
    let serving = async move {
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let relay = relay.clone();
            spawn_local(async move {
                let service = service_fn(move |request| relay.clone().forward(request));
                let mut server = server::Builder::new();
                let serving = server.writev(false).serve_connection(TokioIo::new(stream), service);
                if let Err(error) = serving.await {
                    eprintln!("connection failed: {error}");
                }
            });
        }
    };
    LocalSet::new().run_until(serving).await
}

//! A TCP proxy that keeps every byte that passes, in both directions.

use std::sync::{Arc, Mutex, OnceLock};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Stands in front of a server.
pub(crate) struct Recorder {
    pub(crate) address: String,
    server: Arc<OnceLock<String>>,
    towards: Bytes,
    back: Bytes,
}

type Bytes = Arc<Mutex<Vec<u8>>>;

impl Recorder {
    /// Forwards every connection to `server`, given as `HOST:PORT`.
    pub(crate) async fn start(server: &str) -> Self {
        let recorder = Self::to_come().await;
        recorder.stand_before(server);
        recorder
    }

    /// For a server that has to know the recorder's address before it starts. Nobody may connect
    /// until [`stand_before`](Self::stand_before) has said where to.
    pub(crate) async fn to_come() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (towards, back) = (Bytes::default(), Bytes::default());
        let server = Arc::<OnceLock<String>>::default();
        let (known, sent, returned) = (server.clone(), towards.clone(), back.clone());
        tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                let called = TcpStream::connect(known.get().unwrap()).await.unwrap();
                let (caller_reads, caller_writes) = caller.into_split();
                let (called_reads, called_writes) = called.into_split();
                tokio::spawn(copy(caller_reads, called_writes, sent.clone()));
                tokio::spawn(copy(called_reads, caller_writes, returned.clone()));
            }
        });
        Self { address, server, towards, back }
    }

    /// Forwards connections to `server` from now on.
    pub(crate) fn stand_before(&self, server: &str) {
        self.server.set(server.to_owned()).unwrap();
    }

    /// What was sent to the server so far.
    pub(crate) fn towards(&self) -> Vec<u8> {
        self.towards.lock().unwrap().clone()
    }

    /// What the server sent back so far.
    pub(crate) fn back(&self) -> Vec<u8> {
        self.back.lock().unwrap().clone()
    }
}

async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, kept: Bytes) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        kept.lock().unwrap().extend_from_slice(&buffer[..length]);
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

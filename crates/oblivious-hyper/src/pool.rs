//! The connections of an HTTP client.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use http::uri::{Authority, Scheme};
use tokio::time::sleep;

use crate::http1_connection::Http1Connection;
use crate::http2_connection::Http2Connection;

/// How many idle connections a request may get one of: the last that were used. The others below
/// them grow old and are closed.
const CHOICE: usize = 16;

/// How often unused connections are looked for.
const ROUND: Duration = Duration::from_secs(5);

/// In how many rounds a connection must have been used: it is idle for at most 20 seconds. Usually
/// that is shorter than servers wait, so that a request seldom meets a connection that is just
/// being closed: once a byte of it has been written, it fails with that connection and is not sent
/// again.
const ROUNDS: u64 = 4;

/// Scheme and authority of a server.
pub(crate) type Server = (Scheme, Authority);

/// The connections to all servers that are not in exclusive use.
///
/// All requests share them, whichever thread they come from: if each thread had its own, a server
/// would know that requests over one connection come from clients of one thread, and one of those
/// could be alone there. Among the idle ones the choice is random, or a client that asks again and
/// again would often get the one that it has just released.
#[derive(Default)]
pub(crate) struct Pool {
    servers: Mutex<Servers>,
    closing_unused: AtomicBool,
}

#[derive(Default)]
struct Servers {
    round: u64,
    by_name: HashMap<Server, Connections>,
}

#[derive(Default)]
struct Connections {
    /// Each with the round in which it was used.
    http1: Vec<(u64, Box<Http1Connection>)>,
    http2: Vec<(u64, Http2Connection)>,
}

pub(crate) enum Pooled {
    Http1(Box<Http1Connection>),
    Http2(Http2Connection),
}

impl Pool {
    /// A connection to `server` that can take a request now.
    pub(crate) fn take(&self, server: &Server) -> Option<Pooled> {
        let mut servers = self.lock();
        let round = servers.round;
        let Connections { http1, http2 } = servers.by_name.get_mut(server)?;
        if !http1.is_empty() {
            let choice = http1.len().min(CHOICE);
            let index = http1.len() - 1 - fastrand::usize(..choice);
            return Some(Pooled::Http1(http1.swap_remove(index).1));
        }
        http2.retain(|(_, connection)| !connection.is_closed());
        let free = http2.iter().filter(|(_, connection)| !connection.is_full()).count();
        let index = (free > 0).then(|| fastrand::usize(..free))?;
        let mut free = http2.iter_mut().filter(|(_, connection)| !connection.is_full());
        let (used, connection) = free.nth(index)?;
        *used = round;
        Some(Pooled::Http2(connection.clone()))
    }

    /// Keeps a connection that has nothing to do.
    pub(crate) fn put(self: &Arc<Self>, server: Server, connection: Pooled) {
        {
            let mut servers = self.lock();
            let round = servers.round;
            let Connections { http1, http2 } = servers.by_name.entry(server).or_default();
            match connection {
                Pooled::Http1(connection) => http1.push((round, connection)),
                Pooled::Http2(connection) => http2.push((round, connection)),
            }
        }
        if !self.closing_unused.load(Ordering::Relaxed)
            && !self.closing_unused.swap(true, Ordering::Relaxed)
        {
            let closing = Closing(Arc::downgrade(self));
            tokio::spawn(closing.run());
        }
    }

    /// Takes out what has not been used for long. The tasks of HTTP/2 connections end with the last
    /// clone.
    fn unused(&self) -> Vec<Http1Connection> {
        let mut servers = self.lock();
        servers.round += 1;
        let round = servers.round;
        let old = |used: u64| round - used >= ROUNDS;
        let mut unused = Vec::new();
        servers.by_name.retain(|_, Connections { http1, http2 }| {
            unused.extend(http1.extract_if(.., |(used, _)| old(*used)).map(|(_, one)| *one));
            http2.retain(|(used, one)| !(one.is_closed() || one.is_unused() && old(*used)));
            !http1.is_empty() || !http2.is_empty()
        });
        unused
    }

    fn lock(&self) -> MutexGuard<'_, Servers> {
        // Nothing panics under the lock but an allocation that fails.
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes unused connections, in the runtime in which it was begun.
struct Closing(Weak<Pool>);

impl Closing {
    async fn run(self) {
        loop {
            sleep(ROUND).await;
            let Some(pool) = self.0.upgrade() else { return };
            for unused in pool.unused() {
                tokio::spawn(unused.close());
            }
        }
    }
}

impl Drop for Closing {
    /// Also when the runtime ends: another may go on.
    fn drop(&mut self) {
        if let Some(pool) = self.0.upgrade() {
            pool.closing_unused.store(false, Ordering::Relaxed);
        }
    }
}

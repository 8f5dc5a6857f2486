//! The connections of an HTTP client.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use foldhash::quality::RandomState;
use http::uri::{Authority, Scheme};
use tokio::runtime::{self, Handle};
use tokio::time::sleep;

use crate::http1_connection::Http1Connection;
use crate::http2_connection::Http2Connection;

/// How many idle connections of a thread a request may get one of: the last that were used. The
/// others below them grow old and are closed.
const CHOICE: usize = 16;

/// How many exchanges must be under way in a thread for it to use its own connections first.
const CROWD: usize = 8;

/// How often unused connections are looked for.
const ROUND: Duration = Duration::from_secs(5);

/// In how many rounds a connection must have been used: it is idle for at most 20 seconds. Usually
/// that is shorter than servers wait, so that a request seldom meets a connection that is just
/// being closed: once a byte of it has been written, it fails with that connection and is not sent
/// again.
const ROUNDS: u64 = 4;

/// Scheme and authority of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) scheme: Scheme,
    pub(crate) authority: Authority,
}

impl Hash for Server {
    /// An [`Authority`] would hash itself byte by byte, since case makes no difference to it.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut lower_case = [0; 64];
        for part in self.authority.as_str().as_bytes().chunks(lower_case.len()) {
            let lower_case = &mut lower_case[..part.len()];
            lower_case.copy_from_slice(part);
            lower_case.make_ascii_lowercase();
            state.write(lower_case);
        }
        state.write_u8((self.scheme == Scheme::HTTPS).into());
    }
}

/// The connections to all servers that are not in exclusive use.
///
/// Requests share them, whichever thread they come from: if each thread only had its own, a server
/// would know that requests over one connection come from clients of one thread, and one of those
/// could be alone there. Among the idle ones the choice is random, or a client that asks again and
/// again would often get the one that it has just released.
///
/// A connection that moves to another thread costs about half as much as an exchange. So a thread
/// that has many exchanges under way, which hide each other, takes its own connections first; and in
/// a gateway, which does not know whose its requests are, each thread keeps to its own.
pub(crate) struct Pool {
    /// Whether a thread may use the connections of others.
    is_shared: bool,
    servers: Mutex<Servers>,
    closing_unused: AtomicBool,
}

#[derive(Default)]
struct Servers {
    round: u64,
    by_name: HashMap<Server, Connections, RandomState>,
}

#[derive(Default)]
struct Connections {
    http1: Vec<Home>,
    /// Each with the round in which it was used.
    http2: Vec<(u64, Http2Connection)>,
}

/// The connections whose events one runtime gets.
struct Home {
    runtime: runtime::Id,
    /// One for each connection, idle or not, and one here.
    connections: Arc<()>,
    /// Each with the round in which it was used.
    idle: Vec<(u64, Box<Http1Connection>)>,
}

impl Home {
    fn is_crowded(&self) -> bool {
        Arc::strong_count(&self.connections) > self.idle.len() + CROWD
    }

    fn choice(&self) -> usize {
        self.idle.len().min(CHOICE)
    }

    /// One of the [choice](Self::choice).
    fn take(&mut self, index: usize) -> Option<Box<Http1Connection>> {
        let index = self.idle.len().checked_sub(index + 1)?;
        Some(self.idle.swap_remove(index).1)
    }
}

impl Connections {
    /// The place for connections of the current runtime.
    fn here(&mut self) -> &mut Home {
        let here = Handle::current().id();
        let index = self.http1.iter().position(|home| home.runtime == here);
        let index = index.unwrap_or_else(|| {
            self.http1.push(Home { runtime: here, connections: Arc::default(), idle: Vec::new() });
            self.http1.len() - 1
        });
        &mut self.http1[index]
    }

    fn take_http1(&mut self, is_shared: bool) -> Option<Box<Http1Connection>> {
        let here = self.here();
        if !is_shared {
            return here.take(0);
        }
        if here.is_crowded() && !here.idle.is_empty() {
            return here.take(fastrand::usize(..here.choice()));
        }
        let all = self.http1.iter().map(Home::choice).sum::<usize>();
        let mut index = (all > 0).then(|| fastrand::usize(..all))?;
        let from = self.http1.iter_mut().find(|home| {
            let choice = home.choice();
            let is_there = index < choice;
            index -= if is_there { 0 } else { choice };
            is_there
        });
        let mut connection = from?.take(index)?;
        let here = self.here();
        connection.move_to(here.runtime, &here.connections);
        Some(connection)
    }

    fn take_http2(&mut self, round: u64) -> Option<Http2Connection> {
        self.http2.retain(|(_, connection)| !connection.is_closed());
        let mut free = Vec::new();
        free.extend(self.http2.iter_mut().filter(|(_, connection)| !connection.is_full()));
        let index = (!free.is_empty()).then(|| fastrand::usize(..free.len()))?;
        let (used, connection) = free.swap_remove(index);
        *used = round;
        Some(connection.clone())
    }
}

pub(crate) enum Pooled {
    Http1(Box<Http1Connection>),
    Http2(Http2Connection),
}

impl Pool {
    /// A pool whose threads share their connections, or each have their own.
    pub(crate) fn new(is_shared: bool) -> Self {
        Self { is_shared, servers: Mutex::default(), closing_unused: AtomicBool::default() }
    }

    /// A connection to `server` that can take a request now.
    pub(crate) fn take(&self, server: &Server) -> Option<Pooled> {
        let mut servers = self.lock();
        let round = servers.round;
        let connections = servers.by_name.get_mut(server)?;
        match connections.take_http1(self.is_shared) {
            Some(connection) => Some(Pooled::Http1(connection)),
            None => connections.take_http2(round).map(Pooled::Http2),
        }
    }

    /// Keeps a connection that has nothing to do.
    pub(crate) fn put(self: &Arc<Self>, server: Server, connection: Pooled) {
        {
            let mut servers = self.lock();
            let round = servers.round;
            let connections = servers.by_name.entry(server).or_default();
            match connection {
                Pooled::Http1(mut connection) => {
                    let here = connections.here();
                    connection.move_to(here.runtime, &here.connections);
                    here.idle.push((round, connection));
                }
                Pooled::Http2(connection) => connections.http2.push((round, connection)),
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
            for home in &mut *http1 {
                unused
                    .extend(home.idle.extract_if(.., |(used, _)| old(*used)).map(|(_, one)| *one));
            }
            http1.retain(|home| Arc::strong_count(&home.connections) > 1);
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

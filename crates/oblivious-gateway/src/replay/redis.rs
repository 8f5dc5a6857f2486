//! The guard that replicas share.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hmac::{Hmac, KeyInit, Mac};
use oblivious_hpke::UnixSeconds;
use oblivious_service::Timeout;
use redis::{
    Client, ErrorKind, IntoConnectionInfo, RedisResult, Value,
    aio::{ConnectionManager, ConnectionManagerConfig},
    io::tcp::{TcpSettings, socket2::TcpKeepalive},
};
use sha2::Sha256;
use thiserror::Error;
use tracing::{info, warn};

use super::{ReplayCheck, ReplayEntry, ReplayError, ReplayGuard, ReplayLoad, ReplayVerdict};

/// The default of [`RedisReplayGuard::key_prefix`].
const DEFAULT_PREFIX: &str = "ohttp:replay:";
/// The default of [`RedisReplayGuard::endless_ttl`]: 30 days.
const DEFAULT_ENDLESS_TTL: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The longest time to live that is asked for: Redis refuses what overflows its own arithmetic.
const MAX_TTL: u64 = 100 * 365 * 24 * 60 * 60;
/// The key of the hash if no secret is given: it keeps these hashes apart from others.
const PUBLIC_KEY: &[u8] = b"oblivious-gateway replay guard";
/// The shortest secret, in bytes.
const MIN_SECRET: usize = 16;
/// How many bytes of the hash are kept.
const HASH: usize = 16;
/// A connection on which nothing comes through for this long is given up and made anew.
const DEAD_CONNECTION: Duration = Duration::from_secs(5);

/// Remembers requests in Redis or Valkey (feature `redis`), for all replicas of a gateway that
/// share their keys.
///
/// Each check is a single command, `SET key "" NX EX seconds`, which is atomic: of all replicas
/// that get copies of a request at the same time, one serves it. Keys are a prefix and 16 bytes of
/// HMAC-SHA-256 over `enc`, so they have one length whatever the KEM. All replicas must compute the
/// same key, so the hash cannot be keyed at random as in memory: without a [`secret`](Self::secret)
/// its key is fixed and public, and anyone who sees both the requests on the wire and the database
/// can tell which were served. With a secret, the same in all replicas, they cannot.
///
/// A check that fails or takes longer than the time limit is [`ReplayError::Unavailable`], and
/// "out of memory" is [`ReplayError::Full`]: either way the request is refused. The first failure
/// after a success is logged, and so is the recovery. Connections are made when first needed and
/// made again when lost. The futures of this guard must be polled within a tokio runtime.
///
/// # How to run the database
///
/// What it forgets can be replayed. So set `maxmemory-policy noeviction` (evicting is forgetting),
/// set `appendonly yes` if keys of the gateway outlive a restart of the database, and do not let
/// anything else flush it. A fail-over to a replica that lags behind forgets what it had not
/// received. Plan for about 100 bytes for each request, and see [how to size a
/// guard](crate::MemoryReplayGuard#how-to-size-it) for their number.
///
/// # TLS
///
/// URLs with `rediss://` need the feature `redis-tls`. It uses the certificates that the operating
/// system trusts, and rustls with the crypto provider of the process: a program in which rustls has
/// none, or more than one, must install its choice first, or the first check panics.
///
/// ```
/// use std::time::Duration;
///
/// use oblivious_gateway::RedisReplayGuard;
/// use oblivious_service::{Timeout, TokioTimer};
///
/// let limit = Timeout::new(Duration::from_millis(250), TokioTimer);
/// let guard = RedisReplayGuard::new("redis://localhost:6379/0", limit)?
///     .key_prefix("example:replay:")
///     .secret(b"the same in all replicas")?;
/// # Ok::<(), oblivious_gateway::RedisGuardError>(())
/// ```
pub struct RedisReplayGuard {
    connection: Arc<Connection>,
    timeout: Timeout,
    mac: Hmac<Sha256>,
    prefix: String,
    endless_ttl: Duration,
}

impl RedisReplayGuard {
    /// A guard in the database at `url`: `redis://[[user]:password@]host[:port][/database]`, or
    /// `rediss://` or `unix://`. A check may take as long as `timeout` says; 250 ms is plenty.
    ///
    /// Nothing is connected yet, so the database may be started later.
    ///
    /// # Errors
    ///
    /// [`RedisGuardError::Url`] if it is not such a URL.
    pub fn new(url: &str, timeout: Timeout) -> Result<Self, RedisGuardError> {
        let client = client(url).map_err(|_| RedisGuardError::Url)?;
        Ok(Self {
            connection: Arc::new(Connection {
                client,
                manager: OnceLock::new(),
                down: AtomicBool::new(false),
            }),
            timeout,
            mac: mac(PUBLIC_KEY)?,
            prefix: DEFAULT_PREFIX.to_owned(),
            endless_ttl: DEFAULT_ENDLESS_TTL,
        })
    }

    /// Sets what all keys begin with, `ohttp:replay:` by default: the same in all replicas, but
    /// different from other gateways that share the database.
    #[must_use]
    pub fn key_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets a secret key for the hash, the same in all replicas. Changing it forgets all requests.
    ///
    /// # Errors
    ///
    /// [`RedisGuardError::Secret`] if it has less than 16 bytes.
    pub fn secret(mut self, secret: &[u8]) -> Result<Self, RedisGuardError> {
        if secret.len() < MIN_SECRET {
            return Err(RedisGuardError::Secret);
        }
        self.mac = mac(secret)?;
        Ok(self)
    }

    /// Sets how long to remember requests that would have to be remembered forever: those without
    /// `Date` under a key that never retires. 30 days by default; after that they can be replayed.
    #[must_use]
    pub fn endless_ttl(mut self, ttl: Duration) -> Self {
        self.endless_ttl = ttl;
        self
    }

    fn key(&self, entry: &ReplayEntry<'_>) -> Vec<u8> {
        let mut mac = self.mac.clone();
        mac.update(&[entry.key_id]);
        mac.update(entry.enc);
        let mut key = self.prefix.as_bytes().to_vec();
        key.extend(mac.finalize().into_bytes().into_iter().take(HASH));
        key
    }

    /// In seconds. A time to live, not a time of day: the clock of the database may be another.
    fn ttl(&self, entry: &ReplayEntry<'_>) -> u64 {
        let ttl = match entry.remember_until {
            // The last second counts.
            Some(until) => until.since(entry.now).saturating_add(1),
            None => self.endless_ttl.as_secs(),
        };
        ttl.clamp(1, MAX_TTL)
    }
}

fn client(url: &str) -> RedisResult<Client> {
    let keepalive = TcpKeepalive::new().with_time(DEAD_CONNECTION).with_interval(DEAD_CONNECTION);
    let tcp = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
    #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
    let tcp = tcp.set_user_timeout(DEAD_CONNECTION);
    Client::open(url.into_connection_info()?.set_tcp_settings(tcp))
}

fn mac(key: &[u8]) -> Result<Hmac<Sha256>, RedisGuardError> {
    Hmac::new_from_slice(key).map_err(|_| RedisGuardError::Secret)
}

impl ReplayGuard for RedisReplayGuard {
    fn check_and_insert(&self, entry: ReplayEntry<'_>) -> ReplayCheck {
        let (connection, timeout) = (Arc::clone(&self.connection), self.timeout.clone());
        let (key, ttl) = (self.key(&entry), self.ttl(&entry));
        ReplayCheck::Pending(Box::pin(async move {
            let outcome = timeout.run(connection.set(&key, ttl)).await;
            let outcome = outcome.unwrap_or(Err(ReplayError::Unavailable));
            connection.report(outcome);
            outcome
        }))
    }

    /// `None`: the database outlives this process.
    fn remembers_since(&self) -> Option<UnixSeconds> {
        None
    }

    /// `None`: its memory is watched where it is kept.
    fn load(&self) -> Option<ReplayLoad> {
        None
    }
}

impl fmt::Debug for RedisReplayGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may contain a password.
        f.debug_struct("RedisReplayGuard")
            .field("timeout", &self.timeout)
            .field("prefix", &self.prefix)
            .field("endless_ttl", &self.endless_ttl)
            .finish_non_exhaustive()
    }
}

/// The connection that all checks share.
struct Connection {
    client: Client,
    /// Made with the first check, because that runs within a runtime.
    manager: OnceLock<ConnectionManager>,
    /// Whether the last check failed.
    down: AtomicBool,
}

impl Connection {
    async fn set(&self, key: &[u8], ttl: u64) -> Result<ReplayVerdict, ReplayError> {
        let mut manager = self.manager()?;
        let mut command = redis::cmd("SET");
        command.arg(key).arg("").arg("NX").arg("EX").arg(ttl);
        match command.query_async(&mut manager).await {
            Ok(Value::Okay) => Ok(ReplayVerdict::Fresh),
            Ok(Value::Nil) => Ok(ReplayVerdict::Seen),
            Ok(_) => Err(ReplayError::Unavailable),
            Err(error) if error.code() == Some("OOM") => Err(ReplayError::Full),
            Err(error) => {
                // A retry would be told `Seen` if only the answer was lost, and reconnecting is
                // under way already. The error's text may name the address, so it is dropped.
                self.warn(error.kind());
                Err(ReplayError::Unavailable)
            }
        }
    }

    fn manager(&self) -> Result<ConnectionManager, ReplayError> {
        if let Some(manager) = self.manager.get() {
            return Ok(manager.clone());
        }
        // The time limit of a check is that of the guard, by its own timer.
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(DEAD_CONNECTION))
            .set_response_timeout(None)
            .set_max_delay(Duration::from_millis(500));
        let manager = ConnectionManager::new_lazy_with_config(self.client.clone(), config)
            .map_err(|_| ReplayError::Unavailable)?;
        Ok(self.manager.get_or_init(|| manager).clone())
    }

    fn warn(&self, kind: ErrorKind) {
        if !self.down.swap(true, Ordering::Relaxed) {
            warn!(?kind, "the store of the replay guard fails: requests are refused meanwhile");
        }
    }

    fn report(&self, outcome: Result<ReplayVerdict, ReplayError>) {
        let failed = outcome.is_err();
        if self.down.swap(failed, Ordering::Relaxed) == failed {
            return;
        }
        match outcome {
            Ok(_) => info!("the store of the replay guard answers again"),
            Err(error) => warn!(%error, "requests are refused meanwhile"),
        }
    }
}

/// The guard cannot be made with this configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RedisGuardError {
    /// The URL cannot be used. It is not repeated here, since it may contain a password.
    #[error(
        "the URL of the replay guard's database is not valid: write redis://host:port/database, or \
         rediss:// for TLS where the feature redis-tls is built in"
    )]
    Url,
    /// The secret is too short.
    #[error("the secret of the replay guard must have at least 16 bytes; use random ones")]
    Secret,
}

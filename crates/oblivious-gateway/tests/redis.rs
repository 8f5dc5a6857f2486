//! The shared guard against a real database, which each test starts for itself.

use std::{
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use oblivious_gateway::{
    RedisGuardError, RedisReplayGuard, ReplayEntry, ReplayError, ReplayGuard, ReplayVerdict,
    UnixSeconds,
};
use oblivious_service::{Timeout, TokioTimer};
use redis::{AsyncCommands, aio::MultiplexedConnection};
use tokio::time::sleep;

const NOW: u64 = 1_800_000_000;
const LIMIT: Duration = Duration::from_millis(400);

use ReplayVerdict::{Fresh, Seen};

/// A database of its own, that ends with the test.
struct Database {
    child: Child,
    port: u16,
    directory: PathBuf,
}

impl Database {
    /// `None`, and a word about it, on a machine without Redis or Valkey; where `TEST_DATABASE` is
    /// set, nothing is skipped.
    async fn start(arguments: &[&str]) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let directory =
            std::env::temp_dir().join(format!("replay-guard-{}-{port}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        let Some(child) = spawn(port, &directory, arguments) else {
            std::fs::remove_dir(&directory).unwrap();
            let missing = "there is no redis-server and no valkey-server on the PATH";
            assert!(
                std::env::var_os("TEST_DATABASE").is_none(),
                "{missing}, and TEST_DATABASE is set"
            );
            eprintln!("skipped: {missing}");
            return None;
        };
        let database = Self { child, port, directory };
        database.wait().await;
        Some(database)
    }

    async fn wait(&self) {
        for _ in 0..500 {
            if let Ok(mut connection) = self.connect().await
                && connection.ping::<String>().await.is_ok()
            {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("the database does not start");
    }

    async fn connect(&self) -> redis::RedisResult<MultiplexedConnection> {
        redis::Client::open(self.url())?.get_multiplexed_async_connection().await
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    fn guard(&self) -> RedisReplayGuard {
        RedisReplayGuard::new(&self.url(), timeout()).unwrap()
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    async fn restart(&mut self, arguments: &[&str]) {
        self.child = spawn(self.port, &self.directory, arguments).unwrap();
        self.wait().await;
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn spawn(port: u16, directory: &PathBuf, arguments: &[&str]) -> Option<Child> {
    ["redis-server", "valkey-server"].iter().find_map(|program| {
        Command::new(program)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .arg("--dir")
            .arg(directory)
            .args(arguments)
            .stdout(Stdio::null())
            .spawn()
            .ok()
    })
}

fn timeout() -> Timeout {
    Timeout::new(LIMIT, TokioTimer)
}

fn entry(enc: &[u8], remember_until: Option<u64>) -> ReplayEntry<'_> {
    let remember_until = remember_until.map(UnixSeconds);
    ReplayEntry { enc, key_id: 1, now: UnixSeconds(NOW), remember_until }
}

async fn check(guard: &RedisReplayGuard, id: u8) -> Result<ReplayVerdict, ReplayError> {
    guard.check_and_insert(entry(&[id; 32], Some(NOW + 60))).await
}

/// RFC 9458 §6.5: replicas that share keys share what they have seen.
#[tokio::test]
async fn replicas_see_what_the_others_have_seen() {
    let Some(database) = Database::start(&[]).await else { return };
    let (one, other) = (database.guard(), database.guard());
    assert_eq!(check(&one, 1).await, Ok(Fresh));
    assert_eq!(check(&other, 1).await, Ok(Seen));
    assert_eq!(check(&other, 2).await, Ok(Fresh));
    assert_eq!(check(&one, 2).await, Ok(Seen));
    // A guard made later, as after a restart, has forgotten nothing.
    assert_eq!(check(&database.guard(), 1).await, Ok(Seen));
    assert_eq!(database.guard().remembers_since(), None);

    // The same `enc` to another key is another request.
    let to_another_key = ReplayEntry { key_id: 2, ..entry(&[1; 32], None) };
    assert_eq!(one.check_and_insert(to_another_key).await, Ok(Fresh));
    // Gateways apart from each other, and those with another secret, do not meet.
    assert_eq!(check(&database.guard().key_prefix("other:"), 1).await, Ok(Fresh));
    let secret = || database.guard().secret(&[9; 16]).unwrap();
    assert_eq!(check(&secret(), 1).await, Ok(Fresh));
    assert_eq!(check(&secret(), 1).await, Ok(Seen));
}

#[tokio::test]
async fn of_many_copies_at_once_one_is_fresh() {
    let Some(database) = Database::start(&[]).await else { return };
    let guards = [database.guard(), database.guard()];
    let checks: Vec<_> = (0..200)
        .map(|call| tokio::spawn(guards[call % 2].check_and_insert(entry(&[3; 32], None))))
        .collect();
    let mut fresh = 0;
    for check in checks {
        fresh += usize::from(check.await.unwrap().unwrap() == Fresh);
    }
    assert_eq!(fresh, 1);
}

#[tokio::test]
async fn entries_expire_when_they_should() {
    let Some(database) = Database::start(&[]).await else { return };
    let guard = database.guard().endless_ttl(Duration::from_secs(5000));
    for (until, ttl) in [
        (Some(NOW + 60), 61),
        (None, 5000),
        // Needed a moment ago still.
        (Some(NOW - 10), 1),
        // Without end as far as Redis is concerned: 100 years.
        (Some(u64::MAX), 3_153_600_000),
    ] {
        let mut connection = database.connect().await.unwrap();
        redis::cmd("FLUSHALL").exec_async(&mut connection).await.unwrap();
        assert_eq!(guard.check_and_insert(entry(&[4; 1120], until)).await, Ok(Fresh));
        let keys: Vec<Vec<u8>> = connection.keys("*").await.unwrap();
        assert_eq!(keys.len(), 1);
        assert!(keys[0].starts_with(b"ohttp:replay:"));
        assert_eq!(keys[0].len(), "ohttp:replay:".len() + 16);
        let left: i64 = connection.pttl(&keys[0]).await.unwrap();
        assert!(left <= ttl * 1000 && left > ttl * 1000 - 900, "{left} of {ttl}");
    }

    let soon_over = entry(b"soon over", Some(NOW + 1));
    assert_eq!(guard.check_and_insert(soon_over).await, Ok(Fresh));
    assert_eq!(guard.check_and_insert(soon_over).await, Ok(Seen));
    // Time cannot be injected into Redis.
    sleep(Duration::from_millis(2200)).await;
    assert_eq!(guard.check_and_insert(soon_over).await, Ok(Fresh));
}

#[tokio::test]
async fn a_database_that_hangs_is_unavailable_within_the_limit() {
    let Some(database) = Database::start(&[]).await else { return };
    let (used, unused) = (database.guard(), database.guard());
    assert_eq!(check(&used, 1).await, Ok(Fresh));
    database.signal("-STOP");
    for guard in [&used, &unused] {
        for _ in 0..2 {
            let start = Instant::now();
            assert_eq!(check(guard, 2).await, Err(ReplayError::Unavailable));
            assert!(start.elapsed() >= LIMIT / 2, "{:?}", start.elapsed());
            assert!(start.elapsed() < LIMIT * 4, "{:?}", start.elapsed());
        }
    }
    database.signal("-CONT");
    assert_eq!(until_available(&used, 3).await, Fresh);
    assert_eq!(until_available(&unused, 3).await, Seen);
    assert_eq!(check(&used, 1).await, Ok(Seen));
}

#[tokio::test]
async fn a_database_that_dies_is_unavailable_until_it_is_back() {
    const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];
    let Some(mut database) = Database::start(&DURABLE).await else { return };
    let guard = database.guard();
    assert_eq!(check(&guard, 1).await, Ok(Fresh));
    database.kill();
    for _ in 0..10 {
        let start = Instant::now();
        assert_eq!(check(&guard, 2).await, Err(ReplayError::Unavailable));
        assert!(start.elapsed() < LIMIT * 4, "{:?}", start.elapsed());
    }
    database.restart(&DURABLE).await;
    assert_eq!(until_available(&guard, 3).await, Fresh);
    assert_eq!(check(&guard, 1).await, Ok(Seen));
}

/// The guard connects again by itself: nothing is done here but to ask.
async fn until_available(guard: &RedisReplayGuard, id: u8) -> ReplayVerdict {
    let start = Instant::now();
    loop {
        match check(guard, id).await {
            Ok(verdict) => return verdict,
            Err(error) => assert_eq!(error, ReplayError::Unavailable),
        }
        assert!(start.elapsed() < Duration::from_secs(10), "it does not connect again");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_database_started_later_is_found() {
    let Some(mut database) = Database::start(&[]).await else { return };
    database.kill();
    let guard = database.guard();
    assert_eq!(check(&guard, 1).await, Err(ReplayError::Unavailable));
    database.restart(&[]).await;
    until_available(&guard, 1).await;
}

#[tokio::test]
async fn a_database_without_memory_is_full() {
    let full = ["--maxmemory", "1", "--maxmemory-policy", "noeviction"];
    let Some(database) = Database::start(&full).await else { return };
    assert_eq!(check(&database.guard(), 1).await, Err(ReplayError::Full));
}

#[tokio::test]
async fn a_wrong_password_is_unavailable() {
    let Some(database) = Database::start(&[]).await else { return };
    let mut connection = database.connect().await.unwrap();
    let set = redis::cmd("CONFIG").arg("SET").arg("requirepass").arg("right").to_owned();
    set.exec_async(&mut connection).await.unwrap();
    let guard = |password| {
        let url = format!("redis://:{password}@127.0.0.1:{}", database.port);
        RedisReplayGuard::new(&url, timeout()).unwrap()
    };
    assert_eq!(check(&guard("wrong"), 1).await, Err(ReplayError::Unavailable));
    assert_eq!(check(&guard("right"), 1).await, Ok(Fresh));
}

#[test]
fn no_text_tells_a_password() {
    for url in ["redis://:hunter2@host:port", "http://hunter2@host", "hunter2", ""] {
        let error = RedisReplayGuard::new(url, timeout()).unwrap_err();
        assert_eq!(error, RedisGuardError::Url, "{url}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
    let guard = RedisReplayGuard::new("redis://:hunter2@localhost", timeout()).unwrap();
    assert!(!format!("{guard:?}").contains("hunter2"));
    let short = guard.secret(b"hunter2").unwrap_err();
    assert_eq!(short, RedisGuardError::Secret);
    assert!(!format!("{short} {short:?}").contains("hunter2"));
}

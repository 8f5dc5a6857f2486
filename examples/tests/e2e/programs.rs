//! Builds the programs and runs them.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, OnceLock};

/// The folder of the built programs. The first call builds them, so that a bare `cargo test` of
/// this one test works; where they are up to date that takes a moment.
fn programs() -> &'static Path {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        // The test itself is TARGET/PROFILE/deps/e2e-HASH.
        let test = std::env::current_exe().unwrap();
        let profile = test.ancestors().nth(2).unwrap();
        let mut cargo = Command::new(env!("CARGO"));
        // The whole workspace, since a part of it would be built with other features, again.
        cargo.args(["build", "--quiet", "--workspace", "--examples", "--target-dir"]);
        cargo.arg(profile.parent().unwrap());
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(cargo.status().unwrap().success(), "the programs cannot be built");
        profile.join("examples")
    })
}

/// A command for one of the programs, with an environment that does not change what it does.
pub(crate) fn program(name: &str) -> Command {
    let mut command = Command::new(programs().join(name));
    for (variable, _) in std::env::vars_os() {
        let variable = variable.to_string_lossy().into_owned();
        if ["GATEWAY_", "RELAY_", "CLIENT_", "DOH_"]
            .iter()
            .any(|prefix| variable.starts_with(prefix))
        {
            command.env_remove(variable);
        }
    }
    // The tests talk over loopback, mostly without TLS.
    command.env("CLIENT_ALLOW_HTTP", "yes");
    command
}

/// Runs a program to its end.
pub(crate) fn run(name: &str, arguments: &[&str]) -> Output {
    program(name).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Whether `bytes` contain `text`, in any case.
pub(crate) fn contains(bytes: &[u8], text: &[u8]) -> bool {
    assert!(!text.is_empty());
    bytes.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text))
}

/// For an admin listener, on a free port.
pub(crate) const ADMIN: [&str; 2] = ["--admin", "127.0.0.1:0"];

/// On a free port.
const LISTEN: [&str; 2] = ["--listen", "127.0.0.1:0"];

/// A program that listens, ended when this is dropped.
pub(crate) struct Server {
    process: Child,
    /// Its origin, as `http://127.0.0.1:PORT`.
    pub(crate) origin: String,
    /// That of its admin listener, if it has one.
    admin: Option<String>,
    log: Arc<Mutex<Vec<u8>>>,
}

impl Server {
    /// Starts a program on a free port, and waits until it listens.
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Self {
        Self::start_with(name, arguments, &[])
    }

    /// As [`start`](Self::start), with variables in the environment.
    pub(crate) fn start_with(name: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let listen = if arguments.contains(&"--listen") { &[][..] } else { &LISTEN[..] };
        let mut process = program(name)
            .args(listen)
            .args(arguments)
            // All that there is to log: the tests look for what must not be in there.
            .env("RUST_LOG", "trace")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::<Mutex<Vec<u8>>>::default();
        let mut stderr = process.stderr.take().unwrap();
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = stderr.read(&mut buffer) {
                kept.lock().unwrap().extend_from_slice(&buffer[..length]);
            }
        });
        let mut admin = None;
        for line in BufReader::new(process.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some(origin) = line.strip_prefix("listening on ") {
                return Self { origin: origin.to_owned(), admin, process, log };
            }
            admin = line.strip_prefix("admin on ").map(str::to_owned);
        }
        let _ = process.wait();
        panic!("{name} did not start: {}", String::from_utf8_lossy(&log.lock().unwrap()));
    }

    /// Sends the process a signal, by its name.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the end of the process, and returns its exit code.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.process.wait().unwrap().code()
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// How many files and sockets the process has open.
    #[cfg(target_os = "linux")]
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.id())).unwrap().count()
    }

    /// Waits until the program has logged a text.
    pub(crate) fn await_log(&self, text: &str) {
        for _ in 0..200 {
            if contains(&self.log(), text.as_bytes()) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("{text:?} is not in the log: {}", String::from_utf8_lossy(&self.log()));
    }

    /// What the program has logged so far.
    pub(crate) fn log(&self) -> Vec<u8> {
        self.log.lock().unwrap().clone()
    }

    /// A resource of the program.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// A resource of the program's admin listener.
    pub(crate) fn admin_url(&self, path: &str) -> String {
        format!("{}{path}", self.admin.as_deref().expect("it was started with --admin"))
    }

    /// The address that it listens on, as `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        self.origin.split_once("://").unwrap().1
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

//! curl itself beside the client program: the same flags, for the same target.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::programs::program;
use crate::setup::Setup;

/// What both of them did.
pub(crate) struct Both {
    pub(crate) curl: Output,
    pub(crate) client: Output,
}

/// Whether there is a curl; says so if there is none.
pub(crate) fn is_there() -> bool {
    let found = Command::new("curl").arg("--version").output();
    let is_there = found.is_ok_and(|output| output.status.success());
    if !is_there {
        eprintln!("skipped: there is no curl to compare with");
    }
    is_there
}

/// curl, without settings of whoever runs the tests.
pub(crate) fn curl(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new("curl");
    command.args(["-q", "--noproxy", "*"]).args(arguments);
    with_input(command, input)
}

/// The client program.
pub(crate) fn client(arguments: &[&str], input: &[u8]) -> Output {
    let mut command = program("client");
    command.args(arguments);
    with_input(command, input)
}

/// Runs a command that reads this.
pub(crate) fn with_input(mut command: Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    // Those that do not read it end before all is written.
    let _ = stdin.write_all(input);
    drop(stdin);
    process.wait_with_output().unwrap()
}

impl Setup {
    /// Asks for a path with both programs.
    pub(crate) fn both(&self, arguments: &[&str], path: &str, input: &[u8]) -> Both {
        let url = self.target.url(path);
        let arguments = [arguments, &[&url]].concat();
        let curl = curl(&[&["-sS"], &arguments[..]].concat(), input);
        Both { curl, client: self.ask(&arguments, input) }
    }

    /// Asks by way of relay and gateway.
    pub(crate) fn ask(&self, arguments: &[&str], input: &[u8]) -> Output {
        let (relay, keys) = (self.relay.url("/gateway"), self.gateway.url("/ohttp-keys"));
        client(&[&["--relay", &relay, "--keys", &keys], arguments].concat(), input)
    }
}

impl Both {
    pub(crate) fn assert_same_code(&self, what: &str) {
        let (curl, client) = (&self.curl, &self.client);
        let stderr = String::from_utf8_lossy(&client.stderr);
        assert_eq!(client.status.code(), curl.status.code(), "{what}: {stderr}");
    }

    pub(crate) fn assert_same_output(&self, what: &str) {
        self.assert_same_code(what);
        let (curl, client) = (&self.curl.stdout, &self.client.stdout);
        let shown = (curl.escape_ascii().to_string(), client.escape_ascii().to_string());
        assert!(curl == client, "{what}: {} against {}", shown.0, shown.1);
    }
}

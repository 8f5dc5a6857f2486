//! What is different on a terminal, which `script` plays.

#![cfg(target_os = "linux")]

use std::process::{Command, Output, Stdio};

use crate::programs::program;
use crate::setup::Setup;

/// Runs the client on a terminal; `None` if there is no `script`.
fn on_terminal(setup: &Setup, arguments: &str, path: &str) -> Option<Output> {
    let client = program("client");
    let line = format!(
        "{} --chunked --relay {} --keys {} {arguments} {}",
        client.get_program().to_str().unwrap(),
        setup.relay.url("/gateway"),
        setup.gateway.url("/ohttp-keys"),
        setup.target.url(path)
    );
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]).stdin(Stdio::null());
    script.env("CLIENT_ALLOW_HTTP", "yes");
    let output = script.output().ok();
    if output.is_none() {
        eprintln!("skipped: there is no script to play a terminal");
    }
    output
}

#[tokio::test(flavor = "multi_thread")]
async fn long_transfers_show_their_progress_on_a_terminal() {
    let setup = Setup::start().await;
    let shown = |arguments: &str, path: &str| {
        let output = on_terminal(&setup, arguments, path)?;
        assert!(output.status.success(), "{arguments}");
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let Some(progress) = shown("-o /dev/null", "/trickle") else { return };
    assert!(progress.contains("received") && progress.contains("B/s"), "{progress:?}");
    // Neither short ones, nor those that are not to, nor where the output is.
    assert_eq!(shown("-o /dev/null", "/large").unwrap(), "");
    assert_eq!(shown("-s -o /dev/null", "/trickle").unwrap(), "");
    assert!(!shown("", "/trickle").unwrap().contains("received"));
}

#[tokio::test(flavor = "multi_thread")]
async fn binary_content_is_kept_off_a_terminal() {
    let setup = Setup::start().await;
    let Some(refused) = on_terminal(&setup, "", "/binary") else { return };
    let printed = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert_eq!(refused.status.code(), Some(23), "{printed}");
    assert!(printed.contains("-o FILE") && !printed.contains('\0'), "{printed:?}");
    let asked_for = on_terminal(&setup, "-o -", "/binary").unwrap();
    assert!(asked_for.status.success());
    assert!(asked_for.stdout.starts_with(b"\0\x01\x02"));
}

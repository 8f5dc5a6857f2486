//! The client's tools for single messages, and for itself.

use crate::curl::{client, with_input};
use crate::programs::{program, run};
use crate::setup::{TempFile, stderr, text};

/// A name at which nothing is.
fn free(name: &str) -> TempFile {
    let file = TempFile::new(name, "");
    std::fs::remove_file(file.path()).unwrap();
    file
}

#[test]
fn what_is_encapsulated_is_what_is_decapsulated() {
    for (kem, way) in [("x25519", &[][..]), ("x-wing", &["--chunked"]), ("p256", &[])] {
        let (secret, keys) = (free(&format!("tools-{kem}")), free(&format!("tools-{kem}-keys")));
        let paths = ["--key-file", secret.path(), "-o", keys.path()];
        let arguments = [&["keygen", "--kem", kem, "--key-id", "7"], &paths[..]].concat();
        assert!(text(&run("client", &arguments)).is_empty());
        // It does not take the place of a key that is there.
        assert_eq!(run("client", &arguments).status.code(), Some(23));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(secret.path()).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        // Longer than a chunk.
        let message = b"\0\x03GET\x05https\x0bexample.com\x01/".repeat(1000);
        let seal = [&["encapsulate", "--keys", keys.path()], way].concat();
        let sealed = client(&seal, &message);
        assert_eq!(sealed.stdout[0], 7, "{}", stderr(&sealed));
        let open = [&["decapsulate", "-v", "--key-file", secret.path()], way].concat();
        let opened = client(&open, &sealed.stdout);
        assert!(opened.stdout == message, "{}", stderr(&opened));
        assert!(stderr(&opened).starts_with("* sealed to key 7: "), "{}", stderr(&opened));

        let mut damaged = sealed.stdout;
        *damaged.last_mut().unwrap() ^= 1;
        let refused = client(&open, &damaged);
        assert!(!refused.status.success() && refused.stdout.is_empty());
    }
}

/// A key of `keygen` is one that the gateway takes.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_runs_with_a_key_that_was_made() {
    let (secret, keys) = (free("made"), free("made-keys"));
    let arguments = ["keygen", "--key-file", secret.path(), "-o", keys.path()];
    assert!(run("client", &arguments).status.success());
    let target = crate::target::Target::start().await;
    let allow = ["--allow-target", &target.origin, "--key-file", secret.path()];
    let gateway = crate::programs::Server::start("gateway", &allow);
    let relay = crate::setup::relay_to(&gateway.url("/gateway"));
    let relay = relay.url("/gateway");
    let fixed = ["--relay", &relay, "--keys", keys.path(), "-d", "12345"];
    let output = run("client", &[&fixed[..], &[&target.url("/length")]].concat());
    assert_eq!(text(&output), "5");
}

#[test]
fn completions_and_manual_name_the_flags() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = text(&run("client", &["completions", shell]));
        assert!(script.contains("data-binary") && script.contains("encapsulate"), "{shell}");
    }
    // bash itself takes what was made for it.
    let script = run("client", &["completions", "bash", "--name", "oclient"]).stdout;
    let mut bash = std::process::Command::new("bash");
    bash.args(["-c", "source /dev/stdin && complete -p oclient"]);
    let known = with_input(bash, &script);
    assert!(text(&known).contains("oclient"), "{}", stderr(&known));

    let page = text(&run("client", &["man"]));
    assert!(page.contains(".TH client 1") && page.contains("data\\-binary"), "{page}");
    let folder = std::env::temp_dir().join(format!("oblivious-http-man-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let status = program("client").args(["man", "--dir"]).arg(&folder).status().unwrap();
    assert!(status.success() && folder.join("client-keys-lint.1").exists());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_plain_form_needs_a_target() {
    let missing = run("client", &["--relay", "https://relay.example/", "--keys", "file"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(stderr(&missing).contains("TARGET_URL"), "{}", stderr(&missing));
}

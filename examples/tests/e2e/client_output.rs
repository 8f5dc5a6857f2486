//! What is printed, and where: as curl does it.

use std::process::Output;

use crate::curl::is_there;
use crate::programs::program;
use crate::setup::{Setup, TempFile, stderr, text};

/// Status, fields and content of what `-i` prints, without what only one of the programs has: the
/// version of HTTP, the fields of a connection, the time.
fn parts(output: &Output) -> (String, Vec<String>, String) {
    let printed = String::from_utf8(output.stdout.clone()).unwrap();
    let (head, content) = printed.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{printed:?}"));
    let mut lines = head.split("\r\n").map(str::to_owned);
    let status = lines.next().unwrap().split_once(' ').unwrap().1.to_owned();
    let own = ["connection:", "date:", "transfer-encoding:", "content-length:"];
    let mut fields: Vec<_> =
        lines.filter(|line| !own.iter().any(|start| line.starts_with(start))).collect();
    fields.sort();
    (status, fields, content.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_is_printed_as_by_curl() {
    if !is_there() {
        return;
    }
    let setup = Setup::start().await;
    let facts = "%{http_code} %{response_code} %{size_download} %{content_type} %{method} \
                 %{exitcode} %{num_redirects} %{url_effective}\\n%{stderr}x%{stdout}%%\\t";
    let header = "%header{x-marker}|%{onerror}no";
    let format = TempFile::new("format", "%{size_upload} of @file\\n");
    let at_format = format!("@{}", format.path());
    let same: &[(&[&str], &str)] = &[
        (&[], "/large"),
        (&[], "/500"),
        (&["-f"], "/500"),
        (&["--fail-with-body"], "/500"),
        (&["-f"], "/redirect"),
        (&["-w", facts], "/204"),
        (&["-w", facts], "/500"),
        (&["-f", "-w", facts], "/500"),
        (&["-w", header, "-d", "x", "-o", "/dev/null"], "/echo"),
        (&["-d", "12345", "-w", &at_format], "/length"),
        (&["--compressed"], "/gzip"),
        (&[], "/gzip"),
    ];
    for (arguments, path) in same {
        setup.both(arguments, path, b"").assert_same_output(&format!("{arguments:?} {path}"));
    }
    let alike: &[(&[&str], &str)] = &[
        (&["-i"], "/cookies"),
        (&["-i"], "/204"),
        (&["-i"], "/500"),
        (&["-i", "--fail-with-body"], "/500"),
        (&["-I"], "/large"),
        (&["-i", "-X", "OPTIONS"], "/large"),
        (&["-D", "-"], "/500"),
        (&["-i", "--compressed"], "/gzip"),
    ];
    for (arguments, path) in alike {
        let both = setup.both(arguments, path, b"");
        both.assert_same_code(&format!("{arguments:?} {path}"));
        assert_eq!(parts(&both.client), parts(&both.curl), "{arguments:?} {path}");
    }
    // With -f alone curl prints no content, and of the header what it has by then.
    let failed = setup.both(&["-f", "-i"], "/500", b"");
    failed.assert_same_code("-f -i");
    assert!(!text_of(&failed.client).contains("it broke"));
}

fn text_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn output_goes_to_files_as_with_curl() {
    if !is_there() {
        return;
    }
    let setup = Setup::start().await;
    let folders = ["curl", "client"].map(|name| {
        let unique = format!("oblivious-http-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(unique);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    });
    let url = setup.target.url("/echo/name.txt?query");
    let fixed =
        ["--relay", &setup.relay.url("/gateway"), "--keys", &setup.gateway.url("/ohttp-keys")];
    let named = setup.target.url("/named");
    for (arguments, url) in
        [(&["-O"][..], &url), (&["-o", "other", "-D", "header"], &url), (&["-O", "-J"], &named)]
    {
        let mut curl = std::process::Command::new("curl");
        curl.args(["-q", "-s", "--noproxy", "*"]).args(arguments).arg(url);
        let mut client = program("client");
        client.args(fixed).args(arguments).arg(url);
        for (mut command, folder) in [curl, client].into_iter().zip(&folders) {
            assert_eq!(text(&command.current_dir(folder).output().unwrap()), "");
        }
    }
    // What is there is not replaced by what a response calls so.
    for (mut command, folder) in
        [std::process::Command::new("curl"), program("client")].into_iter().zip(&folders)
    {
        if command.get_program() == "curl" {
            command.args(["-q", "-s", "--noproxy", "*"]);
        } else {
            command.args(fixed);
        }
        let again = command.args(["-O", "-J", &named]).current_dir(folder).output().unwrap();
        assert_eq!(again.status.code(), Some(23), "{}", stderr(&again));
    }
    for folder in &folders {
        let disposed = std::fs::read_to_string(folder.join("disposed name.txt")).unwrap();
        assert_eq!(disposed, "named");
        for name in ["name.txt", "other"] {
            let content = std::fs::read_to_string(folder.join(name)).unwrap();
            assert!(content.starts_with("GET /echo/name.txt?query\n"), "{content}");
        }
        let header = std::fs::read_to_string(folder.join("header")).unwrap();
        assert!(header.contains("x-marker: ") && header.ends_with("\r\n\r\n"), "{header}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_as_deep_as_with_curl() {
    if !is_there() {
        return;
    }
    let setup = Setup::start().await;
    for (arguments, speaks) in
        [(&["-f"][..], true), (&["-s", "-f"], false), (&["-s", "-S", "-f"], true)]
    {
        let url = setup.target.url("/500");
        let arguments = [arguments, &[&url]].concat();
        let client = setup.ask(&arguments, b"");
        let curl = crate::curl::curl(&arguments, b"");
        assert_eq!(client.status.code(), Some(22));
        assert_eq!(curl.status.code(), Some(22));
        assert_eq!(!client.stderr.is_empty(), speaks, "{arguments:?}: {}", stderr(&client));
        assert_eq!(stderr(&curl).contains("(22)"), speaks, "{arguments:?}: {}", stderr(&curl));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn verbosity_shows_the_steps_and_no_secret() {
    let setup = Setup::start().await;
    let url = setup.target.url("/echo");
    let secret = "secret-5a1e";
    let pair = format!("a={secret}");
    let password = format!("user:{secret}");
    for way in [&[][..], &["--chunked"]] {
        let arguments = [way, &["-v", "-b", &pair, "-u", &password, "-d", &pair, &url]].concat();
        let output = setup.ask(&arguments, b"");
        assert!(text(&output).contains(secret), "the target has it");
        let shown = stderr(&output);
        assert!(!shown.contains(secret), "{shown}");
        let steps = [
            "* keys from http://",
            "SHA-256 ",
            "> POST /echo HTTP\n",
            "> cookie: [hidden]\n",
            "* POST to http://",
            "* sealed to key ",
            "X-Wing, HKDF-SHA256 with AES-128-GCM",
            "* the relay answered: 200 OK, message/ohttp-",
            "< HTTP 200 OK\n",
            "< x-marker: ",
            "bytes of content",
        ];
        for step in steps {
            assert!(shown.contains(step), "{step:?} is missing: {shown}");
        }
    }
    let format = "%{ohttp_key_id} %{ohttp_kem} %{ohttp_size_request} %{relay_code}";
    let printed = text(&setup.ask(&["-o", "/dev/null", "-w", format, "--pad", "4096", &url], b""));
    let sealed = 7 + 1120 + 16 + 4096;
    assert!(printed.ends_with(&format!(" X-Wing {sealed} 200")), "{printed}");
}

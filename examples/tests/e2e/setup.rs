//! A relay, a gateway and a target that work together, and ways to ask them.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use oblivious_http::hpke::{PendingResponse, Provider, Recipient};
use oblivious_http::keys::{KeyConfigList, Preferences};
use oblivious_http::service::{Content, collect};
use oblivious_hyper::{HttpClient, tls};
use tower::ServiceExt;

use crate::programs::{Server, program, run};
use crate::target::Target;

pub(crate) struct Setup {
    pub(crate) relay: Server,
    pub(crate) gateway: Server,
    pub(crate) target: Target,
}

impl Setup {
    /// With further arguments for the gateway.
    pub(crate) async fn start_with(gateway_arguments: &[&str]) -> Self {
        let target = Target::start().await;
        let fixed = ["--allow-target", &target.origin, "--generate-key"];
        let gateway = Server::start("gateway", &[&fixed, gateway_arguments].concat());
        let relay = relay_to(&gateway.url("/gateway"));
        Self { relay, gateway, target }
    }

    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Runs the client program for a resource of the target.
    pub(crate) fn client(&self, arguments: &[&str], path: &str) -> Output {
        self.client_to(arguments, &self.target.url(path))
    }

    /// Runs the client program for any URL.
    pub(crate) fn client_to(&self, arguments: &[&str], url: &str) -> Output {
        let relay = self.relay.url("/gateway");
        let keys = self.gateway.url("/ohttp-keys");
        let fixed = ["--relay", &relay, "--keys", &keys, url];
        run("client", &[&fixed[..], arguments].concat())
    }

    /// A client program that is running.
    pub(crate) fn spawn_client(&self, path: &str) -> Child {
        self.client_command(path).spawn().unwrap()
    }

    /// The same, whose output can be waited for.
    pub(crate) fn spawn_client_with_output(&self, path: &str) -> Child {
        self.client_command(path).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn client_command(&self, path: &str) -> Command {
        let (relay, keys) = (self.relay.url("/gateway"), self.gateway.url("/ohttp-keys"));
        let mut command = program("client");
        command.args(["--relay", &relay, "--keys", &keys, &self.target.url(path)]);
        command
    }

    /// The gateway's key, made ready for sealing by hand.
    pub(crate) async fn recipient(&self) -> Recipient {
        let request = Request::get(self.gateway.url("/ohttp-keys"));
        let fetched = send(request.body(Content::default()).unwrap()).await;
        let list = KeyConfigList::decode(&fetched.body).unwrap();
        Recipient::select(&list, &Preferences::default(), Provider::default()).unwrap()
    }

    /// Seals any bytes to the gateway.
    pub(crate) async fn seal(&self, message: &[u8]) -> (Bytes, PendingResponse) {
        self.recipient().await.encapsulate(message).unwrap()
    }

    /// An outer request to the relay.
    pub(crate) fn outer(&self, body: impl Into<Content>) -> Request<Content> {
        Request::post(self.relay.url("/gateway"))
            .header(header::CONTENT_TYPE, "message/ohttp-req")
            .body(body.into())
            .unwrap()
    }
}

/// A relay for one gateway without TLS.
pub(crate) fn relay_to(gateway: &str) -> Server {
    relay_to_with(gateway, &[])
}

/// The same, with further arguments.
pub(crate) fn relay_to_with(gateway: &str, arguments: &[&str]) -> Server {
    let fixed = ["--gateway", gateway, "--allow-http-gateway"];
    Server::start("relay", &[&fixed[..], arguments].concat())
}

/// A response read whole.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

/// Sends a request as it is.
pub(crate) async fn send(request: Request<Content>) -> Received {
    let client = HttpClient::new(tls::client_config(None).unwrap());
    let (parts, body) = client.oneshot(request).await.unwrap().into_parts();
    let body = collect(body, usize::MAX).await.unwrap().data;
    Received { status: parts.status, headers: parts.headers, body }
}

/// What a program wrote, with its errors where it failed.
pub(crate) fn stdout(output: &Output) -> Vec<u8> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout.clone()
}

/// [`stdout`] as text.
pub(crate) fn text(output: &Output) -> String {
    String::from_utf8(stdout(output)).unwrap()
}

/// What a program said on its standard error.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A file for one test, removed when this is dropped.
pub(crate) struct TempFile(PathBuf);

impl TempFile {
    pub(crate) fn new(name: &str, content: impl AsRef<[u8]>) -> Self {
        let unique = format!("oblivious-http-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(unique);
        std::fs::write(&path, content).unwrap();
        // Some hold secrets, which the programs take only from files that nobody else reads.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        Self(path)
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

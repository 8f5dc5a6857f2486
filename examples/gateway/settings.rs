//! What an operator can set, in one place: each setting is a flag, a variable and a key of the
//! configuration file.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::builder::BoolishValueParser;
use examples::provider::ProviderName;
use oblivious_hyper::{Credentials, tls};
use serde::{Deserialize, Serialize};

/// A time in seconds, whole or with a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub(crate) struct Seconds(Duration);

impl Seconds {
    const fn new(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    pub(crate) fn duration(self) -> Duration {
        self.0
    }
}

impl TryFrom<f64> for Seconds {
    type Error = String;

    fn try_from(seconds: f64) -> Result<Self, String> {
        const YEAR: f64 = 366.0 * 86_400.0;
        if seconds > 0.0 && seconds <= YEAR {
            return Ok(Self(Duration::from_secs_f64(seconds)));
        }
        Err("it must be above 0 seconds, and at most a year".into())
    }
}

impl From<Seconds> for f64 {
    fn from(seconds: Seconds) -> Self {
        seconds.0.as_secs_f64()
    }
}

impl std::str::FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse::<f64>().map_err(|_| "write a number of seconds, as 30 or 0.5")?.try_into()
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// A rule for targets that needs more than an origin. Only in the file, as `[[rule]]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Rule {
    /// As for `allow-target`.
    pub(crate) target: String,
    /// Methods that are allowed; without any, all are.
    #[serde(default)]
    pub(crate) methods: Vec<String>,
    /// Whether the host may have addresses that are not public.
    #[serde(default)]
    pub(crate) internal: bool,
}

/// Makes of one list the flags, which may all be missing, and the settings, which are complete.
macro_rules! settings {
    (
        values { $($(#[doc = $value_doc:literal])* [$value_group:literal] $value:ident: $value_type:ty = $default:expr, $value_name:literal;)* }
        optional { $($(#[doc = $option_doc:literal])* [$option_group:literal] $option:ident: $option_type:ty, $option_name:literal;)* }
        lists { $($(#[doc = $list_doc:literal])* [$list_group:literal] $list:ident, $list_name:literal;)* }
        switches { $($(#[doc = $switch_doc:literal])* [$switch_group:literal] $switch:ident;)* }
    ) => {
        /// The settings that the command line or the environment gives.
        #[derive(clap::Args, Debug)]
        pub(crate) struct Flags {
            $($(#[doc = $value_doc])*
            #[arg(long, value_name = $value_name, help_heading = $value_group)]
            $value: Option<$value_type>,)*
            $($(#[doc = $option_doc])*
            #[arg(long, value_name = $option_name, help_heading = $option_group)]
            $option: Option<$option_type>,)*
            $($(#[doc = $list_doc])*
            #[arg(long, value_name = $list_name, help_heading = $list_group, value_delimiter = ',')]
            $list: Vec<String>,)*
            $($(#[doc = $switch_doc])*
            #[arg(long, help_heading = $switch_group, value_name = "YES", num_args = 0..=1,
                require_equals = true, default_missing_value = "true",
                value_parser = BoolishValueParser::new())]
            pub(crate) $switch: Option<bool>,)*
        }

        /// All settings, as they are in effect.
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
        pub(crate) struct Settings {
            $(pub(crate) $value: $value_type,)*
            $(#[serde(skip_serializing_if = "Option::is_none")]
            pub(crate) $option: Option<$option_type>,)*
            $(pub(crate) $list: Vec<String>,)*
            $(pub(crate) $switch: bool,)*
            pub(crate) rule: Vec<Rule>,
        }

        impl Default for Settings {
            fn default() -> Self {
                Self {
                    $($value: $default,)*
                    $($option: None,)*
                    $($list: Vec::new(),)*
                    $($switch: false,)*
                    rule: Vec::new(),
                }
            }
        }

        impl Settings {
            /// Replaces what `flags` gives.
            pub(crate) fn replace(&mut self, flags: Flags) {
                $(if let Some(value) = flags.$value { self.$value = value; })*
                $(if flags.$option.is_some() { self.$option = flags.$option; })*
                $(if !flags.$list.is_empty() { self.$list = flags.$list; })*
                $(if let Some(switch) = flags.$switch { self.$switch = switch; })*
            }
        }
    };
}

settings! {
    values {
        /// Address and port to listen on; port 0 takes a free one.
        ["Server"] listen: String = "127.0.0.1:8081".into(), "HOST:PORT";
        /// How long requests under way have to finish when the gateway is asked to end.
        ["Server"] drain: Seconds = Seconds::new(10), "SECONDS";
        /// How long to go on taking requests after SIGTERM, while /ready already says 503: until
        /// load balancers and clients with idle connections have noticed. 0.001 for not at all.
        ["Server"] lame_duck: Seconds = Seconds::new(1), "SECONDS";
        /// Where encapsulated requests are taken, besides /.well-known/ohttp-gateway.
        ["Server"] gateway_path: String = "/gateway".into(), "PATH";
        /// Where the key configurations are, besides /.well-known/ohttp-gateway.
        ["Server"] keys_path: String = "/ohttp-keys".into(), "PATH";
        /// Answers while the gateway runs.
        ["Server"] health_path: String = "/health".into(), "PATH";
        /// Where --echo is.
        ["Server"] echo_path: String = "/gateway-echo".into(), "PATH";
        /// The source of cryptographic primitives: rust-crypto, aws-lc, graviola, or the fastest that
        /// the program was built with and that runs here.
        ["Keys"] provider: ProviderName = ProviderName::Fastest, "NAME";
        /// The number by which requests name the key of --seed-file or --generate-key.
        ["Keys"] key_id: u8 = 1, "N";
        /// How long each key of --state-file or --rotate is published.
        ["Keys"] key_interval: Seconds = Seconds::new(86_400), "SECONDS";
        /// How long clients may keep key configurations.
        ["Keys"] key_max_age: Seconds = Seconds::new(3600), "SECONDS";
        /// How long a key is accepted after the last copy of its configuration is stale.
        ["Keys"] key_grace: Seconds = Seconds::new(3600), "SECONDS";
        /// How far clocks may be apart.
        ["Keys"] key_skew: Seconds = Seconds::new(60), "SECONDS";
        /// How many requests the replay guard in memory has room for, about 28 bytes each.
        ["Replay"] replay_capacity: usize = 1 << 20, "N";
        /// How far the date of a request may be off.
        ["Replay"] date_window: Seconds = Seconds::new(300), "SECONDS";
        /// How long Redis may take for an answer.
        ["Replay"] redis_timeout: Seconds = Seconds(Duration::from_millis(250)), "SECONDS";
        /// The largest encapsulated request that is not in chunks, in bytes.
        ["Limits"] body_limit: usize = 4 << 20, "BYTES";
        /// The largest content of a target's response to one, in bytes.
        ["Limits"] response_limit: usize = 16 << 20, "BYTES";
        /// The most bytes of a message in chunks.
        ["Limits"] stream_limit: u64 = 2 << 30, "BYTES";
        /// The longest chunk that is taken, in bytes: 16384 or more.
        ["Limits"] chunk_limit: usize = 16 << 10, "BYTES";
        /// How many exchanges may be under way; more are answered with 503 and Retry-After.
        ["Limits"] concurrency: usize = 10_000, "N";
        /// How many connections may be open; more wait.
        ["Limits"] max_connections: usize = 20_000, "N";
        /// How long a connection may take for the head of a request, the time between two requests
        /// included.
        ["Limits"] head_timeout: Seconds = Seconds::new(30), "SECONDS";
        /// How long a request may take to arrive, or its first chunk.
        ["Limits"] request_timeout: Seconds = Seconds::new(30), "SECONDS";
        /// How long a target may take to answer; for answers in chunks, to begin.
        ["Limits"] timeout: Seconds = Seconds::new(30), "SECONDS";
        /// How long a message in chunks may stand still, and a client may leave its answer lying.
        ["Limits"] idle_timeout: Seconds = Seconds::new(60), "SECONDS";
        /// How long an exchange in chunks may take in all.
        ["Limits"] exchange_timeout: Seconds = Seconds::new(3600), "SECONDS";
        /// How many times an encapsulated request inside of another may come back to this gateway:
        /// by default it may not even go out.
        ["Targets"] allow_nesting: usize = 0, "DEPTH";
        /// How log lines look. RUST_LOG chooses which there are.
        ["Observation"] log_format: LogFormat = LogFormat::Text, "FORMAT";
    }
    optional {
        /// How many threads answer requests; as many as there are processors, if not said.
        ["Server"] workers: NonZeroUsize, "N";
        /// Serve /metrics, /ready and /health here, for operators alone.
        ["Observation"] admin: String, "HOST:PORT";
        /// Serve HTTPS with this certificate chain, a PEM file.
        ["Server"] tls_cert: PathBuf, "FILE";
        /// The private key of the certificate, a PEM file.
        ["Server"] tls_key: PathBuf, "FILE";
        /// Certificate authorities (PEM) whose client certificates relays may show.
        ["Relays"] client_ca: PathBuf, "FILE";
        /// Take encapsulated requests only with one of the bearer tokens in this file, one a line.
        ["Relays"] token_file: PathBuf, "FILE";
        /// Derive the key from the secret in this file: 64 hexadecimal digits, readable by this
        /// user alone. The same file gives the same key at every start.
        ["Keys"] seed_file: PathBuf, "FILE";
        /// Derive one key after the other from this file, which forgets old keys. For production.
        ["Keys"] state_file: PathBuf, "FILE";
        /// Where one bare key configuration is, without length, for clients of older gateways.
        ["Server"] legacy_keys_path: String, "PATH";
        /// The name of this gateway in the Via field of nested requests, the same for all replicas;
        /// at random, if not said.
        ["Targets"] via: String, "NAME";
        /// The rate of requests per second that the replay guard must withstand: checked at start.
        ["Replay"] replay_rate: u64, "N";
        /// Share the replay guard by a Redis or Valkey: redis://HOST:PORT/DATABASE.
        ["Replay"] redis_url: String, "URL";
        /// The same, read from a file: for URLs with a password.
        ["Replay"] redis_url_file: PathBuf, "FILE";
        /// Certificate authorities (PEM) to trust for targets, besides the public ones.
        ["Targets"] ca: PathBuf, "FILE";
        /// Pad answers: multiple:N, or buckets:N,N,... with a colon in place of each comma.
        ["Limits"] pad_responses: String, "HOW";
    }
    lists {
        /// A target that may be asked, as scheme, host and port, with *. for subdomains and a path
        /// prefix or none: https://example.com. Repeat it for more, or separate by commas.
        /// Everything else is refused, and so is a name that leads to an address that is not
        /// public.
        ["Targets"] allow_target, "ORIGIN";
        /// As --allow-target, for a host of your own: its name may lead to any address.
        ["Targets"] allow_internal_target, "ORIGIN";
        /// Send the requests for a host elsewhere: example.com=http://localhost:8080. The host that
        /// the target is told stays.
        ["Targets"] rewrite, "HOST=ORIGIN";
        /// File with fixed keys, each a line: id, KEM, and private key in hexadecimal digits. No
        /// other protocol may use these keys under the labels of Oblivious HTTP.
        ["Keys"] key_file, "FILE";
        /// The KEMs of the keys, each with one published configuration: x25519, x-wing (these two by
        /// default), p256, p384, p521, ml-kem-768, ml-kem-1024, mlkem768-p256, mlkem1024-p384. Some
        /// clients read the first configuration alone. X-Wing is safe from quantum computers; its
        /// requests are 1,088 bytes longer than with x25519, and its configuration 1,184.
        ["Keys"] kem, "NAME";
    }
    switches {
        /// Allow every https target with a public address.
        ["Targets"] allow_any_target;
        /// Make a new key at every start. Clients must then fetch the key configurations again.
        ["Keys"] generate_key;
        /// Derive one key after the other from --seed-file, without forward secrecy.
        ["Keys"] rotate;
        /// Make the file of --state-file if there is none.
        ["Keys"] create_state;
        /// Take encapsulated requests only over connections with a client certificate.
        ["Relays"] require_client_certificate;
        /// Refuse requests without a date.
        ["Replay"] require_date;
        /// Serve a request as often as it is sent.
        ["Replay"] no_replay_guard;
        /// Serve what sends a decapsulated request back, for testing.
        ["Server"] echo;
        /// Understand the environment of the Go gateway; also done if SEED_SECRET_KEY is set.
        ["Server"] go_env;
    }
}

impl Settings {
    /// Reads a configuration file. What it does not say has its default.
    pub(crate) fn read(path: &std::path::Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the configuration file {shown}"))?;
        // The text around an error is not shown: it could be a secret in the wrong place.
        toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
            anyhow::anyhow!("{shown}, line {line}: {}", error.message())
        })
    }

    /// Whether a source of keys is named.
    pub(crate) fn names_keys(&self) -> bool {
        self.generate_key
            || self.seed_file.is_some()
            || self.state_file.is_some()
            || !self.key_file.is_empty()
    }

    /// The TLS to serve with, if any.
    pub(crate) fn tls(&self) -> anyhow::Result<Option<rustls::ServerConfig>> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => {
                Ok(Some(tls::server_config(cert, key, self.client_ca.as_deref())?))
            }
            (None, None) if self.client_ca.is_some() => {
                anyhow::bail!("--client-ca needs --tls-cert and --tls-key")
            }
            (None, None) => Ok(None),
            _ => anyhow::bail!("--tls-cert and --tls-key go together"),
        }
    }

    /// What relays have to show.
    pub(crate) fn credentials(&self) -> anyhow::Result<Credentials> {
        anyhow::ensure!(
            !self.require_client_certificate || self.client_ca.is_some(),
            "--require-client-certificate needs --client-ca"
        );
        let tokens = self.token_file.as_deref();
        Ok(Credentials::read(self.require_client_certificate, tokens)?)
    }

    /// The settings as a configuration file.
    pub(crate) fn to_toml(&self) -> anyhow::Result<String> {
        Ok(toml::to_string(self)?)
    }
}

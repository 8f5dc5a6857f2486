//! What an operator can set. Each setting is a flag, a variable and a key of the configuration
//! file.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, Parser};
use examples::admin::ObservationSettings;
use examples::provider::ProviderName;
use examples::seconds::Seconds;
use examples::server::{ConnectionLimits, ServerSettings};
use examples::settings::{Given, Settings as ProgramSettings};
use oblivious_hyper::Credentials;
use serde::{Deserialize, Serialize};

use crate::go_env;

/// All settings, as they are in effect.
#[derive(Clone, Debug, Parser, Serialize)]
#[command(
    name = "gateway",
    version,
    about = "An Oblivious HTTP gateway (RFC 9458)\n\n\
        It decapsulates requests, asks the targets, and encapsulates their answers. \
        SIGTERM ends it once the requests under way are answered. SIGHUP makes it read the files \
        of its keys, certificates and tokens again; all else takes a restart, and the log names \
        what has changed in the file of --config."
)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Settings {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) server: ServerSettings,

    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) paths: PathSettings,

    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) keys: KeySettings,

    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) relays: RelaySettings,

    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) targets: TargetSettings,

    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) replay: ReplaySettings,

    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) limits: LimitSettings,

    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) connections: ConnectionLimits,

    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) observation: ObservationSettings,

    /// Targets that need more than an origin.
    #[arg(skip)]
    pub(crate) rule: Vec<Rule>,
}

#[derive(Args, Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Server")]
pub(crate) struct PathSettings {
    /// Path for encapsulated requests, besides /.well-known/ohttp-gateway.
    #[arg(long, value_name = "PATH", default_value = "/gateway")]
    pub(crate) gateway_path: String,

    /// Path of the key configurations, besides /.well-known/ohttp-gateway.
    #[arg(long, value_name = "PATH", default_value = "/ohttp-keys")]
    pub(crate) keys_path: String,

    /// Path of one bare key configuration, without its length, for clients of older gateways. Not
    /// served unless set.
    #[arg(long, value_name = "PATH")]
    pub(crate) legacy_keys_path: Option<String>,

    /// Also publish the keys with the times until which they are valid, to clients that ask for
    /// application/ohttp-keys-ext-00: a draft, whose name will change with it.
    #[arg(long)]
    pub(crate) extended_keys: bool,

    /// Serve an echo, for testing: it sends each decapsulated request back, encapsulated.
    #[arg(long)]
    pub(crate) echo: bool,

    /// Path of the echo.
    #[arg(long, value_name = "PATH", default_value = "/gateway-echo")]
    pub(crate) echo_path: String,

    /// Understand the environment of the Go gateway. On if SEED_SECRET_KEY is set.
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, require_equals = true,
        default_missing_value = "yes", value_parser = BoolishValueParser::new(),
        hide_possible_values = true)]
    pub(crate) go_env: Option<bool>,
}

#[derive(Args, Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Keys")]
pub(crate) struct KeySettings {
    /// File from which one key after another is derived, and which forgets old ones. For
    /// production.
    #[arg(long, value_name = "FILE")]
    pub(crate) state_file: Option<PathBuf>,

    /// Create the file of --state-file if it does not exist.
    #[arg(long)]
    pub(crate) create_state: bool,

    /// File with the secret from which the key is derived: 64 hexadecimal digits, readable only by
    /// this user. The same file gives the same key at every start.
    #[arg(long, value_name = "FILE")]
    pub(crate) seed_file: Option<PathBuf>,

    /// Derive one key after another from --seed-file. There is no forward secrecy.
    #[arg(long)]
    pub(crate) rotate: bool,

    /// Files with fixed keys, one per line: id, KEM, and private key in hexadecimal digits. Do not
    /// use these keys for another protocol under the labels of Oblivious HTTP.
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    pub(crate) key_file: Vec<String>,

    /// Generate a key at every start. Clients then have to fetch the key configurations again.
    #[arg(long)]
    pub(crate) generate_key: bool,

    /// KEMs of the keys, each with one published configuration: x25519, x-wing, p256, p384, p521,
    /// ml-kem-768, ml-kem-1024, mlkem768-p256, mlkem1024-p384. Some clients only read the first
    /// configuration. X-Wing is safe from quantum computers; it makes requests 1,088 bytes longer
    /// than x25519, and the configuration 1,184.
    // In this order: those clients know no KEM but X25519.
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_value = "x25519,x-wing")]
    pub(crate) kem: Vec<String>,

    /// Id of the key of --seed-file, or of the first key of --generate-key.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) key_id: u8,

    /// How long each key of --state-file or --rotate is published.
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds::new(86_400),
        value_parser = Seconds::above_zero)]
    pub(crate) key_interval: Seconds,

    /// How long clients may keep key configurations.
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds::new(3600),
        value_parser = Seconds::above_zero)]
    pub(crate) key_max_age: Seconds,

    /// How long a key is still accepted after its last copies have become stale.
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds::new(3600),
        value_parser = Seconds::above_zero)]
    pub(crate) key_grace: Seconds,

    /// How far the clocks of replicas and clients may differ.
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds::new(60),
        value_parser = Seconds::above_zero)]
    pub(crate) key_skew: Seconds,

    /// Source of the cryptographic primitives: rust-crypto, aws-lc, graviola, or the fastest that
    /// the program was built with and that runs on this processor.
    #[arg(long, value_name = "NAME", value_enum, default_value_t = ProviderName::Fastest,
        hide_possible_values = true)]
    pub(crate) provider: ProviderName,
}

#[derive(Args, Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Relays")]
pub(crate) struct RelaySettings {
    /// File with bearer tokens, one per line. Encapsulated requests must come with one of them.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,

    /// Certificate authorities whose client certificates relays may show (PEM).
    #[arg(long, value_name = "FILE")]
    pub(crate) client_ca: Option<PathBuf>,

    /// Accept encapsulated requests only over connections with a client certificate.
    #[arg(long)]
    pub(crate) require_client_certificate: bool,
}

#[derive(Args, Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Targets")]
pub(crate) struct TargetSettings {
    /// Targets that may be asked: scheme, host and port, with *. for subdomains and optionally a
    /// path prefix, such as https://example.com. All others are refused, and so are names that
    /// resolve to an address that is not public.
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',')]
    pub(crate) allow_target: Vec<String>,

    /// The same for your own hosts, whose names may resolve to any address.
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',')]
    pub(crate) allow_internal_target: Vec<String>,

    /// Allow every https target with a public address.
    #[arg(long)]
    pub(crate) allow_any_target: bool,

    /// Send the requests for a host elsewhere, as in example.com=http://localhost:8080. The target
    /// still sees the host that the client named.
    #[arg(long, value_name = "HOST=ORIGIN", value_delimiter = ',')]
    pub(crate) rewrite: Vec<String>,

    /// Certificate authorities to trust for targets, besides the public ones (PEM).
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,

    /// How many times an encapsulated request inside another may come back to this gateway. By
    /// default it is not forwarded at all.
    #[arg(long, value_name = "DEPTH", default_value_t = 0)]
    pub(crate) allow_nesting: usize,

    /// Name of this gateway in the Via field of nested requests, the same for all replicas. Random
    /// by default.
    #[arg(long, value_name = "NAME")]
    pub(crate) via: Option<String>,
}

#[derive(Args, Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Replay")]
pub(crate) struct ReplaySettings {
    /// How many requests the replay guard in memory has room for, at about 28 bytes each.
    #[arg(long, value_name = "N", default_value_t = 1 << 20)]
    pub(crate) replay_capacity: usize,

    /// Requests per second that the replay guard must withstand, which is checked at start.
    #[arg(long, value_name = "N")]
    pub(crate) replay_rate: Option<u64>,

    /// Refuse requests without a date.
    #[arg(long)]
    pub(crate) require_date: bool,

    /// How far off the date of a request may be.
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds::new(300),
        value_parser = Seconds::above_zero)]
    pub(crate) date_window: Seconds,

    /// Redis or Valkey that holds the replay guard of all replicas: redis://HOST:PORT/DATABASE.
    #[arg(long, value_name = "URL")]
    pub(crate) redis_url: Option<String>,

    /// File with that URL, in case it contains a password.
    #[arg(long, value_name = "FILE")]
    pub(crate) redis_url_file: Option<PathBuf>,

    /// How long Redis may take to answer.
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds::from_millis(250),
        value_parser = Seconds::above_zero)]
    pub(crate) redis_timeout: Seconds,

    /// Serve repeated requests again: no replay protection.
    #[arg(long)]
    pub(crate) no_replay_guard: bool,
}

#[derive(Args, Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitSettings {
    /// Longest encapsulated request that is not in chunks.
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 20)]
    pub(crate) request_limit: usize,

    /// Longest content of a target's response to such a request.
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 20)]
    pub(crate) response_limit: usize,

    /// Longest message in chunks.
    #[arg(long, value_name = "BYTES", default_value_t = 2 << 30)]
    pub(crate) stream_limit: u64,

    /// Longest chunk that is accepted, 16384 or more.
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 10)]
    pub(crate) chunk_limit: usize,

    /// Padding of answers: multiple:N, or buckets:N:N and so on. None by default.
    #[arg(long, value_name = "HOW")]
    pub(crate) pad_responses: Option<String>,

    /// Exchanges under way at a time. Further requests get a 503 with Retry-After.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) concurrency: usize,

    /// How long a request, or the first chunk of one, may take to arrive.
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds::new(30),
        value_parser = Seconds::above_zero)]
    pub(crate) request_timeout: Seconds,

    /// How long a target may take to answer, or to begin an answer in chunks.
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds::new(30),
        value_parser = Seconds::above_zero)]
    pub(crate) target_timeout: Seconds,

    /// How long a message in chunks may stand still, and a client may read nothing of its answer.
    #[arg(long, value_name = "SECONDS", default_value_t = Seconds::new(60),
        value_parser = Seconds::above_zero)]
    pub(crate) idle_timeout: Seconds,
}

/// A rule for targets that needs more than an origin. Only in the file, as `[[rule]]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Rule {
    /// As for `allow-target`.
    pub(crate) target: String,
    /// Allowed methods; if none is given, all are.
    #[serde(default)]
    pub(crate) methods: Vec<String>,
    /// Whether the host may have addresses that are not public.
    #[serde(default)]
    pub(crate) internal: bool,
}

impl ProgramSettings for Settings {
    const PREFIX: &'static str = "GATEWAY";
    // A relay opens one connection for each of its threads, for all of its clients.
    const DEFAULTS: &'static [(&'static str, &'static str)] =
        &[("listen", "127.0.0.1:8081"), ("max-streams", "10000")];
    const TABLES: &'static [&'static str] = &["rule"];

    fn read_tables(&mut self, file: &str) -> Result<(), toml::de::Error> {
        #[derive(Deserialize)]
        struct Tables {
            #[serde(default)]
            rule: Vec<Rule>,
        }

        self.rule = toml::from_str::<Tables>(file)?.rule;
        Ok(())
    }

    fn adapt(&self, given: &mut Given) -> anyhow::Result<()> {
        if self.paths.go_env.unwrap_or_else(go_env::is_there) {
            go_env::apply(given, self.keys.are_named())?;
        }
        Ok(())
    }
}

impl Settings {
    /// What relays must show.
    pub(crate) fn credentials(&self) -> anyhow::Result<Credentials> {
        let RelaySettings { token_file, client_ca, require_client_certificate } = &self.relays;
        anyhow::ensure!(
            !require_client_certificate || client_ca.is_some(),
            "--require-client-certificate needs --client-ca"
        );
        Ok(Credentials::read(*require_client_certificate, token_file.as_deref())?)
    }

    /// Whether the environment of the Go gateway applies.
    pub(crate) fn has_go_env(&self) -> bool {
        self.paths.go_env == Some(true)
    }
}

impl KeySettings {
    /// Whether a source of keys is named.
    fn are_named(&self) -> bool {
        self.generate_key
            || self.seed_file.is_some()
            || self.state_file.is_some()
            || !self.key_file.is_empty()
    }
}

//! The request for the target, from curl's flags.

mod content;
mod data;
mod form;
pub(crate) mod headers;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Method, Request, Uri, header};

pub(crate) use self::content::{Content, Upload, read};
use self::data::DataArgs;
use self::headers::Fields;
use crate::failure::Failure;
use crate::urls::with_path_and_query;

#[derive(clap::Args)]
#[command(next_help_heading = "Request")]
pub(crate) struct RequestArgs {
    /// The method; GET if there is no data, POST if there is, PUT with -T.
    #[arg(short = 'X', long = "request", value_name = "METHOD")]
    method: Option<Method>,

    /// A header field for the target: 'name: value', 'name;' for one without a value, 'name:' to
    /// leave one out, or @FILE with one per line. Repeat it for more.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE|@FILE")]
    headers: Vec<String>,

    #[command(flatten)]
    data: DataArgs,

    /// A field of a form, sent as multipart/form-data: 'name=value', 'name=@FILE' to upload a file,
    /// 'name=<FILE' for a value from a file; with ';type=TYPE' and ';filename=NAME' behind.
    #[arg(short = 'F', long = "form", value_name = "NAME=CONTENT", allow_hyphen_values = true)]
    form: Vec<String>,

    /// Upload a file with PUT; - is standard input, which is sent as it comes with --chunked.
    #[arg(short = 'T', long, value_name = "FILE")]
    upload_file: Option<String>,

    /// Put the data into the URL's query, and use GET.
    #[arg(short = 'G', long)]
    get: bool,

    /// Ask only for the header, with HEAD, and print it.
    #[arg(short = 'I', long)]
    pub(crate) head: bool,

    /// The User-Agent to tell the target; none by default.
    #[arg(short = 'A', long, value_name = "NAME", allow_hyphen_values = true)]
    user_agent: Option<String>,

    /// The Referer to tell the target.
    #[arg(short = 'e', long, value_name = "URL")]
    referer: Option<String>,

    /// Cookies for the target, as 'name=value; name=value'. The target can link all requests with
    /// the same cookie.
    #[arg(short = 'b', long, value_name = "NAME=VALUE")]
    cookie: Option<String>,

    /// Credentials for the target, with the scheme Basic. The target can link all requests with
    /// them.
    #[arg(short = 'u', long, value_name = "USER:PASSWORD")]
    user: Option<String>,

    /// The part of the content to ask for, in bytes, as in 0-499.
    #[arg(short = 'r', long, value_name = "RANGE")]
    range: Option<String>,

    /// Accept compressed content (gzip, br, deflate), and print it decompressed.
    #[arg(long)]
    pub(crate) compressed: bool,
}

/// A request, and what it is wise to know before it is sent.
pub(crate) struct Prepared {
    pub(crate) request: Request<Content>,
    pub(crate) warnings: Vec<String>,
}

impl RequestArgs {
    /// The request for this target.
    pub(crate) fn prepare(&self, mut target: Uri) -> anyhow::Result<Prepared> {
        let mut fields = Fields::new(&self.headers)?;
        let (method, content) = self.content(&mut target, &mut fields)?;
        self.describe(&mut fields)?;
        let mut request = Request::new(content);
        *request.method_mut() = self.method.clone().unwrap_or(method);
        *request.uri_mut() = target;
        *request.headers_mut() = fields.finish();
        let linking = [header::COOKIE, header::AUTHORIZATION, header::PROXY_AUTHORIZATION];
        let linking = linking.iter().filter(|name| request.headers().contains_key(*name));
        let warning = |name| {
            format!("the target can link all requests that have this {name} with each other")
        };
        Ok(Prepared { warnings: linking.map(warning).collect(), request })
    }

    /// The default method and the content, each in one of four ways.
    fn content(&self, target: &mut Uri, fields: &mut Fields) -> anyhow::Result<(Method, Content)> {
        let has_data = !self.data.is_empty();
        let ways = [has_data && !self.get, !self.form.is_empty(), self.upload_file.is_some()];
        let ways = ways.iter().chain([&self.head]).filter(|&&way| way).count();
        if ways > 1 || (self.get && ways > 0 && !self.head) {
            let message = "only one of -d, -F, -T and -I makes a request: choose one";
            return Err(Failure::Usage(message.into()).into());
        }
        if self.get {
            *target = with_query(target, &self.data.in_memory()?)?;
            let method = if self.head { Method::HEAD } else { Method::GET };
            return Ok((method, Content::empty()));
        }
        if self.head {
            return Ok((Method::HEAD, Content::empty()));
        }
        if let Some(file) = &self.upload_file {
            *target = with_file_name(target, file)?;
            return Ok((Method::PUT, fields.with_length(Content::file(file)?)));
        }
        if !self.form.is_empty() {
            let (content_type, content) = form::content(&self.form)?;
            fields.add_default(header::CONTENT_TYPE, content_type);
            return Ok((Method::POST, fields.with_length(content)));
        }
        if has_data {
            let content_type = if self.data.is_json() {
                fields.add_default(header::ACCEPT, HeaderValue::from_static("application/json"));
                "application/json"
            } else {
                "application/x-www-form-urlencoded"
            };
            fields.add_default(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            return Ok((Method::POST, fields.with_length(self.data.content()?)));
        }
        Ok((Method::GET, Content::empty()))
    }

    fn describe(&self, fields: &mut Fields) -> anyhow::Result<()> {
        if let Some(cookie) = &self.cookie {
            if !cookie.contains('=') {
                let message = "-b takes cookies, as name=value; this program has no cookie files";
                return Err(Failure::Usage(message.into()).into());
            }
            fields.add_default(header::COOKIE, value("-b", cookie)?);
        }
        if let Some(user) = &self.user {
            if !user.contains(':') {
                return Err(Failure::Usage("write -u as USER:PASSWORD".into()).into());
            }
            let basic = format!("Basic {}", STANDARD.encode(user));
            let mut basic = value("-u", &basic)?;
            basic.set_sensitive(true);
            fields.add_default(header::AUTHORIZATION, basic);
        }
        let range = self.range.as_ref().map(|range| format!("bytes={range}"));
        for (flag, name, text) in [
            ("-A", header::USER_AGENT, &self.user_agent),
            ("-e", header::REFERER, &self.referer),
            ("-r", header::RANGE, &range),
        ] {
            if let Some(text) = text.as_ref().filter(|text| !text.is_empty()) {
                fields.add_default(name, value(flag, text)?);
            }
        }
        Ok(())
    }
}

fn value(flag: &str, text: &str) -> Result<HeaderValue, Failure> {
    let wrong = |_| Failure::Usage(format!("{flag} has characters that are not allowed"));
    HeaderValue::from_str(text).map_err(wrong)
}

/// Adds data to the query of a URL.
fn with_query(target: &Uri, data: &[u8]) -> anyhow::Result<Uri> {
    let data = String::from_utf8_lossy(data);
    if data.is_empty() {
        return Ok(target.clone());
    }
    let joint = match target.query() {
        None => "?",
        Some("") => "",
        Some(_) => "&",
    };
    let before = target.path_and_query().map_or("/", |path| path.as_str());
    Ok(with_path_and_query(target, &format!("{before}{joint}{data}"))?)
}

/// Adds the name of a file to a URL that ends with a folder.
fn with_file_name(target: &Uri, file: &str) -> anyhow::Result<Uri> {
    let name = std::path::Path::new(file).file_name().map(|name| name.to_string_lossy());
    let (Some(name), true, false) = (name, target.path().ends_with('/'), file == "-") else {
        return Ok(target.clone());
    };
    let query = target.query().map(|query| format!("?{query}")).unwrap_or_default();
    let name = data::percent_encoded(name.as_bytes());
    Ok(with_path_and_query(target, &format!("{}{name}{query}", target.path()))?)
}

//! Requests: one at a time, with the user's certificates, proxy and credentials.
//!
//! Redirects are followed here and not by the library, because credentials end where the host changes, and because a server of https may
//! not lead to one of http. A server that is busy is asked again when it says so, a few times.

use std::io::Read;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use data_encoding::BASE64;
use ureq::http::{HeaderMap, Response};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Proxy};
use url::Url;

use crate::configuration::Configuration;
use crate::credentials::{Credentials, Login, is_same_host, shown};

/// Redirects that are followed.
const REDIRECTS: usize = 10;
/// How often a server that is busy, or a connection that broke, is tried again.
const RETRIES: usize = 3;
/// Seconds that a server may make somebody wait.
const LONGEST_WAIT: u64 = 30;

/// Why a request gave nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The server says that there is no such thing.
    NotFound,
    /// The server wants to know who it is, or does not let that one in.
    Denied(String),
    /// Anything else, ready to be shown.
    Other(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotFound => f.write_str("not found"),
            Self::Denied(error) | Self::Other(error) => f.write_str(error),
        }
    }
}

/// An answer whose body is still to be read.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// Where it came from, after redirects.
    pub(crate) url: Url,
    body: Body,
}

/// What asks servers. Connections are kept open and used again.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    credentials: Credentials,
    /// One second; less in tests.
    second: Duration,
}

impl Client {
    /// A client as the user has it configured. `certificates` is the text of the bundle that [`Configuration::certificates`] names.
    pub fn new(configuration: &Configuration, certificates: Option<&[u8]>) -> Result<Self, String> {
        let roots = match certificates {
            None => RootCerts::PlatformVerifier,
            Some(pem) => {
                let certificate = |item| if let Ok(PemItem::Certificate(it)) = item { Some(it) } else { None };
                let all: Vec<Certificate<'static>> = parse_pem(pem).filter_map(certificate).collect();
                if all.is_empty() {
                    return Err("the bundle of certificates that pip is told to use has none".to_owned());
                }
                RootCerts::new_with_certs(&all)
            }
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder().root_certs(roots).unversioned_rustls_crypto_provider(provider).build();
        let proxy = match &configuration.proxy {
            // Not the text of the error, which may hold a password.
            Some(proxy) => {
                Some(Proxy::new(proxy).map_err(|_| "the proxy that pip is told to use is no address of one")?)
            }
            None => Proxy::try_from_env(),
        };
        let seconds = |seconds: u64| Some(Duration::from_secs(seconds));
        let agent = Agent::config_builder()
            .tls_config(tls)
            .proxy(proxy)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("gilaudit/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(seconds(configuration.timeout))
            .timeout_recv_response(seconds(configuration.timeout))
            .timeout_per_read(seconds(configuration.timeout))
            .build()
            .new_agent();
        let credentials = Credentials {
            indexes: configuration.indexes.clone(),
            netrc: configuration.netrc.as_ref().map(copied),
            keyring: configuration.keyring,
        };
        Ok(Self { agent, credentials, second: Duration::from_secs(1) })
    }

    /// The same for a server in a test: nobody waits for whole seconds.
    #[cfg(test)]
    pub(crate) fn impatient(mut self) -> Self {
        self.second = Duration::from_millis(10);
        self
    }

    /// Asks for something. The answer is one of 200, 206 and 416, or another that tells the caller that the server cannot do what was asked.
    pub(crate) fn get(&self, url: &Url, headers: &[(&str, &str)]) -> Result<Answer, Failure> {
        let mut at = url.clone();
        let mut login = self.credentials.for_url(&at);
        let mut asked_keyring = false;
        let (mut redirects, mut retries) = (0usize, 0usize);
        loop {
            let response = match self.once(&at, headers, login.as_ref()) {
                Ok(response) => response,
                Err(error) if is_passing(&error) && retries < RETRIES => {
                    retries = retries.saturating_add(1);
                    thread::sleep(
                        self.second
                            .saturating_mul(u32::try_from(retries).unwrap_or(1))
                            .checked_div(2)
                            .unwrap_or_default(),
                    );
                    continue;
                }
                Err(error) => return Err(Failure::Other(format!("{}: {}", shown(&at), message(&error)))),
            };
            let status = response.status().as_u16();
            let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
            match status {
                301 | 302 | 303 | 307 | 308 => {
                    let next = header("location").and_then(|to| at.join(to).ok());
                    let Some(next) = next.filter(|next| ["http", "https"].contains(&next.scheme())) else {
                        return Err(Failure::Other(format!("{}: a redirect to no address", shown(&at))));
                    };
                    if at.scheme() == "https" && next.scheme() == "http" {
                        return Err(Failure::Other(format!("{}: a redirect from https to http", shown(&at))));
                    }
                    redirects = redirects.saturating_add(1);
                    if redirects > REDIRECTS {
                        return Err(Failure::Other(format!("{}: more than {REDIRECTS} redirects", shown(url))));
                    }
                    // Another host is told what the user has for it, never what was for this one.
                    if !is_same_host(&at, &next) {
                        login = self.credentials.for_url(&next);
                        asked_keyring = false;
                    }
                    at = next;
                }
                401 if !asked_keyring => {
                    asked_keyring = true;
                    let known = self.credentials.of_keyring(&at).filter(|known| Some(known) != login.as_ref());
                    login = Some(known.ok_or_else(|| denied(&at, login.is_some()))?);
                }
                401 | 403 => return Err(denied(&at, login.is_some())),
                404 | 410 => return Err(Failure::NotFound),
                429 | 502 | 503 | 504 if retries < RETRIES => {
                    retries = retries.saturating_add(1);
                    let seconds = header("retry-after").and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(1);
                    if seconds > LONGEST_WAIT {
                        let error = format!("{}: the server asks to wait {seconds} seconds", shown(&at));
                        return Err(Failure::Other(error));
                    }
                    thread::sleep(self.second.saturating_mul(u32::try_from(seconds).unwrap_or(1)));
                }
                429 | 502..=504 => {
                    return Err(Failure::Other(format!("{}: the server is busy (status {status})", shown(&at))));
                }
                _ => {
                    let headers = response.headers().clone();
                    return Ok(Answer { status, headers, url: at, body: response.into_body() });
                }
            }
        }
    }

    fn once(&self, url: &Url, headers: &[(&str, &str)], login: Option<&Login>) -> Result<Response<Body>, ureq::Error> {
        let mut bare = url.clone();
        let _ = (bare.set_username(""), bare.set_password(None));
        bare.set_fragment(None);
        let mut request = self.agent.get(bare.as_str());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(Login { user, password }) = login {
            let login = BASE64.encode(format!("{user}:{password}").as_bytes());
            request = request.header("authorization", format!("Basic {login}"));
        }
        request.call()
    }
}

fn copied(netrc: &netrc::Netrc) -> netrc::Netrc {
    let machine = |machine: &netrc::Machine| netrc::Machine {
        login: machine.login.clone(),
        password: machine.password.clone(),
        account: machine.account.clone(),
        port: machine.port,
    };
    netrc::Netrc {
        hosts: netrc.hosts.iter().map(|(name, it)| (name.clone(), machine(it))).collect(),
        default: netrc.default.as_ref().map(machine),
        macros: Vec::new(),
    }
}

fn denied(url: &Url, told: bool) -> Failure {
    let why = if told {
        "the server does not accept the credentials"
    } else {
        "the server wants credentials, and none are configured"
    };
    Failure::Denied(format!("{}: {why}", shown(url)))
}

/// Whether the next attempt may go better: a connection that broke, not a certificate that is wrong.
fn is_passing(error: &ureq::Error) -> bool {
    matches!(error, ureq::Error::Io(_) | ureq::Error::ConnectionFailed | ureq::Error::Timeout(_))
}

/// What an error says. It names no address: one may hold a password.
fn message(error: &ureq::Error) -> String {
    match error {
        ureq::Error::HostNotFound => "the host is not found".to_owned(),
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::Rustls(error) => format!("no safe connection: {error}"),
        ureq::Error::Protocol(error) => format!("an answer that is not HTTP: {error}"),
        ureq::Error::BadUri(_) | ureq::Error::InvalidProxyUrl => "an address that cannot be asked".to_owned(),
        other => other.to_string(),
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body, of at most `most` bytes; one that goes on after that is refused.
    pub(crate) fn bytes(mut self, most: u64) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let reader = self.body.as_reader();
        let failed = |error: String| Failure::Other(format!("{}: {error}", shown(&self.url)));
        reader
            .take(most.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|error| failed(format!("the answer broke off: {error}")))?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
            return Err(failed(format!("an answer of more than {most} bytes")));
        }
        Ok(bytes)
    }

    /// Hands the body on in pieces, at most `most` bytes of it.
    pub(crate) fn pieces(mut self, most: u64, mut to: impl FnMut(&[u8]) -> Result<(), String>) -> Result<u64, Failure> {
        let failed = |error: String| Failure::Other(format!("{}: {error}", shown(&self.url)));
        let mut buffer = vec![0; 64 << 10];
        let mut all: u64 = 0;
        let mut reader = self.body.as_reader();
        loop {
            let size = reader.read(&mut buffer).map_err(|error| failed(format!("the answer broke off: {error}")))?;
            all = all.saturating_add(u64::try_from(size).unwrap_or(u64::MAX));
            if size == 0 {
                return Ok(all);
            }
            if all > most {
                return Err(failed(format!("an answer of more than {most} bytes")));
            }
            to(buffer.get(..size).unwrap_or_default()).map_err(Failure::Other)?;
        }
    }
}

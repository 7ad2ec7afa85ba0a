//! Who the user is to a server: from the address, from netrc, from the keyring, in pip's order.
//!
//! pip 26.1, `_internal/network/auth.py`, `MultiDomainBasicAuth`: what an address says comes first, then what the address of an index on the
//! same host says, then netrc; the keyring is asked when the server said 401. Nothing of it is ever printed: whoever shows an address
//! uses [`shown`].

use std::process::{Command, Stdio};

use netrc::Netrc;
use url::Url;

/// A name and a password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
}

/// The password must not end up in a message by accident.
impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Login(…)")
    }
}

/// Where credentials come from.
#[derive(Default)]
pub(crate) struct Credentials {
    pub(crate) indexes: Vec<Url>,
    pub(crate) netrc: Option<Netrc>,
    pub(crate) keyring: bool,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("netrc", &self.netrc.is_some()).field("keyring", &self.keyring).finish()
    }
}

impl Credentials {
    /// What is known before the server was asked.
    pub(crate) fn for_url(&self, url: &Url) -> Option<Login> {
        let of_url = of_url(url);
        if of_url.as_ref().is_some_and(|login| !login.password.is_empty()) {
            return of_url;
        }
        let same = |index: &&Url| is_same_host(index, url);
        let of_index = self.indexes.iter().filter(same).find_map(of_url_complete);
        of_index.or_else(|| self.of_netrc(url)).or(of_url)
    }

    /// What the keyring knows, once the server said that it wants to know who it is.
    pub(crate) fn of_keyring(&self, url: &Url) -> Option<Login> {
        if !self.keyring {
            return None;
        }
        // pip asks with the name that an address gives; without one only some keyrings know an answer, and the command has no way to ask.
        let index = self.indexes.iter().find(|index| is_same_host(index, url));
        let user = of_url(url).or_else(|| index.and_then(of_url))?.user;
        let mut service = index.unwrap_or(url).clone();
        let _ = (service.set_username(""), service.set_password(None));
        let host = url.host_str().unwrap_or_default().to_owned();
        [service.to_string(), host].iter().find_map(|service| {
            let mut command = Command::new("keyring");
            command.args(["get", service, &user]).stdin(Stdio::null()).stderr(Stdio::null());
            let output = command.output().ok().filter(|output| output.status.success())?;
            let password = String::from_utf8(output.stdout).ok()?.trim_end_matches(['\r', '\n']).to_owned();
            (!password.is_empty()).then(|| Login { user: user.clone(), password })
        })
    }

    fn of_netrc(&self, url: &Url) -> Option<Login> {
        let (netrc, host) = (self.netrc.as_ref()?, url.host_str()?);
        let of_host = netrc.hosts.iter().find(|(name, _)| name == host).map(|(_, machine)| machine);
        let machine = of_host.or(netrc.default.as_ref())?;
        Some(Login { user: machine.login.clone(), password: machine.password.clone().unwrap_or_default() })
    }
}

fn of_url(url: &Url) -> Option<Login> {
    let decode = |text: &str| {
        // A form is decoded like an address, but for the plus sign.
        let text = text.replace('+', "%2B");
        url::form_urlencoded::parse(format!("x={text}").as_bytes()).next().map(|(_, value)| value.into_owned())
    };
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    Some(Login { user: decode(url.username())?, password: decode(url.password().unwrap_or_default())? })
}

fn of_url_complete(url: &Url) -> Option<Login> {
    of_url(url).filter(|login| !login.password.is_empty())
}

/// Whether credentials for one may be told the other: the same scheme, host and port.
pub(crate) fn is_same_host(a: &Url, b: &Url) -> bool {
    a.origin() == b.origin()
}

/// An address as it may be shown: without name, password, query and fragment, any of which may be a secret.
pub fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let _ = (url.set_username(""), url.set_password(None));
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn the_order_of_pip() {
        let netrc = Netrc::parse(&b"machine a.example login n password np\n"[..]).ok();
        let indexes = vec![url("https://i:ip@b.example/simple/")];
        let credentials = Credentials { indexes, netrc, keyring: false };
        let login =
            |text: &str| credentials.for_url(&url(text)).map(|login| format!("{}:{}", login.user, login.password));
        assert_eq!(login("https://u:p%40%2B@a.example/x").as_deref(), Some("u:p@+"));
        assert_eq!(login("https://a.example/x").as_deref(), Some("n:np"));
        assert_eq!(login("https://b.example/files/x").as_deref(), Some("i:ip"));
        assert_eq!(login("http://b.example/files/x"), None);
        assert_eq!(login("https://c.example/x"), None);
        assert_eq!(login("https://token@c.example/x").as_deref(), Some("token:"));
    }

    #[test]
    fn nothing_secret_is_shown() {
        let text = shown(&url("https://u:secret@a.example/x/y.whl?token=secret#secret"));
        assert_eq!(text, "https://a.example/x/y.whl");
        let login = Login { user: "u".into(), password: "secret".into() };
        assert!(!format!("{login:?}").contains("secret"));
    }
}

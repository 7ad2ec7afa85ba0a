//! Which index the user means: what pip and uv are told, by their own names.
//!
//! pip's configuration is taken as `pip config list` prints it, `PIP_*` variables included; uv's variables come before, as they are more
//! specific than anything in a file.

use netrc::Netrc;
use url::Url;

/// pip 26.1, `_internal/models/index.py`.
const PYPI: &str = "https://pypi.org/simple/";

/// Indexes, and how they are reached.
pub struct Configuration {
    /// The indexes, the first one first.
    pub indexes: Vec<Url>,
    /// Where a bundle of certificates is that takes the place of the system's.
    pub certificates: Option<String>,
    /// The proxy that pip is told to use; without one, the variables of the environment say it.
    pub proxy: Option<String>,
    /// Seconds to wait for an answer.
    pub timeout: u64,
    /// Logins of `.netrc`.
    pub netrc: Option<Netrc>,
    /// Whether the `keyring` command may be asked.
    pub keyring: bool,
    /// What was not understood, without the values.
    pub notes: Vec<String>,
}

/// Addresses and proxies may hold passwords.
impl std::fmt::Debug for Configuration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let indexes: Vec<String> = self.indexes.iter().map(crate::shown).collect();
        f.debug_struct("Configuration")
            .field("indexes", &indexes)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl Configuration {
    /// What `pip config list` printed, the text of `.netrc`, and the variables of the environment.
    ///
    /// pip's own sections come in the order `global`, the command's (`download`), `:env:`; a later one wins.
    pub fn new(pip: &str, netrc: Option<&str>, variable: impl Fn(&str) -> Option<String>) -> Self {
        let mut notes = Vec::new();
        let option = |name: &str| {
            let lines = pip.lines().filter_map(|line| line.split_once('=')).filter_map(|(key, value)| {
                let (section, key) = key.trim().rsplit_once('.')?;
                let rank = ["global", "download", ":env:"].iter().position(|known| *known == section)?;
                (key.replace('_', "-") == name).then(|| (rank, unquoted(value.trim())))
            });
            lines.max_by_key(|(rank, _)| *rank).map(|(_, value)| value).filter(|value| !value.is_empty())
        };
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let mut indexes = Vec::new();
        let mut add = |text: &str, of: &str| match Url::parse(text) {
            Ok(url) if ["http", "https"].contains(&url.scheme()) => {
                let url = with_slash(url);
                if !indexes.contains(&url) {
                    indexes.push(url);
                }
            }
            // Never the text: it may hold a password.
            _ => notes.push(format!("{of} is no address of an index that gilaudit can read, and was left out")),
        };
        // uv gives the extra ones precedence, pip gives none: the files of all are taken together, so the order only says which copy is read.
        let first = set("UV_DEFAULT_INDEX").or_else(|| set("UV_INDEX_URL"));
        match first.or_else(|| option("index-url")) {
            Some(url) => add(&url, "index-url"),
            None if option("no-index").is_some_and(|value| ["1", "true", "yes", "on"].contains(&value.as_str())) => {}
            None => add(PYPI, "index-url"),
        }
        let extra = [option("extra-index-url"), set("UV_EXTRA_INDEX_URL"), set("UV_INDEX")];
        for text in extra.iter().flatten().flat_map(|urls| urls.split_whitespace()) {
            // uv: NAME=URL.
            let url = text.split_once('=').filter(|(name, _)| !name.contains(['/', ':'])).map_or(text, |(_, url)| url);
            add(url, "extra-index-url");
        }
        let netrc = netrc.and_then(|text| match Netrc::parse(text.as_bytes()) {
            Ok(netrc) => Some(netrc),
            Err(_) => {
                notes.push(".netrc could not be read as such, and was left out".to_owned());
                None
            }
        });
        let keyring = option("keyring-provider").is_none_or(|provider| provider != "disabled");
        Self {
            indexes,
            certificates: option("cert").or_else(|| set("REQUESTS_CA_BUNDLE")).or_else(|| set("CURL_CA_BUNDLE")),
            proxy: option("proxy"),
            timeout: option("timeout")
                .or_else(|| option("default-timeout"))
                .and_then(|text| text.parse().ok())
                .unwrap_or(60),
            netrc,
            keyring,
            notes,
        }
    }
}

/// Everything below an index is relative to it.
fn with_slash(mut url: Url) -> Url {
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    url
}

/// A value as Python's `repr` prints a text without odd characters.
fn unquoted(value: &str) -> String {
    let inside = |quote: char| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    let text = inside('\'').or_else(|| inside('"')).unwrap_or(value);
    text.replace("\\n", "\n").replace("\\'", "'").replace("\\\\", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indexes(configuration: &Configuration) -> Vec<&str> {
        configuration.indexes.iter().map(Url::as_str).collect()
    }

    #[test]
    fn what_pip_is_told() {
        let text = "\
:env:.cert='/env/bundle.pem'
global.cert='/etc/bundle.pem'
global.extra-index-url='\\nhttps://a.example/simple\\nhttps://b.example/s/'
global.index-url='https://u:secret@main.example/simple'
global.timeout='7'
install.index-url='https://not-this.example/'
";
        let configuration = Configuration::new(text, None, |_| None);
        assert_eq!(
            indexes(&configuration),
            ["https://u:secret@main.example/simple/", "https://a.example/simple/", "https://b.example/s/"]
        );
        assert_eq!((configuration.certificates.as_deref(), configuration.timeout), (Some("/env/bundle.pem"), 7));
        assert!(!format!("{configuration:?}").contains("secret"));
    }

    #[test]
    fn what_uv_is_told_and_nothing() {
        assert_eq!(indexes(&Configuration::new("", None, |_| None)), [PYPI]);
        let uv = |name: &str| (name == "UV_INDEX_URL").then(|| "http://localhost:1/x".to_owned());
        assert_eq!(
            indexes(&Configuration::new("global.index-url='https://a.example'", None, uv)),
            ["http://localhost:1/x/"]
        );
        let named = |name: &str| (name == "UV_INDEX").then(|| "corp=https://c.example/simple".to_owned());
        assert_eq!(indexes(&Configuration::new("", None, named)), [PYPI, "https://c.example/simple/"]);
    }

    #[test]
    fn what_is_no_index_is_said_without_the_text() {
        let configuration = Configuration::new("global.index-url='file:///secret'", Some("machine"), |_| None);
        assert!(configuration.indexes.is_empty());
        assert_eq!(configuration.notes.len(), 2);
        assert!(configuration.notes.iter().all(|note| !note.contains("secret")), "{:?}", configuration.notes);
        assert!(Configuration::new("global.no-index='true'", None, |_| None).indexes.is_empty());
    }
}

//! The index as the user has it configured for pip and uv: read from `pip config list`, the environment and `.netrc`, each through the one
//! place where files are opened.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use gilaudit_index::{Client, Configuration, Failure, Index, Listing, Url};

use super::cache::Cache;
use crate::error::Error;
use crate::output::visible_line;

/// Bytes of a bundle of certificates.
const BUNDLE: u64 = 16 << 20;

/// A connection to the user's indexes.
pub(crate) struct Online {
    pub(crate) client: Arc<Client>,
    pub(crate) urls: Vec<Url>,
    pub(crate) cache: Cache,
}

impl Online {
    pub(crate) fn connect(cache: Cache) -> Result<Self, Error> {
        let variable = |name: &str| std::env::var(name).ok();
        let pip = gilaudit_input::pip_configuration().unwrap_or_default();
        let netrc = netrc_path().and_then(|path| gilaudit_input::read_text(&path).ok());
        let configuration = Configuration::new(&pip, netrc.as_deref(), variable);
        for note in &configuration.notes {
            let _ = writeln!(anstream::stderr(), "note: {}", visible_line(note));
        }
        let certificates = match &configuration.certificates {
            Some(path) => {
                let read = gilaudit_input::read_beginning(path.as_ref(), BUNDLE);
                Some(read.map_err(|error| Error::new(format!("the certificates that pip is told to use: {error}")))?)
            }
            None => None,
        };
        let client = Client::new(&configuration, certificates.as_deref()).map_err(Error::new)?;
        Ok(Self { client: Arc::new(client), urls: configuration.indexes, cache })
    }

    pub(crate) fn list(&self, name: &str) -> Result<Listing, Failure> {
        Index::new(&self.client, self.urls.clone()).list(name)
    }
}

fn netrc_path() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("NETRC").filter(|path| !path.is_empty()) {
        return Some(path.into());
    }
    let home = etcetera::home_dir().ok()?;
    // CPython 3.14, Lib/netrc.py has `.netrc`; requests looks for `_netrc`, too.
    [".netrc", "_netrc"].iter().map(|name| home.join(name)).find(|path| path.is_file())
}

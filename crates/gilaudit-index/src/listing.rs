//! The files of a project on an index: JSON (PEP 691, sizes and dates of PEP 700), or HTML (PEP 503) where that is all there is.

use std::collections::BTreeMap;

use html5gum::{Token, Tokenizer};
use pep440_rs::Version;
use serde::Deserialize;
use url::Url;

use crate::client::{Client, Failure};
use crate::credentials::shown;

/// Bytes of one listing; the largest of the public index has some 30 MB.
const LISTING: u64 = 128 << 20;
/// Files of one project.
const MOST_FILES: usize = 500_000;
/// PEP 691 with the older forms behind it.
const ACCEPT: &str = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01";

/// What a file of an index is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A wheel.
    Wheel,
    /// A source distribution.
    Sdist,
}

/// A file of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub url: Url,
    /// The index that lists it.
    pub index: Url,
    /// What it is.
    pub kind: Kind,
    /// Its version, by its name.
    pub version: Version,
    /// The SHA-256 that the index claims.
    pub claimed_sha256: Option<String>,
    /// Bytes of it, as the index says.
    pub size: Option<u64>,
    /// When it was uploaded, as the index says.
    pub uploaded: Option<String>,
    /// `Requires-Python`, as it is written.
    pub requires_python: Option<String>,
    /// It was withdrawn; with the reason, which may be empty.
    pub yanked: Option<String>,
}

/// Everything that the indexes have of one project.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Wheels and source distributions, sorted by version and name.
    pub files: Vec<File>,
    /// Indexes that did not answer, with the reason, and what was left out.
    pub problems: Vec<String>,
}

impl Listing {
    /// The versions, the oldest first.
    pub fn versions(&self) -> BTreeMap<&Version, Vec<&File>> {
        let mut versions: BTreeMap<&Version, Vec<&File>> = BTreeMap::new();
        for file in &self.files {
            versions.entry(&file.version).or_default().push(file);
        }
        versions
    }
}

/// The indexes of a configuration.
#[derive(Clone, Debug)]
pub struct Index<'a> {
    client: &'a Client,
    urls: Vec<Url>,
}

impl<'a> Index<'a> {
    /// The indexes, asked by a client.
    pub fn new(client: &'a Client, urls: Vec<Url>) -> Self {
        Self { client, urls }
    }

    /// The files of a project on all indexes; of a file that several have, the first one's. An index that does not know the project is
    /// none that has it; when none has, that is the failure.
    pub fn list(&self, name: &str) -> Result<Listing, Failure> {
        if self.urls.is_empty() {
            return Err(Failure::Other("no index is configured".to_owned()));
        }
        let mut listing = Listing::default();
        let mut failure = Failure::NotFound;
        let mut answered = false;
        for index in &self.urls {
            match self.list_one(index, name) {
                Ok(files) => {
                    answered = true;
                    for file in files {
                        if !listing.files.iter().any(|known| known.name == file.name && known.index != file.index) {
                            listing.files.push(file);
                        }
                    }
                }
                Err(Failure::NotFound) => {}
                Err(error) => {
                    listing.problems.push(format!("an index was not read: {error}"));
                    failure = error;
                }
            }
        }
        listing.files.sort_by(|a, b| (&a.version, a.kind, &a.name).cmp(&(&b.version, b.kind, &b.name)));
        if answered { Ok(listing) } else { Err(failure) }
    }

    fn list_one(&self, index: &Url, name: &str) -> Result<Vec<File>, Failure> {
        let wrong = |error: String| Failure::Other(format!("{}: {error}", shown(index)));
        let url = index.join(&format!("{}/", normalized(name))).map_err(|error| wrong(error.to_string()))?;
        let answer = self.client.get(&url, &[("accept", ACCEPT)])?;
        if answer.status != 200 {
            return Err(wrong(format!("status {}", answer.status)));
        }
        let base = answer.url.clone();
        let kind = answer.header("content-type").unwrap_or_default().to_ascii_lowercase();
        let text = answer.bytes(LISTING)?;
        let files = if kind.contains("json") {
            json(&text).map_err(|error| wrong(format!("its listing is not that of an index: {error}")))?
        } else if kind.contains("html") || kind.is_empty() {
            html(&text)
        } else {
            return Err(wrong("its listing is neither JSON nor HTML".to_owned()));
        };
        Ok(files.into_iter().take(MOST_FILES).filter_map(|raw| raw.file(name, index, &base)).collect())
    }
}

/// A name as indexes write it: lower case, runs of `-`, `_` and `.` made one `-` (PEP 503).
pub fn normalized(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter {
            '-' | '_' | '.' if text.ends_with('-') => {}
            '-' | '_' | '.' => text.push('-'),
            letter => text.push(letter.to_ascii_lowercase()),
        }
    }
    text
}

/// A file as a listing has it.
#[derive(Debug, Default, Deserialize)]
struct Raw {
    filename: String,
    url: String,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
    #[serde(default, rename = "requires-python")]
    requires_python: Option<String>,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default, rename = "upload-time")]
    uploaded: Option<String>,
    #[serde(default)]
    yanked: Yanked,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Yanked {
    Is(bool),
    Why(String),
}

impl Default for Yanked {
    fn default() -> Self {
        Self::Is(false)
    }
}

fn json(text: &[u8]) -> Result<Vec<Raw>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Page {
        files: Vec<Raw>,
    }
    serde_json::from_slice::<Page>(text).map(|page| page.files)
}

fn html(text: &[u8]) -> Vec<Raw> {
    let mut files: Vec<Raw> = Vec::new();
    let mut inside = false;
    for token in Tokenizer::new(text) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) if tag.name.as_slice() == b"a" => {
                let attribute = |name: &[u8]| {
                    tag.attributes.get(name).map(|value| String::from_utf8_lossy(&value.value).into_owned())
                };
                let Some(href) = attribute(b"href") else { continue };
                let hash =
                    href.split_once("#sha256=").map(|(_, hash)| hash.split('&').next().unwrap_or(hash).to_owned());
                files.push(Raw {
                    hashes: hash.into_iter().map(|hash| ("sha256".to_owned(), hash)).collect(),
                    url: href,
                    requires_python: attribute(b"data-requires-python"),
                    yanked: attribute(b"data-yanked").map_or(Yanked::Is(false), Yanked::Why),
                    ..Raw::default()
                });
                inside = true;
            }
            Token::EndTag(tag) if tag.name.as_slice() == b"a" => inside = false,
            Token::String(text) if inside => {
                if let Some(last) = files.last_mut() {
                    last.filename.push_str(&String::from_utf8_lossy(&text));
                }
            }
            _ => {}
        }
    }
    files
}

impl Raw {
    /// The file, if it is a wheel or a source distribution of this project.
    fn file(self, project: &str, index: &Url, base: &Url) -> Option<File> {
        let mut url = base.join(&self.url).ok()?;
        url.set_fragment(None);
        let name = self.filename.trim().to_owned();
        let (kind, version) = version_of(project, &name)?;
        let is_hash = |hash: &String| hash.len() == 64 && hash.bytes().all(|it| it.is_ascii_hexdigit());
        Some(File {
            name,
            url,
            index: index.clone(),
            kind,
            version,
            claimed_sha256: self
                .hashes
                .get("sha256")
                .filter(|hash| is_hash(hash))
                .map(|hash| hash.to_ascii_lowercase()),
            size: self.size,
            uploaded: self.uploaded,
            requires_python: self.requires_python,
            yanked: match self.yanked {
                Yanked::Is(false) => None,
                Yanked::Is(true) => Some(String::new()),
                Yanked::Why(why) => Some(why),
            },
        })
    }
}

/// What a file of this project is, and its version, by its name.
fn version_of(project: &str, file: &str) -> Option<(Kind, Version)> {
    let project = normalized(project);
    if let Some(stem) = file.strip_suffix(".whl") {
        let parts: Vec<&str> = stem.split('-').collect();
        let (Some(name), Some(version), 5 | 6) = (parts.first(), parts.get(1), parts.len()) else { return None };
        let version = version.replace('_', "+").parse().ok()?;
        return (normalized(name) == project).then_some((Kind::Wheel, version));
    }
    let ends = [".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz"];
    let stem = ends.iter().find_map(|end| file.strip_suffix(end))?;
    // Names of source distributions may have a `-` before the version and in it.
    stem.match_indices('-').find_map(|(at, _)| {
        let (name, version) = stem.split_at_checked(at)?;
        let version = version.get(1..)?.parse().ok()?;
        (normalized(name) == project).then_some((Kind::Sdist, version))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(raw: Vec<Raw>) -> Vec<File> {
        let url = Url::parse("https://host.example/simple/demo-x/").unwrap();
        raw.into_iter().filter_map(|raw| raw.file("Demo_X", &url, &url)).collect()
    }

    #[test]
    fn pages_of_html() {
        let page = b"<!DOCTYPE html><a href=\"../../p/demo_x-1.0-py3-none-any.whl#sha256=AA\" data-requires-python=\"&gt;=3.9\">\
            demo_x-1.0-py3-none-any.whl</a><br/><a data-yanked href=demo-x-2.0rc1.tar.gz>demo-x-2.0rc1.tar.gz</a><a>x</a>\
            <a href='other-1.0.tar.gz'>other-1.0.tar.gz</a>";
        let files = files(html(page));
        assert_eq!(files.len(), 2);
        assert_eq!(files[0].url.as_str(), "https://host.example/p/demo_x-1.0-py3-none-any.whl");
        assert_eq!((files[0].requires_python.as_deref(), files[0].claimed_sha256.as_deref()), (Some(">=3.9"), None));
        assert_eq!((files[1].kind, files[1].yanked.as_deref()), (Kind::Sdist, Some("")));
        assert_eq!(files[1].version.to_string(), "2.0rc1");
    }

    #[test]
    fn pages_of_json() {
        let hash = "ab".repeat(32);
        let page = format!(
            r#"{{"meta": {{"api-version": "1.1"}}, "name": "demo-x", "files": [
            {{"filename": "demo_x-1.2+cu12-cp314-cp314t-win_amd64.whl", "url": "/f/a.whl", "hashes": {{"sha256": "{hash}"}}, "size": 7,
              "upload-time": "2026-01-02T03:04:05Z", "yanked": "broken", "requires-python": null}},
            {{"filename": "demo_x-odd.whl", "url": "b", "hashes": {{}}}}]}}"#
        );
        let files = files(json(page.as_bytes()).unwrap());
        assert_eq!(files.len(), 1);
        assert_eq!((files[0].size, files[0].claimed_sha256.as_ref()), (Some(7), Some(&hash)));
        assert_eq!((files[0].yanked.as_deref(), files[0].url.path()), (Some("broken"), "/f/a.whl"));
        assert!(json(b"[]").is_err());
    }

    #[test]
    fn names() {
        assert_eq!(normalized("Zope.Interface__x"), "zope-interface-x");
        assert!(version_of("x", "x-1-2-py3-none-any.whl").is_some() && version_of("x", "x-1.whl").is_none());
        assert!(version_of("x", "xy-1.tar.gz").is_none());
    }
}

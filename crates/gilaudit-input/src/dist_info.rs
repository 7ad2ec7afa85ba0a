//! The metadata of a distribution: METADATA, WHEEL and RECORD of a `.dist-info` folder, installed or in a wheel.
//!
//! These functions take the text and give what it says; who reads it from where is not their concern.

use std::collections::BTreeMap;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use gilaudit_model::{Distribution, WheelTags};
use mailparse::{MailHeader, MailHeaderMap};

use crate::names::shared_library;

/// Name and version from METADATA (or PKG-INFO).
pub(crate) fn distribution(metadata: &[u8]) -> Result<Distribution, String> {
    let headers = headers(metadata)?;
    let value = |key: &str| {
        let value = headers.get_first_value(key).map(|value| value.trim().to_owned());
        value.filter(|value| !value.is_empty()).ok_or_else(|| format!("no {key} in it"))
    };
    Ok(Distribution { name: value("Name")?, version: value("Version")? })
}

/// The tags of a WHEEL file's `Tag` lines, `None` when there are none.
pub(crate) fn wheel_tags(wheel: &[u8]) -> Result<Option<WheelTags>, String> {
    // A wheel for every platform there is has some dozens.
    const MOST: usize = 1000;
    let mut tags = WheelTags::default();
    let lines = headers(wheel)?.get_all_values("Tag");
    if lines.len() > MOST {
        return Err(format!("{} tags in it, over the limit of {MOST}", lines.len()));
    }
    for line in lines {
        let parts: Vec<&str> = line.trim().split('-').collect();
        if line.len() > MOST {
            return Err(format!("a tag of {} letters, over the limit of {MOST}", line.len()));
        }
        let [python, abi, platform] = parts.as_slice() else {
            return Err(format!("'{}' is not a tag", line.trim()));
        };
        let add = |set: &mut Vec<String>, text: &str| {
            for tag in text.split('.') {
                if !set.iter().any(|known| known == tag) {
                    set.push(tag.to_owned());
                }
            }
        };
        add(&mut tags.python, python);
        add(&mut tags.abi, abi);
        add(&mut tags.platform, platform);
    }
    Ok((!tags.python.is_empty()).then_some(tags))
}

/// The `Requires-Dist` lines, as they are written.
pub(crate) fn requirements(metadata: &[u8]) -> Vec<String> {
    headers(metadata).map(|headers| headers.get_all_values("Requires-Dist")).unwrap_or_default()
}

/// The names that `Requires-Dist` lines of METADATA require: with an extra, or whatever extras are chosen.
pub(crate) fn requires(metadata: &[u8], with_extra: bool) -> Vec<String> {
    let Ok(headers) = headers(metadata) else { return Vec::new() };
    let name = |line: String| {
        let (requirement, marker) = line.split_once(';').unwrap_or((&line, ""));
        let is_name = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '_' | '-');
        let name: String = requirement.trim().chars().take_while(|letter| is_name(*letter)).collect();
        (marker.contains("extra") == with_extra && !name.is_empty()).then_some(name)
    };
    headers.get_all_values("Requires-Dist").into_iter().filter_map(name).collect()
}

/// The files of RECORD that Python can import from, as it lists them.
pub(crate) fn importable(record: &[u8]) -> Vec<String> {
    let mut rows = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(record);
    let mut row = csv::ByteRecord::new();
    let mut files = Vec::new();
    while let Ok(true) = rows.read_byte_record(&mut row) {
        let Some(Ok(path)) = row.get(0).map(std::str::from_utf8) else { continue };
        let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
        let code = [".py", ".pyi", ".pth"].iter().any(|end| name.ends_with(end));
        if code || shared_library(name).is_some() {
            files.push(path.replace('\\', "/"));
        }
    }
    files
}

/// The header lines, continuation lines joined. The body, which may be a whole README, is not looked at.
fn headers(text: &[u8]) -> Result<Vec<MailHeader<'_>>, String> {
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    let (headers, _) = mailparse::parse_headers(text).map_err(|error| error.to_string())?;
    Ok(headers)
}

/// What RECORD says of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claim {
    /// SHA-256 in hex.
    pub(crate) sha256: Option<String>,
    pub(crate) size: Option<u64>,
}

/// What RECORD says of the files named like shared libraries, by path as written.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) libraries: BTreeMap<String, Claim>,
    /// Whether it lists a `direct_url.json`: the distribution was not installed from an index.
    pub(crate) direct: bool,
    /// What is wrong with it, if anything; the rest of it counts all the same.
    pub(crate) fault: Option<String>,
}

/// Reads RECORD.
pub(crate) fn record(text: &[u8]) -> Record {
    let mut record = Record::default();
    let mut rows = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
    let mut row = csv::ByteRecord::new();
    loop {
        match rows.read_byte_record(&mut row) {
            Ok(true) => {}
            Ok(false) => return record,
            Err(error) => {
                record.fault = Some(format!("does not parse as CSV: {error}"));
                return record;
            }
        }
        let Some(path) = row.get(0) else { continue };
        // Asked of the bytes first: nearly every row is a .py file, and none of those needs a string.
        let name = path.rsplit(|byte| matches!(byte, b'/' | b'\\')).next().unwrap_or_default();
        let Ok(name) = std::str::from_utf8(name) else { continue };
        if shared_library(name).is_none() {
            record.direct |= name == "direct_url.json";
            continue;
        }
        let path = String::from_utf8_lossy(path).replace('\\', "/");
        let field = |index: usize| row.get(index).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default();
        let claim = Claim { sha256: sha256_of(field(1)), size: field(2).trim().parse().ok() };
        record.libraries.insert(path, claim);
    }
}

/// The hex form of `sha256=URLSAFE_BASE64`; `None` for every other hash, and for none.
fn sha256_of(hash: &str) -> Option<String> {
    let encoded = hash.strip_prefix("sha256=")?.trim_end_matches('=');
    let digest = BASE64URL_NOPAD.decode(encoded.as_bytes()).ok()?;
    (digest.len() == 32).then(|| HEXLOWER.encode(&digest))
}

/// The folder that an editable installation points at, from `direct_url.json` (PEP 610).
pub(crate) fn editable_folder(direct_url: &[u8]) -> Option<String> {
    let origin: serde_json::Value = serde_json::from_slice(direct_url).ok()?;
    let editable = origin.get("dir_info")?.get("editable")?.as_bool()?;
    let url = origin.get("url")?.as_str()?;
    editable.then(|| url.strip_prefix("file://").unwrap_or(url).to_owned())
}

/// Name and version from the name of a `.dist-info` folder, as far as it has them.
pub(crate) fn distribution_of_folder(folder: &str) -> Option<Distribution> {
    let (name, version) = folder.strip_suffix(".dist-info")?.rsplit_once('-')?;
    Some(Distribution { name: name.to_owned(), version: version.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_with_continuation_lines() {
        let text = b"Metadata-Version: 2.1\nSummary: one\n        Name: not this\nLicense: a\n\tVersion: 9\nname: Real.Name\nVersion: 1.0\n\nName: body\n";
        assert_eq!(distribution(text), Ok(Distribution { name: "Real.Name".into(), version: "1.0".into() }));
        assert_eq!(
            distribution(b"\xef\xbb\xbfName: x\r\nVersion: 1\r\n"),
            Ok(Distribution { name: "x".into(), version: "1".into() })
        );
        assert_eq!(distribution(b"Name: x\n"), Err("no Version in it".into()));
        assert!(distribution(b"").is_err() && distribution(b" x").is_err() && distribution(&[0xff, 0, b'\n']).is_err());
    }

    #[test]
    fn tags_are_collected() {
        let text = b"Wheel-Version: 1.0\nTag: cp315-abi3-linux_x86_64\nTag: cp315-abi3t-linux_x86_64\n";
        let tags = wheel_tags(text).unwrap().unwrap();
        assert_eq!(
            (tags.python, tags.abi, tags.platform.len()),
            (vec!["cp315".into()], vec!["abi3".into(), "abi3t".into()], 1)
        );
        assert_eq!(wheel_tags(b"Wheel-Version: 1.0\n"), Ok(None));
        assert!(wheel_tags(b"Tag: cp314\n").is_err());
    }

    #[test]
    fn editable_installations() {
        let text = br#"{"dir_info": {"editable": true}, "url": "file:///home/me/x"}"#;
        assert_eq!(editable_folder(text).as_deref(), Some("/home/me/x"));
        for text in
            [&br#"{"dir_info": {}, "url": "file:///x"}"#[..], br#"{"archive_info": {}, "url": "u"}"#, b"", b"[]"]
        {
            assert_eq!(editable_folder(text), None);
        }
    }

    #[test]
    fn record_keeps_shared_libraries() {
        let text = b"pkg/a.py,sha256=x,1\n\"pkg/x,y.so\",sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n\
                     pkg\\b.pyd,md5=x,3\nlibc.so.6\n";
        let record = record(text);
        assert_eq!(record.libraries.len(), 3);
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(record.libraries["pkg/x,y.so"], Claim { sha256: Some(empty.to_owned()), size: Some(0) });
        assert_eq!(record.libraries["pkg/b.pyd"], Claim { sha256: None, size: Some(3) });
        assert!(record.fault.is_none());
        assert_eq!(sha256_of("sha256=AAAA"), None);
    }
}

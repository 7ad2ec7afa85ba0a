//! Bytes to text: every byte stays where it is, so that places in the text are places in the file.
//!
//! What is read is UTF-8, and everything in which a byte below 128 is the ASCII character of that number: other bytes become question
//! marks, one for one. A file in any other encoding is not read, and says so.

use gilaudit_model::Stage;
use gilaudit_model::source::Unread;

use crate::work;

/// Encodings in which bytes below 128 can be a part of other characters, by how CPython spells them without punctuation and case
/// (3.14 Lib/encodings/aliases.py). They are read as long as all of the text is ASCII.
const PARTLY_ASCII: [&str; 22] = [
    "big5",
    "big5tw",
    "csbig5",
    "big5hkscs",
    "cp932",
    "932",
    "ms932",
    "mskanji",
    "shiftjis",
    "sjis",
    "csshiftjis",
    "shiftjis2004",
    "shiftjisx0213",
    "gbk",
    "cp936",
    "936",
    "ms936",
    "gb18030",
    "cp949",
    "949",
    "johab",
    "cp1361",
];

/// Encodings in which every byte below 128 is that character; those that begin in one of these ways.
const ASCII: [&str; 22] = [
    "utf8",
    "u8",
    "ascii",
    "usascii",
    "646",
    "latin",
    "l1",
    "iso8859",
    "8859",
    "cp125",
    "windows125",
    "125",
    "cp437",
    "cp8",
    "koi8",
    "mac",
    "euc",
    "gb2312",
    "tis620",
    "kz1048",
    "ptcp154",
    "hproman8",
];

/// The text of a file, and why it is not to be read, if so.
pub(crate) fn text(path: &str, bytes: &[u8]) -> (String, Option<Unread>) {
    let wide = wide(bytes);
    // Of what is not read, the ASCII letters are kept: they say what the file is about.
    let plain: Vec<u8> =
        if wide.is_some() { bytes.iter().copied().filter(|byte| *byte != 0).collect() } else { Vec::new() };
    let mut out = String::with_capacity(bytes.len());
    for chunk in if wide.is_some() { plain.as_slice() } else { bytes }.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(std::iter::repeat_n('?', chunk.invalid().len()));
    }
    let foreign = wide.map(str::to_owned).or_else(|| {
        let is_python =
            [".py", ".pyx", ".pxd", ".pxi", ".pyx.in", ".pxd.in", ".pxi.in"].iter().any(|end| path.ends_with(end));
        declared(bytes).filter(|name| is_python && !is_read(name, bytes))
    });
    (out, foreign.map(|name| work::unread(Stage::Parse, format!("its encoding is not read: {name}"))))
}

/// The encoding of text in which a character takes several bytes: by its mark, or because every other byte of its beginning is zero.
fn wide(bytes: &[u8]) -> Option<&'static str> {
    let head = bytes.get(..64.min(bytes.len() & !3)).unwrap_or_default();
    // At least four characters, all of them ASCII.
    let zeros = |offset: usize, of: usize| {
        head.len() >= 4 * of && head.iter().enumerate().all(|(at, byte)| (*byte == 0) == (at % of != offset))
    };
    match bytes {
        [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..] => Some("UTF-32"),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => Some("UTF-16"),
        _ if zeros(0, 4) || zeros(3, 4) => Some("UTF-32"),
        _ if zeros(0, 2) || zeros(1, 2) => Some("UTF-16"),
        _ => None,
    }
}

/// The encoding that a comment in the first two lines declares (PEP 263), as written.
///
/// CPython 3.14.7 `Parser/tokenizer/helpers.c`: `get_coding_spec`. The second line counts only if the first has nothing but a comment.
fn declared(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    for line in bytes.split(|byte| matches!(byte, b'\n' | b'\r')).take(2) {
        let line = line.trim_ascii_start();
        if line.is_empty() {
            continue;
        }
        let comment = line.strip_prefix(b"#")?;
        let mut rest = comment;
        while let Some(at) = memchr::memmem::find(rest, b"coding") {
            rest = rest.get(at + 6..).unwrap_or_default();
            if let Some(name) = rest.strip_prefix(b":").or_else(|| rest.strip_prefix(b"=")) {
                let name = name.trim_ascii_start();
                let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
                let name: Vec<u8> = name.iter().copied().take_while(is_part).take(64).collect();
                if !name.is_empty() {
                    return String::from_utf8(name).ok();
                }
            }
        }
    }
    None
}

/// Whether a text in this encoding reads as ASCII does.
fn is_read(name: &str, bytes: &[u8]) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    // Of the same family, but not like ASCII: with a mark or escapes, or of IBM's mainframes.
    let is_other = plain.starts_with("utf8sig") || plain.starts_with("iso2022") || plain.starts_with("cp864");
    if plain == "utf8sig" {
        return true;
    }
    if PARTLY_ASCII.contains(&plain.as_str()) {
        return bytes.is_ascii();
    }
    !is_other && ASCII.iter().any(|family| plain.starts_with(family))
}

#[cfg(test)]
mod tests {
    use super::{declared, text};

    #[test]
    fn offsets_stay() {
        let bytes = b"a \xe9\xff b \xc3\xa9";
        let (text, unread) = text("a.c", bytes);
        assert_eq!(text, "a ?? b \u{e9}");
        assert_eq!(text.len(), bytes.len());
        assert_eq!(unread, None);
    }

    #[test]
    fn what_is_not_like_ascii_is_not_read() {
        let why = |path: &str, bytes: &[u8]| text(path, bytes).1.map(|unread| unread.why.to_string());
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let big = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
        let source = "#include <Python.h>\n";
        assert_eq!(why("a.c", &wide("\u{feff}x")).as_deref(), Some("its encoding is not read: UTF-16"));
        assert_eq!(why("a.c", &wide(source)).as_deref(), Some("its encoding is not read: UTF-16"));
        assert_eq!(why("a.c", &big(source)).as_deref(), Some("its encoding is not read: UTF-16"));
        let four: Vec<u8> = source.chars().flat_map(|letter| (letter as u32).to_le_bytes()).collect();
        assert_eq!(why("a.c", &four).as_deref(), Some("its encoding is not read: UTF-32"));
        assert_eq!(why("a.c", source.as_bytes()), None);
        let python = |name: &str, rest: &[u8]| [format!("# -*- coding: {name} -*-\n").as_bytes(), rest].concat();
        for name in ["utf-8", "UTF_8", "latin-1", "iso-8859-15", "cp1252", "euc-jp", "utf-8-sig", "ascii"] {
            assert_eq!(why("a.py", &python(name, b"x = '\xe9'\n")), None, "{name}");
        }
        for name in ["utf-7", "utf-16", "iso-2022-jp", "cp037", "unicode_escape", "rot13", "hex", "no-such-codec"] {
            assert!(why("a.py", &python(name, b"x = 1\n")).is_some(), "{name}");
        }
        assert!(why("a.py", &python("shift_jis", b"x = '\x83\x5c'\n")).is_some());
        assert_eq!(why("a.py", &python("shift_jis", b"x = 1\n")), None);
        // In C, a comment declares nothing.
        assert_eq!(why("a.c", &python("utf-7", b"")), None);
    }

    #[test]
    fn only_the_first_lines_declare() {
        assert_eq!(declared(b"#!/usr/bin/python\n# vim: set fileencoding=cp037 :\n").as_deref(), Some("cp037"));
        assert_eq!(declared(b"\n# coding=gbk\n").as_deref(), Some("gbk"));
        assert_eq!(declared(b"x = 1\n# coding=gbk\n"), None);
        assert_eq!(declared(b"#\n#\n# coding=gbk\n"), None);
        assert_eq!(declared(b"# encoding of gods\n"), None);
    }
}

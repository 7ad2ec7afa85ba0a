//! `history` and `upgrade` with an index of our own on a port of this machine, and that what is cached is of this version's facts.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use crate::common::{Ran, check_json, command, finish, folder, put, root, wheel_bytes};
use crate::decisions::fixture;

/// An index of the old form (HTML) that gives ranges; what was asked for is counted.
struct Index {
    url: String,
    files: Arc<AtomicUsize>,
}

impl Index {
    fn start(files: Vec<(String, Vec<u8>)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/simple/", listener.local_addr().unwrap());
        let (count, files) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(files)));
        let seen = Arc::clone(&count);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (files, seen) = (Arc::clone(&files), Arc::clone(&seen));
                thread::spawn(move || answer(stream, &files.lock().unwrap(), &seen));
            }
        });
        Self { url, files: count }
    }

    fn run(&self, words: &str, path: Option<&Path>) -> Ran {
        let mut command = command(words.split_whitespace());
        command.args(path).env("UV_INDEX_URL", &self.url).env("NO_PROXY", "127.0.0.1");
        finish(&mut command)
    }
}

fn answer(mut stream: TcpStream, files: &[(String, Vec<u8>)], seen: &AtomicUsize) {
    let (mut head, mut one) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_exact(&mut one).is_err() {
            return;
        }
        head.push(one[0]);
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let file = files.iter().find(|(name, _)| path.ends_with(&format!("/{}", name.to_ascii_lowercase())));
    let (status, extra, body) = match file {
        Some((_, bytes)) => {
            seen.fetch_add(1, Ordering::SeqCst);
            let range = head.lines().find_map(|line| line.strip_prefix("range: bytes="));
            match range.and_then(|range| range.trim().split_once('-')) {
                Some((first, last)) => {
                    let first: usize = first.parse().unwrap();
                    let last = last.parse::<usize>().unwrap().min(bytes.len() - 1);
                    let range = format!("content-range: bytes {first}-{last}/{}\r\n", bytes.len());
                    (206, range, bytes[first..=last].to_vec())
                }
                None => (200, String::new(), bytes.clone()),
            }
        }
        None if path == "/simple/demo/" => {
            let links = files.iter().map(|(name, _)| format!("<a href=\"../../f/{name}\">{name}</a>\n"));
            (200, "content-type: text/html\r\n".to_owned(), links.collect::<String>().into_bytes())
        }
        None => (404, String::new(), Vec::new()),
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\n{extra}content-length: {length}\r\n\r\n");
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&body);
}

/// Releases: without a wheel, one that turns the GIL on, one that declares, one that lost it, one for GIL builds, and a pre-release.
fn demo() -> Index {
    let (name, used) = fixture("mp_used");
    let (free_name, free) = fixture("mp_declared");
    let padding = vec![0x5a; 900_000];
    let wheel = |version: &str, tags: &str, member: (&str, &[u8])| {
        let file = format!("demo-{version}-{tags}-manylinux_2_17_x86_64.whl");
        // Large enough that it is not fetched as a whole.
        let bytes = wheel_bytes(&file, &[("demo/data.bin", padding.as_slice()), member]);
        (file, bytes)
    };
    let own = "cp314-cp314t";
    Index::start(vec![
        ("demo-1.0.tar.gz".to_owned(), b"x".to_vec()),
        wheel("2.0", own, (&name, &used)),
        wheel("3.0", own, (&free_name, &free)),
        wheel("4.0", own, (&name, &used)),
        wheel("5.0", "cp39-abi3", (&name, &used)),
        wheel("6.0rc1", own, (&free_name, &free)),
    ])
}

#[cfg(target_os = "linux")]
#[test]
fn every_release_is_read_where_it_matters_and_once() {
    let (index, cache) = (demo(), folder());
    let words = format!(
        "history demo --platform linux-x86_64 --format json --no-progress --cache-dir {}",
        cache.path().display()
    );
    let report = index.run(&words, None).exits(0).json();
    let history = &report["distributions"][0];
    let verdicts: Vec<String> = history["releases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| format!("{} {}", it["version"].as_str().unwrap(), it["verdict"].as_str().unwrap()))
        .collect();
    assert_eq!(verdicts, ["1.0 no-wheel", "2.0 enables-gil", "3.0 declares", "4.0 enables-gil", "5.0 abi3-only"]);
    assert_eq!((&history["first_wheel"], &history["first_declares"]), (&"2.0".into(), &"3.0".into()));
    assert_eq!(history["regressions"][0]["lost"], "4.0");
    assert_eq!(history["left_out"], 1);
    let wheel = &history["releases"][1]["wheel"];
    assert!(wheel["fetched"].as_u64().unwrap() < 500_000 && wheel["layout_checked"] == false, "{wheel}");
    assert_eq!(history["releases"][1]["modules"][0]["sha256"].as_str().map(str::len), Some(64));
    // The second time nothing of a wheel is asked for.
    let before = index.files.load(Ordering::SeqCst);
    let again = index.run(&words, None).exits(0).json();
    assert_eq!(index.files.load(Ordering::SeqCst), before);
    assert_eq!(again["distributions"][0]["releases"][1]["modules"], history["releases"][1]["modules"]);
    let said = index.run("cache size --cache-dir", Some(cache.path())).exits(0).stdout;
    assert!(said.starts_with("3 entries, "), "{said}");
    assert!(index.run("cache clear --cache-dir", Some(cache.path())).exits(0).stdout.starts_with("3 entries removed"));

    let text = index.run("history demo --no-cache --pre --since 3 --platform linux-x86_64", None).exits(0).stdout;
    assert!(text.contains("lost: 3.0 declares, 4.0 does not") && text.contains("6.0rc1"), "{text}");
    index.run("history nothing --no-cache", None).exits(2);
    index.run("history demo --no-cache --python 3.14", None).exits(2);
}

#[cfg(target_os = "linux")]
#[test]
fn the_smallest_release_above_the_present_one() {
    let (index, here) = (demo(), folder());
    let pinned = put(here.path(), "requirements.txt", "demo==2.0\n");
    let words = "upgrade --no-cache --no-progress --platform linux-x86_64 --format";
    let report = index.run(&format!("{words} json"), Some(&pinned)).exits(0).json();
    let row = &report["distributions"][0];
    let expected =
        [("verdict", "enables-gil"), ("smallest", "3.0"), ("newest", "5.0"), ("newest_verdict", "abi3-only")];
    for (key, value) in expected {
        assert_eq!(row[key], value, "{row}");
    }
    assert_eq!(index.run(&format!("{words} constraints"), Some(&pinned)).exits(0).stdout, "demo==3.0\n");
    assert!(index.run(&format!("{words} text"), Some(&pinned)).exits(0).stdout.contains("pip install 'demo==3.0'"));
    // Nothing better above, and what no index has.
    let newer = put(here.path(), "newer.txt", "demo==4.0\n");
    let said = index.run(&format!("{words} constraints"), Some(&newer)).exits(1).stdout;
    assert_eq!(said, "# demo: no later release runs free\n");
    let lock = put(here.path(), "uv.lock", "[[package]]\nname = \"other\"\nversion = \"1\"\n");
    let said = index.run(&format!("{words} text"), Some(&lock)).exits(2).stdout;
    assert!(said.contains("no index has it"), "{said}");
}

/// What is kept of wheels must not outlive what gilaudit says: the cache's folder is named by this digest.
#[test]
fn the_epoch_of_facts_is_raised_when_they_change() {
    let mut said = String::new();
    for python in ["3.13t", "3.14t", "3.15t"] {
        let report = check_json(&format!("--python {python}"), &[&root().join("fixtures/binaries")]).json();
        for extension in report["extensions"].as_array().unwrap() {
            let last = extension["origin"].as_array().unwrap().last().and_then(Value::as_str).unwrap().to_owned();
            let file = last.rsplit(['/', '\\']).next().unwrap();
            let (declaration, outcome) = (&extension["declaration"]["status"], &extension["decision"]["outcome"]);
            said.push_str(&format!("{python} {file} {} {declaration} {outcome}\n", extension["module"]));
        }
    }
    let mut lines: Vec<&str> = said.lines().collect();
    lines.sort_unstable();
    let digest = data_encoding::HEXLOWER.encode(&<sha2::Sha256 as sha2::Digest>::digest(lines.join("\n").as_bytes()));
    let path = root().join("fixtures/facts.sha256");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, format!("{digest}\n")).unwrap();
    }
    let known = fs::read_to_string(&path).unwrap();
    assert_eq!(
        known.trim(),
        digest,
        "facts changed: UPDATE=1 cargo test --test it epoch writes fixtures/facts.sha256 anew"
    );
}

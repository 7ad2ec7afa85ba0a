use super::*;
use crate::configuration::Configuration;
use crate::listing::Kind;
use crate::server::{Reply, Request, Server};

const SIZE: usize = 1 << 20;

/// Bytes of which every stretch is different.
fn file() -> Vec<u8> {
    (0..SIZE as u32 / 4).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

fn client(configuration: &Configuration) -> Arc<Client> {
    Arc::new(Client::new(configuration, None).unwrap().impatient())
}

fn plain() -> Arc<Client> {
    client(&Configuration::new("global.timeout='5'", None, |_| None))
}

fn listed(server: &Server, size: Option<u64>) -> File {
    File {
        name: "x-1-py3-none-any.whl".into(),
        url: server.url.join("x.whl").unwrap(),
        index: server.url.clone(),
        kind: Kind::Wheel,
        version: "1".parse().unwrap(),
        claimed_sha256: None,
        size,
        uploaded: None,
        requires_python: None,
        yanked: None,
    }
}

/// Opens the file and reads three places of it, which must be what they are.
fn read(server: &Server, size: Option<u64>) -> Result<Traffic, String> {
    read_as(&plain(), server, size)
}

fn read_as(client: &Arc<Client>, server: &Server, size: Option<u64>) -> Result<Traffic, String> {
    let remote = client.open(&listed(server, size), Limits::default()).map_err(|error| error.to_string())?;
    let all = file();
    for at in [SIZE - 100, 0, SIZE / 2] {
        let mut buffer = [0; 100];
        remote.read_exact_at(&mut buffer, at as u64).map_err(|error| error.to_string())?;
        assert_eq!(buffer, all[at..at + 100], "at {at}");
    }
    Ok(remote.traffic())
}

/// A server that answers every request for a range in one odd way, and the whole file well.
fn odd(reply: impl Fn(&[u8], &Request) -> Reply + Send + 'static) -> Server {
    let all = file();
    Server::start(move |request| if request.range().is_some() { reply(&all, request) } else { Reply::new(200, &all) })
}

const KNOWN: Option<u64> = Some(SIZE as u64);

#[test]
fn ranges_of_a_server_that_plays() {
    let server = Server::start({
        let all = file();
        move |request| Reply::of(&all, request).with("etag", "\"1\"")
    });
    let traffic = read(&server, KNOWN).unwrap();
    assert!(traffic.requests == 3 && traffic.bytes <= 5 * STEP && !traffic.whole, "{traffic:?}");
    assert_eq!(server.requests()[0].range(), Some((SIZE - TAIL as usize, SIZE)));
    // An index of the old form says no sizes.
    let traffic = read(&server, None).unwrap();
    assert!(!traffic.whole && traffic.bytes < 9 * STEP, "{traffic:?}");
}

#[test]
fn small_files_come_whole() {
    let server = Server::start(|request| Reply::of(&[7; 1000], request));
    let client = plain();
    let remote = client.open(&listed(&server, Some(1000)), Limits::default()).unwrap();
    assert_eq!(remote.traffic(), Traffic { requests: 1, bytes: 1000, whole: true });
    assert_eq!(remote.sha256().unwrap().len(), 64);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn ok_in_spite_of_accept_ranges() {
    let server = odd(|all, _| Reply::new(200, all).with("accept-ranges", "bytes"));
    let traffic = read(&server, KNOWN).unwrap();
    assert_eq!(traffic, Traffic { requests: 1, bytes: SIZE as u64, whole: true });
    assert!(read(&server, None).unwrap().whole);
}

#[test]
fn past_the_end_and_not_implemented() {
    for status in [416, 501, 400] {
        let server = odd(move |_, _| Reply::new(status, b""));
        let traffic = read(&server, KNOWN).unwrap();
        assert!(traffic.whole, "{status}");
        assert_eq!(server.requests().len(), 2);
    }
}

#[test]
fn a_size_that_is_not_true() {
    // No HEAD is ever sent, so what it would say cannot matter; what the index or Content-Length says can be wrong.
    let server = odd(Reply::of);
    assert!(read(&server, Some(2 * SIZE as u64)).unwrap_err().contains("the index says"));
    let server = Server::start(|request| Reply::of(&file(), request).with("content-length", (SIZE + 1).to_string()));
    assert!(read(&server, KNOWN).is_err());
}

#[test]
fn wrong_bounds_lengths_and_sizes() {
    type Lie = fn(usize, usize) -> String;
    let lies: [Lie; 6] = [
        |start, end| format!("bytes {}-{}/{SIZE}", start - 1, end - 2),
        |start, end| format!("bytes {start}-{}/{SIZE}", end - 2),
        |start, end| format!("bytes {start}-{}/{}", end - 1, SIZE + 1),
        |start, end| format!("bytes {start}-{}/*", end - 1),
        |_, _| format!("bytes */{SIZE}"),
        |start, end| format!("octets {start}-{}/{SIZE}", end - 1),
    ];
    for lie in lies {
        let server = odd(move |all, request| {
            let (start, end) = request.range().unwrap();
            Reply::of(all, request).with("content-range", lie(start.max(1), end))
        });
        assert!(read(&server, KNOWN).unwrap().whole);
    }
    // The right words and other bytes than so many.
    let server = odd(|all, request| {
        let (start, end) = request.range().unwrap();
        Reply::new(206, &all[start..end - 9]).with("content-range", format!("bytes {start}-{}/{SIZE}", end - 1))
    });
    assert!(read(&server, KNOWN).unwrap().whole);
}

#[test]
fn an_empty_answer_for_ever() {
    let server = Server::start(|request| {
        let (start, end) = request.range().unwrap_or((0, SIZE));
        Reply::new(206, b"").with("content-range", format!("bytes {start}-{}/{SIZE}", end - 1))
    });
    assert!(read(&server, KNOWN).unwrap_err().contains("status 206 for the whole file"));
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_body_cut_short() {
    let server = odd(|all, request| {
        let (start, end) = request.range().unwrap();
        let mut reply = Reply::of(all, request);
        reply.body.truncate((end - start) / 2);
        reply
    });
    assert!(read(&server, KNOWN).unwrap().whole);
    let server = Server::start(|request| {
        let mut reply = Reply::of(&file(), request);
        reply.body.truncate(reply.body.len() / 2);
        reply
    });
    assert!(read(&server, KNOWN).unwrap_err().contains("broke off"));
}

#[test]
fn a_file_that_changes_between_requests() {
    for name in ["etag", "last-modified"] {
        let server = odd(move |all, request| Reply::of(all, request).with(name, format!("\"{}\"", request.number)));
        assert!(read(&server, KNOWN).unwrap_err().contains("changed while it was read"), "{name}");
    }
}

#[test]
fn who_is_there_and_busy_servers() {
    let server = Server::start(|_| Reply::new(401, b"").with("www-authenticate", "Basic"));
    let error = read(&server, KNOWN).unwrap_err();
    assert!(error.contains("wants credentials") && server.requests().len() == 1, "{error}");

    let server = odd(|all, request| match request.number {
        0 | 2 => Reply::new(429, b"").with("retry-after", "1"),
        _ => Reply::of(all, request),
    });
    assert_eq!(read(&server, KNOWN).unwrap().requests, 3);
    let server = Server::start(|_| Reply::new(429, b"").with("retry-after", "9999"));
    assert!(read(&server, KNOWN).unwrap_err().contains("asks to wait 9999 seconds"));
    let server = Server::start(|_| Reply::new(503, b""));
    assert!(read(&server, KNOWN).unwrap_err().contains("busy") && server.requests().len() == 4);
}

#[test]
fn credentials_end_where_the_host_changes() {
    let files = odd(Reply::of);
    let to = files.url.join("elsewhere.whl").unwrap();
    let index = Server::start(move |_| Reply::new(302, b"").with("location", to.as_str()));
    let mut url = index.url.clone();
    url.set_username("me").unwrap();
    url.set_password(Some("secret")).unwrap();
    let configuration = Configuration::new(&format!("global.index-url='{url}'"), None, |_| None);
    read_as(&client(&configuration), &index, KNOWN).unwrap();
    assert_eq!(index.requests()[0].header("authorization"), Some("Basic bWU6c2VjcmV0"));
    assert!(!files.requests().is_empty());
    assert!(files.requests().iter().all(|request| request.header("authorization").is_none()));
    // Within one host they stay.
    let same = Server::start(|request| match request.path.as_str() {
        "/x.whl" => Reply::new(307, b"").with("location", "/y.whl"),
        _ => Reply::of(&file(), request),
    });
    let netrc = Configuration::new("", Some("machine 127.0.0.1 login a password b"), |_| None);
    read_as(&client(&netrc), &same, KNOWN).unwrap();
    assert!(same.requests().iter().all(|request| request.header("authorization") == Some("Basic YTpi")));
}

#[test]
fn redirects_without_an_end() {
    let server = Server::start(|_| Reply::new(302, b"").with("location", "/x.whl"));
    assert!(read(&server, KNOWN).unwrap_err().contains("more than 10 redirects"));
}

#[test]
fn many_small_reads_stay_few_requests() {
    let server = odd(Reply::of);
    let client = plain();
    let remote = client.open(&listed(&server, KNOWN), Limits::default()).unwrap();
    let wanted = (0..SIZE as u64).step_by(20_000).map(|start| (start, start + 100)).collect();
    remote.prefetch(wanted).unwrap();
    for at in (0..SIZE as u64 - 4).step_by(9_999) {
        let mut buffer = [0; 4];
        remote.read_exact_at(&mut buffer, at).unwrap();
        assert_eq!(buffer, file()[at as usize..at as usize + 4]);
    }
    let traffic = remote.traffic();
    assert!(traffic.requests <= 25 && traffic.bytes <= 2 * SIZE as u64 + STEP, "{traffic:?}");
}

#[test]
fn limits_and_hashes() {
    let server = odd(|_, _| Reply::new(501, b""));
    let client = plain();
    let error = client.open(&listed(&server, KNOWN), Limits { bytes: 1000 }).unwrap_err().to_string();
    assert!(error.contains("over the limit") || error.contains("more than 1000 bytes"), "{error}");
    let mut file_of = listed(&server, KNOWN);
    let mut got = Vec::new();
    let mut take = |piece: &[u8]| {
        got.extend_from_slice(piece);
        Ok(())
    };
    let sha256 = client.download(&file_of, 1 << 30, &mut take).unwrap();
    file_of.claimed_sha256 = Some(sha256.clone());
    assert_eq!(client.download(&file_of, 1 << 30, |_| Ok(())), Ok(sha256));
    file_of.claimed_sha256 = Some("00".repeat(32));
    assert!(client.download(&file_of, 1 << 30, |_| Ok(())).is_err());
    assert!(client.download(&file_of, 10, |_| Ok(())).is_err());
    assert_eq!(got, file());
}

#[test]
fn listings_of_several_indexes() {
    use crate::listing::Index;
    let json = Server::start(|_| {
        let page = r#"{"files": [{"filename": "x-1-py3-none-any.whl", "url": "x.whl", "hashes": {}, "size": 5}]}"#;
        Reply::new(200, page.as_bytes()).with("content-type", "application/vnd.pypi.simple.v1+json")
    });
    let html = Server::start(|_| {
        let page = "<a href=x-1-py3-none-any.whl>x-1-py3-none-any.whl</a><a href=/f/x-2.tar.gz>x-2.tar.gz</a>";
        Reply::new(200, page.as_bytes()).with("content-type", "text/html")
    });
    let none = Server::start(|_| Reply::new(404, b""));
    let broken = Server::start(|_| Reply::new(403, b""));
    let client = plain();
    let index = Index::new(&client, [&none, &json, &broken, &html].map(|server| server.url.clone()).to_vec());
    let listing = index.list("X").unwrap();
    let names: Vec<&str> = listing.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["x-1-py3-none-any.whl", "x-2.tar.gz"]);
    assert_eq!((listing.files[0].size, listing.problems.len()), (Some(5), 1));
    assert!(json.requests()[0].header("accept").unwrap().starts_with("application/vnd.pypi.simple.v1+json"));
    assert_eq!(json.requests()[0].path, "/x/");
    assert_eq!(Index::new(&client, vec![none.url.clone()]).list("x").unwrap_err(), Failure::NotFound);
}

//! Blobs at a real relay: up and down, in ranges, by the wrong people, through kills on both sides, on a full disk.

use std::{fs, io, path::Path, process::Command as System};

use bytes::Bytes;
use hyper::{
    Method, StatusCode,
    header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE},
};
use sotto_outer::{Answer, BlobState, Command, limits::BLOB_PART_BYTES};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    blobs_client::{Blob, Frames, Http, Place, request},
    relay::{self, RelayProcess},
};

const MIB: u64 = 1024 * 1024;
/// Two parts and a rest.
const SMALL: Blob = Blob { name: 1, bytes: 2 * BLOB_PART_BYTES + 1_001 };

async fn put_all(http: &mut Http, blob: &Blob) {
    for part in 0..blob.parts() {
        assert_eq!(http.put(blob, part).await.unwrap(), StatusCode::NO_CONTENT);
    }
}

/// A blob that is whole and committed.
async fn stored(frames: &mut Frames, http: &mut Http, blob: &Blob) {
    frames.create(blob).await.unwrap();
    put_all(http, blob).await;
    assert!(frames.commit(blob).await.unwrap().committed);
}

/// Files with bytes in them, whole ones and others.
fn files(data: &Path) -> (usize, usize) {
    let mut counts = (0, 0);
    for folder in fs::read_dir(data.join("blobs")).unwrap() {
        let folder = folder.unwrap();
        let count = fs::read_dir(folder.path()).unwrap().count();
        *(if folder.file_name() == "new" { &mut counts.1 } else { &mut counts.0 }) += count;
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blob_goes_up_and_comes_down_in_any_range() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let relay = RelayProcess::start(dir.path());
    let place = Place::plain(relay.address);
    let (mut frames, mut http) = (place.frames().await.unwrap(), place.http().await.unwrap());
    stored(&mut frames, &mut http, &SMALL).await;
    let all = SMALL.all();
    let (status, bytes) = http.get(&SMALL, None).await.unwrap();
    assert!(status == StatusCode::OK && bytes == all);
    let (end, part) = (SMALL.bytes, BLOB_PART_BYTES);
    for (first, last) in [(0, 0), (part - 1, part), (part, part), (1, end - 1), (2 * part + 1_000, end - 1)] {
        let (status, bytes) = http.get(&SMALL, Some(&format!("bytes={first}-{last}"))).await.unwrap();
        let range = usize::try_from(first).unwrap()..=usize::try_from(last).unwrap();
        assert!(status == StatusCode::PARTIAL_CONTENT && bytes == all[range], "{first} to {last}");
    }
    let (_, tail) = http.get(&SMALL, Some("bytes=-10")).await.unwrap();
    assert!(tail == all[all.len() - 10..]);
    let beyond = http.ask(Method::GET, &SMALL.reader_shows(), Some("bytes=99999999-")).await.unwrap();
    assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(beyond.headers()[CONTENT_RANGE], format!("bytes */{end}"));
    let head = place.http().await.unwrap().ask(Method::HEAD, &SMALL.reader_shows(), None).await.unwrap();
    let headers = head.headers();
    assert_eq!((head.status(), &headers[CONTENT_LENGTH]), (StatusCode::OK, &end.to_string().parse().unwrap()));
    assert_eq!(
        (headers[ACCEPT_RANGES].as_bytes(), headers[CACHE_CONTROL].as_bytes()),
        (&b"bytes"[..], &b"no-store"[..])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blob_goes_over_tls() {
    let dir = tempfile::tempdir().unwrap();
    relay::init_tls(dir.path(), "own");
    let relay = RelayProcess::start(dir.path());
    let place = Place::tls(relay.address);
    let (mut frames, mut http) = (place.frames().await.unwrap(), place.http().await.unwrap());
    stored(&mut frames, &mut http, &SMALL).await;
    assert!(http.get(&SMALL, None).await.unwrap().1 == SMALL.all());
}

#[tokio::test]
async fn only_who_shows_the_right_capability_writes_or_reads() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let relay = RelayProcess::start(dir.path());
    let place = Place::plain(relay.address);
    let (mut frames, mut http) = (place.frames().await.unwrap(), place.http().await.unwrap());
    let missing = Blob { name: 2, ..SMALL };
    frames.create(&SMALL).await.unwrap();
    assert_eq!(http.get(&SMALL, None).await.unwrap().0, StatusCode::FORBIDDEN, "it is not committed");
    let put = async |shown: String| {
        let request = request(Method::PUT, &shown, &[(CONTENT_RANGE, SMALL.content_range(2))]);
        place.http().await.unwrap().send(request, vec![Ok(SMALL.part(2))]).await.unwrap()
    };
    for shown in [SMALL.reader_shows(), missing.writer_shows()] {
        assert_eq!(put(shown).await, StatusCode::FORBIDDEN);
    }
    for shown in ["", "Sotto", "Bearer x", &SMALL.writer_shows()[..40]] {
        assert_eq!(put(shown.to_owned()).await, StatusCode::BAD_REQUEST, "{shown}");
    }
    put_all(&mut http, &SMALL).await;
    frames.commit(&SMALL).await.unwrap();
    for shown in [SMALL.writer_shows(), missing.reader_shows()] {
        let asked = place.http().await.unwrap().ask(Method::GET, &shown, None).await.unwrap();
        assert_eq!(asked.status(), StatusCode::FORBIDDEN);
    }
    assert_eq!(http.get(&SMALL, None).await.unwrap().0, StatusCode::OK);
}

#[tokio::test]
async fn committed_is_final_and_deleted_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let mut relay = RelayProcess::start(dir.path());
    let place = Place::plain(relay.address);
    let (mut frames, mut http) = (place.frames().await.unwrap(), place.http().await.unwrap());
    frames.create(&SMALL).await.unwrap();
    for part in [2, 2, 0] {
        assert_eq!(http.put(&SMALL, part).await.unwrap(), StatusCode::NO_CONTENT);
    }
    let missing = BlobState { held: vec![0b101], committed: false };
    assert_eq!(frames.commit(&SMALL).await.unwrap(), missing);
    assert_eq!(http.put(&SMALL, 1).await.unwrap(), StatusCode::NO_CONTENT);
    assert!(frames.commit(&SMALL).await.unwrap().committed);
    assert_eq!(place.http().await.unwrap().put(&SMALL, 1).await.unwrap(), StatusCode::CONFLICT);
    assert_eq!(files(dir.path()), (3, 0));
    assert_eq!(frames.ask(Command::BlobDelete(SMALL.writer())).await.unwrap(), Answer::Done);
    assert_eq!(http.get(&SMALL, None).await.unwrap().0, StatusCode::FORBIDDEN);
    // Objects go at the latest when the next relay starts to sweep; it says nothing of it, so its files are looked at.
    relay.kill();
    let orphan = dir.path().join("blobs/00/00000000000000000000000000000000-0000");
    fs::write(&orphan, b"left by a crash").unwrap();
    let _relay = RelayProcess::start(dir.path());
    while files(dir.path()) != (0, 0) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_no_part_is_turned_away() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let relay = RelayProcess::start(dir.path());
    let place = Place::plain(relay.address);
    place.frames().await.unwrap().create(&SMALL).await.unwrap();
    let total = SMALL.bytes;
    let cases = [
        ("bytes 0-9/10".to_owned(), 10, StatusCode::RANGE_NOT_SATISFIABLE),
        (format!("bytes 1-10/{total}"), 10, StatusCode::RANGE_NOT_SATISFIABLE),
        (format!("bytes 0-8/{total}"), 10, StatusCode::BAD_REQUEST),
        ("bytes */10".to_owned(), 10, StatusCode::BAD_REQUEST),
        (format!("bytes 0-{BLOB_PART_BYTES}/{total}"), 4 * 1024 * 1024 + 1, StatusCode::PAYLOAD_TOO_LARGE),
    ];
    for (range, bytes, expected) in cases {
        let request = request(Method::PUT, &SMALL.writer_shows(), &[(CONTENT_RANGE, range.clone())]);
        let said = request.header(CONTENT_LENGTH, bytes);
        // The body is not waited for: it is wrong already.
        let status = place.http().await.unwrap().send(said, vec![Ok(vec![0; bytes].into())]).await;
        assert!(status.as_ref().is_ok_and(|status| *status == expected), "{range}: {status:?}");
    }
    assert_eq!(files(dir.path()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_goes_on_after_kills_in_the_middle_of_a_part() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let blob = Blob { name: 3, bytes: 24 * MIB + 5 };
    let mut relay = RelayProcess::start(dir.path());
    for kill in 0..3 {
        let place = Place::plain(relay.address);
        let state = place.frames().await.unwrap().create(&blob).await.unwrap();
        let held: Vec<_> = (0..blob.parts()).filter(|part| state.holds(*part)).collect();
        assert_eq!(held, (0..2 * kill).collect::<Vec<_>>(), "what was answered is there, and no more");
        let mut http = place.http().await.unwrap();
        for part in 2 * kill..2 * kill + 2 {
            assert_eq!(http.put(&blob, part).await.unwrap(), StatusCode::NO_CONTENT);
        }
        half_a_part(&place, &blob, 2 * kill + 2, &mut relay, dir.path()).await;
        relay = RelayProcess::start(dir.path());
        assert_eq!(files(dir.path()).1, 0, "half a part is nowhere");
    }
    let place = Place::plain(relay.address);
    let (mut frames, mut http) = (place.frames().await.unwrap(), place.http().await.unwrap());
    assert_eq!(http.put(&blob, 6).await.unwrap(), StatusCode::NO_CONTENT);
    assert!(frames.commit(&blob).await.unwrap().committed);
    assert!(http.get(&blob, None).await.unwrap().1 == blob.all());
}

/// What a request that puts a part begins with.
fn head(blob: &Blob, part: u32) -> String {
    format!(
        "PUT /v1/blob HTTP/1.1\r\nHost: relay\r\nAuthorization: {}\r\nContent-Range: {}\r\nContent-Length: {}\r\n\r\n",
        blob.writer_shows(),
        blob.content_range(part),
        blob.part(part).len()
    )
}

/// Sends half a part, waits until some of it is on the disk, and kills the relay.
async fn half_a_part(place: &Place, blob: &Blob, part: u32, relay: &mut RelayProcess, data: &Path) {
    let bytes = blob.part(part);
    let (half, address, head) = (bytes.slice(..bytes.len() / 2), place.address, head(blob, part));
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&half).await.unwrap();
    while files(data).1 == 0 {
        tokio::task::yield_now().await;
    }
    relay.kill();
}

#[tokio::test]
async fn a_client_that_stops_in_the_middle_leaves_nothing_of_that_part() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let relay = RelayProcess::start(dir.path());
    let place = Place::plain(relay.address);
    let mut frames = place.frames().await.unwrap();
    frames.create(&SMALL).await.unwrap();
    let half = SMALL.part(0).slice(..1_000_000);
    let broken: Vec<io::Result<Bytes>> = vec![Ok(half), Err(io::ErrorKind::ConnectionReset.into())];
    let request = request(Method::PUT, &SMALL.writer_shows(), &[(CONTENT_RANGE, SMALL.content_range(0))]);
    let said = request.header(CONTENT_LENGTH, BLOB_PART_BYTES);
    assert!(place.http().await.unwrap().send(said, broken).await.is_err());
    while files(dir.path()) != (0, 0) {
        tokio::task::yield_now().await;
    }
    assert_eq!(frames.create(&SMALL).await.unwrap().held, [0]);
    // A download that stops and goes on is two ranges.
    let mut http = place.http().await.unwrap();
    put_all(&mut http, &SMALL).await;
    frames.commit(&SMALL).await.unwrap();
    let mut stopped = http.ask(Method::GET, &SMALL.reader_shows(), None).await.unwrap();
    let first = http_body_util::BodyExt::frame(stopped.body_mut()).await.unwrap().unwrap().into_data().unwrap();
    drop(stopped);
    let rest = format!("bytes={}-", first.len());
    let (_, rest) = place.http().await.unwrap().get(&SMALL, Some(&rest)).await.unwrap();
    assert!([first, rest].concat() == SMALL.all());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_comes_late_changes_nothing_of_what_is_committed() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let relay = RelayProcess::start(dir.path());
    let place = Place::plain(relay.address);
    let (mut frames, mut http) = (place.frames().await.unwrap(), place.http().await.unwrap());
    frames.create(&SMALL).await.unwrap();
    let mut late = tokio::net::TcpStream::connect(place.address).await.unwrap();
    let other = vec![0xee; SMALL.part(2).len()];
    late.write_all(head(&SMALL, 2).as_bytes()).await.unwrap();
    late.write_all(&other[1..]).await.unwrap();
    while files(dir.path()).1 == 0 {
        tokio::task::yield_now().await;
    }
    put_all(&mut http, &SMALL).await;
    assert!(frames.commit(&SMALL).await.unwrap().committed);
    late.write_all(&other[..1]).await.unwrap();
    let mut status = [0; 12];
    late.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 409");
    assert!(http.get(&SMALL, None).await.unwrap().1 == SMALL.all());
    assert_eq!(files(dir.path()), (3, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_transfers_than_fit_wait() {
    let dir = tempfile::tempdir().unwrap();
    relay::init(dir.path());
    let config = dir.path().join("relay.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replacen("transfers_max = 16", "transfers_max = 2", 1)).unwrap();
    let relay = RelayProcess::start(dir.path());
    let place = Place::plain(relay.address);
    let blob = Blob { name: 4, bytes: 32 * MIB };
    let (mut frames, mut http) = (place.frames().await.unwrap(), place.http().await.unwrap());
    stored(&mut frames, &mut http, &blob).await;
    let (mut first, mut second) = (place.http().await.unwrap(), place.http().await.unwrap());
    let reading = [
        first.ask(Method::GET, &blob.reader_shows(), None).await.unwrap(),
        second.ask(Method::GET, &blob.reader_shows(), None).await.unwrap(),
    ];
    let third = http.ask(Method::GET, &blob.reader_shows(), None).await.unwrap();
    assert_eq!(third.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(third.headers().contains_key("retry-after"));
    drop((reading, first, second));
    while http.get(&blob, Some("bytes=0-0")).await.unwrap().0 == StatusCode::SERVICE_UNAVAILABLE {
        tokio::task::yield_now().await;
    }
}

/// In a mount namespace of its own, with a small disk: makes a relay there and becomes it.
const ON_A_SMALL_DISK: &str = r#"
    mount -t tmpfs -o size=48m tmpfs "$2" &&
    "$1" init --data "$2/relay" --listen 127.0.0.1:0 --tls off > "$2/init" &&
    sed -i 's/^free_mib_min = .*/free_mib_min = 0/' "$2/relay/relay.toml" &&
    exec "$1" run --data "$2/relay"
"#;

#[tokio::test]
async fn on_a_full_disk_a_part_is_turned_away_and_a_deletion_makes_room() {
    let dir = tempfile::tempdir().unwrap();
    let mut unshare = System::new("unshare");
    // Without root, a user namespace gives the right to mount.
    unshare.arg(if nix::unistd::geteuid().is_root() { "-m" } else { "-rm" });
    unshare.args(["sh", "-c", ON_A_SMALL_DISK, "sh", relay::BINARY]).arg(dir.path());
    let relay = RelayProcess::spawn(unshare);
    let place = Place::plain(relay.address);
    let mut frames = place.frames().await.unwrap();
    let (first, second) = (Blob { name: 1, bytes: 100 * MIB }, Blob { name: 2, bytes: 100 * MIB });
    frames.create(&first).await.unwrap();
    frames.create(&second).await.unwrap();
    let mut part = 0;
    while place.http().await.unwrap().put(&first, part).await.unwrap() == StatusCode::NO_CONTENT {
        part += 1;
    }
    assert!(part > 2, "there was room for more than {part} parts");
    let full = place.http().await.unwrap().put(&second, 0).await.unwrap();
    assert_eq!(full, StatusCode::INSUFFICIENT_STORAGE);
    let held = frames.create(&first).await.unwrap();
    assert!(held.holds(part - 1) && !held.holds(part), "what was answered, and no more");
    assert_eq!(frames.ask(Command::BlobDelete(first.writer())).await.unwrap(), Answer::Done);
    while place.http().await.unwrap().put(&second, 0).await.unwrap() != StatusCode::NO_CONTENT {
        tokio::task::yield_now().await;
    }
}

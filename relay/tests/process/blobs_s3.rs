//! Blobs at an S3-compatible store, which this test starts: up and down, through failures of the store, gone when deleted.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use hyper::{Request, Response, StatusCode, body::Incoming, server::conn::http1, service::Service};
use hyper_util::rt::TokioIo;
use s3s::{Body, auth::SimpleAuth, service::S3ServiceBuilder};
use sotto_outer::{Answer, Command, limits::BLOB_PART_BYTES};
use tokio::net::TcpListener;

use crate::{
    blobs_client::{Blob, Place},
    relay::{self, RelayProcess},
};

const BLOB: Blob = Blob { name: 9, bytes: 2 * BLOB_PART_BYTES + 77 };

/// A store in a folder, which can be told to fail.
struct Store {
    address: SocketAddr,
    fails: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Store {
    async fn start(folder: &Path) -> Self {
        fs::create_dir_all(folder.join("bucket")).unwrap();
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder).unwrap());
        builder.set_auth(SimpleAuth::from_single("key", "secret"));
        let service = builder.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (fails, asked) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (failing, counting) = (Arc::clone(&fails), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (service, fails, asked) = (service.clone(), Arc::clone(&failing), Arc::clone(&counting));
                let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                    let (service, fails) = (service.clone(), fails.load(Ordering::Relaxed));
                    asked.fetch_add(1, Ordering::Relaxed);
                    async move {
                        if fails {
                            let mut answer = Response::new(Body::empty());
                            *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                            return Ok(answer);
                        }
                        Service::call(&service, request).await
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, fails, asked }
    }

    /// Objects it has, by their names.
    fn objects(folder: &Path) -> Vec<String> {
        let Ok(files) = fs::read_dir(folder.join("bucket/blobs")) else { return vec![] };
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn use_store(data: &Path, store: &Store) {
    relay::init(data);
    let credentials = data.join("s3.key");
    fs::write(&credentials, "key\nsecret\n").unwrap();
    let config = data.join("relay.toml");
    let text = fs::read_to_string(&config)
        .unwrap()
        .replacen("s3_bucket = \"\"", "s3_bucket = \"bucket\"", 1)
        .replacen("s3_endpoint = \"\"", &format!("s3_endpoint = \"http://{}\"", store.address), 1)
        .replacen("s3_allow_http = false", "s3_allow_http = true", 1)
        .replacen("s3_credentials_file = \"\"", &format!("s3_credentials_file = \"{}\"", credentials.display()), 1);
    fs::write(&config, text).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blobs_lie_at_an_s3_store_and_outlast_its_failures() {
    let (dir, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Store::start(folder.path()).await;
    use_store(dir.path(), &store);
    let mut relay = RelayProcess::start(dir.path());
    let place = Place::plain(relay.address);
    let (mut frames, mut http) = (place.frames().await.unwrap(), place.http().await.unwrap());
    frames.create(&BLOB).await.unwrap();
    assert_eq!(http.put(&BLOB, 0).await.unwrap(), StatusCode::NO_CONTENT);

    store.fails.store(true, Ordering::Relaxed);
    assert_eq!(http.put(&BLOB, 1).await.unwrap(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(frames.create(&BLOB).await.unwrap().held, [0b001], "what failed is not held");
    store.fails.store(false, Ordering::Relaxed);
    for part in 1..3 {
        assert_eq!(http.put(&BLOB, part).await.unwrap(), StatusCode::NO_CONTENT);
    }
    assert!(frames.commit(&BLOB).await.unwrap().committed);
    let all = BLOB.all();
    assert!(http.get(&BLOB, None).await.unwrap().1 == all);
    let (status, bytes) = http.get(&BLOB, Some("bytes=4194300-4194309")).await.unwrap();
    assert!(status == StatusCode::PARTIAL_CONTENT && bytes == all[4_194_300..4_194_310]);
    let names = Store::objects(folder.path());
    let id = "09".repeat(16);
    assert!(names.len() == 3 && names.iter().all(|name| !name.contains(&id)), "{names:?}");

    store.fails.store(true, Ordering::Relaxed);
    assert_eq!(http.get(&BLOB, None).await.unwrap().0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(frames.ask(Command::BlobDelete(BLOB.writer())).await.unwrap(), Answer::Done);
    // The sweep meets the failing store at least once.
    let asked = store.asked.load(Ordering::Relaxed);
    while store.asked.load(Ordering::Relaxed) == asked {
        tokio::task::yield_now().await;
    }
    store.fails.store(false, Ordering::Relaxed);
    while !Store::objects(folder.path()).is_empty() {
        tokio::task::yield_now().await;
    }
    let (status, log) = relay.terminate();
    assert!(status.success(), "{log}");
    assert!(!log.contains("127.0.0.1") && !log.contains("bucket") && !log.contains(&names[0]), "{log}");
}

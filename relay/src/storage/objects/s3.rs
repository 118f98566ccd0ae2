//! Objects at an S3-compatible store. It takes an object whole, so a part waits in memory until all of it has come; how many
//! may is bounded.

use std::{fmt, ops::Range, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use object_store::{
    ClientOptions, Error, GetOptions, ObjectStore, ObjectStoreExt, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use zeroize::Zeroizing;

use super::{ObjectError, ObjectName, PAGE_MAX};

/// Parts that may be in memory at a time, 4 MiB each.
const PARTS_MAX: usize = 4;
/// What all names begin with.
const PREFIX: &str = "blobs";
/// How often, and how long in all, a request is tried again.
const RETRIES: usize = 3;
const RETRY_SECS: u64 = 10;
const CONNECT_SECS: u64 = 5;
const REQUEST_SECS: u64 = 30;

/// Where the store is, and who asks.
#[derive(Clone)]
pub struct S3Settings {
    /// `https://HOST`, or `http://` where that is allowed.
    pub endpoint: String,
    /// Its bucket, which this relay alone uses.
    pub bucket: String,
    /// Its region; many stores take any.
    pub region: String,
    /// The key's name.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: Zeroizing<String>,
    /// Whether the way there may be without TLS.
    pub allow_http: bool,
}

/// Objects at a store.
#[derive(Clone, Debug)]
pub struct S3 {
    store: Arc<AmazonS3>,
    parts: Arc<Semaphore>,
}

/// An object that is being gathered.
pub struct Writer {
    s3: S3,
    name: ObjectName,
    bytes: u64,
    gathered: Vec<u8>,
    _permit: OwnedSemaphorePermit,
}

impl S3 {
    /// A store. Nothing is asked of it yet.
    ///
    /// # Errors
    /// [`ObjectError::Unavailable`] where the settings can be none.
    pub fn new(settings: &S3Settings) -> Result<Self, ObjectError> {
        let options = ClientOptions::new()
            .with_allow_http(settings.allow_http)
            .with_connect_timeout(Duration::from_secs(CONNECT_SECS))
            .with_timeout(Duration::from_secs(REQUEST_SECS));
        let retry = RetryConfig {
            max_retries: RETRIES,
            retry_timeout: Duration::from_secs(RETRY_SECS),
            ..RetryConfig::default()
        };
        let store = AmazonS3Builder::new()
            .with_endpoint(&settings.endpoint)
            .with_bucket_name(&settings.bucket)
            .with_region(&settings.region)
            .with_access_key_id(&settings.access_key_id)
            .with_secret_access_key(settings.secret_access_key.as_str())
            .with_virtual_hosted_style_request(false)
            .with_client_options(options)
            .with_retry(retry)
            .build()
            .map_err(|_| ObjectError::Unavailable("the store's settings"))?;
        Ok(Self { store: Arc::new(store), parts: Arc::new(Semaphore::new(PARTS_MAX)) })
    }

    pub(super) fn begin(&self, name: ObjectName, bytes: u64) -> Result<Writer, ObjectError> {
        let permit = Arc::clone(&self.parts).try_acquire_owned();
        let permit = permit.map_err(|_| ObjectError::Unavailable("too many parts at a time"))?;
        let gathered = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
        Ok(Writer { s3: self.clone(), name, bytes, gathered, _permit: permit })
    }

    pub(super) fn read(&self, name: ObjectName, range: Range<u64>, chunks: mpsc::Sender<Result<Bytes, ObjectError>>) {
        let store = Arc::clone(&self.store);
        tokio::spawn(async move {
            let wanted = range.end.saturating_sub(range.start);
            let mut got = 0;
            let result = store.get_opts(&path(name), GetOptions::default().with_range(Some(range))).await;
            let mut stream = match result {
                Ok(result) => result.into_stream(),
                Err(error) => return drop(chunks.send(Err(error_of(&error))).await),
            };
            while let Some(chunk) = stream.next().await {
                let chunk = chunk.map_err(|error| error_of(&error));
                got += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
                let is_over = chunk.is_err();
                if chunks.send(chunk).await.is_err() || is_over {
                    return;
                }
            }
            if got != wanted {
                // Nobody may be reading any more.
                let _ = chunks.send(Err(ObjectError::Unavailable("cut short"))).await;
            }
        });
    }

    pub(super) async fn remove(&self, name: ObjectName) -> Result<(), ObjectError> {
        match self.store.delete(&path(name)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error_of(&error)),
        }
    }

    pub(super) async fn list(&self, after: Option<ObjectName>) -> Result<Vec<ObjectName>, ObjectError> {
        let prefix = Path::from(PREFIX);
        let listed = match after {
            Some(name) => self.store.list_with_offset(Some(&prefix), &path(name)),
            None => self.store.list(Some(&prefix)),
        };
        let names = listed.try_filter_map(|meta| {
            let name = meta.location.filename().and_then(ObjectName::parse);
            futures_util::future::ready(Ok(name))
        });
        names.take(PAGE_MAX).try_collect().await.map_err(|error| error_of(&error))
    }
}

impl Writer {
    pub(super) fn write(&mut self, chunk: &[u8]) -> Result<(), ObjectError> {
        if (self.gathered.len() + chunk.len()) as u64 > self.bytes {
            return Err(ObjectError::Length);
        }
        self.gathered.extend_from_slice(chunk);
        Ok(())
    }

    pub(super) async fn finish(self) -> Result<(), ObjectError> {
        let Self { s3, name, bytes, gathered, _permit } = self;
        if gathered.len() as u64 != bytes {
            return Err(ObjectError::Length);
        }
        let put = s3.store.put(&path(name), gathered.into()).await;
        put.map(drop).map_err(|error| error_of(&error))
    }
}

fn path(name: ObjectName) -> Path {
    Path::from_iter([PREFIX, &name.text()])
}

/// The kind alone: what a library says of an error has addresses and names in it.
const fn error_of(error: &Error) -> ObjectError {
    match error {
        Error::NotFound { .. } => ObjectError::Missing,
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            ObjectError::Unavailable("the store refuses this relay's key")
        }
        _ => ObjectError::Unavailable("the store fails"),
    }
}

/// Prints no key.
impl fmt::Debug for S3Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint: _, bucket: _, region: _, access_key_id: _, secret_access_key: _, allow_http } = self;
        f.debug_struct("S3Settings").field("allow_http", allow_http).finish_non_exhaustive()
    }
}

//! Names to addresses, by the system's resolver, on threads of its own.
//!
//! A resolver may take half a minute, cannot be interrupted, and is asked for names that contacts told. So it never has the
//! runtime's threads, on which passphrases are checked; a name is asked for once at a time, however many wait for it and
//! however often they gave up; and no more names than these are asked for at once.

use std::{
    collections::BTreeMap,
    net::{IpAddr, ToSocketAddrs as _},
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    thread,
};

use tokio::sync::{Semaphore, watch};

use crate::NetError;

/// Names that are asked for at once. A contact has at most six mailboxes: several hostile ones together leave room.
const LOOKUPS_MAX: usize = 64;

static LOOKUPS: LazyLock<Lookups> = LazyLock::new(|| Lookups::new(LOOKUPS_MAX, system));

/// What a resolver said, once it has.
type Said = Option<Vec<IpAddr>>;

/// Asks for a name, and waits for it.
type Resolve = dyn Fn(&str) -> Vec<IpAddr> + Send + Sync;

/// The addresses of a host.
pub(crate) async fn addresses(host: &str) -> Result<Vec<IpAddr>, NetError> {
    if let Ok(literal) = host.parse() {
        return Ok(vec![literal]);
    }
    LOOKUPS.ask(host).await
}

fn system(host: &str) -> Vec<IpAddr> {
    (host, 0).to_socket_addrs().map(|found| found.map(|address| address.ip()).collect()).unwrap_or_default()
}

/// The names that are being asked for.
struct Lookups {
    resolve: Arc<Resolve>,
    room: Arc<Semaphore>,
    under_way: Arc<Mutex<BTreeMap<String, watch::Receiver<Said>>>>,
}

impl Lookups {
    fn new(at_once: usize, resolve: impl Fn(&str) -> Vec<IpAddr> + Send + Sync + 'static) -> Self {
        let room = Arc::new(Semaphore::new(at_once));
        Self { resolve: Arc::new(resolve), room, under_way: Arc::default() }
    }

    async fn ask(&self, host: &str) -> Result<Vec<IpAddr>, NetError> {
        let known = lock(&self.under_way).get(host).cloned();
        let mut answer = match known {
            Some(answer) => answer,
            None => {
                let permit = Arc::clone(&self.room).acquire_owned().await.map_err(|_| NetError::NameUnknown)?;
                self.begin(host, permit)?
            }
        };
        let said = answer.wait_for(Option::is_some).await.map_err(|_| NetError::NameUnknown)?;
        said.clone().filter(|found| !found.is_empty()).ok_or(NetError::NameUnknown)
    }

    /// Asks on a thread, which keeps its permit until the resolver is done, whoever has given up meanwhile.
    fn begin(&self, host: &str, permit: tokio::sync::OwnedSemaphorePermit) -> Result<watch::Receiver<Said>, NetError> {
        let mut under_way = lock(&self.under_way);
        if let Some(answer) = under_way.get(host) {
            return Ok(answer.clone());
        }
        let (say, answer) = watch::channel(None);
        let (resolve, names, name) = (Arc::clone(&self.resolve), Arc::clone(&self.under_way), host.to_owned());
        let asking = thread::Builder::new().name("sotto-lookup".to_owned()).spawn(move || {
            let found = resolve(&name);
            lock(&names).remove(&name);
            let _nobody_waits = say.send(Some(found));
            drop(permit);
        });
        asking.map_err(|error| NetError::Unreachable(error.kind()))?;
        under_way.insert(host.to_owned(), answer.clone());
        Ok(answer)
    }
}

fn lock<T>(names: &Mutex<T>) -> MutexGuard<'_, T> {
    names.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        sync::{
            atomic::{AtomicUsize, Ordering},
            mpsc,
        },
    };

    use super::*;

    const FOUND: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[tokio::test]
    async fn a_name_that_takes_long_keeps_nobody_waiting_and_is_asked_for_once() {
        let (release, held) = mpsc::channel::<()>();
        let (held, asked) = (Mutex::new(held), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&asked);
        let lookups = Lookups::new(2, move |name| {
            if name == "tarpit.test" {
                count.fetch_add(1, Ordering::Relaxed);
                let _released = held.lock().unwrap().recv();
            }
            vec![FOUND]
        });
        for _ in 0..8 {
            // Whoever waits gives up, and asks again.
            assert!(has_begun(&mut Box::pin(lookups.ask("tarpit.test"))).await);
        }
        assert_eq!(lookups.ask("relay.test").await, Ok(vec![FOUND]));
        let mut waiting = Box::pin(lookups.ask("tarpit.test"));
        assert!(has_begun(&mut waiting).await);
        release.send(()).unwrap();
        assert_eq!(waiting.await, Ok(vec![FOUND]));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    /// Whether this waits after its first step.
    async fn has_begun<T>(waiting: &mut Pin<Box<impl Future<Output = T>>>) -> bool {
        tokio::select! {
            biased;
            _ = waiting => false,
            () = std::future::ready(()) => true,
        }
    }

    #[test]
    fn the_runtimes_own_threads_resolve_no_names() {
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
        let (release, held) = mpsc::channel::<()>();
        // A passphrase is being checked.
        let busy = runtime.spawn_blocking(move || held.recv());
        assert!(runtime.block_on(addresses("localhost")).is_ok());
        release.send(()).unwrap();
        runtime.block_on(busy).unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_name_without_an_address_is_unknown_and_a_literal_is_asked_of_nobody() {
        let lookups = Lookups::new(1, |_| vec![]);
        assert_eq!(lookups.ask("relay.test").await, Err(NetError::NameUnknown));
        assert_eq!(addresses("::1").await, Ok(vec![IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)]));
    }
}

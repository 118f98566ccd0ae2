//! What a name leads to. The system's resolver takes a thread until it has given up, and another's name server says when that
//! is: so few are asked at a time, and each holds its place as long as its thread.

use std::{
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    sync::Arc,
};

use tokio::{sync::Semaphore, task::spawn_blocking};

/// Names that are looked up at a time.
const LOOKUPS_MAX: usize = 32;

/// Looks names up.
#[derive(Clone, Debug)]
pub(super) struct Names {
    places: Arc<Semaphore>,
}

/// Why a name has no addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameError {
    /// Too many are looked up.
    Busy,
    /// It leads nowhere.
    Nowhere,
}

impl Default for Names {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }
}

impl Names {
    /// The addresses of a name, or the one that is written there.
    ///
    /// # Errors
    /// [`NameError`].
    pub(super) async fn look_up(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, NameError> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![(address, port).into()]);
        }
        let host = host.to_owned();
        self.in_a_thread(move || (host, port).to_socket_addrs().map(Iterator::collect).ok()).await
    }

    async fn in_a_thread<T: Send + 'static>(
        &self,
        look: impl FnOnce() -> Option<T> + Send + 'static,
    ) -> Result<T, NameError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| NameError::Busy)?;
        let found = spawn_blocking(move || {
            let _place = place;
            look()
        });
        found.await.ok().flatten().ok_or(NameError::Nowhere)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_lookup_nobody_waits_for_holds_its_place_as_long_as_its_thread() {
        let names = Names::default();
        let answers: Vec<_> = (0..LOOKUPS_MAX)
            .map(|_| {
                let (answer, answered) = mpsc::channel();
                // Asked, and left before the answer, as by a timeout.
                assert!(names.in_a_thread(move || answered.recv().ok()).now_or_never().is_none());
                answer
            })
            .collect();
        assert_eq!(names.look_up("localhost", 1).await, Err(NameError::Busy));
        assert_eq!(names.look_up("127.0.0.1", 1).await, Ok(vec!["127.0.0.1:1".parse().unwrap()]), "it takes no thread");
        for answer in answers {
            answer.send(()).unwrap();
        }
        let _all = names.places.acquire_many(32).await.unwrap();
    }
}

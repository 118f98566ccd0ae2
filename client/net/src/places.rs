//! The places where one relay is said to be, and which of them is dialled next.
//!
//! Anyone may name a place, and only the relay itself can prove that it is there. So the place that proved itself last is
//! dialled every other time, and the others in turn between: whoever names wrong ones delays the right one by one dial. A
//! place that asks for patience holds itself, and no other.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sotto_outer::RelayAddress;
use tokio::time::Instant;

/// The longest a place that proved itself is left in peace.
const PROVEN_PATIENCE_MAX: Duration = Duration::from_secs(3_600);
/// The longest any other place is.
const PATIENCE_MAX: Duration = Duration::from_secs(60);

/// The places of one relay, shared by its task and the handle to it.
#[derive(Clone, Debug)]
pub(crate) struct Places(Arc<Mutex<List>>);

#[derive(Debug)]
struct List {
    places: Vec<Place>,
    /// Dials that led to no proof, since the last one that did.
    failures: usize,
}

#[derive(Debug)]
struct Place {
    address: RelayAddress,
    proven: bool,
    held_until: Option<Instant>,
}

impl Places {
    /// One place; it is dialled like one that proved itself, until another one does.
    pub(crate) fn new(address: RelayAddress) -> Self {
        let places = vec![Place { address, proven: false, held_until: None }];
        Self(Arc::new(Mutex::new(List { places, failures: 0 })))
    }

    /// Another place.
    pub(crate) fn add(&self, address: RelayAddress) {
        let mut list = self.lock();
        if list.places.iter().all(|place| place.address != address) {
            list.places.push(Place { address, proven: false, held_until: None });
        }
    }

    /// Nobody says this place any more. The last one stays.
    pub(crate) fn remove(&self, address: &RelayAddress) {
        let mut list = self.lock();
        if list.places.len() > 1 {
            list.places.retain(|place| place.address != *address);
        }
    }

    /// What to dial now: none that asked for patience, where there is another one.
    pub(crate) fn pick(&self, now: Instant) -> RelayAddress {
        let list = self.lock();
        let free: Vec<_> = list.places.iter().filter(|place| !place.is_held(now)).collect();
        let place = match free.as_slice() {
            [] => &list.places[0],
            [only] => only,
            [best, ..] if list.failures.is_multiple_of(2) => best,
            [_, others @ ..] => others[list.failures / 2 % others.len()],
        };
        place.address.clone()
    }

    /// A dial led to no proof: it is another one's turn.
    pub(crate) fn failed(&self) {
        let mut list = self.lock();
        list.failures = list.failures.wrapping_add(1);
    }

    /// The relay is there: this place is dialled first from now on.
    pub(crate) fn proven(&self, address: &RelayAddress) {
        let mut list = self.lock();
        list.failures = 0;
        if let Some(at) = list.places.iter().position(|place| place.address == *address) {
            let mut place = list.places.remove(at);
            (place.proven, place.held_until) = (true, None);
            list.places.insert(0, place);
        }
    }

    /// A place asks for patience.
    pub(crate) fn hold(&self, address: &RelayAddress, asked: Duration, now: Instant) {
        let mut list = self.lock();
        if let Some(place) = list.places.iter_mut().find(|place| place.address == *address) {
            let longest = if place.proven { PROVEN_PATIENCE_MAX } else { PATIENCE_MAX };
            place.held_until = Some(now + asked.min(longest));
        }
    }

    /// The network may be another one: nobody asked for patience there.
    pub(crate) fn forget_holds(&self) {
        self.lock().places.iter_mut().for_each(|place| place.held_until = None);
    }

    /// How long until one of them may be dialled.
    pub(crate) fn rest(&self, now: Instant) -> Duration {
        let list = self.lock();
        let rest =
            |place: &Place| place.held_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        list.places.iter().map(rest).min().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    fn is_held(&self, now: Instant) -> bool {
        self.held_until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use sotto_outer::Tls;

    use super::*;

    fn place(number: u16) -> RelayAddress {
        RelayAddress::new("relay.example", number, Tls::Own, [7; 32].into()).unwrap()
    }

    fn places(numbers: std::ops::RangeInclusive<u16>) -> Places {
        let places = Places::new(place(*numbers.start()));
        numbers.skip(1).for_each(|number| places.add(place(number)));
        places
    }

    #[test]
    fn the_proven_place_has_every_other_turn_however_many_wrong_ones_are_named() {
        let (places, now) = (places(1..=9), Instant::now());
        places.proven(&place(9));
        let mut dialled = vec![];
        for _ in 0..18 {
            dialled.push(places.pick(now).port());
            places.failed();
        }
        assert!(dialled.iter().step_by(2).all(|port| *port == 9));
        let mut others: Vec<_> = dialled.into_iter().skip(1).step_by(2).collect();
        others.sort_unstable();
        others.dedup();
        assert_eq!(others, (1..=8).collect::<Vec<_>>(), "it may have moved");
    }

    #[test]
    fn whoever_asks_for_patience_holds_its_own_place_alone() {
        let (places, now) = (places(1..=2), Instant::now());
        places.hold(&place(1), Duration::MAX, now);
        assert_eq!((places.pick(now), places.rest(now)), (place(2), Duration::ZERO));
        places.hold(&place(2), Duration::from_secs(7), now);
        assert_eq!(places.rest(now), Duration::from_secs(7));
        assert_eq!(places.rest(now + PATIENCE_MAX), Duration::ZERO);
    }

    #[test]
    fn only_a_proven_place_is_left_in_peace_for_long() {
        let (places, now) = (places(1..=1), Instant::now());
        places.hold(&place(1), Duration::MAX, now);
        assert_eq!(places.rest(now), PATIENCE_MAX);
        places.proven(&place(1));
        places.hold(&place(1), Duration::MAX, now);
        assert_eq!(places.rest(now), PROVEN_PATIENCE_MAX);
        places.forget_holds();
        assert_eq!(places.rest(now), Duration::ZERO);
    }

    #[test]
    fn what_nobody_says_any_more_is_not_dialled() {
        let (places, now) = (places(1..=2), Instant::now());
        places.remove(&place(1));
        assert_eq!(places.pick(now), place(2));
        places.remove(&place(2));
        assert_eq!(places.pick(now), place(2), "the last one stays");
    }
}

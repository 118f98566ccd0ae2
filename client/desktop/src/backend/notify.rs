//! One plain notification for all that arrived while the window was not looked at.
//!
//! What arrives within a breath is one; what arrives later replaces it. It tells a name only where one person is behind it,
//! and never a text.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use sotto_driver::{ContactId, Notice};
use tracing::debug;

use super::setup::Notifier;

/// So long must nothing more arrive before it is told.
const BREATH: Duration = Duration::from_millis(700);
/// So late it is told even if there is no end of it.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a notification says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Who, or the program's name.
    pub title: String,
    /// How many of what.
    pub text: String,
}

/// What arrived while nobody looked.
#[derive(Default)]
pub(super) struct Arrivals {
    messages: u64,
    requests: u64,
    people: BTreeSet<ContactId>,
    /// Since when something is untold, and when the last of it came.
    untold: Option<(Instant, Instant)>,
    told: bool,
}

impl Arrivals {
    pub(super) fn add(&mut self, notice: &Notice, now: Instant) {
        match notice {
            Notice::Message { chat } => {
                self.messages += 1;
                self.people.insert(*chat);
            }
            Notice::Request { contact } => {
                self.requests += 1;
                self.people.insert(*contact);
            }
        }
        let first = self.untold.map_or(now, |(first, _)| first);
        self.untold = Some((first, now));
    }

    /// Something arrived at a locked profile.
    pub(super) fn add_unknown(&mut self, now: Instant) {
        // However many: what was sealed may have been no message at all.
        self.messages = 1;
        let first = self.untold.map_or(now, |(first, _)| first);
        self.untold = Some((first, now));
    }

    /// When it is to be told.
    pub(super) fn due(&self) -> Option<Instant> {
        self.untold.map(|(first, last)| (last + BREATH).min(first + PATIENCE))
    }

    /// What is to be told now.
    pub(super) fn tell(&mut self, name: impl FnOnce(&ContactId) -> Option<String>) -> Notification {
        self.untold = None;
        self.told = true;
        let only = self.people.first().filter(|_| self.people.len() == 1);
        let title = only.and_then(name).filter(|name| !name.is_empty()).unwrap_or_else(|| "Sotto".to_owned());
        Notification { title, text: self.text() }
    }

    /// The window is looked at. Says whether a notification stands that is of no use now.
    pub(super) fn seen(&mut self) -> bool {
        std::mem::take(self).told
    }

    fn text(&self) -> String {
        let messages = match self.messages {
            0 => None,
            1 => Some("New message".to_owned()),
            many => Some(format!("{many} new messages")),
        };
        let requests = match self.requests {
            0 => None,
            1 => Some("Someone wants to connect".to_owned()),
            many => Some(format!("{many} people want to connect")),
        };
        messages.into_iter().chain(requests).collect::<Vec<_>>().join(", ")
    }
}

/// Tells through the system's notifications, over D-Bus, from a thread of its own that is started by the first one. Where
/// nobody shows notifications, nothing happens.
#[must_use]
pub fn system() -> Notifier {
    let teller: Mutex<Option<mpsc::Sender<Option<Notification>>>> = Mutex::new(None);
    Arc::new(move |notification| {
        let mut teller = teller.lock().unwrap_or_else(PoisonError::into_inner);
        if notification.is_none() && teller.is_none() {
            return;
        }
        if teller.is_none() {
            *teller = start();
        }
        if let Some(sender) = &*teller {
            // A thread that is gone had nobody to tell.
            let _gone = sender.send(notification);
        }
    })
}

fn start() -> Option<mpsc::Sender<Option<Notification>>> {
    let (sender, notifications) = mpsc::channel::<Option<Notification>>();
    let tell = move || {
        let mut shown: Option<notify_rust::NotificationHandle> = None;
        for notification in notifications {
            let replaced = shown.take();
            match notification {
                Some(notification) => shown = show(&notification, replaced.as_ref().map(|handle| handle.id())),
                None => {
                    if let Some(handle) = replaced {
                        handle.close();
                    }
                }
            }
        }
    };
    thread::Builder::new().name("sotto-notify".to_owned()).spawn(tell).ok().map(|_| sender)
}

fn show(notification: &Notification, replaces: Option<u32>) -> Option<notify_rust::NotificationHandle> {
    let mut message = notify_rust::Notification::new();
    message.appname("Sotto").summary(&notification.title).body(&notification.text).icon("org.sotto.Sotto");
    if let Some(id) = replaces {
        message.id(id);
    }
    message.show().inspect_err(|_| debug!("nobody shows notifications")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(number: u8) -> Notice {
        Notice::Message { chat: [number; 32].into() }
    }

    #[test]
    fn a_flood_is_one_notification_and_tells_no_name() {
        let mut arrivals = Arrivals::default();
        let begin = Instant::now();
        for number in 0..100 {
            arrivals.add(&chat(number % 3), begin);
        }
        assert_eq!(arrivals.due(), Some(begin + BREATH));
        let told = arrivals.tell(|_| Some("Anna".to_owned()));
        assert_eq!(told, Notification { title: "Sotto".to_owned(), text: "100 new messages".to_owned() });
        assert_eq!(arrivals.due(), None);
    }

    #[test]
    fn what_has_no_end_is_told_at_last() {
        let mut arrivals = Arrivals::default();
        let begin = Instant::now();
        arrivals.add(&chat(1), begin);
        arrivals.add(&chat(1), begin + PATIENCE);
        assert_eq!(arrivals.due(), Some(begin + PATIENCE));
    }

    #[test]
    fn one_person_is_named_and_looking_forgets() {
        let mut arrivals = Arrivals::default();
        arrivals.add(&chat(1), Instant::now());
        let told = arrivals.tell(|_| Some("Anna".to_owned()));
        assert_eq!(told, Notification { title: "Anna".to_owned(), text: "New message".to_owned() });
        assert!(arrivals.seen() && !arrivals.seen());
    }
}

//! Away for days: twelve people wrote 10,000 messages, each within their mailbox's quota, and the window draws 60 frames a second
//! while they come. CPU time of the window's thread for a frame, logic, layout and tessellation, until all are stored; the goal is
//! 4 ms for 99 of 100 frames. And how often the system was asked for a notification: the window is not looked at.
//!
//! The real backend with its threads over a real relay in this process. Beside it, the limit: the same window at rest afterwards.

#![allow(clippy::print_stdout, missing_docs)]

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use egui::{Context, Pos2, RawInput, Rect, Vec2, vec2};
use nix::time::{ClockId, clock_gettime};
use sotto_desktop::{
    action::{Action, SecretText},
    app::App,
    backend::{Backend, Setup},
    view::View,
};
use sotto_driver::{
    Client, ContactId, ContactState, Intent, Link, Options, Outcome, Passphrase, RelayAddress, Unlock, view,
};
use sotto_outer::Tls;
use sotto_relay::{
    Identity,
    server::{Relay, Settings},
    storage::memory::MemoryStorage,
};
use tempfile::TempDir;
use tokio::{runtime::Runtime, sync::broadcast::error::RecvError};

const FRIENDS: usize = 12;
const FRAME: Duration = Duration::from_micros(16_667);
const SIZE: Vec2 = vec2(1120.0, 760.0);
const PASSPHRASE: &str = "correct horse battery staple";
/// Long enough for any machine.
const PATIENCE: Duration = Duration::from_secs(300);

fn main() {
    // Where tests are run, a few messages show that it works.
    let messages = if std::env::args().any(|arg| arg == "--bench") { 10_000 } else { 2 * FRIENDS };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let (relay, address) = relay(&runtime);
    let folder = TempDir::new().expect("a folder");
    runtime.block_on(write_all(&folder.path().join("profile"), &address, messages));

    let told = Arc::new(Mutex::new(Vec::new()));
    let mut setup = Setup::new(folder.path().join("profile"));
    (setup.keyring, setup.passphrase) = (false, Some(SecretText::new(PASSPHRASE.to_owned())));
    let notifications = Arc::clone(&told);
    setup.notifier = Arc::new(move |told| notifications.lock().expect("nobody panics").extend(told));
    let mut window = Window::new(Backend::start(setup).expect("a thread"));
    window.draw_until(|window| !window.app.view().conversations.is_empty());
    let begin = Instant::now();
    let times = window.draw_until(|window| unread(window.app.view()) == messages as u64);
    let took = begin.elapsed();
    report(&format!("{messages} messages in {:.2} s", took.as_secs_f64()), times);
    window.draw_until(|_| {
        told.lock().expect("nobody panics").iter().any(|told| told.text.starts_with(&messages.to_string()))
    });
    println!("notifications: {:?}", told.lock().expect("nobody panics"));
    let rest = Instant::now();
    report("at rest", window.draw_until(|_| rest.elapsed() > took));
    drop(window);
    drop(relay);
}

fn report(what: &str, mut times: Vec<(Duration, Duration)>) {
    let share =
        |sorted: &[Duration], share: f64| sorted[((sorted.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    let late = times.iter().filter(|(_, wall)| *wall > FRAME).count();
    times.sort_unstable();
    let cpu: Vec<Duration> = times.iter().map(|(cpu, _)| *cpu).collect();
    println!(
        "{what:28} {} frames: CPU p50 {:6.3} ms   p99 {:6.3} ms   most {:6.3} ms; {late} took longer than a frame may",
        cpu.len(),
        share(&cpu, 0.5),
        share(&cpu, 0.99),
        share(&cpu, 1.0)
    );
}

/// A window without a screen, which nobody looks at.
struct Window {
    ctx: Context,
    app: App,
    time: f64,
}

impl Window {
    fn new(backend: Backend) -> Self {
        let ctx = Context::default();
        // Before anything is there to be told.
        backend.send(Action::WindowFocused(false));
        let app = App::new(&ctx, backend);
        Self { ctx, app, time: 0.0 }
    }

    /// Draws 60 frames a second until something is so. Says of each its CPU time and how long it took.
    fn draw_until(&mut self, is_so: impl Fn(&Self) -> bool) -> Vec<(Duration, Duration)> {
        let begin = Instant::now();
        let mut times = Vec::new();
        while times.is_empty() || !is_so(self) {
            assert!(begin.elapsed() < PATIENCE, "it takes too long");
            let next = Instant::now() + FRAME;
            times.push(self.frame());
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        times
    }

    fn frame(&mut self) -> (Duration, Duration) {
        self.time += FRAME.as_secs_f64();
        let screen_rect = Some(Rect::from_min_size(Pos2::ZERO, SIZE));
        let input = RawInput { screen_rect, time: Some(self.time), focused: false, ..RawInput::default() };
        let (begin, began) = (cpu_time(), Instant::now());
        let mut output = self.ctx.run_ui(input, |ui| self.app.draw(ui));
        let shapes = self.ctx.tessellate(std::mem::take(&mut output.shapes), output.pixels_per_point);
        let spent = (cpu_time() - begin, began.elapsed());
        std::hint::black_box(shapes);
        output.drop_without_applying_deltas();
        spent
    }
}

fn unread(view: &View) -> u64 {
    view.conversations.iter().map(|conversation| conversation.unread).sum()
}

/// The CPU time this thread used.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("Linux has this clock").into()
}

/// Everybody meets the reader, who goes away; then they write.
async fn write_all(reader: &Path, relay: &RelayAddress, messages: usize) {
    let host = account(reader, "Reader", relay).await;
    assert!(host.wait_settled(PATIENCE).await.1);
    let Outcome::Link(link) = host.intent(Intent::Invite { once: false }).await.expect("a link") else {
        panic!("an invitation is a link")
    };
    let mut friends = Vec::new();
    for number in 0..FRIENDS {
        friends.push(befriend(&host, &link, &format!("Friend {number}"), relay).await);
    }
    assert!(host.wait_settled(PATIENCE).await.1);
    host.close().await;
    for (number, (_folder, friend)) in friends.iter().enumerate() {
        for message in 0..messages / FRIENDS + usize::from(number < messages % FRIENDS) {
            let text =
                format!("message {message}: the train was late again, we meet at noon, bring an umbrella if it rains");
            let send = Intent::Send { contact: link.root, text, idempotency_key: None };
            friend.intent(send).await.expect("a message");
        }
        assert!(friend.wait_settled(PATIENCE).await.1);
        friend.close().await;
    }
}

async fn befriend(host: &Client, link: &Link, name: &str, relay: &RelayAddress) -> (TempDir, Client) {
    let folder = TempDir::new().expect("a folder");
    let guest = account(&folder.path().join("profile"), name, relay).await;
    let root = guest.view(|rows| view::account(rows)).expect("rows").expect("an account").root;
    guest.intent(Intent::Connect { link: link.clone(), text: None }).await.expect("a contact");
    wait_for(host, &root, ContactState::Incoming).await;
    host.intent(Intent::Accept { contact: root }).await.expect("a contact");
    wait_for(&guest, &link.root, ContactState::Connected).await;
    (folder, guest)
}

async fn account(profile: &Path, name: &str, relay: &RelayAddress) -> Client {
    let unlock = Unlock::Passphrase(Passphrase::new(PASSPHRASE.to_owned()));
    let (client, _) =
        Client::create(&Options { profile: profile.to_owned(), network: true }, &unlock).expect("a client");
    let create = Intent::CreateProfile { name: name.to_owned(), relay: relay.clone() };
    client.intent(create).await.expect("an account");
    client
}

async fn wait_for(client: &Client, contact: &ContactId, state: ContactState) {
    let mut changes = client.changes();
    let is_so = || {
        let contact = client.view(|rows| view::contact(rows, contact)).expect("rows");
        contact.is_some_and(|contact| contact.state == state)
    };
    while !is_so() {
        assert!(!matches!(changes.recv().await, Err(RecvError::Closed)), "the client is gone");
    }
}

/// A relay in this process.
fn relay(runtime: &Runtime) -> (Relay<MemoryStorage>, RelayAddress) {
    let identity = Identity::from_secret(&[7; 32]);
    let public = *identity.public();
    let settings = Settings::plain("127.0.0.1:0".parse().expect("an address"));
    let _entered = runtime.enter();
    let relay = Relay::start(settings, identity, MemoryStorage::new()).expect("a relay");
    let address = RelayAddress::new("127.0.0.1", relay.address().port(), Tls::Off, public).expect("an address");
    (relay, address)
}

//! Away for days: 12 contacts wrote 10,000 messages, each within their mailbox's quota. How long until all of them are durable here,
//! from the moment the client opens?

use std::time::Instant;

use sotto_driver::{Change, Client, ContactId, Happening, Intent, view};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    task::JoinSet,
};

use crate::{
    house::{Profile, Relay, befriend, settle, thread_cpu_secs},
    limit, say,
};

const CONTACTS: usize = 12;
const MESSAGES: usize = 10_000;
const RUNS: usize = 3;
/// A second, to stored.
const GOAL: f64 = 3_000.0;

pub(crate) async fn run() {
    let mut rates = vec![];
    for run in 1..=RUNS {
        rates.push(run_once(run).await);
    }
    rates.sort_by(f64::total_cmp);
    say(&format!("backlog: median {:.0} messages/s to stored (goal {GOAL:.0})", rates[RUNS / 2]));
}

async fn run_once(run: usize) -> f64 {
    let relay = Relay::start(None);
    let (profile, reader) = Profile::create("Reader", &relay.address).await;
    let mut friends = vec![];
    for number in 0..CONTACTS {
        let (friend, client) = Profile::create(&format!("Friend {number}"), &relay.address).await;
        let root = befriend(&reader, &client).await;
        friends.push((friend, client, root));
    }
    settle(&reader).await;
    reader.close().await;
    let mut writing = JoinSet::new();
    for (number, (friend, client, root)) in friends.into_iter().enumerate() {
        let count = MESSAGES / CONTACTS + usize::from(number < MESSAGES % CONTACTS);
        writing.spawn(async move {
            write(&client, root, count).await;
            client.close().await;
            friend
        });
    }
    writing.join_all().await;

    let started = Instant::now();
    let client = profile.open();
    all_stored(&client, client.changes()).await;
    let (took, cpu) = (started.elapsed().as_secs_f64(), thread_cpu_secs("sotto-engine"));
    settle(&client).await;
    let acked = started.elapsed().as_secs_f64();
    let rate = MESSAGES as f64 / took;
    say(&format!(
        "backlog run {run}: {MESSAGES} messages stored in {took:.2} s ({rate:.0}/s), engine's thread {cpu:.2} s of CPU; all acked \
         after {acked:.2} s"
    ));
    if run == RUNS {
        let rows = limit::message_rows(&client);
        say(&format!("backlog limit: {}", limit::describe(&rows)));
    }
    client.close().await;
    rate
}

async fn write(client: &Client, to: ContactId, count: usize) {
    for number in 0..count {
        let text =
            format!("message {number}: the train was late again, we meet at noon, bring an umbrella if it rains");
        let send = Intent::Send { contact: to, text, idempotency_key: None };
        client.intent(send).await.expect("a message");
    }
    settle(client).await;
}

async fn all_stored(client: &Client, mut changes: Receiver<Change>) {
    let mut stored = unread(client);
    while stored < MESSAGES {
        match changes.recv().await {
            Ok(Change::Happened { happening: Happening::MessageNew { .. }, .. }) => stored += 1,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => {
                // Counted anew; what still waits in the channel is in this number.
                changes = changes.resubscribe();
                stored = unread(client);
            }
            Err(RecvError::Closed) => panic!("the client is gone"),
        }
    }
    assert_eq!(unread(client), MESSAGES, "each message once");
}

fn unread(client: &Client) -> usize {
    let unread = client.view(|rows| view::totals(rows)).expect("rows").unread;
    usize::try_from(unread).expect("a number of messages")
}

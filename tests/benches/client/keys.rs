//! A key press in the composer: how long until the message is durable, and until it is on the wire?

use std::time::{Duration, Instant};

use sotto_driver::{Client, ContactId, Intent, view};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::{
    house::{Profile, Relay, befriend, free_port, settle, until},
    limit, say, wire,
};

/// Messages that are there already.
const BEFORE: usize = 1_000;
const BEFORE_AT_ONCE: usize = 200;
/// Fewer than a mailbox holds: nobody reads them.
const PRESSES: usize = 800;
/// Between two presses, as someone types.
const PAUSE: Duration = Duration::from_millis(10);

pub(crate) async fn run() {
    let port = free_port();
    let relay = Relay::start(Some(port));
    let mut sent = wire::lay(port, relay.port).await;
    let (_folder, client) = Profile::create("Writer", &relay.address).await;
    let (friend, friends_client) = Profile::create("Friend", &relay.address).await;
    settle(&client).await;
    settle(&friends_client).await;
    let contact = befriend(&friends_client, &client).await;
    for _ in 0..BEFORE / BEFORE_AT_ONCE {
        for _ in 0..BEFORE_AT_ONCE {
            press(&client, contact).await;
        }
        // Receipts come, so that the session has room for those that none will come for.
        until(&client, |rows| view::totals(rows).expect("rows").waiting == 0).await;
    }
    friends_client.close().await;
    settle(&client).await;

    let (mut durable, mut on_wire) = (vec![], vec![]);
    for _ in 0..PRESSES {
        tokio::time::sleep(PAUSE).await;
        while sent.try_recv().is_ok() {}
        let pressed = Instant::now();
        press(&client, contact).await;
        durable.push(pressed.elapsed());
        on_wire.push(next(&mut sent).await - pressed);
    }
    let rows = limit::message_rows(&client);
    say(&format!("key press to durable: {} (goal p50 5.0, p99 25.0)", spread(durable)));
    say(&format!("key press to the wire: {} (goal p50 5.0, p99 25.0)", spread(on_wire)));
    let bare = limit::bare(&rows[rows.len() - PRESSES..], 1);
    say(&format!("key press limit: one row in bare SQLCipher {}", spread(bare)));
    client.close().await;
    drop(friend);
}

async fn press(client: &Client, contact: ContactId) {
    let text = "the train was late again, we meet at noon".to_owned();
    client.intent(Intent::Send { contact, text, idempotency_key: None }).await.expect("a message");
}

async fn next(sent: &mut UnboundedReceiver<Instant>) -> Instant {
    sent.recv().await.expect("a wire")
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    format!("p50 {:.2} ms, p99 {:.2} ms, most {:.2} ms", at(50), at(99), at(100))
}

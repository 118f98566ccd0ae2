//! Why is this not delivered? Where a message is, and what it waits for.

use sotto_driver::{
    Client, ClientError, ContentId, Health, MessageStatus,
    view::{self, Wait},
};

use super::trouble::sentence;
use crate::view::Why;

/// Where a message of ours is; none for theirs.
pub(super) fn why(client: &Client, message: &ContentId) -> Result<Option<Why>, ClientError> {
    let delivery = client.view(|rows| view::delivery(rows, message))?;
    let health = client.health().borrow().clone();
    Ok(delivery.map(|delivery| Why {
        message: *message,
        stations: stations(delivery.status),
        waits_for: delivery.waits_for.map(|wait| words(wait, &health)).unwrap_or_default(),
        retry: delivery.waits_for.is_some_and(may_help),
    }))
}

/// What is reached of the way. Nobody tells what they read yet; where someone did, it is said.
fn stations(status: MessageStatus) -> Vec<(String, bool)> {
    let reached = |name: &str, least| (name.to_owned(), status >= least);
    let mut stations = vec![
        reached("Stored on this computer", MessageStatus::Queued),
        reached("At their relay", MessageStatus::Sent),
        reached("On their device", MessageStatus::Delivered),
    ];
    if status == MessageStatus::Read {
        stations.push(reached("Read", MessageStatus::Read));
    }
    stations
}

fn words(wait: Wait, health: &Health) -> String {
    let offline = health.problem().filter(|_| !health.online());
    match (wait, offline) {
        (Wait::Request | Wait::Relay, Some(problem)) => {
            format!("No relay is in reach. {} It goes out by itself as soon as one is.", sentence(problem))
        }
        (Wait::Request, None) => "It goes with your request, which waits for an answer of their relay.".to_owned(),
        (Wait::Relay, None) => "Their relay has not taken it yet. It is tried again by itself.".to_owned(),
        (Wait::Answer, _) => "It is at their relay, and shown to them with your request.".to_owned(),
        (Wait::Device, _) => "It is at their relay until their device is online.".to_owned(),
        (Wait::Link, _) => "Nobody can be reached there any more. Ask them for a new link.".to_owned(),
        (Wait::Never, _) => "It is not sent any more.".to_owned(),
    }
}

const fn may_help(wait: Wait) -> bool {
    match wait {
        Wait::Request | Wait::Relay | Wait::Link => true,
        Wait::Answer | Wait::Device | Wait::Never => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stations_are_reached_in_order() {
        let reached = |status| stations(status).into_iter().filter(|(_, reached)| *reached).count();
        let all = [MessageStatus::Queued, MessageStatus::Sent, MessageStatus::Delivered, MessageStatus::Read];
        assert_eq!(all.map(reached), [1, 2, 3, 4]);
    }
}

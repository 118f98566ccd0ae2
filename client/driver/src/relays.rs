//! The lines of one client: their tasks, which of their connections the engine knows, and what is unanswered there.
//!
//! A task may have dialled again before the engine has heard that the old connection is gone. So frames of connections
//! that the engine was not told of are dropped, and what the engine sends goes to the connection it was last told of.
//!
//! The engine judges whether a connection leads to the relay; its task is told of each that does, and closes the others.
//!
//! Nothing is dialled before it was said through which proxy, or through none.

use std::collections::{BTreeMap, BTreeSet};

use sotto_engine::{Change, Event, Line, ProxyAddress, RelayProblem, Role};
use sotto_net::{ConnectionNumber, NetError, NetEvent, Proxy, RelayTask, Route, TaskNumber, What};
use sotto_outer::{ClientFrame, RelayAddress, RelayFrame, RelayIdentity};
use tokio::{sync::mpsc, task::JoinSet};
use tracing::error;

use crate::{RelayState, isolation::Isolation};

/// All lines.
pub(crate) struct Relays {
    events: mpsc::Sender<NetEvent>,
    isolation: Isolation,
    /// How lines are dialled; none until it was said.
    way: Option<Way>,
    lines: BTreeMap<Line, Known>,
    /// Which line's task a number names. Numbers are never given twice.
    tasks: BTreeMap<TaskNumber, Line>,
    last_task: u64,
}

/// How lines are dialled.
enum Way {
    Straight,
    Through(Proxy),
}

struct Known {
    number: TaskNumber,
    task: RelayTask,
    state: RelayState,
    /// The connection that the engine was last told of, if it still stands for the engine. Ahead of `speaks` within a
    /// batch.
    heard: Option<ConnectionNumber>,
    /// The connection that released effects are meant for.
    speaks: Option<ConnectionNumber>,
    unanswered: BTreeSet<u32>,
    caught_up: bool,
}

/// A connection that effects released after this are meant for.
pub(crate) struct Heard {
    line: Line,
    task: TaskNumber,
    connection: Option<ConnectionNumber>,
}

impl Relays {
    pub(crate) fn new(events: mpsc::Sender<NetEvent>) -> Self {
        Self {
            events,
            isolation: Isolation::default(),
            way: None,
            lines: BTreeMap::new(),
            tasks: BTreeMap::new(),
            last_task: 0,
        }
    }

    /// Ends every task; those that are asked for after this are dialled through the proxy, or straight.
    ///
    /// The ends are without a goodbye: it would leave by the way that is left. And every line takes a new name, or two proxies
    /// could compare notes.
    pub(crate) fn use_proxy(&mut self, proxy: Option<&ProxyAddress>) {
        self.lines.values().for_each(|known| known.task.cut());
        self.drop_tasks();
        self.isolation = Isolation::default();
        self.way = match proxy.map(|proxy| Proxy::new(proxy.host(), proxy.port())) {
            None => Some(Way::Straight),
            Some(Ok(proxy)) => Some(Way::Through(proxy)),
            Some(Err(_)) => {
                // The engine's addresses are proxies to the net; if ever one is not, nothing goes around it.
                error!("a proxy cannot be used; no relay is dialled");
                None
            }
        };
    }

    /// Begins to dial a line; the relay of one that is known already may be at this place too.
    pub(crate) fn connect(&mut self, role: Role, address: RelayAddress) {
        let line = Line { relay: *address.identity(), role };
        if let Some(known) = self.lines.get(&line) {
            return known.task.also_at(address);
        }
        let proxy = match &self.way {
            None => return,
            Some(Way::Straight) => None,
            Some(Way::Through(proxy)) => Some(proxy.clone()),
        };
        let route = Route { proxy, isolation: self.isolation.name(line) };
        self.last_task += 1;
        let number = TaskNumber(self.last_task);
        let known = Known {
            number,
            task: RelayTask::spawn(number, address, route, self.events.clone()),
            state: RelayState::Dialling,
            heard: None,
            speaks: None,
            unanswered: BTreeSet::new(),
            caught_up: false,
        };
        self.tasks.insert(number, line);
        self.lines.insert(line, known);
    }

    /// The relay of a line is said to be at this place no more.
    pub(crate) fn leave(&mut self, role: Role, address: &RelayAddress) {
        if let Some(known) = self.lines.get(&Line { relay: *address.identity(), role }) {
            known.task.not_at(address);
        }
    }

    /// Ends a line's task, with its connection.
    pub(crate) fn disconnect(&mut self, line: Line) {
        if let Some(known) = self.lines.remove(&line) {
            self.tasks.remove(&known.number);
        }
    }

    /// What a net event is to the engine: nothing, if the engine does not know its connection; and if it begins or ends
    /// one, a mark to be released in its place among the effects.
    pub(crate) fn translate(&mut self, event: NetEvent) -> Option<(Event, Option<Heard>)> {
        let NetEvent { task, connection, what } = event;
        let line = *self.tasks.get(&task)?;
        let known = self.lines.get_mut(&line)?;
        match what {
            What::Connected { address, exporter } => {
                known.heard = Some(connection);
                known.state = RelayState::Proving;
                let heard = Heard { line, task, connection: known.heard };
                Some((Event::Connected { role: line.role, address, exporter }, Some(heard)))
            }
            What::Frame(frame) => {
                if known.heard != Some(connection) {
                    return None;
                }
                if let RelayFrame::Answer { request, answer: _ } = &frame {
                    known.unanswered.remove(request);
                }
                Some((Event::FrameReceived { line, frame }, None))
            }
            What::Disconnected(reason) => {
                known.went_offline(reason);
                if known.heard.take() != Some(connection) {
                    return None;
                }
                Some((Event::Disconnected { line }, Some(Heard { line, task, connection: None })))
            }
            What::DialFailed(reason) => {
                known.went_offline(reason);
                None
            }
        }
    }

    /// From here on, effects are meant for another connection.
    pub(crate) fn switch(&mut self, Heard { line, task, connection }: Heard) {
        if let Some(known) = self.lines.get_mut(&line).filter(|known| known.number == task) {
            known.speaks = connection;
            known.unanswered.clear();
        }
    }

    /// Sends a frame on the connection the engine meant; without one, drops it.
    pub(crate) fn transmit(&mut self, line: Line, frame: ClientFrame) {
        if let Some(known) = self.lines.get_mut(&line)
            && let Some(connection) = known.speaks
        {
            known.unanswered.insert(frame.request);
            known.task.transmit(connection, frame);
        }
    }

    /// Closes the connection the engine meant.
    pub(crate) fn close(&mut self, line: Line) {
        if let Some(known) = self.lines.get_mut(&line)
            && let Some(connection) = known.speaks
        {
            known.task.close(connection);
        }
    }

    /// Ends every task: an engine that begins anew asks for what it wants, and relays deliver again what was not acked.
    pub(crate) fn begin_anew(&mut self) {
        self.drop_tasks();
        self.way = None;
    }

    /// Notes what the engine found a relay to be on a line.
    pub(crate) fn judge(&mut self, line: Line, verdict: Result<(), RelayProblem>) {
        let Some(known) = self.lines.get_mut(&line) else { return };
        // What nobody reads on has nothing to catch up with.
        known.caught_up = line.role != Role::Reading;
        if verdict.is_ok()
            && let Some(connection) = known.speaks
        {
            known.task.proven(connection);
        }
        known.state = match verdict {
            Ok(()) => RelayState::Online { caught_up: false, unanswered: 0 },
            Err(problem) => RelayState::Refused(problem),
        };
    }

    /// Notes what a change says of a relay.
    pub(crate) fn note(&mut self, change: &Change) {
        if let Change::CaughtUp { relay } = change
            && let Some(known) = self.lines.get_mut(&Line::reading(*relay))
        {
            known.caught_up = true;
        }
    }

    /// How each relay stands: as the worse of its lines does.
    pub(crate) fn states(&self) -> BTreeMap<RelayIdentity, RelayState> {
        let mut states = BTreeMap::new();
        for (line, known) in &self.lines {
            let state = known.current_state();
            // That no tokens can be had now is no reason to say that the relay is out of reach.
            if line.role == Role::Admission && matches!(state, RelayState::Offline(_) | RelayState::Refused(_)) {
                continue;
            }
            let state = match states.remove(&line.relay) {
                Some(other) => RelayState::of_both(other, state),
                None => state,
            };
            states.insert(line.relay, state);
        }
        states
    }

    /// Dials those that wait for their back-off now; not those whose relay asked for patience.
    pub(crate) fn hurry(&mut self) {
        for known in self.lines.values_mut() {
            match known.state {
                RelayState::Offline(NetError::Overloaded { .. }) => {}
                RelayState::Offline(_) => {
                    known.state = RelayState::Dialling;
                    known.task.hurry();
                }
                RelayState::Dialling | RelayState::Proving | RelayState::Online { .. } | RelayState::Refused(_) => {}
            }
        }
    }

    /// The machine slept, or its clock was set: connections may be dead, and back-offs are of another time.
    pub(crate) fn wake(&mut self) {
        self.lines.values().for_each(|known| known.task.probe());
        self.hurry();
    }

    /// Sends what is ordered, says goodbye to each relay.
    pub(crate) async fn stop(self, mut events: mpsc::Receiver<NetEvent>) {
        let Self { events: own, lines, .. } = self;
        drop(own);
        let mut stopping: JoinSet<()> = lines.into_values().map(|known| known.task.stop()).collect();
        // What still arrives is not acked, so it comes again next time; taken here, so that no task waits for room.
        tokio::join!(async { while stopping.join_next().await.is_some() {} }, async {
            while events.recv().await.is_some() {}
        });
    }

    fn drop_tasks(&mut self) {
        self.lines.clear();
        self.tasks.clear();
    }
}

impl Known {
    fn current_state(&self) -> RelayState {
        match &self.state {
            RelayState::Online { .. } => {
                RelayState::Online { caught_up: self.caught_up, unanswered: self.unanswered.len() }
            }
            other => other.clone(),
        }
    }

    /// A refusal is told until the relay is asked again: that we closed the connection afterwards explains nothing.
    fn went_offline(&mut self, reason: NetError) {
        if !matches!(self.state, RelayState::Refused(_)) {
            self.state = RelayState::Offline(reason);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_proxy_is_shown_other_names() {
        let mut relays = Relays::new(mpsc::channel(1).0);
        let line = Line::sending([7; 32].into());
        let before = relays.isolation.name(line);
        relays.use_proxy(Some(&"socks5://127.0.0.1:9050".parse().unwrap()));
        assert_ne!(relays.isolation.name(line), before);
    }
}

//! The event stream of a daemon, read line by line.

use std::{
    io::{BufRead as _, BufReader},
    os::unix::net::UnixStream,
};

use serde_json::Value;

/// Events, oldest first; the next one is waited for.
pub(crate) struct Events(BufReader<UnixStream>);

impl Events {
    pub(crate) const fn new(answers: BufReader<UnixStream>) -> Self {
        Self(answers)
    }

    /// The next event of a type.
    pub(crate) fn next(&mut self, kind: &str) -> Value {
        self.find(|event| event["type"] == kind)
    }

    /// The next event that is wanted.
    pub(crate) fn find(&mut self, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let mut line = String::new();
        loop {
            line.clear();
            let read = self.0.read_line(&mut line).unwrap();
            assert!(read > 0, "the daemon ended before the event that is waited for");
            let mut answer: Value = serde_json::from_str(&line).unwrap();
            assert!(answer["failed"].is_null(), "{line}");
            let event = answer["item"]["json"].take();
            if is_wanted(&event) {
                return event;
            }
        }
    }
}

//! Where a verb's items go: to a terminal, as JSON or as sentences, or over the socket to a process that has one.

use std::io::{self, Write as _};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::{io::AsyncWriteExt as _, net::unix::OwnedWriteHalf};

use crate::{args::Globals, attach::Answer, failure::Failure};

/// One thing a verb has to say.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Item {
    /// For programs.
    json: Value,
    /// For people.
    human: String,
    /// For people who asked for quiet: the result alone, if there is one.
    terse: Option<String>,
}

impl Item {
    /// A result, in sentences and alone. What strangers wrote in it is made plain here.
    pub(crate) fn result(json: Value, human: &str, terse: &str) -> Self {
        Self { json, human: plain(human), terse: Some(plain(terse)) }
    }

    /// A result that is its own sentence.
    pub(crate) fn line(json: Value, human: &str) -> Self {
        Self::result(json, human, human)
    }

    /// Something a quiet person need not read.
    pub(crate) fn remark(json: Value, human: &str) -> Self {
        Self { json, human: plain(human), terse: None }
    }
}

/// Where items go.
pub(crate) enum Output {
    Terminal { json: bool, quiet: bool },
    Socket(OwnedWriteHalf),
}

impl Output {
    pub(crate) fn terminal(globals: &Globals) -> Self {
        Self::Terminal { json: globals.json, quiet: globals.quiet }
    }

    /// Says one thing.
    ///
    /// # Errors
    /// [`Failure::gone`] if nobody reads any more.
    pub(crate) async fn item(&mut self, item: Item) -> Result<(), Failure> {
        match self {
            Self::Terminal { json: true, .. } => print_line(&item.json.to_string()),
            Self::Terminal { json: false, quiet: false } => print_line(&item.human),
            Self::Terminal { json: false, quiet: true } => item.terse.as_deref().map_or(Ok(()), print_line),
            Self::Socket(socket) => write_answer(socket, &Answer::Item(item)).await,
        }
    }
}

/// Sends one line over the socket.
pub(crate) async fn write_answer(socket: &mut OwnedWriteHalf, answer: &Answer) -> Result<(), Failure> {
    let mut line = serde_json::to_vec(answer).map_err(|error| Failure::internal(&error))?;
    line.push(b'\n');
    socket.write_all(&line).await.map_err(|_| Failure::gone())
}

/// Prints one line; a pipe that was closed is its reader's choice.
pub(crate) fn print_line(line: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::gone(),
        _ => Failure::internal(&error),
    })
}

/// Text without what could command a terminal or turn the reading direction around.
fn plain(text: &str) -> String {
    let harmful = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
    };
    text.chars().map(|c| if harmful(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_commands_no_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\u{202e}c\r\nd\té"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}\nd\u{fffd}é");
    }
}

//! Questions to a host at a terminal: an explanation, a default, and again where the answer cannot be.

use std::io::{self, BufRead, Write};

/// Whom to ask.
pub(super) struct Questions<R, W> {
    pub(super) answers: R,
    pub(super) screen: W,
}

impl<R: BufRead, W: Write> Questions<R, W> {
    /// Asks until `read` takes the answer; an empty one is the default, where there is one.
    ///
    /// # Errors
    /// The terminal's; `UnexpectedEof` where nobody answers any more.
    pub(super) fn ask<T, E: core::fmt::Display>(
        &mut self,
        explanation: &str,
        question: &str,
        default: Option<&str>,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> io::Result<T> {
        writeln!(self.screen, "\n{explanation}")?;
        loop {
            match default {
                Some("") => write!(self.screen, "{question} [none]: ")?,
                Some(default) => write!(self.screen, "{question} [{default}]: ")?,
                None => write!(self.screen, "{question}: ")?,
            }
            self.screen.flush()?;
            let mut line = String::new();
            if self.answers.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let answer = match (line.trim(), default) {
                ("", Some(default)) => default,
                ("", None) => continue,
                (answer, _) => answer,
            };
            match read(answer) {
                Ok(value) => return Ok(value),
                Err(error) => writeln!(self.screen, "That cannot be: {error}")?,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(answers: &str, default: Option<&str>) -> (io::Result<u16>, String) {
        let mut screen = vec![];
        let mut questions = Questions { answers: answers.as_bytes(), screen: &mut screen };
        let value = questions.ask("A port is a number.", "Port", default, str::parse);
        (value, String::from_utf8(screen).unwrap())
    }

    #[test]
    fn an_empty_answer_is_the_default_and_a_wrong_one_asks_again() {
        assert_eq!(asked("\n", Some("7")).0.unwrap(), 7);
        let (value, screen) = asked("x\n70000\n9\n", Some("7"));
        assert_eq!(value.unwrap(), 9);
        assert_eq!(screen.matches("That cannot be").count(), 2, "{screen}");
        assert_eq!(asked("\n\n8\n", None).0.unwrap(), 8, "without a default it asks on");
    }

    #[test]
    fn nobody_to_answer_is_an_error() {
        assert_eq!(asked("", Some("7")).0.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}

//! Names under which lines are shown to a proxy, so that Tor takes another circuit for each (`IsolateSOCKSAuth`).

use std::collections::BTreeMap;

use rand::rngs::SysRng;
use rand_core::{Rng as _, UnwrapErr};
use sotto_engine::Line;

/// The names for one proxy. Each is random, belongs to one line, and is never written down.
#[derive(Default)]
pub(crate) struct Isolation {
    names: BTreeMap<Line, String>,
}

impl Isolation {
    /// A line's name, drawn when it is first asked for.
    pub(crate) fn name(&mut self, line: Line) -> String {
        let draw = || {
            let mut bytes = [0; 16];
            UnwrapErr(SysRng).fill_bytes(&mut bytes);
            bytes.iter().map(|byte| format!("{byte:02x}")).collect()
        };
        self.names.entry(line).or_insert_with(draw).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_a_name_of_its_own_that_says_nothing() {
        let mut isolation = Isolation::default();
        let relay = [7; 32].into();
        let reading = isolation.name(Line::reading(relay));
        assert_eq!(reading, isolation.name(Line::reading(relay)));
        assert_ne!(reading, isolation.name(Line::sending(relay)));
        assert_ne!(reading, Isolation::default().name(Line::reading(relay)), "another process");
        assert_eq!(reading.len(), 32);
    }
}

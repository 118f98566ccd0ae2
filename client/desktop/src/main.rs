//! The desktop client.

fn main() {}

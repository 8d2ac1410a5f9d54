//! true: does nothing, successfully.

fn main() {}

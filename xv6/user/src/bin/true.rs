//! true: does nothing, successfully (true(1)).

fn main() {}

//! Sleeping locks and wait queues.

/// One waiter for any of several wait queues (poll(2)).
pub struct Poller;

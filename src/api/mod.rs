//! Endpoint families of the service as typed calls on [`Client`](crate::Client).

//! HTTP: connections, quoting, rate budget, retries, errors.

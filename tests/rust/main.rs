//! Integration tests in one binary, a module for each topic.

// Nothing that others may not read is written here.
#![allow(clippy::disallowed_methods)]

mod answer_memory;
mod answers;
mod architecture;
mod connections;
mod deploy;
mod emulator_account;
mod emulator_endpoints;
mod emulator_faults;
mod emulator_files;
mod emulator_host;
mod emulator_processes;
mod emulator_sharing;
mod emulator_tasks;
mod emulator_throttle;
mod emulator_tls;
mod emulator_webapps;
mod emulator_websites;
mod engine;
mod fuzz;
mod login;
mod own_process;
mod script;
mod transfer_memory;
mod transfers;

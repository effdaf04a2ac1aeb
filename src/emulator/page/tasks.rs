//! Scheduled and always-on tasks on the page.

use serde_json::{Value, json};

use super::json::{epoch, log_path};
use crate::clock;
use crate::emulator::process::{AlwaysOnTask, ScheduledTask};
use crate::emulator::state::EmulatorState;

pub(super) async fn all(state: &EmulatorState) -> Value {
    let scheduled: Vec<Value> = state.processes.schedule.all().await.iter().map(scheduled).collect();
    let always_on: Vec<Value> = state.processes.always_on.all().await.iter().map(always_on).collect();
    json!({ "scheduled": scheduled, "always_on": always_on })
}

fn scheduled(task: &ScheduledTask) -> Value {
    json!({
        "id": task.id,
        "command": task.command,
        "description": task.description,
        "enabled": task.enabled,
        "interval": task.interval,
        "at": task.printable_time(),
        "next": epoch(task.next_after(clock::wall())),
        "log": log_path(&task.log_name()),
    })
}

fn always_on(task: &AlwaysOnTask) -> Value {
    json!({
        "id": task.id,
        "command": task.command,
        "description": task.description,
        "enabled": task.enabled,
        "running": task.running,
        "log": log_path(&task.log_name()),
    })
}

//! Requests as the page shows them: those that came or ended since it was last told, and who waits.

use serde_json::{Value, json};

use super::curl;
use crate::emulator::request_log::LoggedRequest;
use crate::emulator::state::EmulatorState;

/// How many of the requests so far a page is told at first, and how many at a time.
const AT_ONCE: usize = 400;

/// What one page has been told.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The number of the last request, if it was told of any.
    last: Option<u64>,
    /// Those that had not ended.
    open: Vec<u64>,
}

impl Told {
    /// The requests that came or ended meanwhile, oldest first. One that was dropped from the log is told as such.
    pub fn news(&mut self, state: &EmulatorState) -> Vec<Value> {
        let mut news = self.ended(state);
        let new = match self.last {
            // Where more have come than are told at a time, the next round goes on.
            Some(last) => state.log.after(last, AT_ONCE),
            None => state.log.newest(AT_ONCE),
        };
        for request in new {
            self.last = Some(request.number);
            if request.finished.is_none() {
                self.open.push(request.number);
            }
            news.push(shown(state, &request));
        }
        news
    }

    /// Those of the open ones that are so no more.
    fn ended(&mut self, state: &EmulatorState) -> Vec<Value> {
        let mut ended = Vec::new();
        self.open.retain(|number| {
            let request = state.log.get(*number);
            let is_open = request.as_ref().is_some_and(|request| request.finished.is_none());
            if !is_open {
                let dropped = || json!({ "number": number, "dropped": true });
                ended.push(request.map_or_else(dropped, |request| shown(state, &request)));
            }
            is_open
        });
        ended
    }
}

fn shown(state: &EmulatorState, request: &LoggedRequest) -> Value {
    json!({
        "number": request.number,
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "agent": request.user_agent,
        "endpoint": request.endpoint,
        "status": request.status,
        "started": request.started.since_start().as_secs_f64(),
        "finished": request.finished.map(|tick| tick.since_start().as_secs_f64()),
        "bytes_in": request.bytes_in,
        "bytes_out": request.bytes_out,
        "faults": request.faults,
        "curl": curl::command(&state.url, request),
    })
}

/// The numbers of the requests that a fault holds.
pub(super) fn held(state: &EmulatorState) -> Value {
    state.held.held().into_iter().map(|request| request.number).collect()
}

/// What each endpoint has admitted in the last minute.
pub(super) fn budget(state: &EmulatorState) -> Value {
    let used = state.throttle.usage().into_iter().map(|bucket| {
        let admitted: Vec<f64> = bucket.admitted.iter().map(|tick| tick.since_start().as_secs_f64()).collect();
        json!({
            "endpoint": bucket.endpoint,
            "method": bucket.method,
            "limit": bucket.limit,
            "admitted": admitted,
        })
    });
    json!({ "limit": state.settings.rate_limit, "buckets": used.collect::<Vec<_>>() })
}

//! The stream of server-sent events that keeps the page up to date.
//!
//! Instead of telling the page from every place that changes something, the stream looks several times a second and sends
//! the sections that differ from what it sent last. Nobody pays for it while no page is open.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::Value;

use super::{accounts, consoles, faults, requests, sites, tasks};
use crate::emulator::state::{EmulatorState, SharedState};

/// How often to look. What is typed into a console is shown by this stream, so it should feel immediate.
const LOOK: Duration = Duration::from_millis(60);

/// How often the clock is told, which the page lets run on by itself, and what costs more to find out.
const SELDOM: u32 = 16;

pub(super) async fn stream(State(state): SharedState) -> Response {
    let watch =
        Watch { state, round: 0, sent: HashMap::new(), requests: requests::Told::default(), screens: HashMap::new() };
    let events = stream::unfold(watch, |mut watch| async move {
        let news = watch.wait_for_news().await;
        Some((stream::iter(news.into_iter().map(Ok::<_, Infallible>)), watch))
    });
    Sse::new(futures_util::StreamExt::flatten(events)).keep_alive(KeepAlive::default()).into_response()
}

/// What one page has been sent.
struct Watch {
    state: Arc<EmulatorState>,
    round: u32,
    /// The last text of each section.
    sent: HashMap<&'static str, String>,
    requests: requests::Told,
    /// The state of each console's screen.
    screens: HashMap<u64, u64>,
}

impl Watch {
    async fn wait_for_news(&mut self) -> Vec<Event> {
        loop {
            // Also where there always is some: a console may print without a pause.
            if self.round > 0 {
                tokio::time::sleep(LOOK).await;
            }
            let news = self.news().await;
            self.round = self.round.wrapping_add(1);
            if !news.is_empty() {
                return news;
            }
        }
    }

    async fn news(&mut self) -> Vec<Event> {
        let state = Arc::clone(&self.state);
        let sections = sections(&state, self.round.is_multiple_of(SELDOM)).await;
        let mut news: Vec<Event> =
            sections.into_iter().filter_map(|(name, value)| self.differs(name, &value)).collect();
        let requests = self.requests.news(&state);
        if !requests.is_empty() {
            news.push(event("requests", &Value::from(requests).to_string()));
        }
        news.extend(
            consoles::screens(&state, &mut self.screens).iter().map(|screen| event("screen", &screen.to_string())),
        );
        news
    }

    /// The event for a section, if the page has not been told this.
    fn differs(&mut self, name: &'static str, value: &Value) -> Option<Event> {
        let text = value.to_string();
        if self.sent.get(name) == Some(&text) {
            return None;
        }
        let news = event(name, &text);
        self.sent.insert(name, text);
        Some(news)
    }
}

/// Each section of the page as it is now.
async fn sections(state: &EmulatorState, with_seldom: bool) -> Vec<(&'static str, Value)> {
    let mut sections = Vec::new();
    if with_seldom {
        sections.push(("clock", accounts::clock()));
        sections.push(("account", accounts::account(state)));
    }
    sections.extend([
        ("budget", requests::budget(state)),
        ("held", requests::held(state)),
        ("faults", faults::all(state)),
        ("consoles", consoles::all(state)),
        ("sites", sites::all(state).await),
        ("tasks", tasks::all(state).await),
    ]);
    sections
}

fn event(name: &str, json: &str) -> Event {
    Event::default().event(name).data(json)
}

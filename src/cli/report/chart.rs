//! The time line of a report: for each endpoint, how many requests left within the last minute against the limit, when each
//! left, and when requests waited. Drawn as shapes only, which stretch with the page; what they say is in words beside them.

use std::fmt::Write as _;
use std::time::Duration;

use super::html::Html;
use super::requests::{Lane, Requests, WINDOW, is_failure, total, wait_of};
use crate::client::{Timeline, TimelineEntry};
use crate::clock::Tick;
use crate::text::counted;

/// The drawing's own units, to which positions are rounded: a lane has no more shapes than this, however many its requests.
const WIDTH: f64 = 2000.0;
/// Where the count of a window is 0, and where a full window is.
const FLOOR: f64 = 80.0;
const CEILING: f64 = 14.0;
/// The marks of single requests.
const MARKS: (f64, f64) = (86.0, 98.0);

/// The distances of two lines of the axis, in seconds; an axis has at most [`MOST_LINES`].
const STEPS: [f64; 22] = [
    0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0,
    14_400.0, 28_800.0, 86_400.0, 604_800.0,
];
const MOST_LINES: f64 = 6.0;

/// More requests than this are not listed one by one.
const MOST_LISTED: usize = 500;

/// The time axis that all lanes share.
struct Axis {
    began: Tick,
    /// Seconds between two lines.
    step: f64,
    lines: u32,
}

impl Axis {
    fn of(requests: &Requests) -> Self {
        let span = requests.duration().as_secs_f64();
        let fits = |step: &&f64| span / **step <= MOST_LINES;
        let step = STEPS.iter().find(fits).copied().unwrap_or(span / MOST_LINES);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 6")]
        let lines = (span / step).ceil().clamp(1.0, MOST_LINES) as u32;
        Self { began: requests.began, step, lines }
    }

    /// Where a moment is, in whole units of the drawing.
    fn x(&self, at: Tick) -> f64 {
        self.place((at - self.began).as_secs_f64()).min(WIDTH)
    }

    /// Where that many seconds after its beginning are.
    fn place(&self, seconds: f64) -> f64 {
        (seconds / (self.step * f64::from(self.lines)) * WIDTH).round()
    }

    fn marks(&self) -> impl Iterator<Item = f64> + '_ {
        (0..self.lines).map(|line| f64::from(line) * self.step)
    }

    /// The path of its lines, from top to bottom.
    fn grid(&self) -> String {
        uprights(self.marks().map(|seconds| self.place(seconds)), (0.0, 100.0))
    }
}

/// Adds the time line.
pub(super) fn draw(html: &mut Html, requests: &Requests) {
    let axis = Axis::of(requests);
    html.raw("<section><h2>Requests against the limit</h2>\n");
    html.element("<p>", &summary(requests), "</p>\n").raw(LEGEND);
    for lane in requests.lanes() {
        draw_lane(html, &lane, &axis, requests.ended);
    }
    list(html, requests);
    html.raw("</section>\n");
}

const LEGEND: &str = "<ul class=\"legend\"><li><i class=\"area\"></i>left within the last 60 s<li><i class=\"limit\"></i>limit\
    <li><i class=\"mark\"></i>a request leaves<li><i class=\"bad\"></i>answered with 429 or 5xx, or not at all\
    <li><i class=\"wait\"></i>requests wait for the limit</ul>\n";

fn summary(requests: &Requests) -> String {
    let sent = requests.entries().iter().filter(|entry| entry.sent.is_some()).count();
    let all = format!("The whole command sent {} in {}", counted(sent, "request"), exact(requests.duration()));
    let waits = waits_in_words(requests.time_waited(), requests.longest_wait());
    format!("{all}; {waits}. Requests that other commands sent in the minute before count as well, and are not shown.")
}

fn waits_in_words(waited: Duration, longest: Duration) -> String {
    if waited.is_zero() {
        return "none waited for the limit".to_owned();
    }
    format!("for {} of it some waited for the limit, the longest {}", exact(waited), exact(longest))
}

fn draw_lane(html: &mut Html, lane: &Lane<'_>, axis: &Axis, now: Tick) {
    let waits = lane.waits(now);
    let (name, said) = (name_of(lane), in_words(lane, total(&waits)));
    html.element("<figure><figcaption><code>", name, "</code> ").element("<span>", &said, "</span></figcaption>\n");
    html.format(format_args!("<svg viewBox=\"0 0 {WIDTH} 100\" preserveAspectRatio=\"none\" role=\"img\">"));
    html.element("<title>", &format!("{name}: {said}"), "</title>\n");
    for (from, to) in waits {
        draw_wait(html, axis.x(from), axis.x(to));
    }
    draw_sent(html, lane, axis, now);
    html.raw("\n</svg>\n<div class=\"axis\" aria-hidden=\"true\">");
    axis.marks().for_each(|seconds| {
        html.element("<span>", &moment(seconds), "</span>");
    });
    html.raw("</div></figure>\n");
}

fn name_of(lane: &Lane<'_>) -> &'static str {
    if lane.endpoint == Timeline::SITE { "the site: its agent, and the check of its health" } else { lane.endpoint }
}

fn draw_wait(html: &mut Html, from: f64, to: f64) {
    let width = (to - from).max(1.0);
    html.format(format_args!("<rect class=\"wait\" x=\"{from}\" y=\"0\" width=\"{width}\" height=\"100\"/>"));
}

/// Adds what was sent, by the limit.
fn draw_sent(html: &mut Html, lane: &Lane<'_>, axis: &Axis, now: Tick) {
    html.format(format_args!("<path class=\"area\" d=\"{}\"/>", counts(lane, axis, now)));
    html.format(format_args!("<path class=\"grid\" d=\"{}\"/>", axis.grid()));
    if let Some(limit) = lane.limit {
        let y = height(f64::from(limit), scale(lane));
        html.format(format_args!("<path class=\"limit\" d=\"M0 {y:.1}H{WIDTH}\"/>"));
    }
    for (class, is_bad) in [("mark", false), ("bad", true)] {
        html.format(format_args!("<path class=\"{class}\" d=\"{}\"/>", marks(lane, axis, is_bad)));
    }
}

fn in_words(lane: &Lane<'_>, waited: Duration) -> String {
    let sent = counted(lane.sent.len(), "request");
    let peak = lane.limit.map(|limit| format!("at most {} of {limit} in a minute", lane.peak()));
    let peak = peak.unwrap_or_else(|| "no limit".to_owned());
    let waits = if waited.is_zero() { String::new() } else { format!("; some waited for {}", exact(waited)) };
    let failed = match lane.entries.iter().filter(|entry| is_failure(entry)).count() {
        0 => String::new(),
        count => format!("; {count} failed"),
    };
    format!("{sent}, {peak}{waits}{failed}")
}

/// What a full lane is: the limit, and what is above it, where it was exceeded or there is none.
fn scale(lane: &Lane<'_>) -> f64 {
    let most = lane.limit.map_or(4, |limit| limit as usize).max(lane.peak());
    f64::from(u32::try_from(most).unwrap_or(u32::MAX).max(1))
}

fn height(count: f64, scale: f64) -> f64 {
    FLOOR - count / scale * (FLOOR - CEILING)
}

/// The area under the count of requests that left within the last window.
fn counts(lane: &Lane<'_>, axis: &Axis, now: Tick) -> String {
    let scale = scale(lane);
    let leaves = lane.sent.iter().map(|&at| (at, 1.0));
    let ages = lane.sent.iter().map(|&at| (at + WINDOW, -1.0));
    let mut changes: Vec<(Tick, f64)> = leaves.chain(ages).filter(|(at, _)| *at <= now).collect();
    changes.sort_by_key(|(at, _)| *at);
    let (mut path, mut count) = (format!("M0 {FLOOR}"), 0.0);
    let mut changes = changes.into_iter().map(|(at, change)| (axis.x(at), change)).peekable();
    while let Some((x, change)) = changes.next() {
        count += change;
        // Several at one place make one step.
        if changes.peek().is_none_or(|next| next.0 > x) {
            let _ = write!(path, "H{x}V{:.1}", height(count, scale));
        }
    }
    let _ = write!(path, "H{}V{FLOOR}Z", axis.x(now));
    path
}

/// A mark where a request left, if it failed or not as asked for.
fn marks(lane: &Lane<'_>, axis: &Axis, is_bad: bool) -> String {
    let wanted = lane.entries.iter().filter(|entry| is_failure(entry) == is_bad);
    let mut places: Vec<f64> = wanted.filter_map(|entry| entry.sent).map(|at| axis.x(at)).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    uprights(places, MARKS)
}

/// The path of an upright line at each place, from one height to another.
fn uprights(places: impl IntoIterator<Item = f64>, (from, to): (f64, f64)) -> String {
    places.into_iter().fold(String::new(), |mut path, x| {
        let _ = write!(path, "M{x} {from}V{to}");
        path
    })
}

/// The requests one by one.
fn list(html: &mut Html, requests: &Requests) {
    let entries = requests.entries();
    html.element("<details><summary>", &format!("Each of {}", counted(entries.len(), "request")), "</summary>\n");
    html.raw("<div class=\"scroll\"><table><thead><tr><th>left at<th>method<th>endpoint<th>waited<th>took<th>answer</thead>\n");
    for entry in entries.iter().take(MOST_LISTED) {
        let cells = row(entry, requests);
        html.raw(if is_failure(entry) { "<tr class=\"failed\">" } else { "<tr>" });
        for cell in cells {
            html.element("<td>", &cell, "");
        }
        html.raw("\n");
    }
    html.raw("</table></div>\n");
    if let Some(more @ 1..) = entries.len().checked_sub(MOST_LISTED) {
        html.element("<p>", &format!("and {more} more, which the lines above show"), "</p>\n");
    }
    html.raw("</details>\n");
}

fn row(entry: &TimelineEntry, requests: &Requests) -> [String; 6] {
    let left = entry.sent.map_or("never".to_owned(), |at| exact(at - requests.began));
    let wait = wait_of(entry, requests.ended);
    let took = entry.sent.map(|sent| exact(entry.ended.unwrap_or(requests.ended) - sent));
    let answer = entry.status.map_or("none".to_owned(), |status| status.to_string());
    let waited = if wait.is_zero() { String::new() } else { exact(wait) };
    [left, entry.method.to_string(), entry.endpoint.to_owned(), waited, took.unwrap_or_default(), answer]
}

/// A duration with what a request takes in it: `0.04 s`, `12.30 s`, `2 min 5 s`.
pub(super) fn exact(duration: Duration) -> String {
    if duration < Duration::from_secs(60) {
        return format!("{:.2} s", duration.as_secs_f64());
    }
    match (duration.as_secs() / 3600, duration.as_secs() / 60 % 60, duration.as_secs() % 60) {
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// A moment of the axis: `0.2 s`, `30 s`, `1:30`, `1:30:00`.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive number of seconds")]
fn moment(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{} s", (seconds * 100.0).round() / 100.0),
        60..3600 => format!("{}:{:02}", whole / 60, whole % 60),
        _ => format!("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::super::requests::tests::{at, entry};
    use super::*;

    #[test]
    fn the_area_is_the_count_of_the_last_minute() {
        let entries = [0, 0, 30, 90].map(|sent| entry("cpu", sent, sent, 200)).to_vec();
        let requests = Requests::new(entries, at(0), at(120));
        let (axis, lanes) = (Axis::of(&requests), requests.lanes());
        // Three of three at 30 s; two go at 60 s, one comes and one goes at 90 s.
        assert_eq!(counts(&lanes[0], &axis, at(120)), "M0 80H0V36.0H500V14.0H1000V58.0H1500V58.0H2000V80Z");
        assert_eq!(marks(&lanes[0], &axis, false), "M0 86V98M500 86V98M1500 86V98");
        assert_eq!(marks(&lanes[0], &axis, true), "");
    }

    #[test]
    fn an_axis_has_few_lines_at_round_moments() {
        let axis = |ended| Axis::of(&Requests::new(Vec::new(), at(0), ended));
        let lines = |ended| axis(ended).marks().map(moment).collect::<Vec<_>>();
        assert_eq!(lines(at(0)), ["0 s"]);
        assert_eq!(lines(Tick::default() + Duration::from_millis(420)), ["0 s", "0.1 s", "0.2 s", "0.3 s", "0.4 s"]);
        assert_eq!(lines(at(125)), ["0 s", "30 s", "1:00", "1:30", "2:00"]);
        assert_eq!(lines(at(7300)), ["0 s", "30:00", "1:00:00", "1:30:00", "2:00:00"]);
        assert_eq!(lines(at(86_400 * 365)).len(), 6);
    }

    #[test]
    fn a_drawing_is_no_larger_for_more_requests() {
        let entries: Vec<TimelineEntry> = (0..50_000).map(|sent| entry("cpu", 0, sent, 200)).collect();
        let requests = Requests::new(entries, at(0), at(50_000));
        let (axis, lanes) = (Axis::of(&requests), requests.lanes());
        assert!(marks(&lanes[0], &axis, false).len() < 40_000);
        assert!(counts(&lanes[0], &axis, at(50_000)).len() < 40_000);
    }
}

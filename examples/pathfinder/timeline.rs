//! Who ran when, as text and as a drawing.

use std::fmt::Write;
use std::time::Duration;

pub(crate) const HIGH: usize = 0;
pub(crate) const MEDIUM: usize = 1;
pub(crate) const LOW: usize = 2;

const LANES: [&str; 3] = ["high", "medium", "low"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Works,
    HasLock,
    Waits,
}

/// What a thread did, from when to when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) lane: usize,
    pub(crate) kind: Kind,
    pub(crate) from: Duration,
    pub(crate) to: Duration,
}

/// One run of the scene.
#[derive(Debug)]
pub(crate) struct Timeline {
    pub(crate) name: &'static str,
    pub(crate) spans: Vec<Span>,
}

impl Timeline {
    /// How long the high thread waited for the lock.
    pub(crate) fn wait(&self) -> Duration {
        let waits = self.spans.iter().filter(|span| span.lane == HIGH && span.kind == Kind::Waits);
        waits.map(|span| span.to - span.from).sum()
    }

    fn begin(&self) -> Duration {
        self.spans.iter().map(|span| span.from).min().unwrap_or_default()
    }

    fn length(&self) -> Duration {
        let end = self.spans.iter().map(|span| span.to).max().unwrap_or_default();
        end.saturating_sub(self.begin())
    }
}

/// The scale that all runs share.
fn scale(runs: &[Timeline]) -> Duration {
    runs.iter().map(Timeline::length).max().unwrap_or_default().max(Duration::from_micros(1))
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Columns of the text form.
const COLUMNS: f64 = 72.0;

/// One line for each thread: `#` works, `=` works with the lock, `.` waits for it.
pub(crate) fn text(runs: &[Timeline]) -> String {
    let mut out = String::new();
    let whole = scale(runs);
    for run in runs {
        let _ = writeln!(out, "{}: the high thread waits {:.1} ms", run.name, millis(run.wait()));
        for (lane, name) in LANES.iter().enumerate() {
            let mut line = vec![' '; COLUMNS as usize];
            for span in run.spans.iter().filter(|span| span.lane == lane) {
                let column = |time: Duration| {
                    let part = (time - run.begin()).div_duration_f64(whole);
                    ((part * COLUMNS) as usize).min(line.len() - 1)
                };
                let (from, to) = (column(span.from), column(span.to));
                line[from..=to].fill(match span.kind {
                    Kind::Works => '#',
                    Kind::HasLock => '=',
                    Kind::Waits => '.',
                });
            }
            let line: String = line.into_iter().collect();
            let _ = writeln!(out, "  {name:>6} |{}", line.trim_end());
        }
        out.push('\n');
    }
    let _ = writeln!(
        out,
        "  # works   = works with the lock   . waits for it   ({:.0} ms from left to right)",
        millis(whole)
    );
    out
}

/// The same as a drawing.
pub(crate) fn svg(runs: &[Timeline]) -> String {
    const LEFT: f64 = 80.0;
    const WIDTH: f64 = 720.0;
    const LANE: f64 = 28.0;
    const TOP: f64 = 40.0;
    let whole = scale(runs);
    let height_of_run = TOP + 3.0 * LANE + 16.0;
    let height = runs.len() as f64 * height_of_run + 24.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"820\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"820\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    for (i, run) in runs.iter().enumerate() {
        let top = i as f64 * height_of_run;
        let _ = writeln!(
            out,
            "<text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\">{}: the high thread waits {:.1} \
             ms</text>",
            top + TOP - 14.0,
            run.name,
            millis(run.wait())
        );
        for (lane, name) in LANES.iter().enumerate() {
            let y = top + TOP + lane as f64 * LANE;
            let _ = writeln!(
                out,
                "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>",
                LEFT - 8.0,
                y + LANE * 0.6
            );
            for span in run.spans.iter().filter(|span| span.lane == lane) {
                let x =
                    |time: Duration| LEFT + WIDTH * (time - run.begin()).div_duration_f64(whole);
                let color = match span.kind {
                    Kind::Works => "#4878a8",
                    Kind::HasLock => "#c8553d",
                    Kind::Waits => "#e0d8b0",
                };
                let _ = writeln!(
                    out,
                    "<rect x=\"{:.1}\" y=\"{y}\" width=\"{:.1}\" height=\"{}\" fill=\"{color}\"/>",
                    x(span.from),
                    (x(span.to) - x(span.from)).max(0.5),
                    LANE - 6.0
                );
            }
        }
    }
    let _ = writeln!(
        out,
        "<text x=\"{LEFT}\" y=\"{}\">blue: works; red: works with the lock; yellow: waits for it; \
         {:.0} ms in all</text>\n</svg>",
        height - 10.0,
        millis(whole)
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs() -> [Timeline; 2] {
        let span = |lane, kind, from, to| Span {
            lane,
            kind,
            from: Duration::from_millis(from),
            to: Duration::from_millis(to),
        };
        let plain = vec![
            span(LOW, Kind::HasLock, 10, 15),
            span(HIGH, Kind::Waits, 15, 80),
            span(MEDIUM, Kind::Works, 15, 65),
            span(LOW, Kind::HasLock, 65, 80),
            span(HIGH, Kind::Works, 80, 82),
        ];
        let inheriting = vec![
            span(LOW, Kind::HasLock, 0, 20),
            span(HIGH, Kind::Waits, 5, 20),
            span(HIGH, Kind::Works, 20, 22),
            span(MEDIUM, Kind::Works, 22, 72),
        ];
        [Timeline { name: "Mutex", spans: plain }, Timeline { name: "PiMutex", spans: inheriting }]
    }

    #[test]
    fn waits_are_those_of_the_high_thread() {
        assert_eq!(runs().map(|run| run.wait().as_millis()), [65, 15]);
        assert_eq!(runs().map(|run| run.length().as_millis()), [72, 72]);
        let empty = Timeline { name: "nothing", spans: vec![] };
        assert_eq!((empty.wait(), empty.length()), (Duration::ZERO, Duration::ZERO));
        assert!(text(&[empty]).contains("waits 0.0 ms"));
    }

    #[test]
    fn lines_show_who_was_where() {
        let text = text(&runs());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "Mutex: the high thread waits 65.0 ms");
        assert_eq!(lines[1].find('.'), Some(15));
        assert!(lines[1].ends_with("##") && lines[1].starts_with("    high |"));
        assert_eq!(lines[2], format!("  medium |{:5}{}", "", "#".repeat(51)));
        assert!(lines[3].starts_with("     low |======") && lines[3].ends_with('='));
        assert_eq!(lines[5], "PiMutex: the high thread waits 15.0 ms");
        assert!(lines.last().unwrap().contains("72 ms from left to right"));
        assert!(lines.iter().all(|line| line.len() <= 100));
    }

    #[test]
    fn drawing_has_a_bar_for_each_span() {
        let svg = svg(&runs());
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert_eq!(svg.matches("<rect ").count(), 1 + 9);
        assert_eq!(svg.matches("#c8553d").count(), 3);
        assert_eq!(svg.matches("<text ").count(), svg.matches("</text>").count());
        assert!(svg.contains("PiMutex: the high thread waits 15.0 ms"));
    }
}

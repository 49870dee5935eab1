//! Draws the plot: the server's CPU time per round trip, by peer.

use std::fmt::Write as _;

use super::cases::{CASES, Work};
use super::figures::{Metric, Results};
use super::peers::Peer;
use super::tables::figure;

/// The cases in the plot.
fn is_drawn(work: Work) -> bool {
    matches!(work, Work::PingPong(64, _) | Work::PingPong(16384, 64))
}

const WIDTH: f64 = 720.0;
const LEFT: f64 = 90.0;
/// The length of the longest bar. The figure follows it.
const LONGEST: f64 = WIDTH - LEFT - 70.0;
const BAR: f64 = 16.0;
const HEAD: f64 = 26.0;
const GAP: f64 = 12.0;

/// Returns the colour of a peer's bars. Those of this project stand out.
fn colour(peer: Peer) -> &'static str {
    match peer {
        Peer::Static => "#0b6fb8",
        Peer::Composed | Peer::Stream => "#63aee0",
        Peer::RawEpoll | Peer::Tokio | Peer::TokioWasip2 => "#8a8f94",
        Peer::Asyncio | Peer::Uvloop => "#c9a227",
    }
}

/// Draws a bar for each peer, in a group for each case. Returns `None` if nothing was
/// measured.
pub(crate) fn svg(results: &Results) -> Option<String> {
    let mut groups = Vec::new();
    for case in CASES.iter().filter(|case| is_drawn(case.work)) {
        let cpu = |peer| {
            Some((
                peer,
                results.get(&(case.name, peer))?.get(&Metric::Cpu)? / 1e3,
            ))
        };
        let bars: Vec<(Peer, f64)> = Peer::ALL.into_iter().filter_map(cpu).collect();
        if !bars.is_empty() {
            groups.push((case.title, bars));
        }
    }
    let values = groups
        .iter()
        .flat_map(|(_, bars)| bars.iter().map(|(_, value)| *value));
    let longest = values
        .max_by(f64::total_cmp)
        .filter(|longest| *longest > 0.0)?;

    let mut body = String::new();
    let mut y = 40.0;
    for (title, bars) in &groups {
        text(&mut body, (LEFT, y + HEAD - 9.0), "start", "bold", title);
        y += HEAD;
        for (peer, value) in bars {
            let length = value / longest * LONGEST;
            let baseline = y + BAR - 4.0;
            text(
                &mut body,
                (LEFT - 8.0, baseline),
                "end",
                "normal",
                peer.name(),
            );
            rectangle(
                &mut body,
                (LEFT, y + 1.0),
                (length, BAR - 2.0),
                colour(*peer),
            );
            text(
                &mut body,
                (LEFT + length + 6.0, baseline),
                "start",
                "normal",
                &figure(*value),
            );
            y += BAR;
        }
        y += GAP;
    }
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y}\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">"
    );
    rectangle(&mut svg, (0.0, 0.0), (WIDTH, y), "#fff");
    let title = "Server CPU per round trip, µs (less is better)";
    text(&mut svg, (LEFT, 24.0), "start", "bold", title);
    svg.push_str(&body);
    svg.push_str("</svg>\n");
    Some(svg)
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, weight: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    // Writing to a string does not fail.
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-weight=\"{weight}\">{text}</text>"
    );
}

fn rectangle(svg: &mut String, (x, y): (f64, f64), (width, height): (f64, f64), fill: &str) {
    let _ = writeln!(
        svg,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{fill}\"/>"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figures::Figures;

    #[test]
    fn bars_are_as_long_as_their_figures() {
        let cpu = |value| Figures::from([(Metric::Cpu, value)]);
        let results = Results::from([
            (("ping-pong-64x64", Peer::Tokio), cpu(5000.0)),
            (("ping-pong-64x64", Peer::Static), cpu(10_000.0)),
            (("bulk", Peer::Static), cpu(1.0)),
        ]);
        let svg = svg(&results).unwrap_or_default();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(svg.contains(&format!("width=\"{LONGEST:.1}\"")));
        assert!(svg.contains(&format!("width=\"{:.1}\"", LONGEST / 2.0)));
        assert_eq!(
            svg.matches("<rect").count(),
            3,
            "the background and two bars"
        );
        assert!(svg.contains(">10.0</text>") && svg.contains(">tokio</text>"));
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert_eq!(svg(&Results::new()), None);
    }
}

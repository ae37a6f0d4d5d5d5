//! The page in a real browser, without a window: a click on "jump to first violation" selects the
//! event that the outcome names. Skipped, and said so aloud, where there is no Chromium.

mod fixture;

use billsim_record::{Happening, RunEvent};
use billsim_reports::timeline::{Beside, timeline};
use fixture::{broken, events, held};
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;

const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

fn browser() -> Option<&'static str> {
    let runs = |name: &&&str| {
        Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success())
    };
    let found = BROWSERS.iter().find(runs).copied();
    if found.is_none() {
        // Past the capture of the test harness: a skipped test must not look like a passed one.
        let _ = writeln!(
            io::stderr(),
            "SKIPPED: no Chromium here, so no page was clicked; apt-get install chromium"
        );
    }
    found
}

/// The document after its scripts ran, and after this one ran behind them.
fn document_after(browser: &str, page: &str, script: &str) -> String {
    let directory = tempfile::tempdir().expect("there is room");
    let file = directory.path().join("page.html");
    let page = page.replace("</body>", &format!("<script>{script}</script></body>"));
    fs::write(&file, page).expect("there is room");
    let profile = format!("--user-data-dir={}", directory.path().join("profile").display());
    let output = Command::new(browser)
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        .args(["--disable-background-networking", "--virtual-time-budget=3000", &profile])
        .args(["--window-size=1400,1200", "--dump-dom", &url(&file)])
        .output()
        .expect("it ran a moment ago");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn url(file: &Path) -> String {
    format!("file://{}", file.display())
}

/// The row of the list that is selected.
fn selected_row(document: &str) -> &str {
    let rows = document.split("<tr ").skip(1).map(|row| row.split('>').next().unwrap_or_default());
    let mut selected = rows.filter(|row| row.contains("selected"));
    let row = selected.next().unwrap_or_else(|| panic!("nothing is selected in {document}"));
    assert_eq!(selected.next(), None, "one event is selected at a time");
    row
}

#[test]
fn a_click_jumps_to_the_event_that_the_outcome_names() {
    let Some(browser) = browser() else { return };
    let outcome = broken("smoke/crash", 7);
    let page = timeline(&outcome, &events(), Beside::default());
    let click = "document.getElementById('jump').click()";
    let document = document_after(browser, &page, click);
    let named = outcome.failure.expect("it failed").event;
    let row = selected_row(&document);
    assert!(row.contains(&format!("data-event=\"{named}\"")), "{row}");
    assert!(row.contains("violation"), "{row}");
    // The mark on the lanes is the same event.
    let number = row.split("event-").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let marks = document.split("<polygon ").skip(1).map(|mark| mark.split('>').next().unwrap());
    let mut marks = marks.filter(|mark| mark.contains("selected"));
    assert!(marks.next().unwrap().contains(&format!("data-number=\"{number}\"")));
}

#[test]
fn keys_do_what_the_buttons_do() {
    let Some(browser) = browser() else { return };
    let page = timeline(&broken("smoke/crash", 7), &events(), Beside::default());
    let press = "for (const key of ['v', 'k', 'k', 'j']) \
                 document.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));";
    let press = press.replace("document.dispatch", "document.body.dispatch");
    let row = document_after(browser, &page, &press);
    let row = selected_row(&row);
    assert!(row.contains("event-22"), "one before the violation: {row}");
}

#[test]
fn messages_are_arrows_around_the_violation() {
    let Some(browser) = browser() else { return };
    let mut told = events();
    let end = told.first_violation().expect("it failed").at_ns;
    let message = |ago_ms: u64, arrives_ns, lost: Option<&str>| {
        let (words, lost) = ("entry 411 (log of region 0, term 2)".to_owned(), lost);
        let lost = lost.map(str::to_owned);
        let what = Happening::Message { node: 1, to: 2, words, arrives_ns, lost };
        let at_ns = end - ago_ms * 1_000_000;
        RunEvent { number: 900 + ago_ms, event: 4_000, at_ns, what }
    };
    told.events.extend([
        message(30, Some(end - 29_000_000), None),
        message(20, None, Some("the link is cut")),
        message(10, None, None),
    ]);
    told.events.sort_by_key(|event| event.at_ns);
    let page = timeline(&broken("smoke/crash", 7), &told, Beside::default());
    let from = (end - 30_000_000) as f64 / 1e9;
    assert!(page.contains(&format!("the last 3 messages, from {from:.3} s on")));
    let click = "document.getElementById('jump').click()";
    let document = document_after(browser, &page, click);
    // The legend shows what an arrow looks like, too.
    for (fate, times) in [("message", 2), ("message lost", 1), ("message away", 1)] {
        assert_eq!(document.matches(&format!("class=\"{fate}\"")).count(), times, "{fate}");
    }
    assert!(
        document.contains("to node 2: entry 411 (log of region 0, term 2); lost: the link is cut")
    );
    let off = format!("document.getElementById('messages').click(); {click}");
    let document = document_after(browser, &page, &off);
    assert!(!document.contains("class=\"message lost\""), "nobody wants to see them");
}

#[test]
fn a_run_that_held_has_nothing_to_jump_to() {
    let Some(browser) = browser() else { return };
    let mut events = events();
    events.events.pop();
    let document =
        document_after(browser, &timeline(&held("smoke/crash", 7), &events, Beside::default()), "");
    let button = document.split("id=\"jump\"").nth(1).and_then(|rest| rest.split('>').next());
    assert!(button.unwrap().contains("disabled"), "{button:?}");
    assert!(document.contains("22 of 22 events"), "the list was made");
}

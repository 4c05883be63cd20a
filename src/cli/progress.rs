//! How far a long work is: one line on stderr that is overwritten, and gone in the end.
//!
//! Nobody sees it where stderr is no terminal, it is drawn at most every 200 ms, and a work that is
//! done before the first of them is never mentioned.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anabranch::limits::PROGRESS_MS;
use anabranch::replica::Replica;
use futures::FutureExt;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::text::{cut, escaped};

/// Columns that are taken at most, so that no terminal breaks the line.
const COLUMNS: usize = 78;
/// To the start of the line, which is emptied.
const EMPTY_LINE: &str = "\r\u{1b}[K";

/// A line that tells how far a work is.
pub(super) struct Progress {
    to: Option<Box<dyn Write + Send>>,
    ticks: Interval,
    is_shown: bool,
}

impl Progress {
    /// On stderr, for people. Needs a runtime with time.
    pub(super) fn new() -> Self {
        let stderr = io::stderr();
        if stderr.is_terminal() {
            Self::to(Some(Box::new(stderr)))
        } else {
            Self::to(None)
        }
    }

    fn to(to: Option<Box<dyn Write + Send>>) -> Self {
        let mut ticks = interval(Duration::from_millis(PROGRESS_MS));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick is now.
        let _ = ticks.tick().now_or_never();
        Self {
            to,
            ticks,
            is_shown: false,
        }
    }

    /// Draws the text, if it is time to.
    pub(super) fn show(&mut self, text: impl FnOnce() -> String) {
        if self.to.is_some() && self.ticks.tick().now_or_never().is_some() {
            self.draw(&text());
        }
    }

    /// Works, and draws the text from time to time meanwhile.
    pub(super) async fn during<T>(
        &mut self,
        work: impl Future<Output = T>,
        mut text: impl FnMut() -> String,
    ) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => {
                    self.clear();
                    return done;
                }
                _ = self.ticks.tick(), if self.to.is_some() => self.draw(&text()),
            }
        }
    }

    /// Takes the line away, so that something else can be said.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            self.write(EMPTY_LINE);
        }
    }

    fn draw(&mut self, text: &str) {
        self.write(&format!("{EMPTY_LINE}{}", cut(&escaped(text), COLUMNS)));
        self.is_shown = true;
    }

    /// Nothing is lost if nobody sees it.
    fn write(&mut self, text: &str) {
        if let Some(to) = &mut self.to {
            drop(to.write_all(text.as_bytes()).and_then(|()| to.flush()));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Exchanges events, and tells meanwhile how many are here.
pub(super) async fn accompanied<T>(replica: &Replica, sync: impl Future<Output = T>) -> T {
    let text = || format!("exchanging, {} events are here", replica.status().events);
    Progress::new().during(sync, text).await
}

/// A part of a whole, in percent; nothing where the whole is not known.
pub(super) fn percent(part: u64, whole: Option<u64>) -> String {
    match whole {
        Some(whole) if whole > 0 => {
            format!(
                ", {} %",
                (u128::from(part) * 100 / u128::from(whole)).min(100)
            )
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Screen(Arc<Mutex<Vec<u8>>>);

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Screen {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    async fn pass(millis: u64) {
        tokio::time::advance(Duration::from_millis(millis)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_drawn_from_time_to_time_and_gone_in_the_end() {
        let screen = Screen::default();
        let mut progress = Progress::to(Some(Box::new(screen.clone())));
        progress.show(|| "1".into());
        assert_eq!(screen.text(), "", "what is done at once is not mentioned");
        pass(PROGRESS_MS + 1).await;
        progress.show(|| "2".into());
        progress.show(|| "3".into());
        assert_eq!(screen.text(), "\r\u{1b}[K2");
        drop(progress);
        assert_eq!(screen.text(), "\r\u{1b}[K2\r\u{1b}[K");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_accompanied() {
        let screen = Screen::default();
        let mut progress = Progress::to(Some(Box::new(screen.clone())));
        let mut ticks = interval(Duration::from_millis(PROGRESS_MS * 5 / 2));
        let work = async {
            ticks.tick().await;
            ticks.tick().await;
        };
        let mut times = 0;
        let text = || {
            times += 1;
            times.to_string()
        };
        progress.during(work, text).await;
        assert_eq!(screen.text(), "\r\u{1b}[K1\r\u{1b}[K2\r\u{1b}[K");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_drawn_where_nobody_looks() {
        let mut progress = Progress::to(None);
        pass(PROGRESS_MS + 1).await;
        progress.show(|| unreachable!("the text is not even made"));
        assert!(!progress.is_shown);
    }
}

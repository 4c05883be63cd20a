use std::sync::mpsc::{Receiver, TryRecvError};
use std::thread;

use crate::limits::{AWAKE_TURNS_MAX, VAIN_WAITS_MAX};

/// How the thread that writes waits for what comes next.
///
/// Whoever writes one thing behind the other is back sooner than a core that fell asleep is woken. So
/// the thread stays awake for a moment, giving way to everybody, where that has paid; after a
/// wait in vain it falls asleep at once for a while, each time for longer.
#[derive(Default)]
pub(super) struct Patience {
    /// Waits in which it will not be tried, and in how many it was not the last time.
    left: u32,
    skipped: u32,
}

impl Patience {
    /// The next of them; nothing once nobody is left who could send one.
    pub(super) fn wait<T>(&mut self, requests: &Receiver<T>) -> Option<T> {
        if !self.tries() {
            return requests.recv().ok();
        }
        for _ in 0..AWAKE_TURNS_MAX {
            match requests.try_recv() {
                Ok(request) => {
                    self.skipped = 0;
                    return Some(request);
                }
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => thread::yield_now(),
            }
        }
        self.tried_in_vain();
        requests.recv().ok()
    }

    fn tries(&mut self) -> bool {
        let left = self.left.checked_sub(1);
        self.left = left.unwrap_or_default();
        left.is_none()
    }

    fn tried_in_vain(&mut self) {
        self.skipped = (2 * self.skipped + 1).min(VAIN_WAITS_MAX);
        self.left = self.skipped;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn what_is_sent_comes_whether_it_is_waited_for_awake_or_asleep() {
        let mut patience = Patience::default();
        let (send, requests) = channel();
        let (answer, answers) = channel();
        let other = thread::spawn(move || {
            for number in 0..400 {
                // Now and then so late that the other end has fallen asleep.
                for _ in 0..if number % 50 == 0 {
                    50 * AWAKE_TURNS_MAX
                } else {
                    0
                } {
                    thread::yield_now();
                }
                send.send(number).unwrap();
                assert_eq!(answers.recv(), Ok(number));
            }
        });
        for number in 0..400 {
            assert_eq!(patience.wait(&requests), Some(number));
            answer.send(number).unwrap();
        }
        other.join().unwrap();
        assert_eq!(patience.wait(&requests), None);
    }

    #[test]
    fn who_waited_in_vain_falls_asleep_at_once_for_a_while_and_each_time_for_longer() {
        let mut patience = Patience::default();
        for skipped in [0, 1, 3, 7, 15, 31, 63, 63] {
            for _ in 0..skipped {
                assert!(!patience.tries());
            }
            assert!(patience.tries());
            patience.tried_in_vain();
        }
        while !patience.tries() {}
        let (send, requests) = channel();
        send.send(7).unwrap();
        assert_eq!(patience.wait(&requests), Some(7));
        assert_eq!(patience.skipped, 0);
    }
}

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Keeps a writer and its readers in step: each write begins after a read has begun that had not when
/// the last write did, so a quick store cannot have written everything before anybody looks.
pub(super) struct Pace {
    reads: AtomicU64,
    readers: AtomicUsize,
    has_failed: AtomicBool,
}

/// One of those who work beside one another.
struct Side<'a> {
    pace: &'a Pace,
    reads: bool,
}

impl Drop for Side<'_> {
    fn drop(&mut self) {
        if self.reads {
            self.pace.readers.fetch_sub(1, Ordering::AcqRel);
        }
        if thread::panicking() {
            self.pace.has_failed.store(true, Ordering::Release);
        }
    }
}

impl Pace {
    /// To be called before each read.
    ///
    /// # Panics
    /// When another side has failed, so that nobody waits for it.
    pub(super) fn read(&self) {
        self.reads.fetch_add(1, Ordering::AcqRel);
        self.go_on();
    }

    /// To be called before each write, with what the last call returned.
    ///
    /// # Panics
    /// As [`read`](Self::read).
    pub(super) fn write(&self, last: u64) -> u64 {
        loop {
            self.go_on();
            let reads = self.reads.load(Ordering::Acquire);
            if reads != last || self.readers.load(Ordering::Acquire) == 0 {
                // Now early in the read, now late: what it asks first may be what is torn.
                thread::park_timeout(Duration::from_micros(60 * (reads % 8)));
                return reads;
            }
        }
    }

    fn go_on(&self) {
        assert!(
            !self.has_failed.load(Ordering::Acquire),
            "another thread failed"
        );
        thread::yield_now();
    }
}

/// Runs a writer beside its readers, each in a thread, to their ends.
///
/// # Panics
/// When one of them does.
pub(super) fn beside(write: impl FnOnce(&Pace) + Send, readers: &[&(dyn Fn(&Pace) + Sync)]) {
    let pace = &Pace {
        reads: AtomicU64::new(0),
        readers: AtomicUsize::new(readers.len()),
        has_failed: AtomicBool::new(false),
    };
    thread::scope(|scope| {
        for read in readers {
            scope.spawn(move || {
                let _side = Side { pace, reads: true };
                read(pace);
            });
        }
        let _side = Side { pace, reads: false };
        write(pace);
    });
}

use crate::testing::sim::world::World;

impl World {
    /// A reconnect costs what is new: here nothing, whether the processes live on or come back.
    pub(crate) fn check_echo(&mut self) {
        // What an old connection still brought may have moved a cursor back, which costs once.
        self.reconnect();
        let events = self.tally.sent_events;
        self.reconnect();
        self.expect_silence(events);
        let summaries = self.tally.summaries;
        for node in 0..self.nodes.len() {
            self.end(node, true);
        }
        self.run_until(self.now + 1_000);
        let events = self.tally.sent_events;
        self.reconnect();
        self.expect_silence(events);
        if self.is_settled_by_name() {
            let now = self.tally.summaries;
            assert_eq!(now, summaries, "a cursor was not honoured");
        }
    }

    pub(crate) fn reconnect(&mut self) {
        for connection in self.live.clone() {
            if self.connections[connection].is_open() {
                self.break_link(connection);
            }
        }
        self.settle();
    }

    fn expect_silence(&self, events: u64) {
        if self.is_settled_by_name() {
            assert_eq!(
                self.tally.sent_events, events,
                "a reconnect sent events again"
            );
        }
    }

    /// Sessions go on under an old name when their replica takes a new one, so the first reconnect
    /// after that goes by summaries and may send something twice.
    fn is_settled_by_name(&self) -> bool {
        self.plan.wild == crate::testing::sim::plan::Wild::Nobody && self.tally.restores == 0
    }
}

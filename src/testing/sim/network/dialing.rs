use super::{Connection, End};
use crate::engine::{Engine, Input, LinkId, LinkOptions};
use crate::event::EventId;
use crate::protocol::{CloseCode, Direction, Role};
use crate::testing::sim::faults::Fault;
use crate::testing::sim::world::{Happening, World};

pub(crate) const BOTH: Direction = Direction {
    push: true,
    pull: true,
};

impl World {
    /// Dials along an edge.
    pub(crate) fn dial(&mut self, edge: usize, direction: Direction, once: bool) {
        let (dialer, listener) = self.plan.edges[edge];
        if !self.is_up(dialer) || self.nodes[listener].engine.is_none() {
            return;
        }
        if self.held(dialer, listener).is_some() || self.held(listener, dialer).is_some() {
            return;
        }
        let is_second = self.live_on(edge) > 0;
        let connection = self.connections.len();
        let ends = [(0, dialer), (1, listener)].map(|(side, node)| {
            let link = LinkId(self.id());
            self.links.insert(link, (connection, side));
            End::new(node, self.nodes[node].opening, link)
        });
        let link = ends[0].link;
        let slowness = if self.strikes(Fault::SlowLink) {
            self.draws.between(5, 500)
        } else {
            0
        };
        self.connections.push(Connection {
            summarizes: false,
            ends,
            edge,
            cut: false,
            once,
            both: direction.push && direction.pull,
            mangled: false,
            slowness,
        });
        self.live.push(connection);
        self.trace.say(self.now, || {
            let links = self.connections[connection]
                .ends
                .each_ref()
                .map(|end| end.link.0);
            format!(
                "replica {dialer} dials {listener}: links {links:?}, once {once}, {direction:?}"
            )
        });
        self.count_if(is_second, Fault::SecondLink);
        self.connections[connection].ends[0].open = true;
        let batch_events = *self.draws.pick(&[1, 3, 512]);
        let address = Some(format!("node-{listener}")).filter(|_| self.draws.chance(80));
        let options = LinkOptions {
            direction,
            batch_events,
            once,
            address,
        };
        let refused = self.strikes(Fault::DialRefused);
        self.count_if(refused, Fault::DialRefused);
        if refused {
            self.cut(connection, 0);
        } else {
            self.after(1, Happening::Accept { connection });
        }
        self.connections[connection].ends[1].busy_until = self.now + 2;
        self.drive(
            dialer,
            Input::LinkOpened {
                link,
                role: Role::Dialer,
                options,
            },
        );
    }

    pub(crate) fn accept(&mut self, connection: usize) {
        let end = self.connections[connection].ends[1].clone();
        let node = &self.nodes[end.node];
        if node.engine.is_none() || node.opening != end.opening {
            self.cut(connection, 0);
            return;
        }
        if self.connections[connection].cut {
            return;
        }
        // The parts of a commit that is here are let go, if not yet on the disk.
        let received = node.engine.as_ref().map(Engine::received);
        let is_here = |id: EventId| received.is_some_and(|received| received.contains(id));
        let staged = node.disk.staged();
        let staged = staged.filter(|(_, commit, _)| !is_here(*commit)).collect();
        let at = &mut self.connections[connection].ends[1];
        (at.open, at.staged) = (true, staged);
        let options = LinkOptions {
            direction: BOTH,
            batch_events: 64,
            once: false,
            address: None,
        };
        let (link, role) = (end.link, Role::Listener);
        self.drive(
            end.node,
            Input::LinkOpened {
                link,
                role,
                options,
            },
        );
    }

    /// How many connections of an edge an end takes for open.
    pub(crate) fn live_on(&self, edge: usize) -> usize {
        let open = |at: &&usize| {
            let connection = &self.connections[**at];
            connection.edge == edge && connection.is_open()
        };
        self.live.iter().filter(open).count()
    }

    /// Forgets connections that nobody takes for open.
    pub(crate) fn sweep_connections(&mut self) {
        let connections = &self.connections;
        self.live.retain(|at| connections[*at].is_open());
    }

    /// A connection breaks, and both ends are told, one perhaps by silence only.
    pub(crate) fn break_link(&mut self, connection: usize) {
        self.cut(connection, 0);
        self.cut(connection, 1);
    }

    /// A connection breaks; an end learns of it soon, or by silence.
    pub(crate) fn cut(&mut self, connection: usize, to: usize) {
        let link = self.connections[connection].ends[to].link;
        self.trace
            .say(self.now, || format!("link {} is cut", link.0));
        self.connections[connection].cut = true;
        let silent = self.strikes(Fault::HalfOpen);
        let is_open = self.connections[connection].ends[to].open;
        if silent {
            self.count_if(is_open, Fault::HalfOpen);
            return;
        }
        let delay = self.draws.between(1, 200);
        let code = None;
        self.after(
            delay,
            Happening::Closed {
                connection,
                to,
                code,
            },
        );
    }

    pub(crate) fn closed(&mut self, connection: usize, to: usize, code: Option<CloseCode>) {
        let end = self.connections[connection].ends[to].clone();
        self.connections[connection].ends[to].open = false;
        if end.open && self.nodes[end.node].opening == end.opening {
            let (link, reason) = (end.link, String::from("gone"));
            self.drive(end.node, Input::LinkClosed { link, code, reason });
        }
    }
}

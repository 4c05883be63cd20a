use std::collections::BTreeMap;

use anabranch::engine::ReplicaStatus;
use anabranch::event::{EventId, ReplicaId};

/// Digits that a short name has at least.
const DIGITS: usize = 4;

/// Short names of replicas, for people: the first digits of the device, as many as tell all devices
/// apart, and the number of the incarnation where a device has had several.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(BTreeMap<ReplicaId, String>);

impl Names {
    /// Of everybody this replica has heard of.
    pub(super) fn known(status: &ReplicaStatus) -> Self {
        let writers = status.vector.iter().map(|id| id.replica);
        Self::of(writers.chain([status.replica]))
    }

    pub(super) fn of(replicas: impl IntoIterator<Item = ReplicaId>) -> Self {
        let mut incarnations: BTreeMap<String, Vec<ReplicaId>> = BTreeMap::new();
        for replica in replicas {
            let of_device = incarnations.entry(device(replica)).or_default();
            if !of_device.contains(&replica) {
                of_device.push(replica);
            }
        }
        let devices: Vec<&String> = incarnations.keys().collect();
        let longest = devices.windows(2).map(|pair| match pair {
            [one, other] => shared(one, other) + 1,
            _ => 0,
        });
        let digits = longest.max().unwrap_or_default().max(DIGITS);
        let mut names = BTreeMap::new();
        for (device, replicas) in &mut incarnations {
            replicas.sort_unstable();
            let short = device.get(..digits).unwrap_or(device);
            for (number, replica) in (1..).zip(replicas.iter()) {
                let name = match replicas.len() {
                    1 => short.to_owned(),
                    _ => format!("{short}/{number}"),
                };
                names.insert(*replica, name);
            }
        }
        Self(names)
    }

    pub(super) fn replica(&self, replica: ReplicaId) -> String {
        let known = self.0.get(&replica);
        known.cloned().unwrap_or_else(|| replica.to_string())
    }

    pub(super) fn event(&self, id: EventId) -> String {
        format!("{}:{}", self.replica(id.replica), id.seq)
    }
}

fn device(replica: ReplicaId) -> String {
    format!("{:016x}", replica.device())
}

/// Leading characters that two texts share.
fn shared(one: &str, other: &str) -> usize {
    one.chars()
        .zip(other.chars())
        .take_while(|(a, b)| a == b)
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_as_long_as_it_takes_to_tell_all_apart() {
        let far = [
            ReplicaId::new(0x1234 << 48, 1),
            ReplicaId::new(0x5678 << 48, 1),
        ];
        let names = Names::of(far);
        assert_eq!(names.replica(far[0]), "1234");
        let near = [
            ReplicaId::new(0x0012_3456 << 40, 1),
            ReplicaId::new(0x0012_3457 << 40, 9),
            ReplicaId::new(0x0012_3457 << 40, 2),
        ];
        let names = Names::of(near);
        let all: Vec<String> = near.iter().map(|replica| names.replica(*replica)).collect();
        assert_eq!(all, ["123456", "123457/2", "123457/1"]);
        let stranger = ReplicaId::new(7, 7);
        assert_eq!(names.replica(stranger), stranger.to_string());
    }
}

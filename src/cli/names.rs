use std::collections::BTreeMap;

use anabranch::engine::ReplicaStatus;
use anabranch::event::{EventId, ReplicaId};

/// Digits that a short name has at least.
const DIGITS: usize = 4;

/// Short names of replicas, for people: the first digits of the device, or the last ones where these
/// tell the devices apart sooner, and the number of the incarnation where a device has had several.
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
        let devices: Vec<&str> = incarnations.keys().map(String::as_str).collect();
        let from_front = digits(devices.iter().map(|device| device.chars().collect()));
        let from_back = digits(devices.iter().map(|device| device.chars().rev().collect()));
        let mut names = BTreeMap::new();
        for (device, replicas) in &mut incarnations {
            replicas.sort_unstable();
            let short = if from_front <= from_back {
                device.get(..from_front)
            } else {
                device.get(device.len().saturating_sub(from_back)..)
            };
            let short = short.unwrap_or(device);
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

/// Leading digits that tell all of them apart.
fn digits(devices: impl Iterator<Item = Vec<char>>) -> usize {
    let mut devices: Vec<Vec<char>> = devices.collect();
    devices.sort_unstable();
    let shared = devices.windows(2).map(|pair| match pair {
        [one, other] => one.iter().zip(other).take_while(|(a, b)| a == b).count(),
        _ => 0,
    });
    shared.max().map_or(DIGITS, |shared| DIGITS.max(shared + 1))
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
        let small: Vec<ReplicaId> = (0..20).map(|device| ReplicaId::new(device, 0)).collect();
        assert_eq!(Names::of(small.clone()).replica(small[19]), "0013");
        let stranger = ReplicaId::new(7, 7);
        assert_eq!(names.replica(stranger), stranger.to_string());
    }
}

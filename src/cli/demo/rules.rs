use std::collections::BTreeMap;

use anabranch::resolver::{
    AddWinsSet, Counter, FieldMerge, FoldFn, LastWriteWins, Manual, Registry, RegistryError,
    Rejection,
};
use serde::{Deserialize, Serialize};

/// Seats of the evening's show before anybody booked.
const SEATS: u32 = 4;

/// Who holds how many seats.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct House {
    left: u32,
    held: BTreeMap<String, u32>,
}

/// Somebody wants seats.
#[derive(Clone, Debug, Deserialize)]
struct Booking {
    name: String,
    seats: u32,
}

/// The rule a user of the library would write: a start, a step, and a door that refuses what cannot
/// be had any more.
fn seats() -> FoldFn<House, Booking> {
    let rule = FoldFn::new(
        "seats",
        1,
        |_| House {
            left: SEATS,
            held: BTreeMap::new(),
        },
        |house: &mut House, booking: &Booking, _| {
            house.left = house.left.saturating_sub(booking.seats);
            let held = house.held.entry(booking.name.clone()).or_default();
            *held = held.saturating_add(booking.seats);
        },
    );
    rule.with_admit(|house, booking, _| {
        if booking.seats > house.left {
            return Err(Rejection::new(format!("only {} seats left", house.left)));
        }
        Ok(())
    })
}

/// The rules of the story, the same in every process.
pub(super) fn registry() -> Result<Registry, RegistryError> {
    Registry::new()
        .with_default(FieldMerge)
        .with("setting", LastWriteWins)?
        .with("votes", Counter)?
        .with("tags", AddWinsSet)?
        .with("price", Manual)?
        .with("seats", seats())
}

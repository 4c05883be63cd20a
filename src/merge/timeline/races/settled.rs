use super::super::rule::Rule;
use super::Timeline;
use crate::event::EventId;
use crate::limits::SOURCE_LOOKS_MAX;
use crate::merge::{ExplainedRace, Guard, Party, RacePage};
use crate::resolver::{Key, Verdict};

impl Timeline {
    /// Tells of the places of a page that are left to a person who has decided there since. Looks at
    /// no more than [`SOURCE_LOOKS_MAX`] events for all of them.
    pub(super) fn tell_decisions(&mut self, page: &mut RacePage, guard: &dyn Guard) {
        let Some(route) = self.route.clone() else {
            return;
        };
        let rule = Rule::new(&route, guard);
        self.order.settle(&self.rows);
        let mut looks = SOURCE_LOOKS_MAX;
        for race in &mut page.races {
            let ids = [race.earlier.event.id(), race.later.event.id()];
            if !race.earlier.is_applied() || !race.later.is_applied() {
                continue;
            }
            for at in 0..race.contested.len() {
                self.tell_decision(race, at, ids, rule, &mut looks);
            }
        }
    }

    fn tell_decision(
        &mut self,
        race: &mut ExplainedRace,
        at: usize,
        ids: [EventId; 2],
        rule: Rule<'_>,
        looks: &mut usize,
    ) {
        let behind = race.later.event.order_key();
        if let Some(place) = race.contested.get_mut(at)
            && place.verdict == Verdict::Open
        {
            let mut next = self.order.after(Some(behind), &self.rows);
            while let Some((slot, following)) = self.order.next(next) {
                let Some(left) = looks.checked_sub(1) else {
                    return;
                };
                *looks = left;
                next = following;
                if let Some(party) = self.decided(slot, &place.key, ids, rule) {
                    place.decided_by = Some(party);
                    return;
                }
            }
        }
    }

    /// The event at a slot, if it was admitted, touches a place and saw these two.
    fn decided(
        &mut self,
        slot: usize,
        key: &Key,
        ids: [EventId; 2],
        rule: Rule<'_>,
    ) -> Option<Party> {
        let party = self.rows.party(self.rows.row(slot)?);
        let touches = || {
            let footprint = rule.footprint(&party.event);
            footprint.keys().iter().any(|other| other.overlaps(key))
        };
        if !party.is_applied() || !touches() {
            return None;
        }
        let past = self.past.of(slot, &self.rows);
        ids.into_iter().all(|id| past.contains(id)).then_some(party)
    }
}

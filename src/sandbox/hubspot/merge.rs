//! Two records become one, and their ids one record.

use super::record::Record;
use super::state::{Refused, State};
use super::table::Values;
use super::time::Millis;
use super::{Kind, MergedId};

impl State {
    /// Merges `loser` into `primary` and says under which id the survivor lives.
    pub(super) fn merge(
        &mut self,
        kind: Kind,
        primary: u64,
        loser: u64,
        now: Millis,
    ) -> Result<u64, Refused> {
        let table = self.table(kind);
        let survivor = table.find(primary).ok_or(Refused::Missing(primary))?.id;
        let loser = table.find(loser).ok_or(Refused::Missing(loser))?.id;
        if survivor == loser {
            return Err(Refused::Same);
        }
        let lost_links = self.linked(kind, loser);
        let lost = self
            .table_mut(kind)
            .remove(loser, now)
            .ok_or(Refused::Missing(loser))?;
        self.detach(kind, &lost, now);
        self.severed.remove(&loser);
        self.table_mut(kind).forwards.insert(loser, survivor);
        self.absorb(kind, survivor, &lost, now);
        let id = match self.merged_id {
            MergedId::Kept => survivor,
            MergedId::New => self.renumber(kind, survivor, now),
        };
        for (other, was_primary) in lost_links {
            let (contact, company) = match kind {
                Kind::Contact => (id, other),
                Kind::Company => (other, id),
            };
            let free = self
                .contacts
                .find(contact)
                .and_then(Record::primary_company)
                .is_none();
            self.link(contact, company, was_primary && free, now)?;
        }
        Ok(id)
    }

    /// The survivor's empty properties take the loser's values; its address becomes a further one.
    fn absorb(&mut self, kind: Kind, survivor: u64, lost: &Record, now: Millis) {
        let table = self.table_mut(kind);
        let slot_of = |name: &str| table.schema.get(name).map(|property| property.slot);
        let (email, further) = (slot_of("email"), slot_of("hs_additional_emails"));
        table.change(survivor, now, |record| {
            let mut addresses: Vec<Box<str>> = Vec::new();
            if let Some(further) = further {
                let known = [record.get(further), lost.get(further)]
                    .into_iter()
                    .flatten();
                addresses.extend(known.flat_map(|list| list.split(';')).map(Box::from));
            }
            for (slot, value) in lost.values() {
                if Some(slot) == email && record.get(slot).is_some() {
                    addresses.push(value.into());
                } else if record.get(slot).is_none() {
                    record.set(slot, Some(value.into()));
                }
            }
            if let (Some(further), false) = (further, addresses.is_empty()) {
                record.set(further, Some(addresses.join(";").into()));
            }
            record.merged.push(lost.id);
            record.merged.extend(&lost.merged);
            record.modified = now;
        });
        if let Some(record) = table.live.get(&survivor).cloned() {
            table.own(&record);
        }
    }

    fn renumber(&mut self, kind: Kind, old: u64, now: Millis) -> u64 {
        let id = self.take_id();
        let links = self.linked(kind, old);
        let Some(mut record) = self.table_mut(kind).remove(old, now) else {
            return old;
        };
        self.detach(kind, &record, now);
        self.severed.remove(&old);
        record.id = id;
        record.merged.insert(0, old);
        record.companies.clear();
        let table = self.table_mut(kind);
        table.forwards.insert(old, id);
        table.insert(record, Values::new(), Some(now));
        for (other, primary) in links {
            let (contact, company) = match kind {
                Kind::Contact => (id, other),
                Kind::Company => (other, id),
            };
            self.link(contact, company, primary, now).ok();
        }
        id
    }
}

// The vendor's client at work; started by run-official.mjs with a trusted certificate.
// Its `createContact` calls the cancelling of imports in this version, so contacts are made past it.

import { createRequire } from "node:module";
import { check, done, failure, future, key, past, plain } from "./check.mjs";

const Freshdesk = createRequire(import.meta.url)("@freshworks/freshdesk");
const { contacts } = new Freshdesk({ domain: process.env.FRESHDESK_TLS_HOST, api_key: key });

const tag = `o${Date.now()}`;
const people = [];
for (const n of [1, 2, 3]) {
  people.push(await plain("POST", "/contacts", { name: `${tag} ${n}`, email: `${n}.${tag}@example.org` }));
}
const [one, two, three] = people;

async function reads() {
  const some = await contacts.getAllContacts({ perPage: 2, updatedSince: past });
  check("a page is full", some.status === 200 && some.data.length === 2, some.data.length);
  const none = await contacts.getAllContacts({ updatedSince: future });
  check("_updated_since filters", none.data.length === 0, none.data.length);
  const found = await contacts.getAllContacts({ email: two.email });
  check("a contact is found by its address", found.data[0].id === two.id, found.data);
  const read = await contacts.getContact(one.id);
  check("a contact reads", read.data.name === one.name && read.data.id === one.id, read.data);
  check("its time is a time", Date.parse(read.data.updated_at) > 0, read.data);
  const fields = await contacts.getContactFields();
  check("fields are listed", fields.data.some((it) => it.name === "email"), fields.data);
  const search = await contacts.searchContacts({ query: `"email:'${two.email}'"` });
  check("search finds", search.data.total === 1 && search.data.results[0].id === two.id, search.data);
}

async function writes() {
  const changed = await contacts.updateContact(one.id, { job_title: "Head", tags: ["a"] });
  check("an update answers", changed.status === 200 && changed.data.job_title === "Head", changed.data);
  const wrong = await failure(() => contacts.updateContact(one.id, { shoe_size: 42 }));
  check("an unknown key is 400", wrong.status === 400, wrong);
  check("and named", wrong.data.errors[0].field === "shoe_size", wrong.data);
  const taken = await failure(() => contacts.updateContact(one.id, { email: two.email }));
  check("an address is unique", taken.status === 409, taken);
  const holder = taken.data.errors[0].additional_info.user_id;
  check("409 names the holder", holder === two.id, taken.data);
  const gone = await contacts.deleteContact(one.id);
  check("a delete answers 204", gone.status === 204, gone);
  const refused = await failure(() => contacts.updateContact(one.id, { name: "x" }));
  check("a deleted contact is 405", refused.status === 405, refused);
  const trashed = await contacts.getAllContacts({ state: "deleted", perPage: 100 });
  check("the trash lists it", trashed.data.some((it) => it.id === one.id), trashed.data);
  const back = await contacts.restoreContact(one.id);
  check("a restore answers 204", back.status === 204, back);
  const missing = await failure(() => contacts.getContact(404404404));
  check("an unknown id is 404", missing.status === 404, missing);
}

async function ends() {
  const merged = await contacts.mergeContacts({
    primary_contact_id: one.id,
    secondary_contact_ids: [three.id],
  });
  check("a merge answers 204", merged.status === 204, merged);
  const away = await failure(() => contacts.getContact(three.id));
  check("the other is gone", away.status === 404, away);
  const read = await contacts.getContact(one.id);
  check("its address lives on", read.data.other_emails[0] === three.email, read.data);
  const early = await failure(() => contacts.hardDeleteContact(two.id));
  check("only the trash is emptied", early.status === 400, early);
  await contacts.deleteContact(two.id);
  const hard = await contacts.hardDeleteContact(two.id);
  check("the trash is emptied", hard.status === 204, hard);
}

async function limits() {
  for (let n = 0; n < 1000; n += 1) {
    const error = await failure(() => contacts.getAllContacts({ perPage: 1 }));
    if (error.answered) continue;
    check("too many calls are 429", error.status === 429, error);
    return;
  }
  check("1000 calls in a row meet the limit", false, null);
}

await reads();
await writes();
await ends();
await limits();
done();

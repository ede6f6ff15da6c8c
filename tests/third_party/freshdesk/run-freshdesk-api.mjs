// `freshdesk-api`, the client most people use, against the Freshdesk that FRESHDESK_URL names.
// The account has to have a limit of calls per minute, and to know both updated-since spellings.

import Freshdesk from "freshdesk-api";
import { check, done, failure, future, key, past, url } from "./check.mjs";

const client = new Freshdesk(url, key);

/** One call, as a promise of its data and of what the client says about the answer. */
function call(method, ...parameters) {
  return new Promise((resolve, reject) => {
    client[method](...parameters, (error, data, extra) => {
      if (error) reject(error);
      else resolve({ data, extra });
    });
  });
}

const tag = `t${Date.now()}`;
const people = [];

async function identity() {
  const { data: me, extra } = await call("currentAgent");
  check("the key's agent has an id", Number.isInteger(me.id), me);
  check("an answer has a request id", extra.requestId !== "", extra);
  const stranger = new Freshdesk(url, `${key}-not`);
  const denied = await failure(
    () => new Promise((ok, no) => stranger.currentAgent((error, data) => (error ? no(error) : ok(data)))),
  );
  check("a wrong key is 401", denied.status === 401, denied);
  check("401 has its code", denied.data?.code === "invalid_credentials", denied.data);
}

async function companies() {
  const { data: made } = await call("createCompany", { name: `${tag} Acme`, domains: [`${tag}.example`] });
  check("a company is created", Number.isInteger(made.id), made);
  const { data: read } = await call("getCompany", made.id);
  check("and reads back", read.name === `${tag} Acme`, read);
  const { data: changed } = await call("updateCompany", made.id, { note: "a note", domains: [] });
  check("an array replaces", changed.domains.length === 0 && changed.note === "a note", changed);
  const twice = await failure(() => call("createCompany", { name: `${tag} acme` }));
  check("a company's name is unique", twice.status === 409, twice);
  const { data: named } = await call("searchCompany", { name: tag });
  check("names complete", named.companies.some((it) => it.id === made.id), named);
  const { data: all } = await call("listAllCompanies", { page: 1 });
  check("companies are listed", all.some((it) => it.id === made.id), all);
  const { data: fields } = await call("listAllCompanyFields");
  check("company fields are listed", fields.some((it) => it.name === "name" && it.default), fields);
  return made;
}

async function writes(company) {
  for (const n of [1, 2, 3]) {
    const { data } = await call("createContact", {
      name: `${tag} Person ${n}`,
      email: `P${n}+${tag}@Example.org`,
      company_id: company.id,
      tags: ["one", "two"],
    });
    people.push(data);
  }
  check("an address is kept in lower case", people[0].email === `p1+${tag}@example.org`, people[0]);
  check("a new contact has its company", people[0].company_id === company.id, people[0]);
  const { data: read } = await call("getContact", people[0].id);
  check("tags read back", read.tags.join() === "one,two", read);
  const { data: changed } = await call("updateContact", read.id, { job_title: "Head", tags: ["two"] });
  check("tags replace", changed.tags.join() === "two" && changed.job_title === "Head", changed);
  const { data: cleared } = await call("updateContact", read.id, { job_title: "" });
  check("an empty text is null", cleared.job_title === null, cleared);
  const unknown = await failure(() => call("updateContact", read.id, { shoe_size: 42 }));
  check("an unknown key is refused", unknown.data.errors[0].code === "invalid_field", unknown.data);
  const taken = await failure(() => call("createContact", { name: "x", email: people[1].email }));
  check("an address is unique", taken.status === 409, taken);
  const holder = taken.data.errors[0].additional_info.user_id;
  check("409 names the holder", holder === people[1].id, taken.data);
}

async function lists() {
  const { data: both, extra } = await call("listAllContacts", { per_page: 2, page: 1, updated_since: past });
  check("a page is full", both.length === 2, both.length);
  check("and not the last", extra.pageIsLast === false, extra);
  check("rows lack tags", !("tags" in both[0]), both[0]);
  const { data: found, extra: last } = await call("listAllContacts", { email: people[2].email });
  check("a contact is found by its address", found.length === 1 && found[0].id === people[2].id, found);
  check("and that page is the last", last.pageIsLast === true, last);
  for (const spelling of ["updated_since", "_updated_since"]) {
    const { data: none } = await call("listAllContacts", { [spelling]: future });
    check(`${spelling} filters`, none.length === 0, none.length);
  }
  const wrong = await failure(() => call("listAllContacts", { per_page: 101 }));
  check("101 rows are too many", wrong.status === 400, wrong);
  const { data: fields } = await call("listAllContactFields");
  check("contact fields are listed", fields.some((it) => it.name === "email" && it.unique), fields);
}

async function ends(company) {
  const [one, two] = people;
  await call("deleteContact", one.id);
  const { data: trashed } = await call("getContact", one.id);
  check("a deleted contact says so", trashed.deleted === true, trashed);
  const refused = await failure(() => call("updateContact", one.id, { name: "x" }));
  check("and cannot be changed", refused.status === 405, refused);
  const missing = await failure(() => call("getContact", 404404404));
  check("an unknown id is 404", missing.status === 404, missing);
  check("without a body", missing.data === "", missing.data);
  await call("makeAgent", two.id);
  const gone = await failure(() => call("updateContact", two.id, { name: "x" }));
  check("an agent is no contact", gone.status === 404, gone);
  const { data: agent } = await call("getAgent", two.id);
  check("but an agent", agent.contact.email === two.email, agent);
  await call("deleteAgent", two.id);
  await call("deleteCompany", company.id);
  const { data: left } = await call("getContact", people[2].id);
  check("a contact outlives its company", left.company_id === null, left);
}

async function tickets(person, company) {
  const about = { subject: `${tag} broke`, description: "It broke.", priority: 1, status: 2 };
  const { data: made } = await call("createTicket", { ...about, email: person.email, tags: ["old"] });
  check("a ticket has a small number", made.id < 1_000_000, made);
  check("its requester and company", made.requester_id === person.id && made.company_id === company.id, made);
  const { data: some } = await call("listAllTickets", { company_id: company.id, updated_since: past });
  check("a company's tickets are listed", some.length === 1 && some[0].id === made.id, some);
  check("rows lack the description", !("description" in some[0]), some[0]);
  const { data: none } = await call("listAllTickets", { updated_since: future });
  check("updated_since filters tickets", none.length === 0, none.length);
  const wrong = await failure(() => call("listAllTickets", { status: 2 }));
  check("the list knows no status", wrong.data?.errors?.[0].code === "invalid_field", wrong);
  const { data: raised } = await call("updateTicket", made.id, { priority: 4, tags: ["vip"] });
  check("tags replace, the priority rises", raised.priority === 4 && raised.tags.join() === "vip", raised);
  const whole = await failure(() => call("updateTicket", made.id, raised));
  check("what was read cannot be sent back", whole.status === 400, whole);
  const { data: note } = await call("createNote", made.id, { body: "Raised." });
  check("a note is private", note.private === true && note.body === "<div>Raised.</div>", note);
  const loud = await failure(() => call("createReply", made.id, { body: "x", private: true }));
  check("a reply cannot be private", loud.status === 400, loud);
  const { data: said } = await call("listAllConversations", made.id);
  check("the note is on the ticket", said.length === 1 && said[0].id === note.id, said);
  const { data: found } = await call("filterTickets", "tag:'vip' AND priority:4", 1);
  check("search finds tickets", found.total === 1 && found.results[0].id === made.id, found);
  const { data: fields } = await call("listAllTicketFields");
  const status = fields.find((it) => it.name === "status");
  check("statuses have two names", status.choices["2"].length === 2, status);
  await call("deleteTicket", made.id);
  const { data: trashed } = await call("getTicket", made.id);
  check("a deleted ticket says so", trashed.deleted === true, trashed);
  const refused = await failure(() => call("updateTicket", made.id, { priority: 1 }));
  check("and cannot be changed", refused.status === 405, refused);
  await call("restoreTicket", made.id);
}

async function limits() {
  for (let n = 0; n < 1000; n += 1) {
    const error = await failure(() => call("listAllContacts", { per_page: 1 }));
    if (error.answered) continue;
    check("too many calls are 429", error.status === 429, error);
    check("with the seconds to wait", error.retryAfter >= 1 && error.retryAfter <= 60, error);
    return;
  }
  check("1000 calls in a row meet the limit", false, null);
}

await identity();
const company = await companies();
await writes(company);
await lists();
await tickets(people[0], company);
await ends(company);
await limits();
done();

// The vendor's own client against the simulator: what it cannot read or write is the simulator's fault.
// HUBSPOT_URL and HUBSPOT_TOKEN say where it is; the portal must be empty and take 5 searches a second.

import assert from "node:assert/strict";
import { Client } from "@hubspot/api-client";

const basePath = process.env.HUBSPOT_URL;
const accessToken = process.env.HUBSPOT_TOKEN;
const client = new Client({ basePath, accessToken, numberOfApiCallRetries: 3 });
const { contacts, companies, properties, associations } = client.crm;

let passed = 0;
async function check(name, body) {
  try {
    await body();
    passed += 1;
    console.log(`ok   ${name}`);
  } catch (error) {
    console.log(`FAIL ${name}\n${error.stack}`);
    console.log(`${passed} passed, 1 failed`);
    process.exit(1);
  }
}

async function refused(promise, code) {
  const error = await promise.then(() => assert.fail(`not refused with ${code}`), (e) => e);
  assert.equal(error.code, code, error.message);
  assert.ok(error.body.correlationId);
  return error.body;
}

const filter = (propertyName, operator, value) => ({ filters: [{ propertyName, operator, value }] });
const byId = (results) => Object.fromEntries(results.map((one) => [one.id, one]));

let ada;
let acme;

await check("account details name the portal and its zone", async () => {
  const answer = await client.apiRequest({ method: "GET", path: "/account-info/v3/details" });
  const details = await answer.json();
  assert.equal(details.portalId, 62515);
  assert.equal(details.timeZone, "Europe/Berlin");
});

await check("a wrong token is refused", async () => {
  const stranger = new Client({ basePath, accessToken: "wrong" });
  const body = await refused(stranger.crm.contacts.basicApi.getPage(), 401);
  assert.equal(body.category, "INVALID_AUTHENTICATION");
});

await check("a created contact comes back typed, its address in lower case", async () => {
  acme = await companies.basicApi.create({ properties: { name: "Acme", domain: "ACME.example" } });
  assert.equal(acme.properties.domain, "acme.example");
  ada = await contacts.basicApi.create({
    properties: { email: "Ada@Acme.example", firstname: "Ada", customer_tier: "vip" },
    associations: [
      { to: { id: acme.id }, types: [{ associationCategory: "HUBSPOT_DEFINED", associationTypeId: 279 }] },
    ],
  });
  assert.ok(ada.createdAt instanceof Date && ada.updatedAt instanceof Date);
  assert.equal(ada.archived, false);
  const read = await contacts.basicApi.getById(
    "ada@ACME.example", ["email", "associatedcompanyid", "no_such_property", "phone"], ["email"], ["companies"],
    false, "email",
  );
  assert.equal(read.id, ada.id);
  assert.equal(read.properties.email, "ada@acme.example");
  assert.equal(read.properties.associatedcompanyid, acme.id);
  assert.equal(read.properties.phone, null);
  assert.ok(!("no_such_property" in read.properties));
  assert.equal(read.associations.companies.results[0].id, acme.id);
  assert.equal(read.associations.companies.results[0].type, "contact_to_company");
  assert.equal(read.propertiesWithHistory.email[0].value, "ada@acme.example");
  assert.ok(read.propertiesWithHistory.email[0].timestamp instanceof Date);
});

await check("a second contact with the address is a conflict that names the first", async () => {
  const body = await refused(contacts.basicApi.create({ properties: { email: "ADA@acme.example" } }), 409);
  assert.equal(body.message, `Contact already exists. Existing ID: ${ada.id}`);
});

await check("unknown and read-only properties and wrong options are refused on write", async () => {
  const write = (given) => contacts.basicApi.update(ada.id, { properties: given });
  const code = async (given) => (await refused(write(given), 400)).errors[0].code;
  assert.equal(await code({ no_such_property: "x" }), "PROPERTY_DOESNT_EXIST");
  assert.equal(await code({ lastmodifieddate: "0" }), "READ_ONLY_VALUE");
  assert.equal(await code({ customer_tier: "gold" }), "INVALID_OPTION");
});

await check("an update changes, an empty string clears", async () => {
  const changed = await contacts.basicApi.update(ada.id, { properties: { phone: "+49 30 1", customer_tier: "" } });
  assert.equal(changed.properties.phone, "+49 30 1");
  assert.equal(changed.properties.customer_tier, null);
});

await check("a contact that is not there is a 404", async () => {
  await refused(contacts.basicApi.getById("999"), 404);
  await refused(contacts.basicApi.update("999", { properties: { phone: "1" } }), 404);
});

await check("a batch with trace ids succeeds in part and says which", async () => {
  const input = (trace, email) => ({ objectWriteTraceId: trace, properties: { email } });
  const made = await contacts.batchApi.create({ inputs: [input("a", "b1@x.example"), input("b", "ada@acme.example")] });
  assert.equal(made.numErrors, 1);
  assert.deepEqual(made.results.map((one) => one.objectWriteTraceId), ["a"]);
  assert.equal(made.errors[0].category, "CONFLICT");
  assert.deepEqual(made.errors[0].context.objectWriteTraceId, ["b"]);
});

await check("a batch create without trace ids is all or nothing", async () => {
  const inputs = [{ properties: { email: "b2@x.example" } }, { properties: { email: "ada@acme.example" } }];
  await refused(contacts.batchApi.create({ inputs }), 409);
  await refused(contacts.basicApi.getById("b2@x.example", undefined, undefined, undefined, false, "email"), 404);
});

await check("a hundred and twenty contacts are paged without loss", async () => {
  const inputs = (from, to) =>
    Array.from({ length: to - from }, (_, i) => ({
      objectWriteTraceId: `${from + i}`,
      properties: { email: `p${from + i}@page.example`, lastname: `Page ${from + i}` },
    }));
  await refused(contacts.batchApi.create({ inputs: inputs(0, 101) }), 400);
  const first = await contacts.batchApi.create({ inputs: inputs(0, 100) });
  await contacts.batchApi.create({ inputs: inputs(100, 120) });
  assert.equal(first.results.length, 100);
  const all = await contacts.getAll(50, undefined, ["email"]);
  assert.equal(all.length, 122);
  assert.equal(new Set(all.map((one) => one.id)).size, 122);
});

await check("batch read reports what is missing beside what is there", async () => {
  const read = await contacts.batchApi.read({
    properties: ["phone"], propertiesWithHistory: [], inputs: [{ id: ada.id }, { id: "999" }],
  });
  assert.equal(byId(read.results)[ada.id].properties.phone, "+49 30 1");
  assert.equal(read.errors[0].category, "OBJECT_NOT_FOUND");
  assert.deepEqual(read.errors[0].context.ids, ["999"]);
});

await check("batch read finds by address", async () => {
  const read = await contacts.batchApi.read({
    idProperty: "email", properties: ["email"], propertiesWithHistory: [], inputs: [{ id: "ada@acme.example" }],
  });
  assert.equal(read.results[0].id, ada.id);
});

await check("batch update writes what it can", async () => {
  const done = await contacts.batchApi.update({
    inputs: [{ id: ada.id, properties: { jobtitle: "Countess" } }, { id: "999", properties: { jobtitle: "x" } }],
  });
  assert.equal(done.results[0].properties.jobtitle, "Countess");
  assert.equal(done.numErrors, 1);
});

await check("batch upsert says what is new", async () => {
  const done = await contacts.batchApi.upsert({
    inputs: [
      { idProperty: "email", id: "ada@acme.example", properties: { city: "London" } },
      { idProperty: "email", id: "new@x.example", properties: { city: "Paris" } },
    ],
  });
  const results = byId(done.results);
  // The generated type says `_new`; the client reads `new` from the wire.
  assert.equal(results[ada.id]._new, false);
  assert.equal(done.results.filter((one) => one._new).length, 1);
});

await check("search finds by modified time and by address", async () => {
  const search = (request) => contacts.searchApi.doSearch(request);
  const found = await search({ filterGroups: [filter("email", "EQ", "ADA@acme.example")], properties: ["email"] });
  assert.deepEqual([found.total, found.results[0].id], [1, ada.id]);
  const since = String(Date.now() - 3_600_000);
  const recent = await search({
    filterGroups: [filter("lastmodifieddate", "GTE", since)], sorts: ["hs_object_id"], limit: 100,
  });
  assert.equal(recent.total, 123);
  const rest = await search({
    filterGroups: [filter("lastmodifieddate", "GTE", since)], sorts: ["hs_object_id"], limit: 100,
    after: recent.paging.next.after,
  });
  assert.equal(rest.results.length, 23);
  assert.equal(rest.paging, undefined);
  const wrong = await search({ filterGroups: [filter("hs_lastmodifieddate", "GTE", since)] });
  assert.equal(wrong.total, 0);
});

await check("a burst of searches is refused and the client's own retry gets through", async () => {
  const started = Date.now();
  const search = () => companies.searchApi.doSearch({ filterGroups: [filter("name", "EQ", "acme")] });
  const all = await Promise.all(Array.from({ length: 7 }, search));
  assert.ok(all.every((one) => one.total === 1));
  assert.ok(Date.now() - started >= 900, "nothing was refused");
});

await check("archived contacts are in the archived list, with their time", async () => {
  const [first] = (await contacts.searchApi.doSearch({ filterGroups: [filter("email", "EQ", "p0@page.example")] })).results;
  await contacts.basicApi.archive(first.id);
  await refused(contacts.basicApi.getById(first.id), 404);
  const gone = await contacts.basicApi.getPage(100, undefined, ["email"], undefined, undefined, true);
  assert.deepEqual(gone.results.map((one) => one.id), [first.id]);
  assert.ok(gone.results[0].archivedAt instanceof Date);
  await contacts.batchApi.archive({ inputs: [{ id: first.id }, { id: "999" }] });
});

await check("links are made, read and ended in the v4 spelling", async () => {
  const second = await companies.basicApi.create({ properties: { name: "Second" } });
  await associations.v4.basicApi.createDefault("contacts", ada.id, "companies", second.id);
  const made = await associations.v4.batchApi.create("contacts", "companies", {
    inputs: [
      {
        _from: { id: ada.id }, to: { id: second.id },
        types: [{ associationCategory: "HUBSPOT_DEFINED", associationTypeId: 1 }],
      },
    ],
  });
  assert.equal(made.results[0].toObjectId, second.id);
  const read = await associations.v4.batchApi.getPage("contacts", "companies", {
    inputs: [{ id: ada.id }, { id: "999" }],
  });
  const to = read.results[0].to;
  const primary = to.filter((one) => one.associationTypes.some((type) => type.typeId === 1));
  assert.deepEqual([to.length, primary.map((one) => one.toObjectId)], [2, [second.id]]);
  assert.equal(read.errors[0].subCategory, "crm.associations.NO_ASSOCIATIONS_FOUND");
  const people = await associations.v4.basicApi.getPage("companies", second.id, "contacts");
  assert.equal(people.results[0].toObjectId, ada.id);
  await associations.v4.batchApi.archive("contacts", "companies", {
    inputs: [{ _from: { id: ada.id }, to: [{ id: second.id }] }],
  });
  const left = await associations.v4.basicApi.getPage("contacts", ada.id, "companies");
  assert.deepEqual(left.results.map((one) => one.toObjectId), [acme.id]);
  const defaults = await associations.v4.batchApi.createDefault("contacts", "companies", {
    inputs: [{ _from: { id: ada.id }, to: { id: acme.id } }],
  });
  assert.equal(defaults.results.length, 2);
});

await check("links are made and read in the v3 spelling", async () => {
  const input = { _from: { id: ada.id }, to: { id: acme.id }, type: "contact_to_company" };
  await associations.batchApi.create("contacts", "companies", { inputs: [input] });
  const read = await associations.batchApi.read("contacts", "companies", { inputs: [{ id: ada.id }] });
  assert.deepEqual(read.results[0].to.map((one) => one.type), ["contact_to_company", "contact_to_company_unlabeled"]);
});

await check("properties say their type, options and what is read-only", async () => {
  const all = (await properties.coreApi.getAll("contacts")).results;
  const named = Object.fromEntries(all.map((one) => [one.name, one]));
  assert.deepEqual(named.customer_tier.options.map((one) => one.value), ["vip", "standard"]);
  assert.equal(named.lastmodifieddate.modificationMetadata.readOnlyValue, true);
  assert.equal(named.email.hasUniqueValue, true);
  assert.equal(named.company.type, "string");
  assert.equal((await properties.coreApi.getByName("companies", "domain")).fieldType, "text");
  await refused(properties.coreApi.getByName("companies", "no_such"), 404);
});

await check("a merged contact answers under both ids", async () => {
  const loser = await contacts.basicApi.create({ properties: { email: "ada@old.example", lastname: "Lovelace" } });
  const survivor = await contacts.basicApi.merge({ primaryObjectId: ada.id, objectIdToMerge: loser.id });
  assert.equal(survivor.properties.hs_merged_object_ids, loser.id);
  const read = await contacts.basicApi.getById(loser.id, ["lastname", "email"]);
  assert.equal(read.id, survivor.id);
  assert.equal(read.properties.lastname, "Lovelace");
});

await check("an erased contact is gone, also from the archived list", async () => {
  await contacts.basicApi.purge({ objectId: "b1@x.example", idProperty: "email" });
  await refused(contacts.basicApi.getById("b1@x.example", undefined, undefined, undefined, false, "email"), 404);
  const gone = await contacts.basicApi.getPage(100, undefined, undefined, undefined, undefined, true);
  assert.equal(gone.results.length, 1);
});

console.log(`${passed} passed, 0 failed`);

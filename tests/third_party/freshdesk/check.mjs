// What both clients' runs share: counting checks, and plain HTTP to prepare the account.

export const url = process.env.FRESHDESK_URL;
export const key = process.env.FRESHDESK_API_KEY;

if (!url || !key) {
  console.error("set FRESHDESK_URL and FRESHDESK_API_KEY");
  process.exit(2);
}

let passed = 0;

/** Ends the run with the first check that does not hold. */
export function check(name, holds, seen) {
  if (!holds) {
    console.error(`FAILED: ${name}; seen: ${JSON.stringify(seen)}`);
    console.log(`${passed} passed, 1 failed`);
    process.exit(1);
  }
  passed += 1;
}

export function done() {
  console.log(`${passed} passed, 0 failed`);
}

/** The error of a call that has to fail. */
export async function failure(call) {
  try {
    const answer = await call();
    return { answered: answer };
  } catch (error) {
    return error;
  }
}

/** A request past the client under test. */
export async function plain(method, path, body) {
  const response = await fetch(`${url}/api/v2${path}`, {
    method,
    headers: {
      authorization: `Basic ${Buffer.from(`${key}:X`).toString("base64")}`,
      ...(body ? { "content-type": "application/json" } : {}),
    },
    body: body ? JSON.stringify(body) : undefined,
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

/** A time for updated-since filters. */
export const future = "2099-01-01T00:00:00Z";
export const past = "2001-01-01T00:00:00Z";

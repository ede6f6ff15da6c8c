// `@freshworks/freshdesk`, the vendor's own client, against the Freshdesk that FRESHDESK_URL names.
// It speaks TLS only: this process ends TLS in front of the simulator, a child runs the client.

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { url } from "./check.mjs";

const directory = mkdtempSync(join(tmpdir(), "freshdesk-tls-"));
const [keyFile, certificate] = [join(directory, "key.pem"), join(directory, "cert.pem")];

function certify() {
  const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
  const files = ["-keyout", keyFile, "-out", certificate];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  execFileSync("openssl", ["req", "-x509", ...kind, ...subject, ...files], { stdio: "ignore" });
}

function forward(incoming, outgoing) {
  const headers = { ...incoming.headers, "x-forwarded-proto": "https" };
  const target = new URL(incoming.url, url);
  const inner = request(target, { method: incoming.method, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode, answer.headers);
    answer.pipe(outgoing);
  });
  inner.on("error", () => outgoing.destroy());
  incoming.pipe(inner);
}

certify();
const tls = { key: readFileSync(keyFile), cert: readFileSync(certificate) };
const proxy = createServer(tls, forward);
proxy.listen(0, "127.0.0.1", () => {
  const child = spawn(process.execPath, [fileURLToPath(new URL("official.mjs", import.meta.url))], {
    env: {
      ...process.env,
      NODE_EXTRA_CA_CERTS: certificate,
      FRESHDESK_TLS_HOST: `127.0.0.1:${proxy.address().port}`,
    },
    stdio: "inherit",
  });
  child.on("exit", (code) => {
    rmSync(directory, { recursive: true });
    process.exit(code ?? 1);
  });
});

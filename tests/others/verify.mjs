// The same as verify.py in JavaScript: the specification's own library for shared secrets (v1), and Node's OpenSSL by the
// specification's text for Ed25519 (v1a). Reads and prints the same.

import { createPublicKey, verify as verifySignature } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

// Where npm has put the library.
const { Webhook } = createRequire(process.argv[2])("standardwebhooks");

// What stands before the 32 bytes of an Ed25519 public key in DER (RFC 8410).
const DER = Buffer.from("302a300506032b6570032100", "hex");

function verifyShared(key, headers, body) {
  new Webhook(key).verify(body.toString(), headers);
}

function verifyPublic(key, headers, body) {
  const raw = Buffer.from(key.slice("whpk_".length), "base64");
  const publicKey = createPublicKey({ key: Buffer.concat([DER, raw]), format: "der", type: "spki" });
  const content = Buffer.concat([Buffer.from(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`), body]);
  const genuine = headers["webhook-signature"].split(" ").some((given) => {
    const [version, signature] = given.split(",");
    return version === "v1a" && verifySignature(null, content, publicKey, Buffer.from(signature, "base64"));
  });
  if (!genuine) throw new Error("no v1a signature verifies");
}

function refuses(verify, key, headers, body) {
  try {
    verify(key, headers, body);
  } catch {
    return true;
  }
  return false;
}

let count = 0;
for (const one of JSON.parse(readFileSync(0, "utf8"))) {
  const body = Buffer.from(one.body, "base64");
  const verify = one.key.startsWith("whpk_") ? verifyPublic : verifyShared;
  verify(one.key, one.headers, body);
  const altered = Buffer.from(body.toString().replace("assigned", "withdrawn"));
  if (!refuses(verify, one.key, one.headers, altered)) throw new Error("an altered letter verifies");
  if (!refuses(verify, one.key, { ...one.headers, "webhook-id": "msg_other" }, body)) throw new Error("another id verifies");
  count += 1;
}
console.log(count);

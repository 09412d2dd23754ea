// A second reader of the bundle, written from the specification alone: zip, events, chain, slots, leaves,
// inclusion in the largest checkpoint, its signature, and the seal. Needs nothing but Node.
//
//     node reader.mjs BUNDLE.zip VKEY      prints JSON; exit code 0 if nothing is wrong, else 1
import { createHash, createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";

const byte = (value) => Buffer.from([value]);
const sha256 = (...parts) => parts.reduce((h, part) => h.update(part), createHash("sha256")).digest();
const problems = [];
const check = (good, what) => good || problems.push(what);

// The zip: stored entries, found by the central directory. APPNOTE §4.3.
function readZip(zip) {
  const end = zip.length - 22;
  if (zip.readUInt32LE(end) !== 0x06054b50) throw new Error("no end record at the end");
  const files = new Map();
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    if (zip.readUInt32LE(at) !== 0x02014b50 || zip.readUInt16LE(at + 10) !== 0) throw new Error("not stored");
    const [size, nameLength, local] = [zip.readUInt32LE(at + 24), zip.readUInt16LE(at + 28), zip.readUInt32LE(at + 42)];
    const name = zip.toString("latin1", at + 46, at + 46 + nameLength);
    const content = local + 30 + nameLength;
    files.set(name.slice(name.indexOf("/") + 1), zip.subarray(content, content + size));
    at += 46 + nameLength;
  }
  return files;
}

// A signed note: text, empty line, one signature line. C2SP signed-note, tlog-checkpoint.
function readNote(bytes) {
  const note = bytes.toString("utf8");
  const gap = note.lastIndexOf("\n\n");
  const [text, line] = [note.slice(0, gap + 1), note.slice(gap + 2, -1)];
  const [origin, size, root] = text.split("\n");
  const [, name, signature] = line.split(" ");
  return { note, text, origin, size: Number(size), root: Buffer.from(root, "base64"), name, signature };
}

function isSigned(note, vkey) {
  const [name, id, ...rest] = vkey.split("+");
  const key = Buffer.from(rest.join("+"), "base64");
  const signature = Buffer.from(note.signature, "base64");
  if (note.name !== name || signature.subarray(0, 4).toString("hex") !== id || key[0] !== 1) return false;
  const spki = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), key.subarray(1)]);
  const publicKey = createPublicKey({ key: spki, format: "der", type: "spki" });
  return verify(null, Buffer.from(note.text), publicKey, signature.subarray(4));
}

// RFC 9162 §2.1.3.2, as it stands there.
function rootOf(leaf, index, size, path) {
  let [fn, sn, r] = [index, size - 1, leaf];
  for (const p of path) {
    if (sn === 0) return null;
    if (fn % 2 === 1 || fn === sn) {
      r = sha256(byte(1), p, r);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn / 2, Math.floor(sn / 2)];
    } else {
      r = sha256(byte(1), r, p);
    }
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  }
  return sn === 0 ? r : null;
}

const kindOf = (id) => ({ it: "item", cs: "case" })[id.split("_")[0]] ?? (/^[0-9]+$/.test(id) ? "checkpoint" : id);

function readHistory(files, id, newest, found) {
  const seqs = [...files.keys()].map((path) => path.match(`^proof/events/${id}/([0-9]+)\\.`)?.[1]).filter(Boolean);
  let slot = sha256(`evidence-vault/subject/v1\n${kindOf(id)}\n${id}`);
  let [prev, below] = [null, -1];
  for (const [expected, seq] of seqs.map(Number).sort((a, b) => a - b).entries()) {
    const [place, bytes] = [`${id}/${seq}`, files.get(`proof/events/${id}/${seq}.json`)];
    const event = JSON.parse(bytes ?? files.get(`proof/events/${id}/${seq}.redacted.json`));
    check(seq === expected && event.seq === seq && (!bytes || event.subject.id === id), `${place}: misplaced`);
    check(!bytes || event.prev === prev, `${place}: prev`);
    prev = bytes ? sha256(bytes).toString("hex") : event.event_sha256;
    const leaf = sha256(byte(0), byte(1), Buffer.from(prev, "hex"), slot);
    slot = sha256("evidence-vault/slot/v1\n", Buffer.from(event.nonce, "hex"));
    const proof = files.get(`proof/log/inclusion/${id}/${seq}.tlog-proof`)?.toString("utf8") ?? "";
    const gap = proof.indexOf("\n\n");
    const [, index, ...path] = proof.slice(0, gap).split("\n");
    const at = Number(index?.split(" ")[1]);
    const root = rootOf(leaf, at, newest.size, path.map((line) => Buffer.from(line, "base64")));
    check(root?.equals(newest.root) && proof.slice(gap + 2) === newest.note, `${place}: inclusion`);
    check(at > below, `${place}: order`);
    below = at;
    found[place] = { sha256: prev, index: at };
    if (event.type === "EXPORTED") {
      check(event.parts_sha256 === sha256(files.get("proof/parts.txt")).toString("hex"), `${place}: parts`);
    }
    if (event.type === "ITEM_RECEIVED" && files.has(`data/${id}/content`)) {
      check(event.digests.sha256 === sha256(files.get(`data/${id}/content`)).toString("hex"), `${place}: content`);
    }
  }
}

const [bundlePath, vkey] = process.argv.slice(2);
const files = readZip(readFileSync(bundlePath));
const sizes = [...files.keys()].map((path) => Number(path.match(/^proof\/log\/([0-9]+)\.note$/)?.[1] ?? 0));
const newest = readNote(files.get(`proof/log/${Math.max(...sizes)}.note`));
check(isSigned(newest, vkey), "the largest checkpoint: signature");
const sealed = files.get("proof/parts.txt").toString("latin1").trimEnd().split("\n");
for (const line of sealed) {
  const [digest, path] = line.split("  ");
  check(files.has(path) && sha256(files.get(path)).toString("hex") === digest, `${path}: part`);
}
const events = {};
const subjects = new Set([...files.keys()].filter((path) => path.startsWith("proof/events/")).map((path) => path.split("/")[2]));
for (const id of [...subjects].sort()) readHistory(files, id, newest, events);
const { origin, items } = JSON.parse(files.get("proof/bundle.json"));
console.log(JSON.stringify({ origin, items, size: newest.size, root: newest.root.toString("hex"), parts: sealed.length, events, problems }));
process.exitCode = problems.length ? 1 : 0;

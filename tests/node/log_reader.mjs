// Reads a log's public folder as an outsider would, from C2SP tlog-tiles, tlog-checkpoint and RFC 9162 alone.
// node log_reader.mjs FOLDER VKEY: prints size, root, and how many proofs held; fails at the first thing wrong.
import { createHash, createPublicKey, verify } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const [folder, vkey] = process.argv.slice(2);
const must = (truth, what) => { if (!truth) throw new Error(what); };
const sha256 = (...parts) => createHash("sha256").update(Buffer.concat(parts)).digest();
const leaf = (entry) => sha256(Buffer.from([0]), entry);
const node = (left, right) => sha256(Buffer.from([1]), left, right);

// Checkpoint: three lines, an empty line, signature lines.
const [, name, id, key] = vkey.match(/^(.+?)\+([0-9a-f]{8})\+(.+)$/);
const typed = Buffer.from(key, "base64"); // a byte for the type, 1 for Ed25519, then the key
must(typed.length === 33 && typed[0] === 1, "the type of the key");
must(sha256(Buffer.from(name + "\n"), typed).subarray(0, 4).toString("hex") === id, "the id of the key");
const spki = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), typed.subarray(1)]);
const publicKey = createPublicKey({ key: spki, format: "der", type: "spki" });

function checkpoint(path) {
  const note = readFileSync(path, "utf8");
  const cut = note.lastIndexOf("\n\n");
  const text = note.slice(0, cut + 1);
  const lines = note.slice(cut + 2).split("\n").filter((line) => line.startsWith(`— ${name} `));
  const own = lines.map((line) => Buffer.from(line.split(" ")[2], "base64"))
    .filter((line) => line.subarray(0, 4).toString("hex") === id);
  must(own.length === 1, `one line by the log's key in ${path}`);
  must(verify(null, Buffer.from(text), publicKey, own[0].subarray(4)), `the signature of ${path}`);
  const [origin, size, root] = text.split("\n");
  must(origin === name, `the origin in ${path}`);
  return { size: Number(size), root: Buffer.from(root, "base64") };
}

// Tiles: 256 hashes, or the last ones; the index in groups of three digits.
function tilePath(level, index, width) {
  const groups = [String(index % 1000).padStart(3, "0")];
  for (let rest = Math.floor(index / 1000); rest; rest = Math.floor(rest / 1000))
    groups.unshift("x" + String(rest % 1000).padStart(3, "0"));
  return join(folder, "tile", String(level), groups.join("/")) + (width < 256 ? `.p/${width}` : "");
}
function row(level, count) {
  const hashes = [];
  for (let index = 0; index * 256 < count; index++) {
    const width = Math.min(256, count - index * 256);
    const tile = readFileSync(tilePath(level, index, width));
    must(tile.length === 32 * width, `the length of ${tilePath(level, index, width)}`);
    for (let at = 0; at < tile.length; at += 32) hashes.push(tile.subarray(at, at + 32));
  }
  return hashes;
}
function entries(count) {
  const found = [];
  for (let index = 0; index * 256 < count; index++) {
    const bundle = readFileSync(tilePath("entries", index, Math.min(256, count - index * 256)));
    for (let at = 0; at < bundle.length; at += 2 + bundle.readUInt16BE(at))
      found.push(bundle.subarray(at + 2, at + 2 + bundle.readUInt16BE(at)));
  }
  return found;
}

// RFC 9162 §2.1.1, §2.1.3.1 and §2.1.4.1, in their own words; k is the largest power of two below n.
const split = (n) => { let k = 1; while (k * 2 < n) k *= 2; return k; };
function mth(d) {
  if (d.length === 0) return sha256();
  return d.length === 1 ? d[0] : node(mth(d.slice(0, split(d.length))), mth(d.slice(split(d.length))));
}
function climb(m, d, hash) { // from leaf m to the root, with what the path gives on the way
  if (d.length === 1) return hash;
  const k = split(d.length);
  return m < k ? node(climb(m, d.slice(0, k), hash), mth(d.slice(k)))
    : node(mth(d.slice(0, k)), climb(m - k, d.slice(k), hash));
}

const { size, root } = checkpoint(join(folder, "checkpoint"));
const leaves = row(0, size);
must(mth(leaves).equals(root), "the root of the leaf tiles");
let upper = leaves;
for (let level = 1; upper.length >= 256; level++) {
  const expected = [];
  for (let at = 0; at + 256 <= upper.length; at += 256) expected.push(mth(upper.slice(at, at + 256)));
  upper = row(level, expected.length);
  must(upper.every((hash, at) => hash.equals(expected[at])), `the tiles of level ${level}`);
}
const read = entries(size);
must(read.length === size && read.every((entry, at) => leaf(entry).equals(leaves[at])), "the entries");
const wanted = [0, size >> 1, size - 1];
for (const index of wanted) must(climb(index, leaves, leaf(read[index])).equals(root), `inclusion of ${index}`);
const older = readdirSync(join(folder, "checkpoints"), { recursive: true }).filter((path) => path.endsWith(".note"));
for (const path of older) {
  const before = checkpoint(join(folder, "checkpoints", path));
  must(before.size <= size && mth(leaves.slice(0, before.size)).equals(before.root), `consistency with ${path}`);
}
console.log(JSON.stringify({ size, root: root.toString("hex"), included: wanted.length, older: older.length }));

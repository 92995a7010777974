// Sends the same requests to `mutirao dev` and to anvil and compares what comes back: values where both must say the same, and
// else the shape (the fields, and what each is). Every difference needs a reason in reasons.mjs, and every reason a difference.
// Run: node anvil.mjs [--write]   (make foundry-test; --write makes docs/dev-conformance.md)
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { compile, root } from "../compile.mjs";
import { cases } from "./cases.mjs";
import { reasons, absent } from "./reasons.mjs";
import { start } from "./nodes.mjs";

const { Probe } = compile("Probe.sol", readFileSync(new URL("Probe.sol", import.meta.url), "utf8"));

/** kind says what a value is, without the value. */
function kind(v) {
  if (v === null || v === undefined) return "null";
  if (Array.isArray(v)) return v.length === 0 ? [] : [v.map(kind).reduce(both)];
  if (typeof v === "object") return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, kind(x)]));
  if (typeof v !== "string") return typeof v;
  if (/^0x[0-9a-f]{40}$/i.test(v)) return "address";
  if (/^0x[0-9a-f]{64}$/.test(v)) return "hash";
  if (/^0x(0|[1-9a-f][0-9a-f]{0,31})$/.test(v)) return "quantity";
  if (/^0x[1-9a-f][0-9a-f]{55,62}$/.test(v)) return "hash"; // r and s of a signature are numbers, of mostly 32 bytes
  if (/^0x[0-9a-f]*$/.test(v)) return "data";
  return "text";
}

/** both is the kind of a list's elements: that of the first, with the fields of all. */
function both(a, b) {
  if (typeof a !== "object" || typeof b !== "object" || Array.isArray(a)) return a;
  return { ...b, ...a };
}

/** differ lists what is not the same in two kinds or two values. */
function differ(ours, theirs, where = "") {
  const at = where === "" ? "" : where + ": ";
  if (typeof ours === "object" && typeof theirs === "object" && ours && theirs) {
    if (Array.isArray(ours) !== Array.isArray(theirs)) return [`${at}one is a list`];
    if (Array.isArray(ours) && ours.length === 0 && theirs.length === 0) return [];
    if (Array.isArray(ours) && ours.length !== theirs.length) return [`${at}${ours.length} elements, anvil ${theirs.length}`];
    const keys = [...new Set([...Object.keys(ours), ...Object.keys(theirs)])].sort();
    return keys.flatMap((k) => {
      const inside = Array.isArray(ours) ? where : where === "" ? k : `${where}.${k}`;
      if (!(k in ours)) return [`no \`${inside}\``];
      if (!(k in theirs)) return [`also \`${inside}\``];
      return differ(ours[k], theirs[k], inside);
    });
  }
  if (JSON.stringify(ours) === JSON.stringify(theirs)) return [];
  const show = (x) => { const t = JSON.stringify(x) ?? "nothing"; return t.length > 90 ? t.slice(0, 87) + "…" : t; };
  return [`${at}${show(ours)}, anvil ${show(theirs)}`];
}

/** classes of errors by what clients look for in a message. */
const classes = ["nonce too low", "nonce too high", "insufficient funds", "insufficient balance", "intrinsic gas", "exceeds block gas limit", "execution reverted", "already known", "already imported", "underpriced", "not found", "method not", "chain id", "out of gas", "fee cap", "less than block base fee", "max fee per gas"];
const classOf = (message) => classes.find((c) => message.toLowerCase().includes(c)) ?? "other";

/** ignored are fields that only one has everywhere, and that no client needs. */
const ignored = {
  totalDifficulty: "of a block: geth has it no more",
  blockTimestamp: "of a transaction or receipt: logs have it, as in geth",
  blobGasPrice: "of a receipt: there are no blobs",
};

/** plain leaves out what is ignored, and makes true of a null: anvil says null where Hardhat says true, and nobody reads it. */
function plain(v) {
  if (Array.isArray(v)) return v.map((x) => plain(x));
  if (v && typeof v === "object") return Object.fromEntries(Object.entries(v).filter(([k]) => !(k in ignored)).map(([k, x]) => [k, plain(x)]));
  return v;
}
const done = (v) => (v === true ? null : Array.isArray(v) && v[0] === true ? [null, ...v.slice(1)] : v);

function compare(c, ours, theirs) {
  if (ours.error && theirs.error) {
    if (ours.error.code === -32601 && theirs.error.code === -32601) return []; // both lack it
    return [
      ...(ours.error.code === theirs.error.code ? [] : [`error ${ours.error.code}, anvil ${theirs.error.code}`]),
      ...((ours.error.data ?? null) === (theirs.error.data ?? null) ? [] : [`error data ${JSON.stringify(ours.error.data)}, anvil ${JSON.stringify(theirs.error.data)}`]),
      ...(classOf(ours.error.message) === classOf(theirs.error.message) ? [] : [`says "${ours.error.message}", anvil "${theirs.error.message}"`]),
    ];
  }
  if (ours.error) return [`error ${ours.error.code} "${ours.error.message}", anvil answers`];
  if (theirs.error) return [`answers, anvil says "${theirs.error.message}"`];
  if (c.equal) return differ(done(plain(ours.result)), done(plain(theirs.result)));
  return differ(kind(plain(ours.result)), kind(plain(theirs.result)));
}

async function answers(node) {
  const n = { ...node, probe: Probe, seen: {} };
  const list = [];
  for (const c of cases) {
    try {
      list.push(await c.run(n));
    } catch (e) {
      list.push({ error: { code: "client", message: e.message } });
    }
  }
  return list;
}

const [ours, theirs] = [await start("mutirao"), await start("anvil")];
let rows, failed = false;
try {
  const [a, b] = [await answers(ours), await answers(theirs)];
  rows = cases.map((c, i) => ({ ...c, differences: compare(c, a[i], b[i]), ours: a[i], theirs: b[i] }));
} finally {
  await Promise.all([ours.stop(), theirs.stop()]);
}

for (const r of rows) {
  if (process.argv.includes("--show")) console.error(r.name, "\n   ours  ", JSON.stringify(r.ours).slice(0, 1500), "\n   anvil ", JSON.stringify(r.theirs).slice(0, 1500));
  const why = reasons[r.name];
  if (r.differences.length > 0 && !why) {
    failed = true;
    console.error(`${r.name}: differs without a reason in reasons.mjs\n   ${r.differences.join("\n   ")}`);
  }
  if (r.differences.length === 0 && why) {
    failed = true;
    console.error(`${r.name}: reasons.mjs explains a difference, and there is none any more`);
  }
}
for (const name of Object.keys(reasons)) {
  if (!rows.some((r) => r.name === name)) {
    failed = true;
    console.error(`${name}: reasons.mjs names a case that is not there`);
  }
}
const same = rows.filter((r) => r.differences.length === 0).length;
console.error(`${rows.length} requests: ${same} alike, ${rows.length - same} differ`);

if (process.argv.includes("--write")) {
  const cell = (text) => text.replaceAll("|", "\\|").replaceAll("\n", " ");
  const table = [];
  for (const group of [...new Set(rows.map((r) => r.group))]) {
    table.push(`\n## ${group}\n\n| request | compared | result |\n|---|---|---|`);
    for (const r of rows.filter((r) => r.group === group)) {
      const at = r.name.search(/[ ,]/);
      const result = r.differences.length === 0 ? "same" : `differs: ${reasons[r.name] ?? r.differences.join("; ")}`;
      table.push(`| ${/^[a-z]+[0-9]?_/.test(r.name) ? `\`${at < 0 ? r.name : r.name.slice(0, at)}\`${cell(at < 0 ? "" : r.name.slice(at))}` : r.name} | ${r.equal ? "value" : "shape"} | ${cell(result)} |`);
    }
  }
  const text = `# \`mutirao dev\` beside anvil

\`make foundry-test\` sends the same ${rows.length} requests to \`mutirao dev\` and to anvil 1.7.1, in this order, and compares what comes back: the value, where both must say the same, or else the shape, that is the
fields of the answer and what each is. Of errors it compares the code, the data, and what clients look for in the text. **${same} are alike, ${rows.length - same} differ**, each for the reason below; a difference without a
reason fails the target, and so does a reason without a difference. Not compared are ${Object.entries(ignored).map(([k, why]) => `\`${k}\` (${why})`).join(", ")}, and whether a method that only does something answers \`true\`, as Hardhat's,
or \`null\`, as anvil's. This file is written by it (\`node contracts/test/tools/anvil.mjs --write\`).
${table.join("\n")}

## Absent

| methods | why |
|---|---|
${absent.map(([m, why]) => `| ${m} | ${cell(why)} |`).join("\n")}
`;
  writeFileSync(resolve(root, "../docs/dev-conformance.md"), text);
}
process.exit(failed ? 1 : 0);

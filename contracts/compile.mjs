// Compiles contracts/src with the pinned npm solc and writes ABI and bytecode to contracts/build, which the Go code embeds.
// Run: npm install && npm run compile  (in contracts/)
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import solc from "solc";

const root = dirname(fileURLToPath(import.meta.url));
const solidity = (dir) => readdirSync(join(root, dir)).filter((f) => f.endsWith(".sol")).sort().map((f) => join(dir, f));
const paths = [...solidity("src"), ...solidity("test")];
const planted = new Set(["ShareToken"]); // the ledger puts their code at an address without running a constructor
const names = paths.map((p) => basename(p));
const sources = Object.fromEntries(paths.map((p) => [basename(p), { content: readFileSync(join(root, p), "utf8") }]));

const output = JSON.parse(
  solc.compile(
    JSON.stringify({
      language: "Solidity",
      sources,
      settings: {
        evmVersion: "shanghai",
        optimizer: { enabled: true, runs: 200 },
        metadata: { bytecodeHash: "none" }, // the bytecode depends on the sources and the compiler alone
        outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
      },
    }),
    { import: (path) => ({ contents: readFileSync(join(root, "node_modules", path), "utf8") }) }, // OpenZeppelin, pinned in package-lock.json
  ),
);
for (const e of output.errors ?? []) console.error(e.formattedMessage);
if ((output.errors ?? []).some((e) => e.severity === "error")) process.exit(1);

// module is what JavaScript imports: the precompiles' addresses, and ABI and bytecode of all that is published. As declarations every literal
// is its own type, so that viem knows the arguments and results of each function.
function module(types) {
  const value = (v) => {
    if (Array.isArray(v)) return (types ? "readonly [" : "[") + v.map(value).join(", ") + "]";
    if (v && typeof v === "object") return "{ " + Object.entries(v).map(([k, x]) => (types ? "readonly " : "") + k + ": " + value(x)).join(", ") + " }";
    return JSON.stringify(v);
  };
  const line = (name, v) => (types ? `export declare const ${name}: ${v};\n` : `export const ${name} = ${v};\n`);
  let text = "// Written by compile.mjs.\n";
  for (const [file, list] of Object.entries(published)) {
    const [, name, address] = sources[file].content.match(/ constant (\w+) = I\w+\((0x[0-9a-fA-F]{40})\);/) ?? [];
    for (const { contract, abi, bytecode } of list) {
      const own = name && contract.toUpperCase() === "I" + name; // the precompile itself, not what it calls back
      text += line(own ? name : contract, own ? `{ ${types ? "readonly " : ""}address: "${address}", ${types ? "readonly " : ""}abi: ${value(abi)} }` : artifact(types, abi, bytecode, value));
    }
  }
  return text;
}

function artifact(types, abi, bytecode, value) {
  if (bytecode === "0x") return `{ ${types ? "readonly " : ""}abi: ${value(abi)} }`;
  return types ? `{ readonly abi: ${value(abi)}, readonly bytecode: \`0x\${string}\` }` : `{ abi: ${value(abi)}, bytecode: "${bytecode}" }`;
}

const published = Object.fromEntries(solidity("src").map((p) => [basename(p), []]));
mkdirSync(join(root, "build"), { recursive: true });
for (const file of names) {
  for (const [name, c] of Object.entries(output.contracts[file] ?? {})) {
    if (c.abi.length === 0 || name === "OfModel") continue; // internal libraries are part of their users' bytecode
    const out = { contract: name, solc: solc.version(), abi: c.abi, bytecode: "0x" + c.evm.bytecode.object };
    if (planted.has(name)) out.deployed = "0x" + c.evm.deployedBytecode.object;
    writeFileSync(join(root, "build", name + ".json"), JSON.stringify(out, null, 1) + "\n");
    if (file in published) published[file].push(out);
  }
}
writeFileSync(join(root, "build", "index.js"), module(false));
writeFileSync(join(root, "build", "index.d.ts"), module(true));

// The sources' digest lets a Go test notice that build/ is older than src/.
const digest = createHash("sha256");
for (const f of names) digest.update(f + "\0" + sources[f].content + "\0");
writeFileSync(join(root, "build", "SOURCES.sha256"), digest.digest("hex") + "\n");

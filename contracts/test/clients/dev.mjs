// What the tests share: the chain that run.mjs started, artifacts, and the compiler for sources that are not ours.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
export const dev = JSON.parse(process.env.DEV);
export const model = (name) => dev.models.find((m) => m.name === name).id;
export const artifact = (name) => JSON.parse(readFileSync(resolve(root, "build", name + ".json"), "utf8"));

/** compile builds one source with npm solc; imports are found in node_modules. */
export function compile(file, content) {
  const require = createRequire(import.meta.url);
  const solc = require("solc");
  const output = JSON.parse(
    solc.compile(
      JSON.stringify({
        language: "Solidity",
        sources: { [file]: { content } },
        settings: { evmVersion: "cancun", optimizer: { enabled: true, runs: 200 }, outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } } },
      }),
      { import: (path) => ({ contents: readFileSync(resolve(root, "node_modules", path), "utf8") }) },
    ),
  );
  const errors = (output.errors ?? []).filter((e) => e.severity === "error");
  if (errors.length > 0) throw new Error(errors.map((e) => e.formattedMessage).join("\n"));
  return Object.fromEntries(Object.entries(output.contracts[file]).map(([name, c]) => [name, { abi: c.abi, bytecode: "0x" + c.evm.bytecode.object }]));
}

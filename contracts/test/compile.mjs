// The compiler of npm for sources that are not ours; imports are found in node_modules.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/** compile builds one source and returns ABI and bytecode of each of its contracts. */
export function compile(file, content) {
  const solc = createRequire(import.meta.url)("solc");
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

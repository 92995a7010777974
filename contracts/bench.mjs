// Compares `mutirao dev` with Hardhat's own node and, if it was fetched (npm ci in test/tools), with anvil, in one run on the same machine: time until the first answer, transfers
// one after the other (each mined before its hash comes back), and snapshot and revert around one of them.
// Run: node bench.mjs  (after npm install and `make build`; MUTIRAO names another binary)
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { tool } from "./test/tools/nodes.mjs";

const root = dirname(fileURLToPath(import.meta.url));
const binary = process.env.MUTIRAO ?? resolve(root, "../bin/mutirao");
const from = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
const transfers = 300;
const fixtures = 50;

async function measure(command, args, port) {
  const call = async (method, ...params) => {
    const r = await fetch(`http://127.0.0.1:${port}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }) });
    const { result, error } = await r.json();
    if (error) throw new Error(`${method}: ${error.message}`);
    return result;
  };
  const began = performance.now();
  const node = spawn(command, args, { cwd: root, stdio: "ignore", env: { ...process.env, HARDHAT_DISABLE_TELEMETRY_PROMPT: "true" } });
  const ended = new Promise((done) => node.once("exit", done));
  try {
    for (;;) {
      try {
        await call("eth_chainId");
        break;
      } catch (e) {
        if (performance.now() - began > 30_000) throw e;
        await new Promise((r) => setTimeout(r, 10));
      }
    }
    const ready = performance.now() - began;
    const send = () => call("eth_sendTransaction", { from, to: from, value: "0x1", gas: "0x5208" });
    for (let i = 0; i < 20; i++) await send();
    let start = performance.now();
    for (let i = 0; i < transfers; i++) await send();
    const transfer = (performance.now() - start) / transfers;
    start = performance.now();
    for (let i = 0; i < fixtures; i++) {
      const id = await call("evm_snapshot");
      await send();
      if ((await call("evm_revert", id)) !== true) throw new Error("evm_revert");
    }
    return { ready, transfer, fixture: (performance.now() - start) / fixtures };
  } finally {
    node.kill("SIGINT");
    await ended;
  }
}

const ours = await measure(binary, ["dev", "--port", "18651"], 18651);
const theirs = await measure(process.execPath, [join(root, "node_modules/hardhat/internal/cli/cli.js"), "node", "--port", "18652"], 18652);
const peers = [["hardhat node", theirs]];
if (existsSync(tool("anvil"))) peers.push(["anvil", await measure(tool("anvil"), ["--port", "18653"], 18653)]);
console.log("milliseconds".padEnd(30), "mutirao dev".padStart(12), ...peers.map(([name]) => name.padStart(14) + "   ratio"));
for (const [name, key] of [["until the first answer", "ready"], ["a transfer", "transfer"], ["snapshot, transfer, revert", "fixture"]]) {
  console.log(name.padEnd(30), ours[key].toFixed(2).padStart(12), ...peers.map(([, t]) => t[key].toFixed(2).padStart(14) + (ours[key] / t[key]).toFixed(2).padStart(8)));
}

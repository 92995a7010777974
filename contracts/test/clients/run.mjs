// Starts `mutirao dev` at a free port and runs the tests of real clients against it: ethers, viem, OpenZeppelin, Hardhat.
// Run: npm install && npm test  (after `make build` in the folder above; MUTIRAO names another binary)
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, "../..");
const binary = process.env.MUTIRAO ?? resolve(root, "../bin/mutirao");
if (!existsSync(binary)) {
  console.error(`error: there is no ${binary}\n  why:  the tests need the program\n  next: make build`);
  process.exit(1);
}

const maize = resolve(root, "../examples/crops/maize.graph"); // of a file, as a model of one's own is
const chain = spawn(binary, ["dev", "--port", "0", "--json", "--model", maize], { stdio: ["ignore", "pipe", "inherit"] });
const first = await new Promise((ok, no) => {
  createInterface({ input: chain.stdout }).once("line", ok);
  chain.once("exit", (code) => no(new Error(`mutirao dev ended with ${code}`)));
});
const report = JSON.parse(first);
const env = { ...process.env, RPC_URL: report.http, WS_URL: report.websocket, DEV: first, HARDHAT_DISABLE_TELEMETRY_PROMPT: "true" };

let failed = false;
const run = (name, args, cwd) => {
  const { status } = spawnSync(process.execPath, args, { cwd, env, stdio: "inherit" });
  if (status !== 0) failed = true;
  console.error(`${name}: ${status === 0 ? "ok" : "FAILED"}`);
};
try {
  const files = readdirSync(here).filter((f) => f.endsWith(".test.mjs")).sort();
  for (const f of files) run(f, ["--test", join(here, f)], root);
  run("hardhat", [join(root, "node_modules/hardhat/internal/cli/cli.js"), "test", "--network", "dev"], root);
} finally {
  const ended = new Promise((done) => chain.once("exit", done));
  chain.kill("SIGINT");
  const code = await ended;
  if (code !== 0) {
    console.error(`mutirao dev ended with ${code}`);
    failed = true;
  }
}
process.exit(failed ? 1 : 0);

// Runs the section "Ask, and be called back" of README.md as it stands: its contract, its commands and its script.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import solc from "solc";

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, "../..");
const binary = process.env.MUTIRAO ?? resolve(root, "../bin/mutirao");
const section = readFileSync(join(root, "README.md"), "utf8").split("## Ask, and be called back")[1].split("\n## ")[0];
const blocks = [...section.matchAll(/```(\w*)\n([^]*?)```/g)].map(([, language, text]) => ({ language, text }));
const block = (language, n = 0) => blocks.filter((b) => b.language === language)[n].text;

const compile = (source) => {
  const input = {
    language: "Solidity", sources: { "Ask.sol": { content: source } },
    settings: { evmVersion: "shanghai", outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } } },
  };
  const find = (path) => ({ contents: readFileSync(join(root, path.replace("@mutirao/contracts/", "")), "utf8") });
  const out = JSON.parse(solc.compile(JSON.stringify(input), { import: find }));
  assert.deepEqual((out.errors ?? []).filter((e) => e.severity === "error"), []);
  const { abi, evm } = out.contracts["Ask.sol"].Ask;
  return { abi, bytecode: "0x" + evm.bytecode.object };
};

test("a contract asks and is called back without anybody's hand", async () => {
  const dir = mkdtempSync(join(here, "ask-")); // below node_modules, for ethers
  const machines = block("").split("\n").filter((line) => line.startsWith("mutirao serve"))
    .map((line) => spawn(binary, [...line.split(/ +/).slice(1), "--rpc", process.env.RPC_URL], { stdio: "ignore" }));
  try {
    assert.equal(machines.length, 2);
    const file = join(dir, "Ask.json");
    writeFileSync(file, JSON.stringify(compile(block("solidity"))));
    writeFileSync(join(dir, "ask.mjs"), block("js"));
    const run = spawnSync(process.execPath, [join(dir, "ask.mjs"), file], { encoding: "utf8", timeout: 60_000 });
    assert.equal(run.status, 0, run.stderr);
    const answer = JSON.parse(run.stdout);
    assert.equal(answer.worth, "sampled");
    const mutirao = (line) => {
      const args = line.replace("CONTRACT", answer.contract).replace("REQUEST", answer.request).split(/ +/).slice(1);
      const done = spawnSync(binary, [...args, "--rpc", process.env.RPC_URL, "--dev-account", "3"], { encoding: "utf8" });
      assert.equal(done.status, 0, done.stderr);
      return done.stdout;
    };
    const shown = block("", 1).split("\n").filter((line) => line.startsWith("mutirao")).map(mutirao);
    assert.match(shown[0], new RegExp(answer.request.slice(2, 10) + ".*answered.*sampled.*2/2.*delivered"));
    assert.match(shown[1], /callback  delivered to 0x/);
  } finally {
    for (const m of machines) m.kill();
    rmSync(dir, { recursive: true });
  }
});

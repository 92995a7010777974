// Uses the package with Foundry as outsiders do, against a real `mutirao dev`: forge test of the examples; fresh projects that have the
// package in lib/ or in node_modules; forge create and forge script --broadcast; cast.
// Run: node foundry.mjs  (make foundry-test)
import { execFileSync } from "node:child_process";
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { root } from "../compile.mjs";
import { start, tool } from "./nodes.mjs";

const solc = join(dirname(fileURLToPath(import.meta.url)), "solc"); // forge would download the same compiler
const key = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const ana = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
const bia = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const infer = "0x0000000000000000000000000000000000000901";

const scratch = mkdtempSync(join(tmpdir(), "mutirao-foundry-"));
const node = await start("mutirao", ["--model", resolve(root, "../examples/crops/maize.graph")]);
const env = { ...process.env, RPC_URL: node.url, ETH_RPC_URL: node.url, FOUNDRY_DISABLE_NIGHTLY_WARNING: "1", NO_COLOR: "1" };
const run = (name, args, cwd = scratch) => {
  try {
    return execFileSync(tool(name), args, { cwd, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
  } catch (e) {
    throw new Error(`${name} ${args.join(" ").slice(0, 300)}\n${e.stdout ?? ""}${e.stderr ?? e.message}`);
  }
};
const cast = (...args) => run("cast", args);
const step = async (name, what) => {
  const began = performance.now();
  await what();
  console.error(`ok  ${name} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
};
const forge = ["--use", solc, "--offline"];

/** project makes a project that uses the package, with the contract of the README's first lines and a test of it. */
function project(name, at, remapping) {
  const home = join(scratch, name);
  cpSync(join(scratch, "package"), join(home, at), { recursive: true });
  for (const dir of ["src", "test", "script"]) mkdirSync(join(home, dir), { recursive: true });
  writeFileSync(join(home, "foundry.toml"), '[profile.default]\nsrc = "src"\nout = "out"\nlibs = ["lib", "node_modules"]\n');
  if (remapping) writeFileSync(join(home, "remappings.txt"), remapping + "\n");
  const readme = readFileSync(join(home, at, "README.md"), "utf8");
  const blocks = [...readme.matchAll(/```solidity\n([\s\S]*?)```/g)].map((m) => m[1]);
  const [oracle, test, script] = ["contract Oracle", "contract OracleTest", "contract Deploy"].map((c) => {
    const block = blocks.find((b) => b.includes(c + " "));
    assert.ok(block, `README.md has no ${c}`);
    return "pragma solidity ^0.8.24;\n" + block.replaceAll("http://127.0.0.1:8545", node.url);
  });
  writeFileSync(join(home, "src/Oracle.sol"), oracle);
  writeFileSync(join(home, "test/Oracle.t.sol"), test);
  writeFileSync(join(home, "script/Deploy.s.sol"), script);
  return home;
}

try {
  const credit = await node.call("mutirao_model", "credit");
  await step("forge test: the three examples", () => {
    const out = run("forge", ["test", ...forge], root);
    const [, passed, failed] = /(\d+) tests passed, (\d+) failed/.exec(out) ?? assert.fail(out);
    assert.ok(Number(passed) >= 12 && failed === "0", out);
  });
  let home;
  await step("npm pack, and a project that has it as lib/mutirao", () => {
    const [{ filename, files }] = JSON.parse(execFileSync("npm", ["pack", "--json", "--pack-destination", scratch], { cwd: root, encoding: "utf8" }));
    assert.ok(files.some((f) => f.path === "src/test/MutiraoTest.sol") && !files.some((f) => f.path.includes("test/foundry")));
    execFileSync("tar", ["-xzf", filename], { cwd: scratch });
    home = project("with-lib", "lib/mutirao", "@mutirao/contracts/=lib/mutirao/src/");
    const out = run("forge", ["test", ...forge], home);
    assert.match(out, /1 tests passed, 0 failed/);
  });
  await step("a project that has it in node_modules", () => {
    const home = project("with-npm", "node_modules/@mutirao/contracts", "@mutirao/contracts/=node_modules/@mutirao/contracts/src/");
    assert.match(run("forge", ["test", ...forge], home), /1 tests passed, 0 failed/);
  });
  await step("forge script --broadcast, of a contract that asks a model", async () => {
    const out = run("forge", ["script", "script/Deploy.s.sol", "--rpc-url", node.url, "--broadcast", "--private-key", key, "--skip-simulation", ...forge], home);
    assert.match(out, /ONCHAIN EXECUTION COMPLETE & SUCCESSFUL/);
    const used = await node.call("eth_getLogs", { address: infer, fromBlock: "0x0" });
    assert.ok(used.length > 0, "the precompile was called on the node");
  });
  let desk;
  await step("forge create", () => {
    const out = run("forge", ["create", "src/LoanDesk.sol:LoanDesk", "--rpc-url", node.url, "--private-key", key, "--broadcast", ...forge, "--constructor-args", credit, bia], root);
    desk = /Deployed to: (0x[0-9a-fA-F]{40})/.exec(out)?.[1] ?? assert.fail(out);
  });
  await step("cast: send, call, estimate, receipt, logs, and reads", async () => {
    const sent = JSON.parse(cast("send", desk, "deposit()", "--value", "5ether", "--private-key", key, "--json"));
    assert.equal(sent.status, "0x1");
    assert.equal(cast("call", desk, "cash()(uint256)"), "5000000000000000000 [5e18]");
    const facts = "[24,2835,3,4,1,0,0,0,0,0,0,0,0,1,0,1]";
    const [risk, due] = cast("call", desk, "quote(uint256,int256[])(uint32,uint256,uint256,uint256)", "1000000000000000000", facts).split("\n");
    assert.ok(Number(risk.split(" ")[0]) > 0x3d000000 && BigInt(due.split(" ")[0]) > 10n ** 18n);
    const bits = `[${JSON.parse(facts).map((x) => new DataView(new Float32Array([x]).buffer).getUint32(0, true))}]`;
    assert.equal(cast("call", infer, "preview(bytes32,uint32[])(uint32[])", credit, bits), `[${risk}]`);
    const estimated = Number(cast("estimate", infer, "infer(bytes32,uint32[])", credit, bits, "--from", ana));
    const used = JSON.parse(cast("send", infer, "infer(bytes32,uint32[])", credit, bits, "--private-key", key, "--json"));
    assert.equal(used.status, "0x1");
    assert.ok(estimated >= Number(used.gasUsed) && estimated < 1.2 * Number(used.gasUsed), `estimated ${estimated}, used ${Number(used.gasUsed)}`);
    assert.equal(JSON.parse(cast("receipt", used.transactionHash, "--json")).transactionHash, used.transactionHash);
    assert.equal(JSON.parse(cast("logs", "--from-block", "earliest", "--address", infer, "Used(bytes32 indexed,address indexed,uint256)", "--json")).at(-1).transactionHash, used.transactionHash);
    assert.equal(JSON.parse(cast("tx", used.transactionHash, "--json")).hash, used.transactionHash);
    assert.match(cast("run", used.transactionHash, "--quick") + " ", /.*/s);
    assert.ok(cast("code", desk).length > 1000);
    assert.equal(BigInt(cast("storage", desk, "4")), 5n * 10n ** 18n);
    assert.ok(Number(cast("nonce", ana)) > 0);
    assert.equal(JSON.parse(cast("block", "latest", "--json")).number, "0x" + Number(cast("block-number")).toString(16));
    assert.equal(cast("balance", bia), String(10_000n * 10n ** 18n));
    assert.equal(cast("chain-id"), "31337");
    assert.ok(Number(cast("gas-price")) >= 1000 && Number(cast("base-fee")) >= 1000);
    assert.equal(JSON.parse(cast("rpc", "mutirao_model", "credit")), credit);
    assert.match(cast("client"), /mutirao/);
    assert.throws(() => cast("call", infer, "preview(bytes32,uint32[])", credit, "[1]"), /WrongInputLength|0x4ba69b45/);
    const nobody = "0x00000000000000000000000000000000000000fe";
    cast("rpc", "anvil_impersonateAccount", nobody);
    cast("rpc", "anvil_setBalance", nobody, "0x8ac7230489e80000");
    cast("send", desk, "deposit()", "--value", "1ether", "--from", nobody, "--unlocked");
    assert.equal(cast("call", desk, "cash()(uint256)"), "6000000000000000000 [6e18]");
    cast("proof", desk, "4");
    cast("access-list", desk, "cash()(uint256)");
    assert.match(cast("send", "--private-key", key, "--create", "0x600a600c600039600a6000f3602a60005260206000f3"), /contractAddress +0x/);
  });
} catch (e) {
  console.error(e.message);
  process.exitCode = 1;
} finally {
  await node.stop();
  if (!process.env.KEEP) rmSync(scratch, { recursive: true, force: true });
}

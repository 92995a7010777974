// What contracts and clients read of the ledger: models, what machines cost, what accounts have. The same calls with ethers and with viem.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Contract, JsonRpcProvider } from "ethers";
import { createPublicClient, http, BaseError, ContractFunctionRevertedError } from "viem";
import { artifact, dev, model } from "./dev.mjs";

const provider = new JsonRpcProvider(dev.http, undefined, { cacheTimeout: -1 });
const viem = createPublicClient({ transport: http(dev.http) });
after(() => provider.destroy());
const at = (n) => "0x" + n.toString(16).padStart(40, "0");
const [registry, market, credits, infer] = [["IRegistry", 0x902], ["IMarket", 0x903], ["ICredits", 0x904], ["IInfer", 0x901]].map(([name, n]) => ({ address: at(n), abi: artifact(name).abi }));
const ethers = ({ address, abi }) => new Contract(address, abi, provider);
const read = (of, functionName, ...args) => viem.readContract({ ...of, functionName, args });
const revert = async (promise) => {
  const e = await promise.then(() => null, (e) => e);
  return e instanceof BaseError ? e.walk((x) => x instanceof ContractFunctionRevertedError)?.data?.errorName : e?.revert?.name;
};

test("registry: what a model is", async () => {
  const id = model("diagnosis");
  assert.equal(await ethers(registry).exists(id), true);
  assert.equal(await read(registry, "exists", at(1).padEnd(66, "0")), false);
  const mine = dev.models.find((m) => m.id === id);
  const [info, same] = [await ethers(registry).info(id), await read(registry, "info", id)];
  assert.equal(info.macs, BigInt(mine.macs));
  assert.equal(same.inputs, mine.inputs);
  assert.equal(same.author.toLowerCase(), info.author.toLowerCase());
  assert.equal(info.fee, await ethers(infer).fee(id));
  assert.ok(info.callable && !info.proven && info.gas > 0n);
  assert.equal(await ethers(registry).sharesOf(id, info.author), 1_000_000n);
  assert.deepEqual(await read(registry, "parents", id), []);
  const file = await read(registry, "artifact", id);
  assert.equal(BigInt((file.length - 2) / 2), info.size);
  assert.equal(await revert(read(registry, "info", "0x" + "11".repeat(32))), "ModelNotFound");
});

test("market: prices and leases", async () => {
  const c = { resource: "cpu", region: "any", tier: "audited", tenor: 0 };
  assert.equal(await revert(read(market, "price", c)), "ClassNotFound");
  assert.equal(await revert(ethers(market).quote.staticCall(c, 0)), "OutOfBounds");
  assert.equal(await revert(read(market, "lease", "0x" + "22".repeat(32))), "LeaseNotFound");
  assert.deepEqual(await read(market, "leases", dev.accounts[0].address, "0x" + "00".repeat(32), 10n), []);
});

test("credits: spendable, locked and earned", async () => {
  const who = dev.accounts[9].address;
  assert.equal(await read(credits, "spendable", who), await provider.getBalance(who));
  const [leases, channels, requests, complete] = await ethers(credits).locked(who);
  assert.deepEqual([leases, channels, requests, complete], [0n, 0n, 0n, true]);
  assert.deepEqual([...(await ethers(credits).earned(who))], [0n, 0n]);
});

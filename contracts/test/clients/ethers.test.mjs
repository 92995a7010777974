import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Contract, ContractFactory, JsonRpcProvider, Wallet, WebSocketProvider, parseEther } from "ethers";
import { artifact, dev, model } from "./dev.mjs";

const provider = new JsonRpcProvider(dev.http, undefined, { cacheTimeout: -1, pollingInterval: 50 });
const wallet = new Wallet(dev.accounts[0].key, provider);
const risk = artifact("RiskModel");
// A patient of the diagnosis data with nine decimals.
const patient = [17.99, 10.38, 122.8, 1001, 0.1184, 0.2776, 0.3001, 0.1471, 0.2419, 0.07871, 1.095, 0.9053, 8.589, 153.4, 0.006399,
  0.04904, 0.05373, 0.01587, 0.03003, 0.006193, 25.38, 17.33, 184.6, 2019, 0.1622, 0.6656, 0.7119, 0.2654, 0.4601, 0.1189].map((x) => BigInt(Math.round(x * 1e9)));
after(() => provider.destroy());

test("deploy, estimate, call, watch", async () => {
  assert.equal(Number((await provider.getNetwork()).chainId), dev.chain_id);
  assert.ok((await provider.getBalance(wallet.address)) > parseEther("9000"));
  const contract = await new ContractFactory(risk.abi, risk.bytecode, wallet).deploy(model("diagnosis"));
  await contract.waitForDeployment();

  // An event reaches a listener over polling and one over a websocket.
  const socket = new WebSocketProvider(dev.websocket);
  const polled = new Promise((seen) => contract.once("Assessed", (...args) => seen(args)));
  const watching = new Contract(await contract.getAddress(), risk.abi, socket);
  const pushed = new Promise((seen) => watching.once("Assessed", (...args) => seen(args)));
  await watching.getAddress();
  await new Promise((r) => setTimeout(r, 200)); // the subscriptions are on their way

  const gas = await contract.assess.estimateGas(138, patient, { value: parseEther("0.01") });
  assert.ok(gas > 100_000n && gas < 1_000_000n, `gas ${gas}`);
  const receipt = await (await contract.assess(138, patient, { value: parseEther("0.01") })).wait();
  assert.equal(receipt.status, 1);
  assert.ok(receipt.gasUsed <= gas);
  for (const [id, by, bits, wad] of [await polled, await pushed]) {
    assert.equal(id, 138n);
    assert.equal(by, wallet.address);
    assert.equal(bits, receipt.logs.map((l) => contract.interface.parseLog(l)).find((l) => l?.name === "Assessed").args[2]);
    assert.ok(wad > 10n ** 17n * 9n, `this patient is ill: ${wad}`);
  }
  assert.equal((await contract.queryFilter("Assessed")).length, 1);
  assert.ok((await contract.probability(138)) > 0n);
  await socket.destroy();
});

test("errors are decoded", async () => {
  const contract = await new ContractFactory(risk.abi, risk.bytecode, wallet).deploy(model("diagnosis"));
  await contract.waitForDeployment();
  await assert.rejects(contract.assess(1, patient), (e) => contract.interface.parseError(e.data)?.name === "FeeNotCovered"); // of the estimate
  await assert.rejects(contract.assess.staticCall(1, patient), (e) => e.revert?.name === "FeeNotCovered" && e.revert.args[1] === 0n);
  await assert.rejects(contract.probability(5), (e) => e.revert?.name === "NotAssessed" && e.revert.args[0] === 5n);

  const infer = new Contract(dev.infer, artifact("IInfer").abi, wallet);
  await assert.rejects(infer.fee("0x" + "11".repeat(32)), (e) => e.revert?.name === "ModelNotFound");
  await assert.rejects(infer.preview(model("diagnosis"), [1, 2]), (e) => e.revert?.name === "WrongInputLength" && e.revert.args[1] === 30n);
  assert.equal(await infer.macs(model("diagnosis")), BigInt(dev.models.find((m) => m.name === "diagnosis").macs));
});

test("unlocked accounts, snapshots, time", async () => {
  const signer = await provider.getSigner(1);
  const id = await provider.send("evm_snapshot", []);
  const before = await provider.getBlock("latest");
  await (await signer.sendTransaction({ to: wallet.address, value: 1n })).wait();
  await provider.send("evm_increaseTime", [86400]);
  await provider.send("evm_mine", []);
  assert.ok((await provider.getBlock("latest")).timestamp >= before.timestamp + 86400);
  assert.equal(await provider.send("evm_revert", [id]), true);
  assert.equal((await provider.getBlock("latest")).hash, before.hash);
  const message = await signer.signMessage("hello");
  assert.equal((await import("ethers")).verifyMessage("hello", message), await signer.getAddress());
});

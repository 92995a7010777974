import assert from "node:assert/strict";
import { test } from "node:test";
import { BaseError, ContractFunctionRevertedError, createPublicClient, createTestClient, createWalletClient, http, parseEther, publicActions, walletActions, webSocket } from "viem";
import { mnemonicToAccount } from "viem/accounts";
import { foundry } from "viem/chains";
import { artifact, dev, model } from "./dev.mjs";

const account = mnemonicToAccount(dev.mnemonic, { addressIndex: 2 });
const reader = createPublicClient({ chain: foundry, transport: http(dev.http), pollingInterval: 50 });
const writer = createWalletClient({ account, chain: foundry, transport: http(dev.http) });
const control = createTestClient({ mode: "anvil", chain: foundry, transport: http(dev.http) }).extend(publicActions).extend(walletActions);
const { abi, bytecode } = artifact("RiskModel");
const zeros = Array(30).fill(1_000_000_000n);

test("deploy, simulate, write, watch", async () => {
  assert.equal(account.address, dev.accounts[2].address);
  const { contractAddress: address } = await reader.waitForTransactionReceipt({ hash: await writer.deployContract({ abi, bytecode, args: [model("diagnosis")] }) });

  const seen = [];
  const stopPolling = reader.watchContractEvent({ address, abi, eventName: "Assessed", onLogs: (logs) => seen.push(["polled", logs[0]]) });
  const socket = createPublicClient({ chain: foundry, transport: webSocket(dev.websocket) });
  const stopSocket = socket.watchContractEvent({ address, abi, eventName: "Assessed", onLogs: (logs) => seen.push(["pushed", logs[0]]) });
  const heads = [];
  const stopHeads = socket.watchBlocks({ onBlock: (b) => heads.push(b) });
  await new Promise((r) => setTimeout(r, 300));

  const { request, result } = await reader.simulateContract({ account, address, abi, functionName: "assess", args: [7n, zeros], value: parseEther("0.01") });
  const receipt = await reader.waitForTransactionReceipt({ hash: await writer.writeContract(request) });
  assert.equal(receipt.status, "success");
  for (let i = 0; i < 100 && (seen.length < 2 || heads.length < 1); i++) await new Promise((r) => setTimeout(r, 50));
  stopPolling();
  stopSocket();
  stopHeads();
  assert.deepEqual(seen.map(([how]) => how).sort(), ["polled", "pushed"]);
  for (const [, log] of seen) assert.equal(log.args.bits, result);
  assert.ok(heads.some((b) => b.hash === receipt.blockHash));
  (await socket.transport.getRpcClient()).close();
});

test("custom errors", async () => {
  const { contractAddress: address } = await reader.waitForTransactionReceipt({ hash: await writer.deployContract({ abi, bytecode, args: [model("diagnosis")] }) });
  await assert.rejects(reader.readContract({ address, abi, functionName: "probability", args: [9n] }), (e) => {
    const reverted = e instanceof BaseError && e.walk((c) => c instanceof ContractFunctionRevertedError);
    return reverted?.data?.errorName === "NotAssessed";
  });
});

test("test client: balance, code, storage, nonce, impersonation, mining, time", async () => {
  const id = await control.snapshot();
  const address = "0x00000000000000000000000000000000000c0de1";
  await control.setBalance({ address, value: parseEther("3") });
  await control.setCode({ address, bytecode: "0x60015f540160005500" }); // SSTORE(0, SLOAD(0)+1)
  await control.setStorageAt({ address, index: 0, value: "0x" + "29".padStart(64, "0") });
  await control.setNonce({ address, nonce: 7 });
  assert.equal(await control.getTransactionCount({ address }), 7);
  await control.impersonateAccount({ address });
  const hash = await control.sendTransaction({ account: address, to: account.address, value: parseEther("1") });
  assert.equal((await reader.getTransaction({ hash })).from, address);
  await control.stopImpersonatingAccount({ address });
  await assert.rejects(control.sendTransaction({ account: address, to: account.address, value: 1n }));
  await writer.sendTransaction({ to: address });
  assert.equal(BigInt(await reader.getStorageAt({ address, slot: "0x0" })), 42n);

  const before = await reader.getBlock();
  await control.setNextBlockTimestamp({ timestamp: before.timestamp + 1000n });
  await control.mine({ blocks: 3, interval: 10 });
  const now = await reader.getBlock();
  assert.equal(now.number, before.number + 3n);
  assert.equal(now.timestamp, before.timestamp + 1020n);
  await control.increaseTime({ seconds: 60 });
  await control.mine({ blocks: 1 });
  assert.ok((await reader.getBlock()).timestamp >= now.timestamp + 60n);

  await control.setAutomine(false);
  const waiting = await writer.sendTransaction({ to: address, value: 1n, gas: 100_000n });
  await assert.rejects(reader.getTransactionReceipt({ hash: waiting }));
  assert.equal((await reader.getTransaction({ hash: waiting })).blockNumber, null);
  await control.mine({ blocks: 1 });
  assert.equal((await reader.getTransactionReceipt({ hash: waiting })).status, "success");
  await control.setAutomine(true);
  await control.revert({ id });
  assert.equal(await reader.getBalance({ address }), 0n);
});

test("typed data of an unlocked account", async () => {
  const [, , , unlocked] = await control.getAddresses();
  const typed = { domain: { name: "x", version: "1", chainId: dev.chain_id }, types: { Mail: [{ name: "text", type: "string" }] }, primaryType: "Mail", message: { text: "hello" } };
  const signature = await control.signTypedData({ account: unlocked, ...typed });
  assert.equal(await reader.verifyTypedData({ address: unlocked, signature, ...typed }), true);
});

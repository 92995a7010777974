// The requests that anvil.mjs compares, in their order: later ones see what earlier ones did. A case that says value compares
// the values, others the shape of the answer.
import WebSocket from "ws";
import { decodeFunctionResult, encodeDeployData, encodeFunctionData, numberToHex, parseEther, parseGwei, toHex } from "viem";
import { privateKeyToAccount } from "viem/accounts";

const keys = [
  "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
  "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
  "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
];
const signers = keys.map((k) => privateKeyToAccount(k));
const [ana, bia, cid] = signers.map((s) => s.address.toLowerCase());
const nobody = "0x00000000000000000000000000000000000000fe";
const fresh = "0x1111111111111111111111111111111111111111";
const zero = "0x" + "00".repeat(32);
const hex = (n) => numberToHex(n);
const coins = (n) => hex(parseEther(String(n)));
const fee = { maxFeePerGas: parseGwei("100"), maxPriorityFeePerGas: parseGwei("1") };

export const cases = [];
let group = "";
const section = (name) => (group = name);
const add = (equal) => (name, ...params) =>
  cases.push({ group, name, equal, run: typeof params[0] === "function" ? params[0] : (n) => n.ask(name.split(/[ ,]/)[0], ...params) });
const [value, shape] = [add(true), add(false)];
const input = (n, functionName, args = []) => encodeFunctionData({ abi: n.probe.abi, functionName, args });
const known = (ask, keep) => async (n) => {
  const r = await ask(n);
  if (!r.error) keep(n.seen, r.result);
  return r;
};
const sent = async (n, tx) => {
  const r = await n.ask("eth_sendTransaction", tx);
  return r.error ? r : { result: pick(await receiptOf(n, r.result), "status", "gasUsed", "type", "to", "contractAddress") };
};
const receiptOf = async (n, hash) => {
  for (let i = 0; i < 200; i++) {
    const r = await n.call("eth_getTransactionReceipt", hash);
    if (r) return r;
    await new Promise((r) => setTimeout(r, 10));
  }
  return null;
};
const pick = (o, ...names) => Object.fromEntries(names.map((k) => [k, o?.[k] ?? null]));
const nonceOf = async (n, who) => Number(await n.call("eth_getTransactionCount", who, "pending"));
const raw = async (n, tx, signer = signers[1]) => n.ask("eth_sendRawTransaction", await signer.signTransaction({ chainId: 31337, nonce: await nonceOf(n, signer.address), gas: 100_000n, to: nobody, value: 1n, ...tx }));
const mined = async (n, tx, signer) => {
  const r = await raw(n, tx, signer);
  return r.error ? r : { result: pick(await receiptOf(n, r.result), "status", "gasUsed", "type", "to") };
};
const probe = (n) => n.seen.probe;
const read = (functionName, args = [], more = {}) => (n) => n.ask("eth_call", { to: probe(n), data: input(n, functionName, args), ...more }, "latest");
const around = (before, ask, afterwards) => async (n) => {
  await before(n);
  try {
    return await ask(n);
  } finally {
    await afterwards?.(n);
  }
};
const time = async (n) => Number((await n.call("eth_getBlockByNumber", "latest", false)).timestamp);

section("The chain");
shape("web3_clientVersion");
value("web3_sha3", "0x68656c6c6f");
value("net_version");
value("net_listening");
value("net_peerCount");
value("eth_chainId");
value("eth_syncing");
value("eth_accounts");
value("eth_requestAccounts");
shape("eth_coinbase");
value("eth_mining");
value("eth_hashrate");
value("eth_protocolVersion");
shape("eth_blockNumber");
shape("eth_gasPrice");
shape("eth_maxPriorityFeePerGas");
shape("eth_blobBaseFee");
shape("eth_config");

section("Sending");
value("eth_sendTransaction, a transfer", (n) => sent(n, { from: ana, to: bia, value: coins(1) }));
value("eth_sendTransaction, a contract", known(async (n) => {
  const r = await sent(n, { from: ana, data: encodeDeployData({ abi: n.probe.abi, bytecode: n.probe.bytecode }) });
  return r;
}, (s, r) => (s.probe = r.contractAddress)));
value("eth_sendTransaction, a call", (n) => sent(n, { from: ana, to: probe(n), data: input(n, "store", [5n, 77n]) }));
shape("eth_sendTransaction", known((n) => n.ask("eth_sendTransaction", { from: ana, to: probe(n), data: input(n, "store", [6n, 78n]) }), (s, r) => (s.tx = r)));
value("eth_sendTransaction, legacy", (n) => sent(n, { from: ana, to: bia, value: "0x1", gasPrice: hex(parseGwei("100")) }));
value("eth_sendTransaction, with an access list", (n) => sent(n, { from: ana, to: bia, value: "0x1", accessList: [] }));
value("eth_sendTransaction, with input instead of data", (n) => sent(n, { from: ana, to: probe(n), input: input(n, "store", [5n, 77n]) }));
value("eth_sendTransaction, that reverts", (n) => n.ask("eth_sendTransaction", { from: ana, to: probe(n), data: input(n, "refuse") }));
value("eth_sendTransaction, that reverts, with gas", (n) => sent(n, { from: ana, to: probe(n), data: input(n, "refuse"), gas: "0x186a0" }));
value("eth_sendTransaction, that runs out of gas", (n) => sent(n, { from: ana, to: probe(n), data: input(n, "spend"), gas: "0x186a0" }));
value("eth_sendTransaction, of an account without a key", { from: nobody, to: ana, value: "0x1" });
value("eth_sendTransaction, more than there is", { from: ana, to: bia, value: coins(1e9) });
value("eth_sendTransaction, a nonce too low", { from: ana, to: bia, value: "0x1", nonce: "0x0" });
value("eth_sendTransaction, too little gas", { from: ana, to: bia, value: "0x1", gas: "0x64" });
value("eth_sendTransaction, more gas than a block", { from: ana, to: bia, value: "0x1", gas: "0x77359400" });
value("eth_sendTransaction, a fee below the base fee", { from: ana, to: bia, value: "0x1", maxFeePerGas: "0x1", maxPriorityFeePerGas: "0x1", gas: "0x5208" });
value("eth_sendRawTransaction, EIP-1559", (n) => mined(n, fee));
value("eth_sendRawTransaction, EIP-2930", (n) => mined(n, { type: "eip2930", gasPrice: parseGwei("100"), accessList: [{ address: nobody, storageKeys: [zero] }] }));
value("eth_sendRawTransaction, legacy", (n) => mined(n, { type: "legacy", gasPrice: parseGwei("100") }));
value("eth_sendRawTransaction, legacy without chain id", (n) => mined(n, { type: "legacy", gasPrice: parseGwei("100"), chainId: undefined }));
value("eth_sendRawTransaction, EIP-7702", async (n) => {
  const authorization = await signers[2].signAuthorization({ address: probe(n), chainId: 31337, nonce: await nonceOf(n, cid) });
  return mined(n, { ...fee, gas: 200_000n, authorizationList: [authorization] });
});
value("eth_getCode, after EIP-7702", async (n) => ({ result: (await n.call("eth_getCode", cid, "latest")).replace(probe(n).slice(2), "the probe") }));
value("eth_sendRawTransaction, EIP-4844", (n) => raw(n, { ...fee, type: "eip4844", maxFeePerBlobGas: parseGwei("1"), blobVersionedHashes: ["0x01" + "22".repeat(31)], sidecars: false }));
value("eth_sendRawTransaction, of another chain", (n) => raw(n, { ...fee, chainId: 1 }));
value("eth_sendRawTransaction, a nonce too low", (n) => raw(n, { ...fee, nonce: 0 }));
value("eth_sendRawTransaction, more than there is", (n) => raw(n, { ...fee, value: parseEther("1000000000") }));
value("eth_sendRawTransaction, too little gas", (n) => raw(n, { ...fee, gas: 100n }));
value("eth_sendRawTransaction, more gas than a block", (n) => raw(n, { ...fee, gas: 2_000_000_000n }));
value("eth_sendRawTransaction, a fee below the base fee", (n) => raw(n, { maxFeePerGas: 1n, maxPriorityFeePerGas: 1n }));
value("eth_sendRawTransaction, a tip above the fee", (n) => raw(n, { maxFeePerGas: parseGwei("10"), maxPriorityFeePerGas: parseGwei("10") + 0n, gas: 21_000n }).then((r) => (r.error ? r : { result: "taken" })));
value("eth_sendRawTransaction, no bytes of a transaction", "0x1234");
value("eth_sendRawTransaction, twice", async (n) => {
  const tx = await signers[1].signTransaction({ chainId: 31337, nonce: await nonceOf(n, bia), gas: 21_000n, to: nobody, value: 1n, ...fee });
  await receiptOf(n, await n.call("eth_sendRawTransaction", tx));
  return n.ask("eth_sendRawTransaction", tx);
});
shape("eth_sendRawTransactionSync", async (n) => n.ask("eth_sendRawTransactionSync", await signers[1].signTransaction({ chainId: 31337, nonce: await nonceOf(n, bia), gas: 21_000n, to: nobody, value: 1n, ...fee })));
shape("eth_sendTransactionSync", { from: ana, to: bia, value: "0x1" });
shape("eth_signTransaction", { from: ana, to: bia, value: "0x1", gas: "0x5208", nonce: "0x64", maxFeePerGas: "0x174876e800", maxPriorityFeePerGas: "0x1" });
shape("eth_fillTransaction", { from: ana, to: bia, value: "0x1" });

section("State");
value("eth_getBalance", fresh, "latest");
value("eth_getBalance, at the beginning", (n) => n.ask("eth_getBalance", "0x90f79bf6eb2c4f870365e785982e1f101e93b906", "earliest"));
shape("eth_getBalance, pending", ana, "pending");
value("eth_getBalance, of a block to come", ana, "0xfffffff");
value("eth_getBalance, without a block", fresh);
value("eth_getBalance, by the hash of a block", async (n) => n.ask("eth_getBalance", fresh, { blockHash: (await n.call("eth_getBlockByNumber", "latest", false)).hash }));
value("eth_getTransactionCount", fresh, "latest");
shape("eth_getTransactionCount, pending", ana, "pending");
value("eth_getCode", (n) => n.ask("eth_getCode", probe(n), "latest"));
value("eth_getCode, of no contract", fresh, "latest");
value("eth_getStorageAt", (n) => n.ask("eth_getStorageAt", probe(n), "0x1", "latest"));
value("eth_getStorageAt, with a key of 32 bytes", (n) => n.ask("eth_getStorageAt", probe(n), zero.slice(0, -1) + "1", "latest"));
value("eth_getStorageAt, of no contract", fresh, "0x0", "latest");
shape("eth_getProof", (n) => n.ask("eth_getProof", probe(n), [zero.slice(0, -1) + "1"], "latest"));
shape("eth_getAccount", ana, "latest");
shape("eth_getAccountInfo", ana, "latest");

section("Calls");
value("eth_call", read("count"));
value("eth_call, of a function that writes", read("store", [1n, 2n]));
value("eth_call, with input instead of data", (n) => n.ask("eth_call", { to: probe(n), input: input(n, "count") }, "latest"));
value("eth_call, without a block", (n) => n.ask("eth_call", { to: probe(n), data: input(n, "count") }));
value("eth_call, pending", (n) => n.ask("eth_call", { to: probe(n), data: input(n, "count") }, "pending"));
value("eth_call, of a named sender", read("sender", [], { from: nobody }));
value("eth_call, sender of who names none", read("sender"));
value("eth_call, of no contract", { to: fresh, data: "0x12345678" }, "latest");
value("eth_call, of a constructor", async (n) => ({ result: (await n.call("eth_call", { data: n.probe.bytecode }, "latest")) === (await n.call("eth_getCode", probe(n), "latest")) }));
value("eth_call, a custom error", read("refuse"));
value("eth_call, a revert with a text", read("text"));
value("eth_call, a revert with nothing", read("bare"));
value("eth_call, a panic", read("panic", [0n]));
value("eth_call, an invalid opcode", read("broken"));
value("eth_call, out of gas", read("spend", [], { gas: "0x186a0" }));
value("eth_call, more value than there is", (n) => n.ask("eth_call", { from: nobody, to: ana, value: coins(1) }, "latest"));
value("eth_call, transient storage (EIP-1153)", read("transient_"));
value("eth_call, MCOPY (EIP-5656)", read("copy"));
shape("eth_call, the context of a block", async (n) => {
  const r = await read("context", [], { from: ana })(n);
  return r.error ? r : { result: decodeFunctionResult({ abi: n.probe.abi, functionName: "context", data: r.result }).map(String) };
});
value("eth_call, with the state overridden", (n) => n.ask("eth_call", { to: probe(n), data: input(n, "count") }, "latest", { [probe(n)]: { stateDiff: { [zero.slice(0, -1) + "1"]: zero.slice(0, -2) + "63" } } }));
value("eth_call, with a balance overridden", (n) => n.ask("eth_call", { from: nobody, to: probe(n), value: coins(1), data: input(n, "store", [1n, 2n]) }, "latest", { [nobody]: { balance: coins(2) } }));
value("eth_call, with code overridden", (n) => n.ask("eth_call", { to: fresh, data: "0x" }, "latest", { [fresh]: { code: "0x602a60005260206000f3" } }));
value("eth_call, with the block overridden", (n) => n.ask("eth_call", { to: fresh, data: "0x" }, "latest", { [fresh]: { code: "0x4260005260206000f3" } }, { time: "0x77359400" }));
value("eth_estimateGas, of a transfer", { from: ana, to: bia, value: "0x1" });
value("eth_estimateGas, without a sender", { to: bia, value: "0x0" });
shape("eth_estimateGas, of a call", (n) => n.ask("eth_estimateGas", { from: ana, to: probe(n), data: input(n, "store", [9n, 9n]) }));
value("eth_estimateGas, a custom error", (n) => n.ask("eth_estimateGas", { from: ana, to: probe(n), data: input(n, "refuse") }));
value("eth_estimateGas, more than there is", { from: nobody, to: ana, value: coins(1) });
value("eth_estimateGas, with the state overridden", { from: nobody, to: ana, value: coins(1) }, "latest", { [nobody]: { balance: coins(2) } });
shape("eth_createAccessList", (n) => n.ask("eth_createAccessList", { from: ana, to: probe(n), data: input(n, "store", [9n, 9n]) }, "latest"));
shape("eth_simulateV1", (n) => n.ask("eth_simulateV1", { blockStateCalls: [{ calls: [{ from: ana, to: probe(n), data: input(n, "count") }] }] }, "latest"));

section("Transactions, receipts and blocks");
shape("eth_getTransactionReceipt", (n) => n.ask("eth_getTransactionReceipt", n.seen.tx));
value("eth_getTransactionReceipt, of nothing", zero);
shape("eth_getTransactionByHash", (n) => n.ask("eth_getTransactionByHash", n.seen.tx));
value("eth_getTransactionByHash, of nothing", zero);
value("eth_getTransactionByHash, its values", async (n) => ({ result: pick(await n.call("eth_getTransactionByHash", n.seen.tx), "from", "to", "nonce", "input", "value", "type", "chainId", "accessList", "transactionIndex") }));
shape("eth_getBlockByNumber", (n) => n.ask("eth_getBlockByNumber", "latest", false));
for (const tag of ["pending", "earliest", "safe", "finalized"]) shape(`eth_getBlockByNumber, ${tag}`, (n) => n.ask("eth_getBlockByNumber", tag, false));
value("eth_getBlockByNumber, to come", "0xfffffff", false);
shape("eth_getBlockByNumber, with transactions", (n) => n.ask("eth_getBlockByNumber", "latest", true));
shape("eth_getBlockByHash", known(async (n) => {
  n.seen.block = await n.call("eth_getBlockByNumber", "latest", false);
  return n.ask("eth_getBlockByHash", n.seen.block.hash, false);
}, () => {}));
value("eth_getBlockByHash, of nothing", zero, false);
value("eth_getBlockTransactionCountByNumber", "latest");
value("eth_getBlockTransactionCountByHash", (n) => n.ask("eth_getBlockTransactionCountByHash", n.seen.block.hash));
value("eth_getBlockTransactionCountByNumber, to come", "0xfffffff");
shape("eth_getTransactionByBlockNumberAndIndex", "latest", "0x0");
shape("eth_getTransactionByBlockHashAndIndex", (n) => n.ask("eth_getTransactionByBlockHashAndIndex", n.seen.block.hash, "0x0"));
value("eth_getTransactionByBlockNumberAndIndex, of nothing", "latest", "0x63");
shape("eth_getBlockReceipts", "latest");
value("eth_getBlockReceipts, to come", "0xfffffff");
value("eth_getUncleCountByBlockNumber", "latest");
value("eth_getUncleCountByBlockHash", (n) => n.ask("eth_getUncleCountByBlockHash", n.seen.block.hash));
value("eth_getUncleByBlockNumberAndIndex", "latest", "0x0");
value("eth_getUncleByBlockHashAndIndex", (n) => n.ask("eth_getUncleByBlockHashAndIndex", n.seen.block.hash, "0x0"));
shape("eth_getRawTransactionByHash", (n) => n.ask("eth_getRawTransactionByHash", n.seen.tx));
shape("eth_getRawTransactionByBlockNumberAndIndex", "latest", "0x0");
shape("eth_getHeaderByNumber", "latest");
shape("eth_feeHistory", "0x4", "latest", [25, 75]);
shape("eth_feeHistory, without percentiles", "0x2", "latest", []);
value("eth_feeHistory, of a block to come", "0x2", "0xfffffff", []);

section("Logs, filters and subscriptions");
shape("eth_getLogs", (n) => n.ask("eth_getLogs", { address: probe(n), fromBlock: "earliest", toBlock: "latest" }));
value("eth_getLogs, how many", async (n) => ({ result: (await n.call("eth_getLogs", { address: probe(n), fromBlock: "0x0", toBlock: "latest" })).length }));
value("eth_getLogs, by topic", async (n) => ({ result: (await n.call("eth_getLogs", { fromBlock: "0x0", topics: [null, null, zero.slice(0, -1) + "6"] })).map((l) => pick(l, "data", "topics", "removed", "logIndex", "transactionIndex")) }));
value("eth_getLogs, of nothing", { address: fresh, fromBlock: "0x0" });
value("eth_getLogs, to before from", { fromBlock: "0x5", toBlock: "0x2" });
value("eth_getLogs, of a block that is not there", { blockHash: zero });
value("eth_newFilter and eth_getFilterChanges", async (n) => {
  const id = await n.call("eth_newFilter", { address: probe(n) });
  await sent(n, { from: ana, to: probe(n), data: input(n, "store", [8n, 8n]) });
  const first = await n.call("eth_getFilterChanges", id);
  return { result: [first.length, first[0]?.data, await n.call("eth_getFilterChanges", id), (await n.call("eth_getFilterLogs", id)).length > 0, await n.call("eth_uninstallFilter", id), await n.call("eth_uninstallFilter", id)] };
});
value("eth_newBlockFilter", async (n) => {
  const id = await n.call("eth_newBlockFilter");
  await n.call("evm_mine");
  const changes = await n.call("eth_getFilterChanges", id);
  return { result: [changes.length, changes[0] === (await n.call("eth_getBlockByNumber", "latest", false)).hash] };
});
value("eth_newPendingTransactionFilter", async (n) => {
  const id = await n.call("eth_newPendingTransactionFilter");
  const hash = await n.call("eth_sendTransaction", { from: ana, to: bia, value: "0x1" });
  const changes = await n.call("eth_getFilterChanges", id);
  return { result: [changes.length, changes[0] === hash] };
});
value("eth_getFilterChanges, of no filter", "0xdead");
const subscribed = (...what) => async (n) => {
  const socket = new WebSocket(n.ws);
  try {
    const next = () => new Promise((ok, no) => {
      socket.addEventListener("message", (m) => ok(JSON.parse(m.data)), { once: true });
      setTimeout(() => no(new Error("nothing came")), 5000).unref();
    });
    await new Promise((ok, no) => { socket.onopen = ok; socket.onerror = no; });
    const asked = next();
    socket.send(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_subscribe", params: typeof what[0] === "function" ? what[0](n) : what }));
    const { error } = await asked;
    if (error) return { error };
    const told = next();
    await sent(n, { from: ana, to: probe(n), data: input(n, "store", [8n, 8n]) });
    return { result: (await told).params.result };
  } finally {
    socket.close();
  }
};
shape("eth_subscribe, newHeads", subscribed("newHeads"));
shape("eth_subscribe, logs", subscribed((n) => ["logs", { address: probe(n) }]));
shape("eth_subscribe, newPendingTransactions", subscribed("newPendingTransactions"));
shape("eth_subscribe, newPendingTransactions, whole", async (n) => {
  const r = await subscribed("newPendingTransactions", true)(n);
  for (const of of ["blockHash", "blockNumber", "transactionIndex"]) delete r.result?.[of]; // it may be in a block already
  return r;
});
value("eth_subscribe, something else", subscribed("weather"));

section("Signing");
value("eth_sign", ana, "0xdeadbeef");
value("personal_sign", "0xdeadbeef", ana);
value("eth_sign, of an account without a key", nobody, "0xdeadbeef");
const typed = {
  domain: { name: "Probe", version: "1", chainId: 31337, verifyingContract: fresh }, primaryType: "Mail", message: { to: bia, text: "hi", list: ["1", "2"] },
  types: { EIP712Domain: [{ name: "name", type: "string" }, { name: "version", type: "string" }, { name: "chainId", type: "uint256" }, { name: "verifyingContract", type: "address" }], Mail: [{ name: "to", type: "address" }, { name: "text", type: "string" }, { name: "list", type: "uint256[]" }] },
};
value("eth_signTypedData_v4", ana, typed);
value("eth_signTypedData_v4, as a text", ana, JSON.stringify(typed));
value("eth_signTypedData_v3", ana, typed);

section("The protocol");
const posted = (body) => async (n) => {
  const r = await n.post(body);
  return { result: Array.isArray(r) ? r.map(({ id, jsonrpc, result, error }) => ({ id, jsonrpc, result, code: error?.code })) : { id: r.id, jsonrpc: r.jsonrpc, code: r.error?.code, result: r.result } };
};
value("a batch", posted([{ jsonrpc: "2.0", id: 7, method: "eth_chainId" }, { jsonrpc: "2.0", id: "x", method: "no_such" }, { jsonrpc: "2.0", id: 9, method: "net_version", params: [] }]));
value("an empty batch", posted("[]"));
value("no JSON", posted("{"));
value("no method", posted({ jsonrpc: "2.0", id: 1 }));
value("a method that is not there", posted({ jsonrpc: "2.0", id: 1, method: "eth_noSuchThing", params: [] }));
value("params missing", posted({ jsonrpc: "2.0", id: 1, method: "eth_getBalance" }));
value("params of the wrong type", posted({ jsonrpc: "2.0", id: 1, method: "eth_getBalance", params: ["0x1234", "latest"] }));
value("an id that is a text", posted({ jsonrpc: "2.0", id: "abc", method: "eth_chainId", params: [] }));
value("an id that is null", posted({ jsonrpc: "2.0", id: null, method: "eth_chainId", params: [] }));
value("params: null", posted({ jsonrpc: "2.0", id: 1, method: "eth_chainId", params: null }));

section("Traces");
shape("debug_traceTransaction", (n) => n.ask("debug_traceTransaction", n.seen.tx));
shape("debug_traceTransaction, callTracer", (n) => n.ask("debug_traceTransaction", n.seen.tx, { tracer: "callTracer" }));
shape("debug_traceTransaction, callTracer with logs", (n) => n.ask("debug_traceTransaction", n.seen.tx, { tracer: "callTracer", tracerConfig: { withLog: true } }));
shape("debug_traceTransaction, prestateTracer", async (n) => { const r = await n.ask("debug_traceTransaction", n.seen.tx, { tracer: "prestateTracer" }); return r.error ? r : { result: r.result[probe(n)] }; });
shape("debug_traceTransaction, 4byteTracer", async (n) => { const r = await n.ask("debug_traceTransaction", n.seen.tx, { tracer: "4byteTracer" }); return r.error ? r : { result: Object.keys(r.result) }; });
value("debug_traceTransaction, of nothing", zero);
shape("debug_traceCall", (n) => n.ask("debug_traceCall", { from: ana, to: probe(n), data: input(n, "store", [5n, 6n]) }, "latest", {}));
value("debug_traceCall, callTracer", (n) => n.ask("debug_traceCall", { from: ana, to: probe(n), data: input(n, "refuse"), gas: "0x186a0" }, "latest", { tracer: "callTracer" }));
shape("debug_traceBlockByNumber", "latest", { tracer: "callTracer" });
shape("debug_traceBlockByHash", async (n) => n.ask("debug_traceBlockByHash", (await n.call("eth_getBlockByNumber", "latest", false)).hash, { tracer: "callTracer" }));
shape("debug_getRawTransaction", (n) => n.ask("debug_getRawTransaction", n.seen.tx));
shape("trace_transaction", (n) => n.ask("trace_transaction", n.seen.tx));
shape("trace_block", "latest");

section("The clock and blocks");
value("evm_mine", []);
value("evm_mine, without params");
value("evm_mine, at a time", async (n) => { const t = (await time(n)) + 100; const r = await n.ask("evm_mine", t); return r.error ? r : { result: [r.result, (await time(n)) - t] }; });
value("evm_mine, an object", async (n) => { const t = (await time(n)) + 100; const r = await n.ask("evm_mine", { timestamp: hex(t), blocks: 2 }); return r.error ? r : { result: [r.result] }; });
shape("evm_mine_detailed");
const blocksOf = (method, ...params) => async (n) => {
  const before = [Number(await n.call("eth_blockNumber")), await time(n)];
  const r = await n.ask(method, ...params);
  return r.error ? r : { result: [r.result, Number(await n.call("eth_blockNumber")) - before[0]] };
};
for (const p of ["anvil", "hardhat"]) {
  value(`${p}_mine`, blocksOf(`${p}_mine`));
  value(`${p}_mine, several`, blocksOf(`${p}_mine`, "0xa"));
  value(`${p}_mine, none`, blocksOf(`${p}_mine`, "0x0"));
}
value("anvil_mine, at an interval", async (n) => { await n.call("anvil_mine", "0x3", "0x3c"); const b = Number(await n.call("eth_blockNumber")); const t = async (i) => Number((await n.call("eth_getBlockByNumber", hex(b - i), false)).timestamp); return { result: [(await t(0)) - (await t(1)), (await t(1)) - (await t(2))] }; });
shape("evm_increaseTime", "0x64");
value("evm_increaseTime, its effect", async (n) => { await n.call("evm_mine"); const t = await time(n); await n.call("evm_increaseTime", 1000); await n.call("evm_mine"); const by = (await time(n)) - t; return { result: by >= 1000 && by < 1003 }; });
shape("anvil_increaseTime", 10);
value("evm_setNextBlockTimestamp", async (n) => { const t = (await time(n)) + 5000; const r = await n.ask("evm_setNextBlockTimestamp", t); await n.call("evm_mine"); return r.error ? r : { result: [r.result, (await time(n)) - t] }; });
value("evm_setNextBlockTimestamp, in hexadecimal", async (n) => { const t = (await time(n)) + 5000; const r = await n.ask("anvil_setNextBlockTimestamp", hex(t)); await n.call("evm_mine"); return r.error ? r : { result: [r.result, (await time(n)) - t] }; });
value("evm_setNextBlockTimestamp, the past", async (n) => n.ask("evm_setNextBlockTimestamp", (await time(n)) - 10));
value("evm_setNextBlockTimestamp, the same", async (n) => n.ask("evm_setNextBlockTimestamp", await time(n)));
value("evm_setNextBlockTimestamp, seen by a pending call", async (n) => { const t = (await time(n)) + 7000; await n.call("evm_setNextBlockTimestamp", t); const r = await n.ask("eth_call", { to: fresh, data: "0x" }, "pending", { [fresh]: { code: "0x4260005260206000f3" } }); await n.call("evm_mine"); return r.error ? r : { result: Number(r.result) - t }; });
shape("evm_setTime", async (n) => n.ask("evm_setTime", hex((await time(n)) + 50)));
value("anvil_setBlockTimestampInterval", async (n) => { const r = await n.ask("anvil_setBlockTimestampInterval", 30); if (r.error) return r; await n.call("evm_mine"); const t = await time(n); await n.call("evm_mine"); return { result: [r.result, (await time(n)) - t] }; });
value("anvil_removeBlockTimestampInterval");
value("anvil_removeBlockTimestampInterval, when there is none");
value("anvil_getAutomine");
value("evm_getAutomine");
value("hardhat_getAutomine");
value("evm_setAutomine", async (n) => {
  const r = await n.ask("evm_setAutomine", false);
  const before = await n.call("eth_blockNumber");
  n.seen.waiting = await n.call("eth_sendTransaction", { from: ana, to: bia, value: "0x1" });
  return { result: [r.result, before === (await n.call("eth_blockNumber")), await n.call("eth_getTransactionReceipt", n.seen.waiting), await n.call("anvil_getAutomine")] };
});
shape("eth_getTransactionByHash, that waits", (n) => n.ask("eth_getTransactionByHash", n.seen.waiting));
value("eth_getTransactionCount, with what waits", async (n) => ({ result: Number(await n.call("eth_getTransactionCount", ana, "pending")) - Number(await n.call("eth_getTransactionCount", ana, "latest")) }));
shape("eth_getBlockByNumber, pending with what waits", "pending", true);
value("eth_getBalance, pending with what waits", async (n) => { const f = "0x3333333333333333333333333333333333333333"; await n.call("eth_sendTransaction", { from: cid, to: f, value: "0x7", gas: "0xffff" }); return n.ask("eth_getBalance", f, "pending"); });
shape("txpool_status");
shape("txpool_content", async (n) => { const r = await n.ask("txpool_content"); return r.error ? r : { result: { ...r.result, pending: Object.values(r.result.pending ?? {}).flatMap((x) => Object.values(x)) } }; });
shape("txpool_inspect", async (n) => { const r = await n.ask("txpool_inspect"); return r.error ? r : { result: { ...r.result, pending: Object.values(r.result.pending ?? {}).flatMap((x) => Object.values(x)) } }; });
value("txpool_inspect, its values", async (n) => { const r = await n.ask("txpool_inspect"); return r.error ? r : { result: Object.entries(r.result.pending).map(([a, x]) => [a.toLowerCase(), Object.values(x).map((t) => t.split(" + ")[0].toLowerCase())]).sort() }; });
value("eth_sendTransaction, that replaces, for too little", async (n) => n.ask("eth_sendTransaction", { from: ana, to: bia, value: "0x2", gas: "0x5208", ...pick(await n.call("eth_getTransactionByHash", n.seen.waiting), "nonce", "maxFeePerGas", "maxPriorityFeePerGas") }));
value("eth_sendTransaction, with a gap in the nonces", async (n) => { const r = await n.ask("eth_sendTransaction", { from: bia, to: ana, value: "0x2", gas: "0x5208", nonce: hex((await nonceOf(n, bia)) + 5) }); n.seen.gap = r.result; return r.error ? r : { result: await n.call("eth_getTransactionReceipt", r.result) }; });
value("txpool_status, with a gap", (n) => n.ask("txpool_status"));
value("anvil_dropTransaction", async (n) => { const r = await n.ask("anvil_dropTransaction", n.seen.gap); return r.error ? r : { result: [r.result === n.seen.gap, await n.call("eth_getTransactionByHash", n.seen.gap)] }; });
value("anvil_dropTransaction, of nothing", zero);
value("hardhat_dropTransaction, of nothing", zero);
value("anvil_removePoolTransactions", async (n) => { const r = await n.ask("anvil_removePoolTransactions", cid); return r.error ? r : { result: [r.result, Number(await n.call("eth_getTransactionCount", cid, "pending")) - Number(await n.call("eth_getTransactionCount", cid, "latest"))] }; });
value("anvil_dropAllTransactions", async (n) => { const r = await n.ask("anvil_dropAllTransactions"); return r.error ? r : { result: [r.result, await n.call("eth_getTransactionByHash", n.seen.waiting)] }; });
value("evm_setAutomine, again", true);
value("evm_setIntervalMining", async (n) => { const r = await n.ask("evm_setIntervalMining", 1); if (r.error) return r; const b = Number(await n.call("eth_blockNumber")); await new Promise((r) => setTimeout(r, 2500)); return { result: [r.result, Number(await n.call("eth_blockNumber")) > b] }; });
value("anvil_getIntervalMining");
value("anvil_setIntervalMining, off", async (n) => { const r = await n.ask("anvil_setIntervalMining", 0); return r.error ? r : { result: r.result }; });
value("anvil_getIntervalMining, of none");
value("anvil_getAutomine, after intervals", async (n) => { await n.call("evm_setAutomine", true); return n.ask("anvil_getAutomine"); });

section("What only a development chain does");
shape("evm_snapshot");
value("evm_snapshot and evm_revert", async (n) => {
  await n.call("anvil_setBalance", fresh, "0x5");
  const id = await n.call("evm_snapshot");
  const block = await n.call("eth_blockNumber");
  await n.call("anvil_setBalance", fresh, "0x6");
  await sent(n, { from: ana, to: fresh, value: "0x10" });
  const reverted = await n.call("evm_revert", id);
  return { result: [await n.call("eth_getBalance", fresh, "latest"), block === (await n.call("eth_blockNumber")), reverted, await n.call("evm_revert", id)] };
});
value("evm_revert, of nothing", "0xfff");
value("anvil_snapshot and anvil_revert", async (n) => { const r = await n.ask("anvil_snapshot"); return r.error ? r : n.ask("anvil_revert", r.result); });
const changed = (method, params, ask) => async (n) => {
  const r = await n.ask(method, ...(typeof params === "function" ? params(n) : params));
  return r.error ? r : { result: [r.result, await ask(n)] };
};
for (const p of ["anvil", "hardhat"]) {
  value(`${p}_setBalance`, changed(`${p}_setBalance`, [fresh, coins(3)], (n) => n.call("eth_getBalance", fresh, "latest")));
  value(`${p}_setCode`, changed(`${p}_setCode`, [fresh, "0x602a60005260206000f3"], (n) => n.call("eth_call", { to: fresh }, "latest")));
  value(`${p}_setCode, none`, changed(`${p}_setCode`, [fresh, "0x"], (n) => n.call("eth_getCode", fresh, "latest")));
  value(`${p}_setNonce`, changed(`${p}_setNonce`, [fresh, p === "anvil" ? "0x15" : "0x25"], (n) => n.call("eth_getTransactionCount", fresh, "latest")));
  value(`${p}_setStorageAt`, changed(`${p}_setStorageAt`, (n) => [probe(n), "0x1", zero.slice(0, -2) + "63"], async (n) => (await read("count")(n)).result));
  value(`${p}_impersonateAccount`, async (n) => {
    const r = await n.ask(`${p}_impersonateAccount`, nobody);
    await n.call("anvil_setBalance", nobody, coins(5));
    return { result: [r.result, (await sent(n, { from: nobody, to: ana, value: "0x1" })).result] };
  });
  value(`${p}_stopImpersonatingAccount`, async (n) => { const r = await n.ask(`${p}_stopImpersonatingAccount`, nobody); return { result: [r.result, !(await n.ask("eth_sendTransaction", { from: nobody, to: ana, value: "0x1" })).error] }; });
}
value("anvil_setNonce, back", changed("anvil_setNonce", [fresh, "0x1"], (n) => n.call("eth_getTransactionCount", fresh, "latest")));
value("anvil_setBalance, in decimal", changed("anvil_setBalance", [fresh, "1000"], (n) => n.call("eth_getBalance", fresh, "latest")));
value("anvil_addBalance", changed("anvil_addBalance", [fresh, "0x10"], (n) => n.call("eth_getBalance", fresh, "latest")));
value("evm_setAccountNonce", changed("evm_setAccountNonce", [fresh, "0x55"], (n) => n.call("eth_getTransactionCount", fresh, "latest")));
value("evm_setAccountBalance", changed("evm_setAccountBalance", [fresh, "0x56"], (n) => n.call("eth_getBalance", fresh, "latest")));
value("evm_setAccountCode", changed("evm_setAccountCode", [fresh, "0x57"], (n) => n.call("eth_getCode", fresh, "latest")));
value("evm_setAccountStorageAt", changed("evm_setAccountStorageAt", (n) => [probe(n), "0x1", zero.slice(0, -2) + "64"], async (n) => (await read("count")(n)).result));
value("hardhat_setStorageAt, of no contract", changed("hardhat_setStorageAt", ["0x2222222222222222222222222222222222222222", "0x0", zero.slice(0, -1) + "1"], (n) => n.call("eth_getStorageAt", "0x2222222222222222222222222222222222222222", "0x0", "latest")));
value("anvil_autoImpersonateAccount", async (n) => { const r = await n.ask("anvil_autoImpersonateAccount", true); await n.call("anvil_setBalance", fresh, coins(5)); await n.call("anvil_setCode", fresh, "0x"); const s = await sent(n, { from: fresh, to: ana, value: "0x1" }); await n.call("anvil_autoImpersonateAccount", false); return { result: [r.result, s.result] }; });
value("eth_sendUnsignedTransaction", async (n) => { await n.call("anvil_setBalance", nobody, coins(5)); const r = await n.ask("eth_sendUnsignedTransaction", { from: nobody, to: ana, value: "0x1" }); return r.error ? r : { result: pick(await receiptOf(n, r.result), "status", "from") }; });
value("anvil_setNextBlockBaseFeePerGas", async (n) => { const r = await n.ask("anvil_setNextBlockBaseFeePerGas", hex(parseGwei("3"))); if (r.error) return r; await n.call("evm_mine"); return { result: [r.result, (await n.call("eth_getBlockByNumber", "latest", false)).baseFeePerGas] }; });
value("hardhat_setNextBlockBaseFeePerGas", hex(parseGwei("4")));
value("anvil_setCoinbase", nobody);
value("hardhat_setCoinbase", nobody);
value("hardhat_setPrevRandao", zero.slice(0, -1) + "5");
value("anvil_setMinGasPrice", "0x1");
value("evm_setBlockGasLimit", "0x1c9c380");
value("anvil_setLoggingEnabled", true);
value("hardhat_setLoggingEnabled", true);
value("anvil_enableTraces");
value("anvil_setRpcUrl", "http://127.0.0.1:1");
value("anvil_setChainId", 31337);
shape("anvil_nodeInfo");
shape("anvil_metadata");
shape("hardhat_metadata");
shape("hardhat_addCompilationResult", "0.8.30", {}, {});
shape("anvil_getGenesisTime");
value("anvil_dumpState and anvil_loadState", async (n) => {
  await n.call("anvil_setBalance", fresh, "0x1234");
  await n.call("anvil_setStorageAt", probe(n), "0x1", zero.slice(0, -2) + "77");
  const dump = await n.ask("anvil_dumpState");
  if (dump.error) return dump;
  await n.call("anvil_setBalance", fresh, "0x1");
  await n.call("anvil_setStorageAt", probe(n), "0x1", zero);
  const r = await n.ask("anvil_loadState", dump.result);
  return r.error ? r : { result: [r.result, await n.call("eth_getBalance", fresh, "latest"), (await read("count")(n)).result] };
});
value("anvil_rollback", blocksOf("anvil_rollback", 1));
value("anvil_reorg", blocksOf("anvil_reorg", 1, []));
value("anvil_reset, to fork", { forking: { jsonRpcUrl: "http://127.0.0.1:1" } });
value("anvil_reset", changed("anvil_reset", [], async (n) => [await n.call("eth_getCode", probe(n), "latest"), await n.call("eth_getTransactionCount", ana, "latest"), await n.call("eth_getBalance", ana, "latest")]));
value("hardhat_reset");

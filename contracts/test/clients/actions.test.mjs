import assert from "node:assert/strict";
import { test } from "node:test";
import { createTestClient, http, parseEther, publicActions, walletActions } from "viem";
import { foundry } from "viem/chains";
import { compile, dev } from "./dev.mjs";

// Every action of viem's test client, as for anvil: it works, or the reason comes back why the network's EVM cannot do it.
const client = createTestClient({ mode: "anvil", chain: foundry, transport: http(dev.http), pollingInterval: 20, cacheTime: 0 }).extend(publicActions).extend(walletActions);
const address = "0x00000000000000000000000000000000000000a7";
const to = dev.accounts[7].address;
const slot = "0x" + "00".repeat(31) + "01";

test("viem's test client in the mode of anvil", async () => {
  const start = await client.snapshot();
  await client.setBalance({ address, value: parseEther("5") });
  assert.equal(await client.getBalance({ address }), parseEther("5"));
  await client.impersonateAccount({ address });
  await client.waitForTransactionReceipt({ hash: await client.sendTransaction({ account: address, to, value: 1n }) });
  await client.stopImpersonatingAccount({ address });
  await client.waitForTransactionReceipt({ hash: await client.sendUnsignedTransaction({ from: address, to, value: 1n }) });
  await client.setNonce({ address, nonce: 9 });
  assert.equal(await client.getTransactionCount({ address }), 9);
  await client.setCode({ address, bytecode: "0x5f545f5260205ff3" }); // answers slot 0
  await client.setStorageAt({ address, index: 0, value: slot });
  assert.equal((await client.call({ to: address })).data, slot);

  const { timestamp, number } = await client.getBlock();
  await client.setNextBlockTimestamp({ timestamp: timestamp + 100n });
  await client.mine({ blocks: 1 });
  await client.setBlockTimestampInterval({ interval: 7 });
  await client.mine({ blocks: 2 });
  assert.equal((await client.getBlock()).timestamp, timestamp + 114n);
  await client.removeBlockTimestampInterval();
  await client.increaseTime({ seconds: 1000 });
  await client.mine({ blocks: 1, interval: 1 });
  const later = await client.getBlock();
  assert.ok(later.timestamp >= timestamp + 1114n && later.number === number + 4n);
  await client.setNextBlockBaseFeePerGas({ baseFeePerGas: 5_000_000n });
  await client.mine({ blocks: 1 });
  assert.equal((await client.getBlock()).baseFeePerGas, 5_000_000n);

  await client.setAutomine(false);
  assert.equal(await client.getAutomine(), false);
  const from = dev.accounts[7].address;
  const hash = await client.sendTransaction({ account: from, to: address, value: 1n, gas: 100_000n, maxFeePerGas: 10n ** 9n, maxPriorityFeePerGas: 1n });
  assert.deepEqual(await client.getTxpoolStatus(), { pending: 1, queued: 0 });
  assert.equal(Object.keys((await client.getTxpoolContent()).pending).length, 1);
  assert.match(Object.values(Object.values((await client.inspectTxpool()).pending)[0])[0], /1 wei/);
  await client.dropTransaction({ hash });
  assert.deepEqual(await client.getTxpoolStatus(), { pending: 0, queued: 0 });
  await client.setIntervalMining({ interval: 1 });
  await client.setIntervalMining({ interval: 0 });
  await client.setAutomine(true);
  await client.setLoggingEnabled(true);

  const dump = await client.dumpState();
  await client.setBalance({ address, value: 1n });
  await client.loadState({ state: dump });
  assert.ok((await client.getBalance({ address })) > parseEther("4"));
  assert.ok(await client.revert({ id: start }) !== false);
  assert.equal(await client.getBalance({ address }), 0n);

  for (const [refused, why] of [
    [() => client.setCoinbase({ address }), /validator/], [() => client.setBlockGasLimit({ gasLimit: 1n }), /gas of a block/], [() => client.setMinGasPrice({ gasPrice: 1n }), /base fee/],
    [() => client.setRpcUrl("http://127.0.0.1:1"), /fork/], [() => client.reset({ jsonRpcUrl: "http://127.0.0.1:1", blockNumber: 1n }), /fork/],
  ]) await assert.rejects(refused(), (e) => why.test(e.details));
});

test("OpenZeppelin: roles, a UUPS proxy, permits, votes, many calls in one", async () => {
  const source = `// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC20Votes} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts/proxy/utils/UUPSUpgradeable.sol";
import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
contract Coin is ERC20Permit, ERC20Votes, AccessControl, Multicall, ReentrancyGuardTransient {
    bytes32 public constant MINTER = keccak256("MINTER");
    constructor() ERC20("Coin", "COIN") ERC20Permit("Coin") { _grantRole(DEFAULT_ADMIN_ROLE, msg.sender); _grantRole(MINTER, msg.sender); }
    function mint(address to, uint256 n) external onlyRole(MINTER) nonReentrant { _mint(to, n); }
    function _update(address a, address b, uint256 n) internal override(ERC20, ERC20Votes) { super._update(a, b, n); }
    function nonces(address a) public view override(ERC20Permit, Nonces) returns (uint256) { return super.nonces(a); }
}
contract One is UUPSUpgradeable { function version() external pure virtual returns (uint256) { return 1; } function _authorizeUpgrade(address) internal override {} }
contract Two is One { function version() external pure override returns (uint256) { return 2; } }
contract Proxy is ERC1967Proxy { constructor(address a) ERC1967Proxy(a, abi.encodeCall(One.version, ())) {} }`;
  const built = compile("Coin.sol", source);
  const account = dev.accounts[7].address;
  const wait = async (hash) => { const r = await client.waitForTransactionReceipt({ hash: await hash }); assert.equal(r.status, "success"); return r; };
  const deploy = async (name, args = []) => ({ ...built[name], address: (await wait(client.deployContract({ account, ...built[name], args }))).contractAddress });
  const write = (c, functionName, args, from = account) => wait(client.writeContract({ account: from, address: c.address, abi: c.abi, functionName, args }));
  const read = (c, functionName, args = []) => client.readContract({ address: c.address, abi: c.abi, functionName, args });

  const coin = await deploy("Coin");
  const spender = dev.accounts[6].address;
  await write(coin, "mint", [account, 100n]);
  await assert.rejects(client.simulateContract({ account: spender, address: coin.address, abi: coin.abi, functionName: "mint", args: [spender, 1n] }), /AccessControlUnauthorizedAccount/);
  await write(coin, "delegate", [account]);
  assert.equal(await read(coin, "getVotes", [account]), 100n);
  const value = 7n, deadline = 10n ** 12n, nonce = await read(coin, "nonces", [account]);
  const signature = await client.signTypedData({
    account, domain: { name: "Coin", version: "1", chainId: dev.chain_id, verifyingContract: coin.address }, primaryType: "Permit", message: { owner: account, spender, value, nonce, deadline },
    types: { Permit: [["owner", "address"], ["spender", "address"], ["value", "uint256"], ["nonce", "uint256"], ["deadline", "uint256"]].map(([name, type]) => ({ name, type })) },
  });
  const [r, s, v] = [signature.slice(0, 66), "0x" + signature.slice(66, 130), parseInt(signature.slice(130), 16)];
  await write(coin, "permit", [account, spender, value, deadline, v, r, s], spender);
  await write(coin, "transferFrom", [account, spender, value], spender);
  assert.equal(await read(coin, "balanceOf", [spender]), 7n);

  const [one, two] = [await deploy("One"), await deploy("Two")];
  const proxy = { ...one, address: (await deploy("Proxy", [one.address])).address };
  assert.equal(await read(proxy, "version"), 1n);
  await write(proxy, "upgradeToAndCall", [two.address, "0x"]);
  assert.equal(await read(proxy, "version"), 2n);
});

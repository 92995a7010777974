import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Contract, ContractFactory, JsonRpcProvider, JsonRpcSigner, Wallet, getAddress, keccak256, parseEther, toUtf8Bytes } from "ethers";
import { artifact, compile, dev, model } from "./dev.mjs";

// The parts of the preloaded models belong to an author whose key nobody has, but a development chain lets anybody act for it.
const provider = new JsonRpcProvider(dev.http, undefined, { cacheTimeout: -1, pollingInterval: 50 });
const [ana, bia] = [5, 6].map((i) => new Wallet(dev.accounts[i].key, provider));
const author = getAddress("0x" + keccak256(toUtf8Bytes("mutirao dev: author of the preloaded models")).slice(-40));
const registry = new Contract("0x0000000000000000000000000000000000000902", artifact("IRegistry").abi, provider);
const infer = artifact("IInfer");
after(() => provider.destroy());

test("ethers sees and moves shares as those of any token", async () => {
  const id = model("diagnosis");
  const address = await registry.token(id);
  assert.ok((await provider.getCode(address)).length > 1000);
  const token = new Contract(address, artifact("ShareToken").abi, ana);
  assert.equal(await token.symbol(), "SHARE-" + id.replace(/^0x/, "").slice(0, 8));
  assert.equal(await token.name(), "Shares of diagnosis");
  assert.equal(await token.decimals(), 4n);
  assert.equal(await token.totalSupply(), 1_000_000n);
  assert.equal(await token.balanceOf(author), 1_000_000n);

  await provider.send("anvil_impersonateAccount", [author]);
  await provider.send("anvil_setBalance", [author, "0x" + parseEther("1").toString(16)]);
  const asAuthor = token.connect(new JsonRpcSigner(provider, author));
  await (await asAuthor.transfer(ana.address, 300_000n)).wait();
  await provider.send("anvil_stopImpersonatingAccount", [author]);
  assert.equal(await token.balanceOf(ana.address), 300_000n);

  // An event by eth_getLogs, and errors by their names.
  const [moved] = await token.queryFilter(token.filters.Transfer(author, ana.address));
  assert.equal(moved.args.value, 300_000n);
  await assert.rejects(token.transfer.staticCall(bia.address, 300_001n), (e) => e.revert?.name === "ERC20InsufficientBalance" && e.revert.args[1] === 300_000n);
  await assert.rejects(token.connect(bia).transferFrom.staticCall(ana.address, bia.address, 1n), (e) => e.revert?.name === "ERC20InsufficientAllowance");
  await assert.rejects(registry.connect(ana).moveShares.staticCall(id, author, ana.address, 1n), (e) => e.revert?.name === "NotTheToken");

  // Three tenths of what the model earns from now on are ana's; anybody can have them paid.
  const use = new Contract(dev.infer, infer.abi, bia);
  const before = await registry.due(id, ana.address);
  await (await use.infer(id, Array(30).fill(0))).wait();
  const due = (await registry.due(id, ana.address)) - before;
  assert.equal(due, ((await use.fee(id)) * 3n) / 10n);
  const had = await provider.getBalance(ana.address);
  await (await registry.connect(bia).claim(id, ana.address)).wait();
  assert.equal(await provider.getBalance(ana.address), had + before + due);
});

const source = `// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
contract Pool is ERC4626 { constructor(IERC20 shares) ERC20("Pool of shares", "POOL") ERC4626(shares) {} }
`;

test("OpenZeppelin's vault holds shares by SafeERC20", async () => {
  const token = new Contract(await registry.token(model("diagnosis")), artifact("ShareToken").abi, ana);
  const { Pool } = compile("Pool.sol", source);
  const pool = await new ContractFactory(Pool.abi, Pool.bytecode, ana).deploy(await token.getAddress());
  await pool.waitForDeployment();
  assert.equal(await pool.decimals(), 4n); // it asks the token
  const at = await pool.getAddress();
  await (await token.approve(at, 1000n)).wait();
  assert.equal(await token.allowance(ana.address, at), 1000n);
  assert.equal((await token.queryFilter(token.filters.Approval(ana.address, at))).length, 1);
  await (await pool.deposit(1000n, bia.address)).wait();
  assert.equal(await token.balanceOf(at), 1000n);
  await (await pool.connect(bia).redeem(400n, bia.address, bia.address)).wait();
  assert.equal(await token.balanceOf(bia.address), 400n);
});

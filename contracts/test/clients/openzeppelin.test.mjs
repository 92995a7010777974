import assert from "node:assert/strict";
import { after, test } from "node:test";
import { ContractFactory, JsonRpcProvider, Wallet } from "ethers";
import { compile, dev } from "./dev.mjs";

const provider = new JsonRpcProvider(dev.http, undefined, { cacheTimeout: -1, pollingInterval: 50 });
const [ana, bia] = [3, 4].map((i) => new Wallet(dev.accounts[i].key, provider));
after(() => provider.destroy());

const source = `// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

contract Coin is ERC20, ERC20Permit, AccessControl {
    bytes32 public constant MINTER = keccak256("MINTER");
    constructor() ERC20("Coin", "C") ERC20Permit("Coin") { _grantRole(DEFAULT_ADMIN_ROLE, msg.sender); _grantRole(MINTER, msg.sender); }
    function mint(address to, uint256 amount) external onlyRole(MINTER) { _mint(to, amount); }
}
contract Card is ERC721 {
    constructor() ERC721("Card", "K") {}
    function mint(uint256 id) external { _safeMint(msg.sender, id); }
}
contract Lock is TimelockController {
    constructor(address[] memory who) TimelockController(3600, who, who, msg.sender) {}
}`;

test("ERC-20 with roles and permit, ERC-721, a timelock", async () => {
  const built = compile("Oz.sol", source);
  const deploy = async (name, ...args) => {
    const c = await new ContractFactory(built[name].abi, built[name].bytecode, ana).deploy(...args);
    return c.waitForDeployment();
  };
  const coin = await deploy("Coin");
  await (await coin.mint(ana.address, 1000n)).wait();
  await assert.rejects(coin.connect(bia).mint.staticCall(bia.address, 1n), (e) => e.revert?.name === "AccessControlUnauthorizedAccount");
  await assert.rejects(coin.connect(bia).transfer.staticCall(ana.address, 1n), (e) => e.revert?.name === "ERC20InsufficientBalance");

  const { chainId } = await provider.getNetwork();
  const deadline = (await provider.getBlock("latest")).timestamp + 3600;
  const signature = await ana.signTypedData(
    { name: "Coin", version: "1", chainId, verifyingContract: await coin.getAddress() },
    { Permit: [["owner", "address"], ["spender", "address"], ["value", "uint256"], ["nonce", "uint256"], ["deadline", "uint256"]].map(([name, type]) => ({ name, type })) },
    { owner: ana.address, spender: bia.address, value: 300n, nonce: 0n, deadline },
  );
  const { v, r, s } = (await import("ethers")).Signature.from(signature);
  await (await coin.connect(bia).permit(ana.address, bia.address, 300n, deadline, v, r, s)).wait();
  await (await coin.connect(bia).transferFrom(ana.address, bia.address, 300n)).wait();
  assert.equal(await coin.balanceOf(bia.address), 300n);

  const card = await deploy("Card");
  await (await card.mint(7)).wait();
  assert.equal(await card.ownerOf(7), ana.address);

  const lock = await deploy("Lock", [ana.address]);
  await (await coin.grantRole(await coin.MINTER(), await lock.getAddress())).wait();
  const call = [await coin.getAddress(), 0n, coin.interface.encodeFunctionData("mint", [bia.address, 5n]), "0x" + "00".repeat(32), "0x" + "00".repeat(32)];
  await (await lock.schedule(...call, 3600)).wait();
  await assert.rejects(lock.execute.staticCall(...call), (e) => e.revert?.name === "TimelockUnexpectedOperationState");
  await provider.send("evm_increaseTime", [3601]);
  await provider.send("evm_mine", []);
  await (await lock.execute(...call)).wait();
  assert.equal(await coin.balanceOf(bia.address), 305n);
});

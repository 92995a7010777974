const { expect } = require("chai");
const { ethers, network } = require("hardhat");
const { loadFixture, time, impersonateAccount, setBalance } = require("@nomicfoundation/hardhat-network-helpers");

// A row of examples/credit/german.csv that was paid back, and one that was not; see examples/credit/README.md for the columns.
const good = [24, 2835, 3, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1];
const bad = [48, 5951, 2, 2, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1];
const MUT = ethers.parseEther;

describe("LoanDesk", function () {
  async function opened() {
    const [lender, borrower, bank, stranger] = await ethers.getSigners();
    const { models } = await network.provider.request({ method: "hardhat_metadata", params: [] });
    const model = models.find((m) => m.name === "credit").id;
    const desk = await ethers.deployContract("LoanDesk", [model, bank.address]);
    await desk.deposit({ value: MUT("100") });
    const { chainId } = await ethers.provider.getNetwork();
    const attest = (who, number, facts, signer = bank) =>
      signer.signTypedData(
        { name: "LoanDesk", version: "1", chainId, verifyingContract: desk.target },
        { Application: [{ name: "borrower", type: "address" }, { name: "number", type: "uint256" }, { name: "facts", type: "int256[]" }] },
        { borrower: who.address, number, facts },
      );
    return { desk, model, lender, borrower, bank, stranger, attest };
  }

  it("lends for what the model says, and the model is paid", async function () {
    const { desk, model, borrower, attest } = await loadFixture(opened);
    const infer = await ethers.getContractAt("IInfer", "0x0000000000000000000000000000000000000901");
    const [risk, due, collateral, fee] = await desk.quote(MUT("10"), good);
    expect(fee).to.equal(await infer.fee(model));
    expect(due).to.be.greaterThan(MUT("10.2"));
    expect(collateral).to.be.lessThan(MUT("6"));

    const sent = collateral + fee + MUT("1"); // the rest comes back
    const call = desk.connect(borrower).borrow(MUT("10"), good, await attest(borrower, 0, good), { value: sent });
    await expect(call).to.emit(desk, "Lent").withArgs(0, borrower.address, MUT("10"), due, collateral, risk);
    await expect(call).to.emit(infer, "Used").withArgs(model, desk.target, fee);
    expect(await ethers.provider.getBalance(desk.target)).to.equal(MUT("90") + collateral);
    expect(await desk.lent()).to.equal(MUT("10"));

    await expect(desk.connect(borrower).repay(0, { value: due })).to.changeEtherBalance(borrower, collateral - due);
    expect(await desk.cash()).to.equal(MUT("90") + due);
    await expect(desk.repay(0)).to.be.revertedWithCustomError(desk, "NotOpen");
  });

  it("asks more of more risk, and refuses too much", async function () {
    const { desk, borrower, attest } = await loadFixture(opened);
    const [, due, collateral] = await desk.quote(MUT("10"), good);
    await expect(desk.quote(MUT("10"), bad)).to.be.revertedWithCustomError(desk, "RiskTooHigh");
    const middling = good.with(5, 1); // a checking account below zero
    const dearer = await desk.quote(MUT("10"), middling);
    expect(dearer.due).to.be.greaterThan(due);
    expect(dearer.collateral).to.be.greaterThan(collateral);
    await expect(desk.connect(borrower).borrow(MUT("10"), bad, await attest(borrower, 0, bad), { value: MUT("20") }))
      .to.be.revertedWithCustomError(desk, "RiskTooHigh");
  });

  it("takes nobody's word for the facts", async function () {
    const { desk, borrower, stranger, attest } = await loadFixture(opened);
    const value = MUT("20");
    const as = desk.connect(borrower);
    await expect(as.borrow(MUT("10"), good, await attest(borrower, 0, good, stranger), { value })).to.be.revertedWithCustomError(desk, "NotAttested");
    await expect(as.borrow(MUT("10"), good, await attest(stranger, 0, good), { value })).to.be.revertedWithCustomError(desk, "NotAttested");
    await as.borrow(MUT("10"), good, await attest(borrower, 0, good), { value });
    await expect(as.borrow(MUT("10"), good, await attest(borrower, 0, good), { value })).to.be.revertedWithCustomError(desk, "NotAttested");
    await expect(as.borrow(MUT("100"), good, await attest(borrower, 1, good), { value })).to.be.revertedWithCustomError(desk, "NotEnoughCash");
    await expect(as.borrow(MUT("10"), good, await attest(borrower, 1, good), { value: 1n })).to.be.revertedWithCustomError(desk, "NotCovered");
    const infer = await ethers.getContractAt("IInfer", "0x0000000000000000000000000000000000000901");
    const short = good.slice(1);
    await expect(as.borrow(MUT("10"), short, await attest(borrower, 1, short), { value }))
      .to.be.revertedWithCustomError(infer, "WrongInputLength").withArgs(15, 16);
  });

  it("gives the collateral of a loan that is not repaid to the lenders", async function () {
    const { desk, lender, borrower, attest } = await loadFixture(opened);
    const [, , collateral] = await desk.quote(MUT("10"), good);
    await desk.connect(borrower).borrow(MUT("10"), good, await attest(borrower, 0, good), { value: MUT("20") });
    await expect(desk.seize(0)).to.be.revertedWithCustomError(desk, "NotDue");
    await expect(desk.withdraw(await desk.sharesOf(lender.address))).to.be.revertedWithCustomError(desk, "NotEnoughCash");
    await time.increase(30 * 86400 + 1);
    await expect(desk.seize(0)).to.emit(desk, "Seized").withArgs(0);
    await expect(desk.withdraw(await desk.sharesOf(lender.address))).to.changeEtherBalance(lender, MUT("90") + collateral);
    expect(await ethers.provider.getBalance(desk.target)).to.equal(0n);
  });

  it("can be tried as somebody whose key nobody has", async function () {
    const { desk } = await loadFixture(opened);
    const nobody = "0x00000000000000000000000000000000000000fe";
    await impersonateAccount(nobody);
    await setBalance(nobody, MUT("5"));
    await desk.connect(await ethers.getSigner(nobody)).deposit({ value: MUT("1") });
    expect(await desk.sharesOf(nobody)).to.equal(MUT("1"));
  });
});

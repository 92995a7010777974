const { expect } = require("chai");
const { ethers, network } = require("hardhat");
const { loadFixture, mine } = require("@nomicfoundation/hardhat-network-helpers");

// A patient of the diagnosis data with a malignant tumour; see examples/diagnosis/README.md for the columns.
const findings = [17.99, 10.38, 122.8, 1001, 0.1184, 0.2776, 0.3001, 0.1471, 0.2419, 0.07871, 1.095, 0.9053, 8.589, 153.4, 0.006399,
  0.04904, 0.05373, 0.01587, 0.03003, 0.006193, 25.38, 17.33, 184.6, 2019, 0.1622, 0.6656, 0.7119, 0.2654, 0.4601, 0.1189].map((x) => BigInt(Math.round(x * 1e9)));
const MUT = ethers.parseEther;

describe("SecondOpinion", function () {
  async function opened() {
    const [clinic, w1, w2, stranger] = await ethers.getSigners();
    const { models } = await network.provider.request({ method: "hardhat_metadata", params: [] });
    const model = models.find((m) => m.name === "diagnosis").id;
    const requests = await ethers.getContractAt("IRequests", "0x0000000000000000000000000000000000000905");
    const infer = await ethers.getContractAt("IInfer", "0x0000000000000000000000000000000000000901");
    const register = await ethers.deployContract("SecondOpinion", [model, 2, MUT("0.01")]);
    const file = async (malignant, window = 0) => {
      const r = await (await register.connect(clinic).file(findings, malignant, window, { value: MUT("1") })).wait();
      const filed = r.logs.map((l) => { try { return register.interface.parseLog(l); } catch { return null; } }).find((l) => l?.name === "Filed");
      const id = filed.args.request;
      return { number: filed.args.number, id, input: [...(await requests.inputOf(id))] };
    };
    // What `mutirao serve` does: seal, and open when all seals are there.
    const answer = async (id, worker, output, salt, step) =>
      step === "seal"
        ? requests.connect(worker).seal(id, await requests.sealOf(id, worker.address, output, salt))
        : requests.connect(worker).fulfill(id, output, salt);
    return { clinic, w1, w2, stranger, model, requests, infer, register, file, answer };
  }
  const salts = [ethers.id("one"), ethers.id("two")];

  it("answers by two machines, pays them and the model's holders, and flags what differs", async function () {
    const { w1, w2, model, requests, infer, register, file, answer } = await loadFixture(opened);
    const registry = await ethers.getContractAt("IRegistry", "0x0000000000000000000000000000000000000902");
    for (const [malignant, differs] of [[true, false], [false, true]]) {
      const { number, id, input } = await file(malignant);
      const output = [...(await infer.preview(model, input))];
      await answer(id, w1, output, salts[0], "seal");
      await answer(id, w2, output, salts[1], "seal");
      await answer(id, w1, output, salts[0], "open");
      const earned = (await registry.info(model)).earned;
      const last = answer(id, w2, output, salts[1], "open");
      await expect(last).to.emit(register, "Opinion").withArgs(number, (p) => p > MUT("0.9"), differs, 2);
      await expect(last).to.emit(requests, "Delivered").withArgs(id, register.target, w2.address);
      expect((await registry.info(model)).earned - earned).to.equal(await infer.fee(model));
      expect((await register.caseOf(number)).differs).to.equal(differs);
    }
  });

  it("has two liars replayed by every validator, before the window closes", async function () {
    const { w1, w2, stranger, model, infer, requests, register, file, answer } = await loadFixture(opened);
    const { number, id, input } = await file(true, 20);
    const lie = [0];
    await answer(id, w1, lie, salts[0], "seal");
    await answer(id, w2, lie, salts[1], "seal");
    await answer(id, w1, lie, salts[0], "open");
    await answer(id, w2, lie, salts[1], "open");
    expect((await requests.answer(id)).finality).to.equal(1); // the window is open, and the contract has heard nothing
    expect((await register.caseOf(number)).answered).to.equal(false);
    await expect(requests.connect(stranger).replay(id)).to.emit(register, "Opinion").withArgs(number, (p) => p > MUT("0.9"), false, 3);
    expect([...(await requests.answer(id)).output]).to.deep.equal([...(await infer.preview(model, input))]);
  });

  it("is called by anybody after a window that closed by itself, who is paid for it once", async function () {
    const { w1, w2, stranger, model, infer, requests, register, file, answer } = await loadFixture(opened);
    const { number, id } = await file(true, 5);
    const output = [...(await infer.preview(model, (await requests.inputOf(id)).toArray()))];
    for (const step of ["seal", "open"]) for (const [i, w] of [w1, w2].entries()) await answer(id, w, output, salts[i], step);
    await expect(requests.deliver(id)).to.be.revertedWithCustomError(requests, "NotNow");
    await mine(6);
    expect((await register.caseOf(number)).answered).to.equal(false);
    const before = await ethers.provider.getBalance(stranger.address);
    const r = await (await requests.connect(stranger).deliver(id)).wait();
    expect((await ethers.provider.getBalance(stranger.address)) - before).to.equal(MUT("0.0025") - r.gasUsed * r.gasPrice);
    expect((await register.caseOf(number)).finality).to.equal(2);
    await expect(requests.connect(w1).deliver(id)).to.be.revertedWithCustomError(requests, "Again");
  });

  it("gives the money back if nobody answers", async function () {
    const { clinic, register, file } = await loadFixture(opened);
    const { number } = await file(true);
    await expect(register.connect(clinic).withdraw(number)).to.be.revertedWithCustomError(register, "NotRefunded");
    await mine(602);
    const cost = await register.cost();
    await expect(register.connect(clinic).withdraw(number)).to.changeEtherBalance(clinic, cost);
    await expect(register.connect(clinic).withdraw(number)).to.be.revertedWithCustomError(register, "NotYourCase");
  });

  it("believes nobody but the ledger", async function () {
    const { register, stranger, file } = await loadFixture(opened);
    const { id } = await file(true);
    await expect(register.connect(stranger).answered(id, [0x3f800000], 4)).to.be.revertedWithCustomError(register, "OnlyTheLedger");
  });
});

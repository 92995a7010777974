const { expect } = require("chai");
const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const { ethers, network } = require("hardhat");
const { loadFixture, time } = require("@nomicfoundation/hardhat-network-helpers");

// Rows of the example's tables: of 36 fields a year, 36 rows are a year, in order. The field of the test: loam, 60 % of its
// water there, sown on the fifth of May.
const table = (file) => readFileSync(join(__dirname, "../../../examples/crops", file), "utf8").trim().split("\n").slice(1).map((l) => l.split(",").map(Number));
const [soil, moist, sown] = [160, 60, 34];
const of = (rows) => rows.filter((r) => r[0] === soil && r[1] === moist && r[2] === sown);
const readings = (row) => row.slice(3, 11);
const past = of(table("maize.csv")).slice(-8); // 2003 to 2010
const later = of(table("later.csv")); // 2011 to 2018
const [dry, fair] = [later.find((r) => r[11] === 1), later.find((r) => r[11] === 0)];
const MUT = ethers.parseEther;
const DAY = 86400;

describe("CropCover", function () {
  async function opened() {
    const [insurer, farmer, station, stranger, second] = await ethers.getSigners();
    const { models } = await network.provider.request({ method: "hardhat_metadata", params: [] });
    const model = models.find((m) => m.name === "maize").id;
    const closes = (await time.latest()) + 10 * DAY;
    const infer = await ethers.getContractAt("IInfer", "0x0000000000000000000000000000000000000901");
    const cover = await ethers.deployContract("CropCover", [model, station.address, sown, closes, past.flatMap(readings)]);
    await cover.connect(insurer).deposit({ value: MUT("100") });
    const ripe = (season = 0) => time.increaseTo(closes + season * 365 * DAY + 180 * DAY);
    const sold = async (insured) => {
      const [premium, fees] = await cover.quote(insured, soil, moist);
      await cover.connect(farmer).buy(0, insured, soil, moist, { value: premium + fees });
      return premium;
    };
    return { cover, infer, model, insurer, farmer, station, stranger, second, closes, ripe, sold };
  }

  it("charges what the past says, and the model is paid for each of its seasons", async function () {
    const { cover, infer, model, farmer } = await loadFixture(opened);
    const [premium, fees] = await cover.quote(MUT("40"), soil, moist);
    const fee = await infer.fee(model);
    expect(fees).to.equal(8n * fee);
    let sum = 0;
    for (const row of past) {
      const bits = [soil, moist, sown, ...readings(row)].map((x) => new DataView(new Float32Array([x]).buffer).getUint32(0, true));
      const [risk] = await infer.preview(model, bits);
      sum += new Float32Array(new Uint32Array([Number(risk)]).buffer)[0];
    }
    expect(Number(ethers.formatEther(premium))).to.be.closeTo(Math.max((40 * (sum / 8) * 5) / 4, 0.8), 1e-9);

    const call = cover.connect(farmer).buy(0, MUT("40"), soil, moist, { value: premium + fees + MUT("1") });
    await expect(call).to.emit(cover, "Bought").withArgs(0, farmer.address, 0, MUT("40"), premium);
    expect((await (await call).wait()).logs.filter((l) => l.address === infer.target).length).to.equal(8);
    expect(await ethers.provider.getBalance(cover.target)).to.equal(MUT("100") + premium); // the rest of the value came back
    expect(await cover.cash()).to.equal(MUT("100") + premium);
    expect(await cover.reserved()).to.equal(MUT("40"));
  });

  it("pays for a season in which the field failed, once", async function () {
    const { cover, infer, model, farmer, station, stranger, ripe, sold } = await loadFixture(opened);
    const premium = await sold(MUT("40"));
    await ripe();
    const value = await infer.fee(model);
    await expect(cover.settle(0, { value })).to.be.revertedWithCustomError(cover, "NotPosted");
    await cover.connect(station).post(0, readings(dry));
    const risk = (await infer.preview(model, [soil, moist, sown, ...readings(dry)].map((x) => new DataView(new Float32Array([x]).buffer).getUint32(0, true))))[0];
    await expect(cover.connect(stranger).settle(0, { value: value - 1n })).to.be.revertedWithCustomError(cover, "NotCovered");
    await expect(cover.connect(stranger).settle(0, { value })).to.emit(cover, "Settled").withArgs(0, risk, MUT("40"));
    await expect(cover.settle(0, { value })).to.be.revertedWithCustomError(cover, "NotOpen");
    await expect(cover.connect(farmer).collect()).to.changeEtherBalance(farmer, MUT("40"));
    await expect(cover.connect(farmer).collect()).to.be.revertedWithCustomError(cover, "Nothing");
    expect(await cover.cash()).to.equal(MUT("60") + premium);
    expect(await ethers.provider.getBalance(cover.target)).to.equal(MUT("60") + premium);
  });

  it("keeps the premium of a fair season, and lets the insurers out with it", async function () {
    const { cover, infer, model, insurer, farmer, station, ripe, sold } = await loadFixture(opened);
    const premium = await sold(MUT("40"));
    await ripe();
    await cover.connect(station).post(0, readings(fair));
    await expect(cover.settle(0, { value: await infer.fee(model) })).to.emit(cover, "Settled");
    await expect(cover.connect(farmer).collect()).to.be.revertedWithCustomError(cover, "Nothing");
    await expect(cover.withdraw(await cover.sharesOf(insurer.address))).to.changeEtherBalance(insurer, MUT("100") + premium);
    expect(await ethers.provider.getBalance(cover.target)).to.equal(0n);
  });

  it("sells and pays back no more than is free", async function () {
    const { cover, insurer, farmer, second, sold } = await loadFixture(opened);
    const value = MUT("100");
    await expect(cover.connect(farmer).buy(0, MUT("101"), soil, moist, { value })).to.be.revertedWithCustomError(cover, "NotEnoughFree");
    const premium = await sold(MUT("100"));
    await expect(cover.connect(farmer).buy(0, MUT("100"), soil, moist, { value })).to.be.revertedWithCustomError(cover, "NotEnoughFree");
    await cover.connect(second).deposit({ value: MUT("50") });
    await expect(cover.withdraw((await cover.sharesOf(insurer.address)) + 1n)).to.be.revertedWithCustomError(cover, "Nothing");
    await cover.withdraw(await cover.sharesOf(insurer.address)); // leaves the reserve to the second
    expect(await cover.cash()).to.be.at.least(await cover.reserved());
    await expect(cover.deposit({ value: 1n })).to.be.revertedWithCustomError(cover, "TooLittle");
    await cover.connect(second).withdraw(await cover.sharesOf(second.address));
    expect(await cover.free()).to.be.lessThan(2n); // a rounding
    expect(await cover.cash()).to.be.at.least(MUT("100"));
    expect(premium).to.be.greaterThan(0n);
  });

  it("believes the station alone, once and in time", async function () {
    const { cover, farmer, station, closes, ripe } = await loadFixture(opened);
    await expect(cover.connect(station).post(0, readings(dry))).to.be.revertedWithCustomError(cover, "TooEarly");
    await ripe();
    await expect(cover.connect(farmer).post(0, readings(dry))).to.be.revertedWithCustomError(cover, "NotTheStation");
    await expect(cover.connect(station).post(0, readings(dry).slice(1))).to.be.revertedWithCustomError(cover, "NotReadings").withArgs(7, 8);
    await expect(cover.connect(station).post(0, readings(dry).with(0, 5001))).to.be.revertedWithCustomError(cover, "NotWeather").withArgs(5001);
    await cover.connect(station).post(0, readings(fair));
    await expect(cover.connect(station).post(0, readings(dry))).to.be.revertedWithCustomError(cover, "AlreadyPosted");
    await expect(cover.connect(station).post(1, readings(dry))).to.be.revertedWithCustomError(cover, "TooEarly").withArgs(1, closes + 545 * DAY);
  });

  it("sells before the weather, for fields that the model knows", async function () {
    const { cover, farmer, ripe } = await loadFixture(opened);
    const value = MUT("100");
    const as = cover.connect(farmer);
    await expect(as.buy(1, MUT("1"), soil, moist, { value })).to.be.revertedWithCustomError(cover, "TooEarly");
    await expect(as.buy(0, MUT("1"), 500, moist, { value })).to.be.revertedWithCustomError(cover, "NotAField");
    await expect(as.buy(0, MUT("1"), soil, moist, { value: 1n })).to.be.revertedWithCustomError(cover, "NotCovered");
    await ripe();
    await expect(as.buy(0, MUT("1"), soil, moist, { value })).to.be.revertedWithCustomError(cover, "SeasonClosed");
    await as.buy(1, MUT("1"), soil, moist, { value });
  });

  it("gives the premium back if the station is silent", async function () {
    const { cover, farmer, station, closes, sold } = await loadFixture(opened);
    const premium = await sold(MUT("40"));
    await expect(cover.lapse(0)).to.be.revertedWithCustomError(cover, "TooEarly");
    await time.increaseTo(closes + 240 * DAY);
    await expect(cover.connect(station).post(0, readings(dry))).to.be.revertedWithCustomError(cover, "TooLate");
    await expect(cover.lapse(0)).to.emit(cover, "Lapsed").withArgs(0, premium);
    await expect(cover.lapse(0)).to.be.revertedWithCustomError(cover, "NotOpen");
    await expect(cover.connect(farmer).collect()).to.changeEtherBalance(farmer, premium);
    expect(await cover.free()).to.equal(MUT("100"));
  });

  it("frees the capital of a cover that nobody settles for a year", async function () {
    const { cover, farmer, station, closes, ripe, sold } = await loadFixture(opened);
    const premium = await sold(MUT("40"));
    await ripe();
    await cover.connect(station).post(0, readings(dry));
    await time.increaseTo(closes + 240 * DAY);
    await expect(cover.lapse(0)).to.be.revertedWithCustomError(cover, "TooEarly").withArgs(0, closes + 605 * DAY);
    await time.increaseTo(closes + 605 * DAY);
    await cover.lapse(0);
    await expect(cover.connect(farmer).collect()).to.changeEtherBalance(farmer, premium);
    expect(await cover.reserved()).to.equal(0n);
  });
});

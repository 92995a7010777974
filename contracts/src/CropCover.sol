// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {INFER} from "./IInfer.sol";
import {Float32} from "./Float32.sol";

/// @title A crop insurance that pays by weather readings and a yield model of the network.
/// @notice Insurers pool their coins. A farmer buys cover for a season before it begins; the model, asked on past seasons of the
/// weather station, says how often such a field fails, and that is the premium. After the harvest the station posts its readings,
/// anybody has the model asked on them, and the cover is paid if the model says that the field failed. Nobody looks at the field.
/// @dev An example of how contract and model work together; it has not been audited. The station is trusted: it alone says what
/// the weather was, once for a season, and can neither take it back nor be overruled. One contract is for one station, one crop
/// and one day of sowing.
contract CropCover {
    uint8 public constant DECIMALS = 0; // facts and readings are whole numbers, see examples/crops/README.md
    uint256 public constant READINGS = 8; // rain of four times thirty days in mm, then mean daily maxima in tenths of a degree
    uint256 public constant YEAR = 365 days;
    uint256 public constant GROWING = 180 days; // from the day that a season is closed to buyers until its readings may be posted
    uint256 public constant PATIENCE = 60 days; // of the farmers with the station, after that
    int256 public constant FAILED = 0.5e18; // a field failed if the model gives more than this for it
    uint256 public constant LEAST = 1e9; // shares of a deposit, so that rounding takes nobody's coins
    uint256 private constant WAD = 1e18;

    bytes32 public immutable model;
    address public immutable station; // the one account whose readings count
    int256 public immutable sown; // days after the first of April
    uint256 public immutable firstCloses; // until then cover of season 0 is sold
    int256[] private past; // READINGS for each past season

    struct Cover {
        address farmer;
        uint256 season;
        uint256 insured; // what is paid if the field failed
        uint256 premium;
        int256 soilWater; // millimetres a metre
        int256 moist; // per cent of it at sowing
    }

    Cover[] private covers;
    mapping(uint256 => int256[]) private readings; // of seasons, once posted
    mapping(address => uint256) public sharesOf;
    uint256 public totalShares;
    uint256 public cash; // of the insurers, premiums included
    uint256 public reserved; // the part of it that open covers could take
    mapping(address => uint256) public owed; // to farmers, no longer in cash

    event Bought(uint256 indexed cover, address indexed farmer, uint256 indexed season, uint256 insured, uint256 premium);
    event Posted(uint256 indexed season, int256[] readings);
    event Settled(uint256 indexed cover, uint32 risk, uint256 paid);
    event Lapsed(uint256 indexed cover, uint256 premium);

    error NotTheStation(address caller);
    error NotAField(int256 soilWater, int256 moist);
    error NotReadings(uint256 got, uint256 want);
    error NotWeather(int256 reading);
    error NotCovered(uint256 needed, uint256 paid);
    error NotEnoughFree(uint256 asked, uint256 free);
    error SeasonClosed(uint256 season, uint256 closed);
    error TooEarly(uint256 season, uint256 from);
    error TooLate(uint256 season, uint256 until);
    error AlreadyPosted(uint256 season);
    error NotPosted(uint256 season);
    error NotOpen(uint256 cover);
    error Uninsurable(uint256 risk);
    error TooLittle(uint256 shares, uint256 least);
    error Nothing();

    /// @param past_ readings of 1 to 16 past seasons, one after the other; they make the premiums and can be checked by everybody
    constructor(bytes32 model_, address station_, int256 sown_, uint256 firstCloses_, int256[] memory past_) {
        if (past_.length == 0 || past_.length % READINGS != 0 || past_.length > 16 * READINGS) revert NotReadings(past_.length, READINGS);
        check(past_);
        model = model_;
        station = station_;
        sown = sown_;
        firstCloses = firstCloses_;
        past = past_;
    }

    // ---- insurers

    /// @notice deposit adds coins to the pool for a part of it, valued as if no open cover were paid.
    function deposit() external payable returns (uint256 shares) {
        shares = totalShares == 0 ? msg.value : (msg.value * totalShares) / cash;
        if (shares < LEAST) revert TooLittle(shares, LEAST);
        sharesOf[msg.sender] += shares;
        totalShares += shares;
        cash += msg.value;
    }

    /// @notice withdraw takes a part of the free capital out. What is reserved stays with those who stay: nobody leaves at the
    /// others' cost when bad weather is known and not yet paid.
    function withdraw(uint256 shares) external returns (uint256 amount) {
        if (shares == 0 || shares > sharesOf[msg.sender]) revert Nothing();
        amount = (shares * free()) / totalShares;
        if (amount == 0) revert NotEnoughFree(1, 0);
        sharesOf[msg.sender] -= shares;
        totalShares -= shares;
        cash -= amount;
        pay(msg.sender, amount);
    }

    /// @notice free is what could be withdrawn or insured.
    function free() public view returns (uint256) {
        return cash - reserved;
    }

    // ---- farmers

    /// @notice quote says what cover costs; for eth_call, because it pays nothing for the model.
    function quote(uint256 insured, int256 soilWater, int256 moist) external view returns (uint256 premium, uint256 fees) {
        uint256 n = past.length / READINGS;
        uint256 sum;
        for (uint256 i = 0; i < n; i++) {
            sum += wad(INFER.preview(model, input(soilWater, moist, past, i * READINGS))[0]);
        }
        return (premiumOf(insured, sum / n), n * INFER.fee(model));
    }

    /// @notice buy asks the model on all past seasons and sells cover. The value sent covers premium and the model's fees; the rest
    /// comes back. A lie about the field is priced: the same facts are used when the cover is settled.
    function buy(uint256 season, uint256 insured, int256 soilWater, int256 moist) external payable returns (uint256 cover) {
        if (insured == 0) revert Nothing();
        if (soilWater < 120 || soilWater > 200 || moist < 40 || moist > 80) revert NotAField(soilWater, moist); // beyond what the model has seen
        if (block.timestamp >= closes(season)) revert SeasonClosed(season, closes(season));
        if (season > 0 && block.timestamp < closes(season - 1)) revert TooEarly(season, closes(season - 1)); // capital is reserved for a season, not for ever
        if (insured > free()) revert NotEnoughFree(insured, free());

        uint256 n = past.length / READINGS;
        uint256 fees = n * INFER.fee(model);
        if (msg.value < fees) revert NotCovered(fees, msg.value); // the fees come from the balance, which is the pool's
        uint256 sum;
        for (uint256 i = 0; i < n; i++) {
            sum += wad(INFER.infer(model, input(soilWater, moist, past, i * READINGS))[0]);
        }
        uint256 premium = premiumOf(insured, sum / n);
        if (msg.value < fees + premium) revert NotCovered(fees + premium, msg.value);

        cover = covers.length;
        covers.push(Cover(msg.sender, season, insured, premium, soilWater, moist));
        cash += premium;
        reserved += insured;
        emit Bought(cover, msg.sender, season, insured, premium);
        if (msg.value > fees + premium) pay(msg.sender, msg.value - fees - premium);
    }

    /// @notice settle asks the model on the season's readings and closes a cover: owed, or free for the pool. Anybody may pay the
    /// model's fee for it; the rest of the value comes back.
    function settle(uint256 cover) external payable returns (uint256 paid) {
        Cover memory c = coverOf(cover);
        int256[] storage r = readings[c.season];
        if (r.length == 0) revert NotPosted(c.season);
        uint256 fee = INFER.fee(model);
        if (msg.value < fee) revert NotCovered(fee, msg.value);
        uint32 risk = INFER.infer(model, input(c.soilWater, c.moist, r, 0))[0];

        delete covers[cover];
        reserved -= c.insured;
        if (Float32.toWad(risk) > FAILED) paid = c.insured;
        cash -= paid;
        owed[c.farmer] += paid;
        emit Settled(cover, risk, paid);
        if (msg.value > fee) pay(msg.sender, msg.value - fee);
    }

    /// @notice lapse gives the premium back if the station never posted, or if nobody could settle for a year because the model was
    /// withdrawn from the chain.
    function lapse(uint256 cover) external {
        Cover memory c = coverOf(cover);
        uint256 from = closes(c.season) + GROWING + PATIENCE;
        if (readings[c.season].length != 0) from += YEAR;
        if (block.timestamp < from) revert TooEarly(c.season, from);
        delete covers[cover];
        reserved -= c.insured;
        cash -= c.premium; // which is no more than was reserved
        owed[c.farmer] += c.premium;
        emit Lapsed(cover, c.premium);
    }

    /// @notice collect pays out what settled and lapsed covers owe the caller. It is apart from settle, so that a farmer who
    /// refuses coins cannot keep the insurers' capital reserved.
    function collect() external returns (uint256 amount) {
        amount = owed[msg.sender];
        if (amount == 0) revert Nothing();
        owed[msg.sender] = 0;
        pay(msg.sender, amount);
    }

    // ---- the station

    /// @notice post says what the weather of a season was, once and for all covers of it.
    function post(uint256 season, int256[] calldata values) external {
        if (msg.sender != station) revert NotTheStation(msg.sender);
        if (values.length != READINGS) revert NotReadings(values.length, READINGS);
        if (readings[season].length != 0) revert AlreadyPosted(season);
        uint256 from = closes(season) + GROWING;
        if (block.timestamp < from) revert TooEarly(season, from);
        if (block.timestamp >= from + PATIENCE) revert TooLate(season, from + PATIENCE);
        check(values);
        readings[season] = values;
        emit Posted(season, values);
    }

    // ---- reads

    /// @notice closes is when the cover of a season is no longer sold, because its weather begins.
    function closes(uint256 season) public view returns (uint256) {
        return firstCloses + season * YEAR;
    }

    /// @notice coverOf returns an open cover.
    function coverOf(uint256 cover) public view returns (Cover memory) {
        if (cover >= covers.length || covers[cover].farmer == address(0)) revert NotOpen(cover);
        return covers[cover];
    }

    /// @notice premiumOf is the mean risk of the past seasons and a quarter of it, at least 2 % of what is insured and never more
    /// than that.
    function premiumOf(uint256 insured, uint256 risk) public pure returns (uint256 premium) {
        if (risk > (4 * WAD) / 5) revert Uninsurable(risk);
        premium = (insured * risk * 5) / 4 / WAD;
        if (premium < insured / 50) premium = insured / 50;
    }

    /// @dev check keeps out numbers that could never be settled.
    function check(int256[] memory values) private pure {
        for (uint256 i = 0; i < values.length; i++) {
            if (values[i] < -1000 || values[i] > 5000) revert NotWeather(values[i]);
        }
    }

    function wad(uint32 risk) private pure returns (uint256) {
        int256 p = Float32.toWad(risk);
        if (p < 0 || p > int256(WAD)) revert Nothing(); // the model is no probability
        return uint256(p);
    }

    /// @dev input is a row of the training data: the field, the day, eight readings from an offset on.
    function input(int256 soilWater, int256 moist, int256[] storage from, uint256 at) private view returns (uint32[] memory row) {
        row = new uint32[](3 + READINGS);
        row[0] = Float32.fromDecimal(soilWater, DECIMALS);
        row[1] = Float32.fromDecimal(moist, DECIMALS);
        row[2] = Float32.fromDecimal(sown, DECIMALS);
        for (uint256 i = 0; i < READINGS; i++) {
            row[3 + i] = Float32.fromDecimal(from[at + i], DECIMALS);
        }
    }

    function pay(address to, uint256 amount) private {
        (bool ok, ) = to.call{value: amount}("");
        require(ok, "payment refused");
    }
}

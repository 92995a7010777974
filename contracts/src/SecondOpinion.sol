// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IRequests, IAnswered, REQUESTS} from "./IRequests.sol";
import {IRegistry, REGISTRY} from "./IRegistry.sol";
import {Float32} from "./Float32.sol";

/// @title Second opinions on a diagnosis, by a model that its patients own.
/// @notice A clinic files its own diagnosis with the findings, and machines of the network answer what the model says. Each opinion pays the model's
/// fee, which belongs to the holders of its shares: the patients whose data trained it. If model and clinic differ, the case is flagged for a
/// doctor; nothing is decided here.
contract SecondOpinion is IAnswered {
    // Findings arrive as decimal fixed point with this many decimals: 17.99 is 17990000000.
    uint8 public constant DECIMALS = 9;
    int256 private constant HALF = 5e17;

    struct Case {
        address clinic;
        bool clinicSaysMalignant;
        bool answered;
        bool differs;
        uint8 finality;
        int256 probability; // of malignancy by the model, 18 decimals
        bytes32 request;
    }

    bytes32 public immutable model;
    uint8 public immutable workers;
    uint256 public immutable price; // for each worker, in amut

    Case[] private cases;
    mapping(bytes32 request => uint256 number) private numberOf; // one more than the index of the case

    event Filed(uint256 indexed number, address indexed clinic, bytes32 request);
    event Opinion(uint256 indexed number, int256 probability, bool differs, uint8 finality);
    event Withdrawn(uint256 indexed number);

    error NotCovered(uint256 cost);
    error OnlyTheLedger(address caller);
    error NotYourCase();
    error NotRefunded(uint8 status);
    error NotSent();

    constructor(bytes32 model_, uint8 workers_, uint256 price_) {
        model = model_;
        workers = workers_;
        price = price_;
    }

    // Whoever calls back is paid for the gas of it: a quarter of what a machine gets for the answer.
    function terms(uint64 window) private view returns (IRequests.Terms memory) {
        return IRequests.Terms(workers, price, 600, window, address(this), 300_000, price / 4);
    }

    /// @notice cost is what an opinion costs: the machines' work, the fee of the model's holders, and the call back.
    function cost() public view returns (uint256) {
        return REQUESTS.cost(model, terms(0));
    }

    /// @notice file asks for a second opinion; what is sent beyond the cost comes back.
    function file(int256[] calldata findings, bool malignant, uint64 window) external payable returns (uint256 number) {
        uint256 due = cost();
        if (msg.value < due) revert NotCovered(due);
        uint32[] memory input = new uint32[](findings.length);
        for (uint256 i = 0; i < findings.length; i++) input[i] = Float32.fromDecimal(findings[i], DECIMALS);
        bytes32 id = REQUESTS.request(model, input, terms(window));
        number = cases.length;
        cases.push(Case(msg.sender, malignant, false, false, 0, 0, id));
        numberOf[id] = number + 1;
        emit Filed(number, msg.sender, id);
        send(msg.sender, msg.value - due);
    }

    /// @notice answered is the ledger's callback.
    function answered(bytes32 id, uint32[] calldata output, uint8 finality) external {
        uint256 number = numberOf[id];
        if (msg.sender != address(REQUESTS) || number == 0) revert OnlyTheLedger(msg.sender);
        Case storage c = cases[number - 1];
        c.answered = true;
        c.finality = finality;
        c.probability = Float32.toWad(output[0]);
        c.differs = (c.probability >= HALF) != c.clinicSaysMalignant;
        emit Opinion(number - 1, c.probability, c.differs, finality);
    }

    /// @notice withdraw returns what the ledger refunded, when no machine answered a case.
    function withdraw(uint256 number) external {
        Case storage c = cases[number];
        if (c.clinic != msg.sender) revert NotYourCase();
        uint8 status = REQUESTS.get(c.request).status;
        if (status != 5) revert NotRefunded(status);
        c.clinic = address(0); // once
        emit Withdrawn(number);
        send(msg.sender, cost());
    }

    /// @notice caseOf is a case as it stands. Only an answer with finality 2 or more is final.
    function caseOf(uint256 number) external view returns (Case memory) {
        return cases[number];
    }

    /// @notice shareOf tells how many of 1,000,000 parts of the model somebody owns, whom each opinion pays.
    function shareOf(address patient) external view returns (uint256) {
        return REGISTRY.sharesOf(model, patient);
    }

    receive() external payable {} // refunds of the ledger come without a call; this is for who wants to give

    function send(address to, uint256 amount) private {
        if (amount == 0) return;
        (bool ok,) = to.call{value: amount}("");
        if (!ok) revert NotSent();
    }
}

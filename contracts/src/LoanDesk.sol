// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {INFER} from "./IInfer.sol";
import {Float32} from "./Float32.sol";

/// @title A loan desk that asks a credit-risk model of the network what a loan shall cost.
/// @notice Lenders pool their coins. A borrower brings facts that a bank has attested; the model turns them into the
/// probability that the loan is not paid back; the probability sets interest and collateral. The desk decides nothing: who
/// runs the same model on the same facts gets the same bits.
/// @dev An example of how contract and model work together; it has not been audited. The facts are visible to everybody.
contract LoanDesk {
    uint8 public constant DECIMALS = 0; // facts are whole numbers
    uint256 public constant FACTS = 16; // in the order of examples/credit/README.md
    uint256 public constant TERM = 30 days;
    int256 public constant MAX_RISK = 0.5e18; // above it there is no loan
    uint256 private constant WAD = 1e18;

    bytes32 private constant DOMAIN = keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant APPLICATION = keccak256("Application(address borrower,uint256 number,int256[] facts)");

    bytes32 public immutable model;
    address public immutable bank; // attests the facts

    struct Loan {
        address borrower;
        uint256 principal;
        uint256 due; // to be repaid, with interest
        uint256 collateral;
        uint256 until; // time by which it must be repaid
        uint32 risk; // what the model said, as float32 bits
    }

    Loan[] private loans;
    mapping(address => uint256) public applications; // attestations that were used
    mapping(address => uint256) public sharesOf;
    uint256 public totalShares;
    uint256 public cash; // of the lenders, not lent out
    uint256 public lent;

    event Lent(uint256 indexed loan, address indexed borrower, uint256 principal, uint256 due, uint256 collateral, uint32 risk);
    event Repaid(uint256 indexed loan);
    event Seized(uint256 indexed loan);

    error NotAttested(address borrower);
    error RiskTooHigh(int256 risk, int256 limit);
    error NotCovered(uint256 needed, uint256 paid);
    error NotEnoughCash(uint256 asked, uint256 there);
    error NotOpen(uint256 loan);
    error NotDue(uint256 loan, uint256 until);
    error Nothing();

    constructor(bytes32 model_, address bank_) {
        if (bank_ == address(0)) revert Nothing(); // what ecrecover answers for a bad signature
        model = model_;
        bank = bank_;
    }

    // ---- lenders

    /// @notice deposit adds coins to the pool for a part of it.
    function deposit() external payable returns (uint256 shares) {
        if (msg.value == 0) revert Nothing();
        shares = totalShares == 0 ? msg.value : (msg.value * totalShares) / (cash + lent);
        if (shares == 0) revert Nothing();
        sharesOf[msg.sender] += shares;
        totalShares += shares;
        cash += msg.value;
    }

    /// @notice withdraw takes a part of the pool out, as far as it is not lent.
    function withdraw(uint256 shares) external returns (uint256 amount) {
        if (shares == 0 || shares > sharesOf[msg.sender]) revert Nothing();
        amount = (shares * (cash + lent)) / totalShares;
        if (amount > cash) revert NotEnoughCash(amount, cash);
        sharesOf[msg.sender] -= shares;
        totalShares -= shares;
        cash -= amount;
        pay(msg.sender, amount);
    }

    // ---- borrowers

    /// @notice quote says what a loan would cost; for eth_call, because it pays nothing for the model.
    function quote(uint256 principal, int256[] calldata facts) external view returns (uint32 risk, uint256 due, uint256 collateral, uint256 fee) {
        risk = INFER.preview(model, bits(facts))[0];
        (due, collateral) = terms(principal, risk);
        fee = INFER.fee(model);
    }

    /// @notice borrow asks the model and pays the principal out. The value sent covers collateral and the model's fee; the rest comes back.
    /// @param attestation the bank's EIP-712 signature of this application, 65 bytes
    function borrow(uint256 principal, int256[] calldata facts, bytes calldata attestation) external payable returns (uint256 loan) {
        if (principal == 0) revert Nothing();
        if (principal > cash) revert NotEnoughCash(principal, cash);
        if (recover(digest(msg.sender, applications[msg.sender]++, facts), attestation) != bank) revert NotAttested(msg.sender);

        uint256 fee = INFER.fee(model);
        if (msg.value < fee) revert NotCovered(fee, msg.value);
        uint32 risk = INFER.infer(model, bits(facts))[0];
        (uint256 due, uint256 collateral) = terms(principal, risk);
        if (msg.value < fee + collateral) revert NotCovered(fee + collateral, msg.value);

        loan = loans.length;
        loans.push(Loan(msg.sender, principal, due, collateral, block.timestamp + TERM, risk));
        cash -= principal;
        lent += principal;
        emit Lent(loan, msg.sender, principal, due, collateral, risk);
        pay(msg.sender, principal + msg.value - fee - collateral);
    }

    /// @notice repay closes a loan and returns the collateral to its borrower; anybody may pay for them.
    function repay(uint256 loan) external payable {
        Loan memory l = close(loan);
        if (msg.value < l.due) revert NotCovered(l.due, msg.value);
        cash += l.due;
        emit Repaid(loan);
        pay(l.borrower, l.collateral);
        if (msg.value > l.due) pay(msg.sender, msg.value - l.due);
    }

    /// @notice seize gives the collateral of a loan that was not repaid in time to the pool.
    function seize(uint256 loan) external {
        Loan memory l = close(loan);
        if (block.timestamp <= l.until) revert NotDue(loan, l.until);
        cash += l.collateral;
        emit Seized(loan);
    }

    /// @notice terms says what is due and what collateral is needed: 2 % interest and 20 % collateral without risk, up to
    /// 22 % and 100 % with all risk.
    function terms(uint256 principal, uint32 risk) public pure returns (uint256 due, uint256 collateral) {
        int256 p = Float32.toWad(risk);
        if (p > MAX_RISK || p < 0) revert RiskTooHigh(p, MAX_RISK);
        due = principal + (principal * (0.02e18 + uint256(p) / 5)) / WAD;
        collateral = (principal * (0.2e18 + (uint256(p) * 4) / 5)) / WAD;
    }

    /// @notice loanOf returns an open loan.
    function loanOf(uint256 loan) external view returns (Loan memory) {
        if (loan >= loans.length || loans[loan].borrower == address(0)) revert NotOpen(loan);
        return loans[loan];
    }

    /// @notice digest is what the bank signs for the next application of a borrower.
    function digest(address borrower, uint256 number, int256[] calldata facts) public view returns (bytes32) {
        bytes32 domain = keccak256(abi.encode(DOMAIN, keccak256("LoanDesk"), keccak256("1"), block.chainid, address(this)));
        bytes32 content = keccak256(abi.encode(APPLICATION, borrower, number, keccak256(abi.encodePacked(facts))));
        return keccak256(abi.encodePacked("\x19\x01", domain, content));
    }

    function close(uint256 loan) private returns (Loan memory l) {
        if (loan >= loans.length || loans[loan].borrower == address(0)) revert NotOpen(loan);
        l = loans[loan];
        delete loans[loan];
        lent -= l.principal;
    }

    function bits(int256[] calldata facts) private pure returns (uint32[] memory input) {
        input = new uint32[](facts.length); // a wrong number of them is the precompile's WrongInputLength
        for (uint256 i = 0; i < facts.length; i++) {
            input[i] = Float32.fromDecimal(facts[i], DECIMALS);
        }
    }

    function recover(bytes32 hash, bytes calldata signature) private pure returns (address) {
        if (signature.length != 65) return address(0);
        bytes32 s = bytes32(signature[32:64]);
        if (uint256(s) > 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0) return address(0); // the other s is the same signature
        return ecrecover(hash, uint8(signature[64]), bytes32(signature[0:32]), s);
    }

    function pay(address to, uint256 amount) private {
        (bool ok, ) = to.call{value: amount}("");
        require(ok, "payment refused");
    }
}

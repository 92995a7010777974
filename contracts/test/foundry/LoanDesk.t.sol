// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {LoanDesk} from "../../src/LoanDesk.sol";
import {INFER, IInfer} from "../../src/IInfer.sol";
import {Float32} from "../../src/Float32.sol";
import {MutiraoTest} from "../../src/test/MutiraoTest.sol";
import {Cheating} from "./Cheats.sol";

/// With `mutirao dev` at RPC_URL: the credit model's true answers, in forge's own EVM.
contract LoanDeskTest is MutiraoTest, Cheating {
    uint256 private constant BANK = 0xba9c;
    address private constant BORROWER = address(0xb0b);
    LoanDesk private desk;
    bytes32 private model;

    receive() external payable {}

    function setUp() public {
        mutirao(node());
        model = modelNamed(node(), "credit");
        desk = new LoanDesk(model, vm.addr(BANK));
        vm.deal(address(this), 100 ether);
        desk.deposit{value: 100 ether}();
        vm.deal(BORROWER, 50 ether);
    }

    function good() private pure returns (int256[] memory) {
        return facts([int256(24), 2835, 3, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1]);
    }

    function bad() private pure returns (int256[] memory) {
        return facts([int256(48), 5951, 2, 2, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1]);
    }

    function facts(int256[16] memory row) private pure returns (int256[] memory list) {
        list = new int256[](16);
        for (uint256 i = 0; i < 16; i++) list[i] = row[i];
    }

    function attest(int256[] memory list) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(BANK, desk.digest(BORROWER, desk.applications(BORROWER), list));
        return abi.encodePacked(r, s, v);
    }

    function borrow(int256[] memory list) private returns (uint256) {
        bytes memory attestation = attest(list);
        vm.prank(BORROWER);
        return desk.borrow{value: 20 ether}(10 ether, list, attestation);
    }

    function test_lends_for_what_the_model_says_and_the_model_is_paid() public {
        (uint32 risk, uint256 due, uint256 collateral, uint256 fee) = desk.quote(10 ether, good());
        require(Float32.toWad(risk) > 0 && Float32.toWad(risk) < 0.25e18, "a good row");
        require(due > 10.2 ether && collateral < 6 ether && fee == INFER.fee(model), "terms");
        borrow(good());
        require(BORROWER.balance == 50 ether - collateral - fee + 10 ether, "what came back");
        require(desk.cash() == 90 ether && desk.lent() == 10 ether, "the pool");

        vm.prank(BORROWER);
        desk.repay{value: due}(0);
        require(desk.cash() == 90 ether + due, "repaid");
    }

    function test_asks_more_of_more_risk_or_refuses() public {
        (uint32 low,,,) = desk.quote(10 ether, good());
        int256[] memory row = bad();
        vm.expectPartialRevert(LoanDesk.RiskTooHigh.selector); // 0.5219…
        desk.quote(10 ether, row);
        require(Float32.toWad(low) < 0.25e18, "low");
    }

    /// A refusal of the node reaches the contract with its arguments.
    function test_a_wrong_number_of_facts_is_the_precompiles_error() public {
        int256[] memory short = new int256[](15);
        vm.expectRevert(abi.encodeWithSelector(IInfer.WrongInputLength.selector, 15, 16));
        desk.quote(10 ether, short);
        vm.expectRevert(abi.encodeWithSelector(IInfer.ModelNotFound.selector, bytes32(uint256(1))));
        INFER.fee(bytes32(uint256(1)));
    }

    function test_gives_the_collateral_of_a_loan_that_is_not_repaid_to_the_lenders() public {
        (,, uint256 collateral,) = desk.quote(10 ether, good());
        borrow(good());
        vm.expectPartialRevert(LoanDesk.NotDue.selector);
        desk.seize(0);
        vm.warp(block.timestamp + 30 days + 1);
        desk.seize(0);
        require(desk.cash() == 90 ether + collateral, "seized");
        desk.withdraw(desk.sharesOf(address(this)));
        require(address(desk).balance == 0, "all out");
    }

    function test_takes_nobodys_word_for_the_facts() public {
        bytes memory attestation = attest(good());
        int256[] memory other = good();
        other[1] = 1;
        vm.prank(BORROWER);
        vm.expectPartialRevert(LoanDesk.NotAttested.selector);
        desk.borrow{value: 20 ether}(10 ether, other, attestation);
    }
}

/// Without a node: the answers that the test names.
contract NamedAnswersTest is MutiraoTest, Cheating {
    function test_an_answer_that_the_test_names() public {
        mutirao("");
        bytes32 model = keccak256("any");
        uint32[] memory input = new uint32[](16);
        uint32[] memory output = new uint32[](1);
        output[0] = 0x3dcccccd; // 0.1
        answers(model, input, output, 1 ether);
        LoanDesk desk = new LoanDesk(model, address(1));
        (uint32 risk,,, uint256 fee) = desk.quote(10 ether, new int256[](16));
        require(risk == 0x3dcccccd && fee == 1 ether, "named");
        vm.expectRevert(abi.encodeWithSelector(IInfer.FeeNotCovered.selector, 1 ether));
        vm.prank(address(0xdead));
        INFER.infer(model, input);
    }
}

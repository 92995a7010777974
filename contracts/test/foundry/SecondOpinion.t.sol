// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {SecondOpinion} from "../../src/SecondOpinion.sol";
import {REGISTRY} from "../../src/IRegistry.sol";
import {MutiraoTest} from "../../src/test/MutiraoTest.sol";
import {Cheating} from "./Cheats.sol";

/// With `mutirao dev` at RPC_URL. That machines of the network answer is played: the test says when.
contract SecondOpinionTest is MutiraoTest, Cheating {
    address private constant CLINIC = address(0xc1);
    SecondOpinion private register;

    function setUp() public {
        mutirao(node());
        register = new SecondOpinion(modelNamed(node(), "diagnosis"), 2, 0.01 ether);
        vm.deal(CLINIC, 10 ether);
    }

    function findings() private pure returns (int256[] memory list) {
        int256[30] memory x = [int256(17_990_000_000), 10_380_000_000, 122_800_000_000, 1_001_000_000_000, 118_400_000, 277_600_000, 300_100_000, 147_100_000,
            241_900_000, 78_710_000, 1_095_000_000, 905_300_000, 8_589_000_000, 153_400_000_000, 6_399_000, 49_040_000, 53_730_000, 15_870_000, 30_030_000, 6_193_000,
            25_380_000_000, 17_330_000_000, 184_600_000_000, 2_019_000_000_000, 162_200_000, 665_600_000, 711_900_000, 265_400_000, 460_100_000, 118_900_000];
        list = new int256[](30);
        for (uint256 i = 0; i < 30; i++) list[i] = x[i];
    }

    function file(bool malignant) private returns (uint256 number) {
        vm.prank(CLINIC);
        number = register.file{value: 1 ether}(findings(), malignant, 0);
        require(CLINIC.balance == 10 ether - register.cost(), "the rest came back");
    }

    function test_flags_what_differs() public {
        uint256 number = file(false);
        require(answerRequest(register.caseOf(number).request), "called back");
        SecondOpinion.Case memory c = register.caseOf(number);
        require(c.answered && c.differs && c.probability > 0.9e18 && c.finality == 2, "malignant, says the model");
    }

    function test_gives_the_money_back_if_nobody_answers() public {
        uint256 number = file(true);
        vm.expectRevert(abi.encodeWithSelector(SecondOpinion.NotRefunded.selector, 0));
        vm.prank(CLINIC);
        register.withdraw(number);
        refundRequest(register.caseOf(number).request);
        vm.prank(CLINIC);
        register.withdraw(number);
        require(CLINIC.balance == 10 ether, "all of it");
    }

    function test_believes_nobody_but_the_ledger() public {
        bytes32 request = register.caseOf(file(true)).request;
        vm.expectRevert(abi.encodeWithSelector(SecondOpinion.OnlyTheLedger.selector, address(this)));
        register.answered(request, new uint32[](1), 4);
    }

    /// The shares are read of the node.
    function test_reads_who_owns_the_model() public view {
        require(register.shareOf(REGISTRY.info(register.model()).author) == 1_000_000, "one author, in mutirao dev");
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {CropCover} from "../../src/CropCover.sol";
import {INFER} from "../../src/IInfer.sol";
import {MutiraoTest} from "../../src/test/MutiraoTest.sol";
import {Cheating} from "./Cheats.sol";

/// With `mutirao dev --model examples/crops/maize.graph` at RPC_URL. The field and the seasons are those of the test for Hardhat.
contract CropCoverTest is MutiraoTest, Cheating {
    address private constant FARMER = address(0xfa);
    address private constant STATION = address(0x57);
    CropCover private cover;
    bytes32 private model;
    uint256 private closes;

    receive() external payable {}

    function setUp() public {
        mutirao(node());
        model = modelNamed(node(), "maize");
        closes = block.timestamp + 10 days;
        int256[64] memory rows = [int256(38), 34, 22, 24, 223, 293, 351, 332, 31, 125, 151, 13, 258, 265, 300, 288, 110, 107, 45, 50, 237, 289, 344, 294, 25, 65, 67, 63, 272, 315, 329, 299, 73, 103, 54, 29, 244, 288, 320, 325, 49, 110, 35, 95, 229, 275, 341, 282, 95, 134, 78, 62, 228, 272, 292, 290, 35, 101, 43, 114, 213, 296, 324, 315];
        int256[] memory past = new int256[](64);
        for (uint256 i = 0; i < 64; i++) past[i] = rows[i];
        cover = new CropCover(model, STATION, 34, closes, past);
        vm.deal(address(this), 100 ether);
        cover.deposit{value: 100 ether}();
        vm.deal(FARMER, 100 ether);
    }

    function buy() private returns (uint256 premium) {
        uint256 fees;
        (premium, fees) = cover.quote(40 ether, 160, 60);
        require(fees == 8 * INFER.fee(model), "eight answers");
        vm.prank(FARMER);
        cover.buy{value: premium + fees}(0, 40 ether, 160, 60);
        require(FARMER.balance == 100 ether - premium - fees, "paid");
    }

    function season(int256[8] memory readings) private {
        vm.warp(closes + 180 days);
        int256[] memory list = new int256[](8);
        for (uint256 i = 0; i < 8; i++) list[i] = readings[i];
        vm.prank(STATION);
        cover.post(0, list);
        vm.deal(address(this), address(this).balance + 1 ether);
        cover.settle{value: 1 ether}(0);
    }

    function test_pays_for_a_season_in_which_the_field_failed() public {
        buy();
        season([int256(32), 3, 2, 7, 264, 349, 361, 328]);
        require(cover.owed(FARMER) == 40 ether, "the model says that it failed");
        uint256 had = FARMER.balance;
        vm.prank(FARMER);
        cover.collect();
        require(FARMER.balance == had + 40 ether, "collected");
    }

    function test_keeps_the_premium_of_a_fair_season() public {
        uint256 premium = buy();
        season([int256(134), 83, 77, 53, 217, 290, 340, 321]);
        require(cover.owed(FARMER) == 0 && cover.cash() == 100 ether + premium, "kept");
        cover.withdraw(cover.sharesOf(address(this)));
        require(address(cover).balance == 0, "out with it");
    }
}

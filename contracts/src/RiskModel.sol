// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IInfer, INFER} from "./IInfer.sol";
import {Float32} from "./Float32.sol";

/// @title A registry of risk assessments that asks a model of the network as if it were a function.
/// @notice Whoever calls assess pays the model's fee; the precompile hands it to the owners of the model's shares.
contract RiskModel {
    // Features arrive as decimal fixed point with this many decimals: 17.99 is 17990000000.
    uint8 public constant DECIMALS = 9;

    bytes32 public immutable model;

    // Probability per patient, as the bits of a float32; meaningful where assessed is true.
    mapping(uint256 => uint32) private answers;
    mapping(uint256 => bool) public assessed;

    event Assessed(uint256 indexed patient, address indexed by, uint32 bits, int256 wad);

    error FeeNotCovered(uint256 fee, uint256 paid);
    error NotAssessed(uint256 patient);

    constructor(bytes32 model_) {
        model = model_;
    }

    /// @notice assess runs the model on a patient's features and records the answer; the rest of the payment goes back.
    /// @return bits the probability as float32 bits, exactly those that the engine computes anywhere.
    function assess(uint256 patient, int256[] calldata features) external payable returns (uint32 bits) {
        uint256 fee = INFER.fee(model);
        if (msg.value < fee) revert FeeNotCovered(fee, msg.value);

        uint32[] memory input = new uint32[](features.length);
        for (uint256 i = 0; i < features.length; i++) {
            input[i] = Float32.fromDecimal(features[i], DECIMALS);
        }
        bits = INFER.infer(model, input)[0];

        answers[patient] = bits;
        assessed[patient] = true;
        emit Assessed(patient, msg.sender, bits, Float32.toWad(bits));
        if (msg.value > fee) {
            (bool ok, ) = msg.sender.call{value: msg.value - fee}("");
            require(ok, "refund refused");
        }
    }

    /// @notice probability returns the recorded answer as fixed point with 18 decimals.
    function probability(uint256 patient) external view returns (int256) {
        if (!assessed[patient]) revert NotAssessed(patient);
        return Float32.toWad(answers[patient]);
    }
}

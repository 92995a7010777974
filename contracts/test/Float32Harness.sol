// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Float32} from "./Float32.sol";

/// @title Makes the library's internal functions callable by a test.
contract Float32Harness {
    function fromDecimal(int256 value, uint8 decimals) external pure returns (uint32) {
        return Float32.fromDecimal(value, decimals);
    }

    function toWad(uint32 bits) external pure returns (int256) {
        return Float32.toWad(bits);
    }
}

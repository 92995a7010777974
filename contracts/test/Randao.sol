// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {BEACON} from "./IBeacon.sol";

/// Records what a transaction sees of the beacon.
contract Randao {
    uint256 public opcode;
    bytes32 public value;
    uint64 public height;

    function look() external {
        opcode = block.prevrandao;
        (height, value) = BEACON.beacon();
    }

    function current() external view returns (uint256) {
        return block.prevrandao;
    }

    function at(uint64 h) external view returns (bytes32) {
        return BEACON.beaconAt(h);
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

// The beacon precompile of every Mutirão node.
IBeacon constant BEACON = IBeacon(0x0000000000000000000000000000000000000906);

/// @title The chain's randomness: a value for each block, from what its proposer reveals.
/// @dev The value of the block before, block.prevrandao, is known to everybody who sends a transaction, and the proposer can choose between two
/// values at the price of its block. Let what is at stake be settled first, name a later height, and read that: see Lot.sol and spec/beacon.md.
interface IBeacon {
    error MalformedCall();
    /// The block of this height is not over.
    error NotYet(uint64 height);
    /// The height is older than the last 8,191, or than the beacon.
    error Forgotten(uint64 height);

    /// @notice beacon is the value of the block before, the same as block.prevrandao.
    function beacon() external view returns (uint64 height, bytes32 value);

    /// @notice beaconAt is the value of a block that is over, of the last 8,191.
    function beaconAt(uint64 height) external view returns (bytes32 value);
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

// The credits precompile of every Mutirão node.
ICredits constant CREDITS = ICredits(0x0000000000000000000000000000000000000904);

/// @title What an account has: reads of its coins.
interface ICredits {
    error MalformedCall();

    /// @notice spendable is the balance, in amut (18 decimals).
    function spendable(address account) external view returns (uint256 amount);

    /// @notice earned is what of spendable an account was paid for work and cannot send yet; it pays for gas, own jobs, bonds and votes at
    /// once. free is the first block in which a part of it can be sent, 0 if there is none.
    function earned(address account) external view returns (uint256 amount, uint64 free);

    /// @notice locked is what lies in escrow for an account, and may come back: for leases that it buys, for channels of vouchers, for requests
    /// and the bonds of its answers. The first 100 of each kind count; complete says whether these are all.
    function locked(address account) external view returns (uint256 leases, uint256 channels, uint256 requests, bool complete);
}

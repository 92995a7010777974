// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

// The market precompile of every Mutirão node.
IMarket constant MARKET = IMarket(0x0000000000000000000000000000000000000903);

/// @title What machines cost, and who has leased which: reads of the market.
interface IMarket {
    /// @notice What is traded: a resource in a region, checked in a way, for a tenor.
    struct Class {
        string resource; // such as "cpu"
        string region;
        string tier; // "audited" or "replicated"
        uint8 tenor; // 0 to 3: about a minute, ten minutes, an hour, six hours
    }

    /// @notice One lease.
    struct Lease {
        bytes32 id;
        address buyer;
        address provider;
        uint32 units;
        string status; // "offered", "running", "over", "closed"
        uint64 end; // the block before which the work ends
        uint256 unpaid; // of what the buyer locked: not yet paid or returned, in amut
    }

    /// @notice No ask of this class has ever been placed.
    error ClassNotFound();
    /// @notice A class or a number of units that cannot be.
    error OutOfBounds(string what);
    error LeaseNotFound(bytes32 id);
    error MalformedCall();

    /// @notice price is what a unit costs for one tenor in amut, before anybody bids for it, and how much of the class is offered and leased.
    function price(Class calldata class) external view returns (uint256 amount, uint64 offered, uint64 leased);

    /// @notice quote is what each of so many units costs that are taken at once, and how many of them are free.
    function quote(Class calldata class, uint32 units) external view returns (uint256 amount, uint32 free);

    /// @notice lease is one lease; closed ones stay.
    function lease(bytes32 id) external view returns (Lease memory);

    /// @notice leases lists up to limit (at most 50) leases that an account buys or provides, in ascending order after an id, closed ones too.
    function leases(address account, bytes32 after_, uint256 limit) external view returns (Lease[] memory);
}

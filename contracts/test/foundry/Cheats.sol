// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @dev What these tests use of forge's cheatcodes; a project of one's own has forge-std.
interface Cheats {
    function envOr(string calldata name, string calldata otherwise) external view returns (string memory);
    function deal(address account, uint256 balance) external;
    function prank(address sender) external;
    function warp(uint256 time) external;
    function addr(uint256 key) external pure returns (address);
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function expectPartialRevert(bytes4 error) external;
    function expectRevert(bytes calldata error) external;
}

abstract contract Cheating {
    Cheats internal constant vm = Cheats(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

    function node() internal view returns (string memory) {
        return vm.envOr("RPC_URL", "http://127.0.0.1:8545");
    }
}

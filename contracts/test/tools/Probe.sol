// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// What anvil.mjs asks both nodes about: storage, events, every kind of failure, opcodes of later forks.
contract Probe {
    event Stored(address indexed who, uint256 indexed key, uint256 value);

    error Refused(uint256 code, string why);

    mapping(uint256 => uint256) public stored; // slot 0
    uint256 public count; // slot 1

    function store(uint256 key, uint256 value) external payable returns (uint256) {
        stored[key] = value;
        count++;
        emit Stored(msg.sender, key, value);
        return value + 1;
    }

    function refuse() external pure { revert Refused(7, "no"); }
    function text() external pure { revert("a reason"); }
    function bare() external pure { revert(); }
    function panic(uint256 x) external pure returns (uint256) { return 1 / x; }
    function broken() external pure { assembly { invalid() } }
    function spend() external pure { for (uint256 i = 0; ; i++) {} }

    function transient_() external returns (uint256 got) { // EIP-1153
        assembly {
            tstore(1, 42)
            got := tload(1)
        }
    }

    function copy() external pure returns (uint256 got) { // EIP-5656
        assembly {
            mstore(0, 5)
            mcopy(32, 0, 32)
            got := mload(32)
        }
    }

    function context() external view returns (address, uint256, uint256, uint256, uint256, uint256) {
        return (msg.sender, block.chainid, block.basefee, block.gaslimit, block.blobbasefee, gasleft() > 0 ? 1 : 0);
    }

    function sender() external view returns (address) { return msg.sender; }
}

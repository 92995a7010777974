// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {BEACON, IBeacon} from "./IBeacon.sol";

/// @title A fair lot: one of those who hold a share of the pot wins it, each as likely as its part.
/// @notice Everybody pays in until the lot is closed. Closing names a block some way ahead, whose value nobody can know yet; once that block is over, anybody
/// draws. If nobody does so while the chain keeps the value, closing again names another.
contract Lot {
    /// Blocks between the last payment and the value that decides. One honest proposer among them is enough: it alone knows what it adds.
    uint64 public constant WAIT = 16;

    uint256 public immutable fullAt;
    address[] public holders;
    uint256[] public upTo; // of each holder: the sum of all payments up to and including its own
    uint64 public drawAt; // 0 while the lot is open
    address public winner;

    event Entered(address holder, uint256 amount);
    event Closed(uint64 drawAt);
    event Drawn(address winner, uint256 pot);

    constructor(uint256 full) {
        require(full > 0, "a pot of nothing");
        fullAt = full;
    }

    /// @notice pot is the sum of all payments.
    function pot() public view returns (uint256) {
        return upTo.length == 0 ? 0 : upTo[upTo.length - 1];
    }

    /// @notice enter pays in. The payment that fills the pot closes the lot.
    function enter() external payable {
        require(drawAt == 0, "closed");
        require(msg.value > 0, "nothing paid");
        holders.push(msg.sender);
        upTo.push(pot() + msg.value);
        emit Entered(msg.sender, msg.value);
        if (pot() >= fullAt) close();
    }

    /// @notice reclose names another block if the first was forgotten before anybody drew.
    function reclose() external {
        require(drawAt != 0 && winner == address(0) && block.number > drawAt, "nothing to name again");
        try BEACON.beaconAt(drawAt) returns (bytes32) {
            revert("the value is there");
        } catch (bytes memory why) {
            require(bytes4(why) == IBeacon.Forgotten.selector, "the value is there");
        }
        close();
    }

    function close() private {
        drawAt = uint64(block.number) + WAIT;
        emit Closed(drawAt);
    }

    /// @notice draw names the winner. It reverts with NotYet before the block that decides is over.
    function draw() external {
        require(drawAt != 0, "open");
        require(winner == address(0), "drawn");
        // The contract's address makes lots that wait for one block independent. The remainder favours nobody by more than pot / 2^256.
        uint256 ticket = uint256(keccak256(abi.encode(BEACON.beaconAt(drawAt), address(this)))) % pot();
        uint256 low = 0;
        for (uint256 high = holders.length - 1; low < high; ) {
            uint256 mid = (low + high) / 2;
            if (ticket < upTo[mid]) high = mid;
            else low = mid + 1;
        }
        winner = holders[low];
        emit Drawn(winner, pot());
    }

    /// @notice collect pays the pot to whom the winner names. It is no part of draw, so that a winner that refuses money cannot undo the draw.
    function collect(address payable to) external {
        require(msg.sender == winner, "not the winner");
        (bool paid, ) = to.call{value: address(this).balance}("");
        require(paid, "it was refused");
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IRequests, IAnswered, REQUESTS} from "./IRequests.sol";

/// @notice Asks, and receives answers in all the ways in which a contract can go wrong.
contract Asker is IAnswered {
    enum Mode { Take, Refuse, Reenter, Spin, AskAgain }

    Mode public mode;
    bytes32 public last;
    uint32[] public output;
    uint8 public finality;
    uint256 public calls;
    bool public reentered;

    error Refused(uint256 number);
    error NotTheLedger();

    receive() external payable {}

    function setMode(Mode m) external {
        mode = m;
    }

    function ask(bytes32 model, uint32[] calldata input, IRequests.Terms calldata terms) external payable returns (bytes32) {
        last = REQUESTS.request(model, input, terms);
        return last;
    }

    function answered(bytes32 id, uint32[] calldata out, uint8 how) external {
        if (msg.sender != address(REQUESTS)) revert NotTheLedger();
        if (mode == Mode.Refuse) revert Refused(42);
        if (mode == Mode.Spin) for (uint256 i = 0; ; i++) calls = i;
        calls++;
        output = out;
        finality = how;
        if (mode == Mode.Reenter) {
            try REQUESTS.deliver(id) { reentered = true; } catch {}
            try REQUESTS.replay(id) { reentered = true; } catch {}
        }
        if (mode == Mode.AskAgain) {
            IRequests.Request memory r = REQUESTS.get(id);
            uint32[] memory again = new uint32[](2);
            last = REQUESTS.request(r.model, again, r.terms);
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

// What an answer is worth. INFER's answers are always REPLAYED.
uint8 constant NO_ANSWER = 0; // there is none yet, or never
uint8 constant WINDOW_OPEN = 1; // the workers agree; the window in which anybody may have it replayed is open
uint8 constant SAMPLED = 2; // the workers agreed, and nobody had it replayed while the window was open
uint8 constant DISPUTE_CLOSED = 3; // the workers disagreed, or a replay with them: every validator has computed it
uint8 constant REPLAYED = 4; // every validator has computed it

/// @title What an answer is worth, in words and as two questions.
library Finality {
    /// @notice settled answers do not change any more.
    function settled(uint8 finality) internal pure returns (bool) {
        return finality >= SAMPLED && finality <= REPLAYED;
    }

    /// @notice computed answers were computed by every validator, and need no trust in machines.
    function computed(uint8 finality) internal pure returns (bool) {
        return finality == DISPUTE_CLOSED || finality == REPLAYED;
    }

    /// @notice name is what the ledger's receipts and the command line call it.
    function name(uint8 finality) internal pure returns (string memory) {
        if (finality == NO_ANSWER) return "no answer";
        if (finality == WINDOW_OPEN) return "window open";
        if (finality == SAMPLED) return "sampled";
        if (finality == DISPUTE_CLOSED) return "dispute closed";
        if (finality == REPLAYED) return "replayed in consensus";
        return "unknown";
    }
}

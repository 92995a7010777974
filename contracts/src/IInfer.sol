// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {REPLAYED} from "./Finality.sol";

// The inference precompile of every Mutirão node.
IInfer constant INFER = IInfer(0x0000000000000000000000000000000000000901);

// What its answers are worth: every validator has computed each.
uint8 constant INFER_FINALITY = REPLAYED;

/// @title Models of the network, called as functions inside a transaction.
/// @notice Numbers are the bit patterns of IEEE-754 binary32. Every validator computes every answer, bit for bit;
/// gas is charged per multiply-accumulate before the work starts.
interface IInfer {
    /// @notice A use was paid: the fee belongs to the holders of the model's shares, who claim it, and to the models that it is made from.
    event Used(bytes32 indexed model, address indexed payer, uint256 fee);

    /// @notice No model with this id is registered.
    error ModelNotFound(bytes32 model);
    /// @notice The model is registered, but its bytes are not in the state of the chain.
    error ModelNotCallable(bytes32 model);
    /// @notice The model takes another number of features.
    error WrongInputLength(uint256 got, uint256 want);
    /// @notice The caller's balance does not cover the fee of one use.
    error FeeNotCovered(uint256 fee);
    /// @notice The call data is not an encoded call of this interface.
    error MalformedCall();
    /// @notice infer cannot pay in a static call, nor for borrowed code (DELEGATECALL, CALLCODE).
    error WriteProtected();
    /// @notice preview answers eth_call; a transaction pays, with infer.
    error PreviewInTransaction();

    /// @notice infer runs the model, with finality 4 (INFER_FINALITY), and moves its fee from the calling contract's balance to the registry, for the share holders to claim.
    /// @param model id of a model whose bytes are in the state of the chain
    /// @param input one float32 bit pattern per feature
    /// @return output one float32 bit pattern per output; a NaN is always 0x7FC00000
    function infer(bytes32 model, uint32[] calldata input) external returns (uint32[] memory output);

    /// @notice preview computes the same answer without payment and without a trace, for eth_call: one node says so, which has no finality.
    function preview(bytes32 model, uint32[] calldata input) external view returns (uint32[] memory output);

    /// @notice macs is the number of multiply-accumulates of one call, on which gas depends.
    function macs(bytes32 model) external view returns (uint64);

    /// @notice fee is what one use costs, in amut (18 decimals).
    function fee(bytes32 model) external view returns (uint256);
}

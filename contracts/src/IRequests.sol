// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

// What an answer is worth is in Finality.sol; who imports this file has its names, too.
import {NO_ANSWER, WINDOW_OPEN, SAMPLED, DISPUTE_CLOSED, REPLAYED} from "./Finality.sol";

// The precompile of requests of every Mutirão node.
IRequests constant REQUESTS = IRequests(0x0000000000000000000000000000000000000905);

/// @title Whom a request calls back.
interface IAnswered {
    /// @notice answered is called once by the precompile, which a contract must check: msg.sender is REQUESTS.
    /// If it reverts or runs out of its gas, anybody may have it called again with REQUESTS.deliver.
    function answered(bytes32 id, uint32[] calldata output, uint8 finality) external;
}

/// @title Answers of models that are too large for a transaction.
/// @notice A requester locks a price for each of 1 to 7 workers. They run the model on their own machines, seal their answers, and open them when
/// all seals are there. Equal bits are an answer. Numbers are the bit patterns of IEEE-754 binary32. Every function returns something: Solidity
/// wants code at an address from which nothing comes back, and a precompile has none.
interface IRequests {
    /// @notice What a requester wants.
    struct Terms {
        uint8 workers; // whose answers must be equal, 1 to 7
        uint256 price; // for each worker, in amut
        uint64 blocks; // in which seals are taken
        uint64 window; // blocks in which an answer may still be replayed; 0 makes it final at once
        address callback; // contract that is told; zero for none
        uint64 callbackGas; // which it may use, up to 5,000,000
        uint256 deliveryFee; // of whoever calls back first, in amut; 0 for nothing
    }

    /// @notice Where a request stands.
    struct Request {
        address requester;
        bytes32 model;
        Terms terms;
        uint8 status; // 0 wanted, 1 sealed, 2 contested, 3 window, 4 answered, 5 refunded
        uint8 finality;
        uint64 due; // the block at whose end it changes by itself
        bool delivered;
        uint32 attempts; // to call back, also those that failed
        address[] workers;
        bool[] opened;
    }

    /// @notice workers times price, fee for the model's holders, and deliveryFee are locked.
    event Requested(bytes32 indexed id, bytes32 indexed model, address indexed requester, uint8 workers, uint256 price, uint256 fee, uint256 deliveryFee);
    event Sealed(bytes32 indexed id, address indexed worker);
    event Opened(bytes32 indexed id, address indexed worker, uint32[] output);
    /// @notice The workers' answers differ. replay decides.
    event Contested(bytes32 indexed id);
    /// @notice There is an answer, with the call of by. After WINDOW_OPEN it may come again. When a window closes by itself, at the end of a block, there is no log.
    event Answered(bytes32 indexed id, address indexed by, uint8 finality, uint32[] output);
    /// @notice The contract was called back, by the call of by. Whoever calls back first, also in vain, has the delivery fee.
    event Delivered(bytes32 indexed id, address indexed to, address indexed by);
    /// @notice The callback failed with these bytes (up to 1,024). deliver tries again.
    event CallbackFailed(bytes32 indexed id, address indexed to, address indexed by, bytes reason);

    error ModelNotFound(bytes32 model);
    error RequestNotFound(bytes32 id);
    /// @notice The model takes another number of features.
    error WrongInputLength(uint256 got, uint256 want);
    /// @notice The terms or the answer are out of their bounds.
    error OutOfBounds(string what);
    /// @notice The caller's balance does not cover what it would lock.
    error NotCovered(uint256 amount);
    /// @notice Not at this stage of the request.
    error NotNow(uint8 status);
    /// @notice The caller has done it already.
    error Again();
    /// @notice The caller has sealed nothing.
    error NotAWorker();
    /// @notice The answer is not what was sealed.
    error SealMismatch();
    /// @notice The model is too large to be replayed, or its bytes are not in the state of the chain.
    error NotReplayable(bytes32 model);
    error MalformedCall();
    error WriteProtected();

    /// @notice request locks cost(model, terms) from the balance of the caller.
    function request(bytes32 model, uint32[] calldata input, Terms calldata terms) external returns (bytes32 id);

    /// @notice seal takes a seat of a request and locks bond(id) of the caller. The seal is sealOf(id, worker, output, salt).
    function seal(bytes32 id, bytes32 sealed_) external returns (uint8 status);

    /// @notice fulfill opens the caller's seal. The last one makes the answer, and, without a window, calls back and has the delivery fee.
    function fulfill(bytes32 id, uint32[] calldata output, bytes32 salt) external returns (uint8 status);

    /// @notice replay has every validator compute the answer, for the caller's gas, at any time before it is final. The caller gets half of the
    /// bonds of those who opened another one.
    function replay(bytes32 id) external returns (uint8 status);

    /// @notice deliver calls back with a final answer, if that has not succeeded yet. The first who does has the delivery fee, whether or not the
    /// callback fails; it needs so much gas that it cannot make it fail.
    function deliver(bytes32 id) external returns (bool success);

    /// @notice answer is what there is so far; empty with NO_ANSWER.
    function answer(bytes32 id) external view returns (uint8 finality, uint32[] memory output);

    /// @notice get is the request without its numbers.
    function get(bytes32 id) external view returns (Request memory);

    /// @notice inputOf is what the model is asked; only until the request is final.
    function inputOf(bytes32 id) external view returns (uint32[] memory);

    /// @notice wanted lists up to limit (at most 100) requests that are not final, in ascending order after an id.
    function wanted(bytes32 after_, uint256 limit) external view returns (bytes32[] memory ids);

    /// @notice requestsOf lists up to limit (at most 100) requests that an account has made or sealed an answer of, also those that have ended in the
    /// last 50,000 blocks, in ascending order after an id.
    function requestsOf(address account, bytes32 after_, uint256 limit) external view returns (bytes32[] memory ids);

    /// @notice cost is what a request with these terms locks: the workers' prices, the model's fee and the delivery fee.
    function cost(bytes32 model, Terms calldata terms) external view returns (uint256);

    /// @notice bond is what a worker locks.
    function bond(bytes32 id) external view returns (uint256);

    /// @notice sealOf is what a worker commits to. Keep the salt: without it nobody can open the seal.
    function sealOf(bytes32 id, address worker, uint32[] calldata output, bytes32 salt) external view returns (bytes32);
}

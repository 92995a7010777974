// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

// The registry precompile of every Mutirão node.
IRegistry constant REGISTRY = IRegistry(0x0000000000000000000000000000000000000902);

/// @title Who owns the models of the network, and what they are owed.
/// @notice A model has 1,000,000 parts. Each model's parts are also an ERC-20 token of its own, at the address that `token` gives.
interface IRegistry {
    /// @notice What a model is.
    struct Info {
        bytes32 program; // hash of the graph without its trained weights
        bytes32 weights; // state root of those
        bytes32 run; // that trained it; zero for one that was deposited
        bytes32 dataset;
        address author;
        bool proven; // every round of its run was verified; otherwise its origin is its author's word
        bool callable; // its bytes lie in the state of the chain
        uint32 inputs; // numbers, of a callable one
        uint32 outputs;
        uint64 macs; // multiply-accumulates of one call
        uint64 gas; // of one call, beside that of calling at all
        uint64 size; // bytes in the state
        uint64 uses;
        uint256 earned;
        uint256 fee; // of one use, in amut
    }

    /// @notice A model that another one is made from.
    struct Parent {
        bytes32 model;
        uint32 ppm; // of the 300,000 of 1,000,000 that are passed up
        bool proven; // the run began with exactly its weights
    }

    /// @notice Parts of a model went from one account to another by way of its token.
    event SharesMoved(bytes32 indexed model, address indexed from, address indexed to, uint256 parts);
    /// @notice A holder was paid what its parts had earned, by a contract's call.
    event DividendPaid(bytes32 indexed model, address indexed holder, uint256 amount);

    /// @notice No model with this id is registered.
    error ModelNotFound(bytes32 model);
    /// @notice The holder has fewer parts than the call would move.
    error NotEnoughShares(bytes32 model, address holder, uint256 parts);
    /// @notice Only the model's own token moves parts for others.
    error NotTheToken(address caller);
    /// @notice Nothing is due to this holder.
    error NothingDue(bytes32 model, address holder);
    /// @notice The model's bytes are not in the state of the chain.
    error NotStored(bytes32 model);
    /// @notice The call data is not an encoded call of this interface.
    error MalformedCall();
    /// @notice The call would change state within a static call or for borrowed code (DELEGATECALL, CALLCODE).
    error WriteProtected();

    /// @notice token is the address of the ERC-20 token that shows a model's parts; it depends on the id alone.
    function token(bytes32 model) external view returns (address);

    /// @notice exists tells whether a model is registered.
    function exists(bytes32 model) external view returns (bool);

    /// @notice info is what a model is.
    function info(bytes32 model) external view returns (Info memory);

    /// @notice parents is the lineage: what the model is made from.
    function parents(bytes32 model) external view returns (Parent[] memory);

    /// @notice artifact is the model itself, as its file: for eth_call, so that everybody can run it. Reverts with NotStored.
    function artifact(bytes32 model) external view returns (bytes memory);

    /// @notice modelName is what the model's author called it. Names are not unique.
    function modelName(bytes32 model) external view returns (string memory);

    /// @notice sharesOf is how many of the 1,000,000 parts an account holds.
    function sharesOf(bytes32 model, address holder) external view returns (uint256 parts);

    /// @notice due is what claim would pay now, in amut (18 decimals).
    function due(bytes32 model, address holder) external view returns (uint256 amount);

    /// @notice claim pays a holder what its parts have earned. Anybody may call it: the money goes to the holder.
    function claim(bytes32 model, address holder) external returns (uint256 amount);

    /// @notice moveShares gives parts to another account. What they earned before stays with the sender.
    /// Only the model's token may call it, which keeps ERC-20's rules.
    function moveShares(bytes32 model, address from, address to, uint256 parts) external returns (bool);
}

// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IInfer, INFER} from "../IInfer.sol";
import {IRegistry, REGISTRY} from "../IRegistry.sol";
import {IRequests, IAnswered, REQUESTS, SAMPLED, REPLAYED} from "../IRequests.sol";

/// @dev The cheatcodes of forge that are used here; forge-std's Vm has them too, and the two do not meet.
interface MutiraoVm {
    function etch(address target, bytes calldata code) external;
    function deal(address account, uint256 balance) external;
    function allowCheatcodes(address account) external;
    function rpc(string calldata url, string calldata method, string calldata params) external view returns (bytes memory);
    function toString(bytes calldata data) external pure returns (string memory);
    function toString(uint256 value) external pure returns (string memory);
}

MutiraoVm constant MUTIRAO_VM = MutiraoVm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

/// @title Stand-ins for the precompiles in forge's own EVM, which has none of them. For tests and scripts of forge only.
/// @notice Inherit it and call mutirao("http://127.0.0.1:8545") in setUp, with `mutirao dev` running there: what a model answers is asked of the
/// node and is true bit for bit, and so are fees, refusals and all that is read. Without a node, mutirao("") and answers(…) give the answers
/// that a test names. What the stand-ins do not show: the gas of a model, that preview is refused in a transaction, and other state of the
/// node than when it is asked. Hence the last test of a contract is one on the node itself.
abstract contract MutiraoTest {
    /// @notice mutirao puts the stand-ins where the precompiles are. url is a node, or empty.
    function mutirao(string memory url) internal {
        stand(address(INFER), type(InferStandIn).runtimeCode, url);
        stand(address(REGISTRY), type(ReadStandIn).runtimeCode, url);
        stand(0x0000000000000000000000000000000000000903, type(ReadStandIn).runtimeCode, url);
        stand(0x0000000000000000000000000000000000000904, type(ReadStandIn).runtimeCode, url);
        stand(0x0000000000000000000000000000000000000906, type(ReadStandIn).runtimeCode, url);
        stand(address(REQUESTS), type(RequestsStandIn).runtimeCode, url);
    }

    /// @notice modelNamed is the id of a model of the node, by its name.
    function modelNamed(string memory url, string memory name) internal view returns (bytes32) {
        return bytes32(MUTIRAO_VM.rpc(url, "mutirao_model", string.concat('["', name, '"]')));
    }

    /// @notice answers makes a model answer an input so, whatever a node says, for a fee.
    function answers(bytes32 model, uint32[] memory input, uint32[] memory output, uint256 fee) internal {
        InferStandIn(address(INFER)).set(model, input, output, fee);
    }

    /// @notice answerRequest gives a request the model's answer and calls back, as machines that agree do.
    function answerRequest(bytes32 id) internal returns (bool delivered) {
        return RequestsStandIn(payable(address(REQUESTS))).close(id, SAMPLED);
    }

    /// @notice refundRequest gives the money back, as when nobody answered in time.
    function refundRequest(bytes32 id) internal {
        RequestsStandIn(payable(address(REQUESTS))).refund(id);
    }

    function stand(address at, bytes memory code, string memory url) private {
        MUTIRAO_VM.etch(at, code);
        MUTIRAO_VM.allowCheatcodes(at);
        StandIn(payable(at)).node(url);
    }
}

/// @dev A stand-in knows a node and asks it.
abstract contract StandIn {
    mapping(bool => string) private urls; // a mapping, because in forge's rehearsal of a script the address has the storage of the node

    function url() internal view returns (string memory) {
        return urls[true];
    }

    error NoNode(); // mutirao("") knows only what answers(…) says

    function node(string calldata url_) external {
        urls[true] = url_;
    }

    /// @dev ask has the node call one of its precompiles and answers or reverts with the same bytes. The call is made by a constructor,
    /// which returns whether it succeeded and what came back, so that a revert is no error of JSON-RPC.
    function ask(address to, bytes memory data) internal view returns (bytes memory) {
        if (bytes(url()).length == 0) revert NoNode();
        bytes memory code = abi.encodePacked(hex"603180380380915f395f5f825f73", to, hex"5afa5f523d5f60203e3d6020015ff3", data);
        bytes memory got = MUTIRAO_VM.rpc(url(), "eth_call", string.concat('[{"data":"', MUTIRAO_VM.toString(code), '"},"latest"]'));
        bool ok = got[31] != 0;
        assembly {
            let size := sub(mload(got), 32)
            switch ok
            case 0 { revert(add(got, 64), size) }
            default {
                got := add(got, 32) // what came back is a text of its own, behind the word that said how it went
                mstore(got, size)
            }
        }
        return got;
    }

    function pay(address from, address to, uint256 amount) internal {
        MUTIRAO_VM.deal(from, from.balance - amount);
        MUTIRAO_VM.deal(to, to.balance + amount);
    }
}

/// @dev Reads of the node; what would write is refused by the node.
contract ReadStandIn is StandIn {
    fallback() external {
        bytes memory got = ask(address(this), msg.data);
        assembly {
            return(add(got, 32), mload(got))
        }
    }
}

contract InferStandIn is StandIn, IInfer {
    mapping(bytes32 question => uint32[]) private told;
    mapping(bytes32 model => uint256) private tolls;

    function set(bytes32 model, uint32[] calldata input, uint32[] calldata output, uint256 toll) external {
        told[keccak256(abi.encode(model, input))] = output;
        tolls[model] = toll;
    }

    function infer(bytes32 model, uint32[] calldata input) external returns (uint32[] memory output) {
        output = preview(model, input);
        uint256 due = fee(model);
        if (msg.sender.balance < due) revert FeeNotCovered(due);
        pay(msg.sender, address(REGISTRY), due);
        emit Used(model, msg.sender, due);
    }

    function preview(bytes32 model, uint32[] calldata input) public view returns (uint32[] memory) {
        uint32[] memory known = told[keccak256(abi.encode(model, input))];
        if (known.length > 0) return known;
        return abi.decode(ask(address(this), abi.encodeCall(IInfer.preview, (model, input))), (uint32[]));
    }

    function macs(bytes32 model) external view returns (uint64) {
        return abi.decode(ask(address(this), abi.encodeCall(IInfer.macs, (model))), (uint64));
    }

    function fee(bytes32 model) public view returns (uint256) {
        if (tolls[model] > 0) return tolls[model];
        return abi.decode(ask(address(this), abi.encodeCall(IInfer.fee, (model))), (uint256));
    }
}

/// @dev Requests live in the test; seals, bonds, disputes and windows do not exist. The test says when a request is answered or refunded.
contract RequestsStandIn is StandIn {
    struct Kept {
        IRequests.Request request;
        uint32[] input;
        uint32[] output;
        uint256 cost;
    }

    mapping(bytes32 => Kept) private kept;
    uint256 private count;

    receive() external payable {}

    function request(bytes32 model, uint32[] calldata input, IRequests.Terms calldata terms) external returns (bytes32 id) {
        INFER.preview(model, input); // reverts for a model that is not there and an input of another length
        uint256 total = cost(model, terms);
        if (msg.sender.balance < total) revert IRequests.NotCovered(total);
        pay(msg.sender, address(this), total);
        id = keccak256(abi.encode("mutirao stand-in", count++));
        Kept storage k = kept[id];
        k.request.requester = msg.sender;
        k.request.model = model;
        k.request.terms = terms;
        k.request.due = uint64(block.number) + terms.blocks;
        k.input = input;
        k.cost = total;
        emit IRequests.Requested(id, model, msg.sender, terms.workers, terms.price, INFER.fee(model), terms.deliveryFee);
    }

    function cost(bytes32 model, IRequests.Terms calldata terms) public view returns (uint256) {
        if (bytes(url()).length == 0) return terms.workers * terms.price + terms.deliveryFee + INFER.fee(model);
        return abi.decode(ask(address(this), abi.encodeCall(IRequests.cost, (model, terms))), (uint256));
    }

    function get(bytes32 id) external view returns (IRequests.Request memory) {
        return known(id).request;
    }

    function inputOf(bytes32 id) external view returns (uint32[] memory) {
        return known(id).input;
    }

    function answer(bytes32 id) external view returns (uint8, uint32[] memory) {
        Kept storage k = known(id);
        return (k.request.finality, k.output);
    }

    function replay(bytes32 id) external returns (uint8) {
        close(id, REPLAYED);
        return 4;
    }

    /// @notice close is not of the precompile: it answers with what the model says, pays the fee and calls back.
    function close(bytes32 id, uint8 finality) public returns (bool delivered) {
        Kept storage k = known(id);
        if (k.request.status != 0) revert IRequests.NotNow(k.request.status);
        k.output = INFER.preview(k.request.model, k.input);
        k.request.status = 4;
        k.request.finality = finality;
        pay(address(this), address(REGISTRY), INFER.fee(k.request.model));
        emit IRequests.Answered(id, msg.sender, finality, k.output);
        address to = k.request.terms.callback;
        if (to == address(0)) return true;
        try IAnswered(to).answered{gas: k.request.terms.callbackGas}(id, k.output, finality) {
            delivered = true;
            k.request.delivered = true;
            emit IRequests.Delivered(id, to, msg.sender);
        } catch (bytes memory reason) {
            emit IRequests.CallbackFailed(id, to, msg.sender, reason);
        }
    }

    /// @notice refund is not of the precompile: it gives the money back.
    function refund(bytes32 id) external {
        Kept storage k = known(id);
        if (k.request.status != 0) revert IRequests.NotNow(k.request.status);
        k.request.status = 5;
        pay(address(this), k.request.requester, k.cost);
    }

    function known(bytes32 id) private view returns (Kept storage k) {
        k = kept[id];
        if (k.request.requester == address(0)) revert IRequests.RequestNotFound(id);
    }
}

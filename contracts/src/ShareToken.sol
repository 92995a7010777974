// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {REGISTRY} from "./IRegistry.sol";

/// @dev The first word of storage. The ledger writes it when it puts the code at the token's address; no constructor runs there.
abstract contract OfModel {
    /// @notice model is the id of the model whose parts this token shows.
    bytes32 public model;
}

/// @title The parts of one model as an ERC-20 token.
/// @notice Balances are the registry's: a transfer here moves parts there, and parts that moved there have moved here. Only allowances
/// are kept in this contract. With four decimals, of 100.0000 in all, a wallet shows per cent of the model.
contract ShareToken is OfModel, ERC20 {
    uint256 private constant WHOLE = 1_000_000;
    bytes16 private constant DIGITS = "0123456789abcdef";

    constructor() ERC20("", "") {}

    /// @notice name is the model's, which its author chose.
    function name() public view override returns (string memory) {
        return string.concat("Shares of ", REGISTRY.modelName(model));
    }

    /// @notice symbol is SHARE- and the first eight digits of the model's id, so that no author can choose that of another token.
    function symbol() public view override returns (string memory) {
        bytes memory digits = new bytes(8);
        uint256 rest = uint256(model);
        for (uint256 i = 0; i < 8; i++) {
            digits[i] = DIGITS[rest >> 252];
            rest <<= 4;
        }
        return string.concat("SHARE-", string(digits));
    }

    /// @notice decimals is 4: a whole token is one per cent.
    function decimals() public pure override returns (uint8) {
        return 4;
    }

    /// @notice totalSupply never changes.
    function totalSupply() public pure override returns (uint256) {
        return WHOLE;
    }

    /// @notice balanceOf is how many parts an account holds.
    function balanceOf(address account) public view override returns (uint256) {
        return REGISTRY.sharesOf(model, account);
    }

    /// @dev Every transfer ends here; nothing mints or burns. The registry refuses what it calls no transfer: none, and to oneself.
    function _update(address from, address to, uint256 value) internal override {
        uint256 held = balanceOf(from);
        if (held < value) revert ERC20InsufficientBalance(from, held, value);
        if (value != 0 && from != to) REGISTRY.moveShares(model, from, to, value);
        emit Transfer(from, to, value);
    }
}

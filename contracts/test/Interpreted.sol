// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @notice What a small model costs without the precompile: layers of products in fixed point, interpreted. Weights are 16-bit integers with 12
/// binary places, kept in the code of a contract of their own, which is the cheapest place.
contract Interpreted {
    address private immutable data;
    uint256[] private sizes;

    constructor(bytes memory weights, uint256[] memory layers) {
        sizes = layers;
        bytes memory creation = abi.encodePacked(hex"61", uint16(weights.length), hex"80600a3d393df3", weights);
        address at;
        assembly {
            at := create(0, add(creation, 32), mload(creation))
        }
        require(at != address(0));
        data = at;
    }

    /// @notice run computes relu(x W + b) layer by layer, the last one without relu. x has 12 binary places.
    function run(int256[] memory x) external view returns (int256[] memory) {
        address at = data;
        uint256 length;
        assembly {
            length := extcodesize(at)
        }
        bytes memory w = new bytes(length);
        assembly {
            extcodecopy(at, add(w, 32), 0, length)
        }
        uint256[] memory layers = sizes;
        uint256 p;
        assembly {
            p := add(w, 2) // so that the last two bytes of a word are a weight
        }
        unchecked {
            for (uint256 l = 1; l < layers.length; l++) {
                uint256 n = layers[l - 1];
                uint256 m = layers[l];
                int256[] memory y = new int256[](m);
                for (uint256 j = 0; j < m; j++) {
                    int256 sum;
                    assembly {
                        let from := add(x, 32)
                        let end := add(from, mul(n, 32))
                        for {} lt(from, end) { from := add(from, 32) } {
                            sum := add(sum, mul(mload(from), signextend(1, mload(p))))
                            p := add(p, 2)
                        }
                        sum := add(sar(12, sum), signextend(1, mload(p)))
                        p := add(p, 2)
                    }
                    y[j] = sum < 0 && l + 1 < layers.length ? int256(0) : sum;
                }
                x = y;
            }
        }
        return x;
    }
}

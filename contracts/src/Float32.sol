// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title IEEE-754 binary32 numbers as bit patterns, in integer arithmetic only.
/// @notice Models take and give float32 bit patterns; contracts count in decimal fixed point. This library converts
/// between the two exactly as a correctly rounding parser does: to nearest, ties to even.
library Float32 {
    error NotFinite(uint32 bits);
    error TooLarge(int256 value);

    /// @notice fromDecimal returns the float32 nearest to value / 10**decimals, ties to even.
    /// @dev |value| < 2**127 and decimals <= 38, so that no intermediate leaves 256 bits; subnormal results are exact too.
    function fromDecimal(int256 value, uint8 decimals) internal pure returns (uint32) {
        if (value == 0) return 0;
        if (decimals > 38 || value >= 2 ** 127 || value <= -(2 ** 127)) revert TooLarge(value);
        uint32 sign = value < 0 ? 0x80000000 : 0;
        uint256 n = uint256(value < 0 ? -value : value);
        uint256 d = 10 ** uint256(decimals);

        // Scale by 2**shift so that the quotient has 24 bits, or fewer when the exponent is at its floor of -149.
        int256 shift = 24 + int256(bitLength(d)) - int256(bitLength(n));
        if (quotientBits(n, d, shift) > 24) shift -= 1;
        if (shift > 149) shift = 149;
        (uint256 top, uint256 bottom) = scaled(n, d, shift);
        uint256 q = top / bottom;
        uint256 twice = 2 * (top % bottom);
        if (twice > bottom || (twice == bottom && q & 1 == 1)) q += 1;

        // q * 2**-shift with q <= 2**24: adding the fraction to the exponent field carries as it should.
        int256 exponent = 150 - shift; // biased exponent of a number whose 24-bit significand is q
        if (q < 2 ** 23) return sign | uint32(q); // subnormal: shift is 149
        uint256 bits = (uint256(exponent - 1) << 23) + q;
        if (bits >= 0x7F800000) revert TooLarge(value);
        return sign | uint32(bits);
    }

    /// @notice toWad returns the number as fixed point with 18 decimals, truncated towards zero.
    function toWad(uint32 bits) internal pure returns (int256) {
        uint256 e = (bits >> 23) & 0xFF;
        if (e == 0xFF) revert NotFinite(bits);
        uint256 m = bits & 0x7FFFFF;
        if (e == 0) e = 1;
        else m |= 0x800000;
        uint256 wad = e >= 150 ? (m * 1e18) << (e - 150) : (m * 1e18) >> (150 - e);
        return bits >> 31 == 1 ? -int256(wad) : int256(wad);
    }

    function scaled(uint256 n, uint256 d, int256 shift) private pure returns (uint256, uint256) {
        return shift >= 0 ? (n << uint256(shift), d) : (n, d << uint256(-shift));
    }

    function quotientBits(uint256 n, uint256 d, int256 shift) private pure returns (uint256) {
        (uint256 top, uint256 bottom) = scaled(n, d, shift);
        return bitLength(top / bottom);
    }

    function bitLength(uint256 x) private pure returns (uint256 length) {
        for (uint256 step = 128; step > 0; step >>= 1) {
            if (x >> step != 0) {
                length += step;
                x >>= step;
            }
        }
        return x == 0 ? length : length + 1;
    }
}

"""Keccak-256, the hash of Ethereum: the Keccak submission of 2011, before NIST changed the padding for SHA-3.

Our own because the verifier needs little of it and a library costs more to import than to replace. FIPS 202
§3 describes the permutation; only the padding byte differs (0x01 here, 0x06 in SHA3-256), so `hashlib`
can't serve.
"""

_LANE = (1 << 64) - 1
_RATE = 136  # bytes absorbed at a time: 1600 bits less twice the 256 of the digest


def _round_constants() -> tuple[int, ...]:
    """The 24 constants of step ι, from the shift register of FIPS 202 §3.2.5, algorithm 5."""
    constants, register = [], 1
    for _ in range(24):
        constant = 0
        for j in range(7):
            constant |= (register & 1) << ((1 << j) - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)
        constants.append(constant)
    return tuple(constants)


def _lane_moves() -> tuple[tuple[int, int, int, int], ...]:
    """Steps ρ and π, FIPS 202 §3.2.2-3: (target, source, rotation, 64 - rotation) by rising target."""
    moves = {0: (0, 0)}
    x, y = 1, 0
    for t in range(24):
        target_x, target_y = y, (2 * x + 3 * y) % 5
        moves[target_x + 5 * target_y] = (x + 5 * y, (t + 1) * (t + 2) // 2 % 64)
        x, y = target_x, target_y
    return tuple((target, source, r, 64 - r) for target, (source, r) in sorted(moves.items()))


_CONSTANTS = _round_constants()
_MOVES = _lane_moves()


def keccak256(data: bytes) -> bytes:
    """The 32 bytes of Keccak-256 over `data`."""
    padded = bytearray(data) + bytes(_RATE - len(data) % _RATE)
    padded[len(data)] ^= 0x01
    padded[-1] ^= 0x80
    lanes = [0] * 25
    for start in range(0, len(padded), _RATE):
        for i in range(_RATE // 8):
            at = start + 8 * i
            lanes[i] ^= int.from_bytes(padded[at : at + 8], "little")
        lanes = _permute(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def _permute(a: list[int]) -> list[int]:
    """Keccak-f[1600] over 25 lanes, lane (x, y) at x + 5y."""
    for constant in _CONSTANTS:
        c = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]  # θ
        d = [c[x - 1] ^ ((c[x - 4] << 1 | c[x - 4] >> 63) & _LANE) for x in range(5)]
        a = [lane ^ d[i % 5] for i, lane in enumerate(a)]
        b = [(a[source] << left | a[source] >> right) & _LANE for _, source, left, right in _MOVES]  # ρ, π
        a = []
        for y in (0, 5, 10, 15, 20):  # χ
            b0, b1, b2, b3, b4 = b[y : y + 5]
            a += [b0 ^ (~b1 & b2), b1 ^ (~b2 & b3), b2 ^ (~b3 & b4), b3 ^ (~b4 & b0), b4 ^ (~b0 & b1)]
        a[0] ^= constant  # ι
    return a

"""Keccak-256, the hash of Ethereum: the Keccak submission of 2011, before NIST changed the padding for SHA-3.

Our own because the verifier needs little of it and a library costs more to import than to replace. FIPS 202
§3 describes the permutation; only the padding byte differs (0x01 here, 0x06 in SHA3-256), so `hashlib`
can't serve.

Python is slow by the operation, not by the bit. So texts are hashed side by side: lane (x, y) of every state
lies in one long integer, 64 bits each, and one operation moves them all. A hundred texts at once take some
10 µs a block each, one alone 600 µs.
"""

from collections.abc import Callable, Iterable, Sequence

Digest = Callable[[bytes], bytes]
"""Keccak-256, however it comes about."""

_LANE = (1 << 64) - 1
_RATE = 136  # bytes absorbed at a time: 1600 bits less twice the 256 of the digest
_ABREAST = 128  # states side by side; more would no longer fit the caches


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


def _lane_moves() -> tuple[tuple[int, int], ...]:
    """Steps ρ and π, FIPS 202 §3.2.2-3: (source, rotation to the left) of each target lane."""
    moves = {0: (0, 0)}
    x, y = 1, 0
    for t in range(24):
        target_x, target_y = y, (2 * x + 3 * y) % 5
        moves[target_x + 5 * target_y] = (x + 5 * y, (t + 1) * (t + 2) // 2 % 64)
        x, y = target_x, target_y
    return tuple(move for _, move in sorted(moves.items()))


_CONSTANTS = _round_constants()
_MOVES = _lane_moves()


def keccak256(data: bytes) -> bytes:
    """The 32 bytes of Keccak-256 over `data`."""
    return keccak256_each([data])[0]


def keccak256_each(texts: Sequence[bytes]) -> list[bytes]:
    """The Keccak-256 of each text, 32 bytes, in their order; much faster than one by one."""
    digests = [b""] * len(texts)
    by_length = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # neighbours end together
    for start in range(0, len(by_length), _ABREAST):
        some = by_length[start : start + _ABREAST]
        for i, digest in zip(some, _abreast([_pad(texts[i]) for i in some]), strict=True):
            digests[i] = digest
    return digests


def hash_ahead(texts: Iterable[bytes]) -> Digest:
    """Return a Keccak-256 that has hashed these texts already, side by side, and hashes others when asked."""
    unique = list(dict.fromkeys(texts))
    known = dict(zip(unique, keccak256_each(unique), strict=True))
    return lambda text: known[text] if text in known else keccak256(text)


def _pad(data: bytes) -> bytes:
    """The whole blocks that are absorbed: `data`, a one bit, zeros, a one bit."""
    padded = bytearray(data) + bytes(_RATE - len(data) % _RATE)
    padded[len(data)] ^= 0x01
    padded[-1] ^= 0x80
    return bytes(padded)


def _abreast(padded: list[bytes]) -> list[bytes]:
    """The digests of padded texts of rising length: those that have ended drop out at the low end."""
    lanes, digests, permute = [0] * 25, list[bytes](), _Permutation(len(padded))
    for start in range(0, len(padded[-1]), _RATE):
        ended = sum(len(each) <= start for each in padded) - len(digests)
        if ended:
            digests += _squeeze(lanes, ended)
            lanes = [lane >> 64 * ended for lane in lanes]
            permute = _Permutation(len(padded) - len(digests))
        going = padded[len(digests) :]
        for i in range(_RATE // 8):
            at = start + 8 * i
            lanes[i] ^= int.from_bytes(b"".join(each[at : at + 8] for each in going), "little")
        lanes = permute(lanes)
    return digests + _squeeze(lanes, len(padded) - len(digests))


def _squeeze(lanes: list[int], count: int) -> list[bytes]:
    """The digests of the `count` lowest states: their first four lanes."""
    mask = (1 << 64 * count) - 1
    columns = [(lane & mask).to_bytes(8 * count, "little") for lane in lanes[:4]]
    return [b"".join(column[8 * i : 8 * i + 8] for column in columns) for i in range(count)]


class _Permutation:
    """Keccak-f[1600] over `count` states side by side: 25 lanes, lane (x, y) at x + 5y."""

    def __init__(self, count: int) -> None:
        ones = int.from_bytes((b"\x01" + bytes(7)) * count, "little")  # 1 in each state's lane
        low = [ones * ((1 << r) - 1) for r in range(64)]
        every = ones * _LANE
        self._constants = [ones * constant for constant in _CONSTANTS]
        self._moves = [(source, r, 64 - r, every ^ low[r], low[r]) for source, r in _MOVES]
        self._high_1, self._low_1 = every ^ ones, ones

    def __call__(self, a: list[int]) -> list[int]:
        """The states after 24 rounds. A rotation keeps each state's bits apart by two masks."""
        high_1, low_1 = self._high_1, self._low_1
        for constant in self._constants:
            c = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]  # θ
            d = [c[x - 1] ^ (c[x - 4] << 1 & high_1 | c[x - 4] >> 63 & low_1) for x in range(5)]
            a = [lane ^ d[i % 5] for i, lane in enumerate(a)]
            b = [
                a[s] << left & high | a[s] >> right & low for s, left, right, high, low in self._moves
            ]  # ρ, π
            a = []
            for y in (0, 5, 10, 15, 20):  # χ
                b0, b1, b2, b3, b4 = b[y : y + 5]
                a += [b0 ^ (b2 & ~b1), b1 ^ (b3 & ~b2), b2 ^ (b4 & ~b3), b3 ^ (b0 & ~b4), b4 ^ (b1 & ~b0)]
            a[0] ^= constant  # ι
        return a

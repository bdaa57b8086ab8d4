"""Request ids: UUIDs of version 7 (RFC 9562, section 5.7), which sort by the time they were made."""

from uuid import UUID

# 74 of these bits are used: version and variant replace the others.
ENTROPY_BYTES = 10


def uuid7(moment_ms: int, entropy: bytes) -> str:
    """A UUIDv7 from a time in ms since 1970 and ten random bytes, both passed in so that a replay gives the same id."""
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"a UUIDv7 takes {ENTROPY_BYTES} random bytes, not {len(entropy)}")
    value = int.from_bytes(moment_ms.to_bytes(6, "big") + entropy, "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(UUID(int=value))

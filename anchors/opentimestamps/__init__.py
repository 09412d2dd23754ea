"""OpenTimestamps: a checkpoint's digest under the Merkle root of a Bitcoin block, by way of calendars."""

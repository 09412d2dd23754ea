"""The event types, by what they are about; `table` has them all."""

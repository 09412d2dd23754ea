"""Notices: the feed of what happened, and the webhooks that tell other systems."""

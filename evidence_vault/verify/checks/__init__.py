"""The checks, one row or two of the report a file. Each takes what is trusted and what was supplied apart."""

"""Headers files of any network: what `headers fetch` wrote, and which kind it is."""

from anchors.ethereum.headers import HeadersFile, parse_headers
from anchors.opentimestamps.headers import BitcoinHeaders, is_bitcoin_headers, parse_bitcoin_headers

AnyHeaders = HeadersFile | BitcoinHeaders


def parse_any_headers(data: bytes) -> AnyHeaders:
    """Read a headers file of whichever kind. Raises FormatError."""
    return parse_bitcoin_headers(data) if is_bitcoin_headers(data) else parse_headers(data)

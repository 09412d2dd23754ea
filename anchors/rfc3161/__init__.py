"""RFC 3161 time-stamps: parsed and verified strictly, obtained, and made for development.

    der · algorithms         the encoding and the cryptography
    cms · token · ess        what was sent: the signed message, requests, responses, tokens, certificate ids
    certificate · path       X.509, and a path to a trusted root for a `purpose`
    message · verify         the numbered checks, without and with trust
    revocation · verdict     carried CRLs and OCSP responses; what is concluded, and until when it stands
    verifier · submit        the doors of `anchors.base`
    devtsa                   an authority for development

`verify`, `verifier` and what they import load neither a network client nor `submit` nor `devtsa`.
"""

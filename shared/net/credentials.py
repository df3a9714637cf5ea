"""What a client or worker shows a master, and whom it trusts: TLS or not, certificates, and a token."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InvalidInput

#: The characters of a token (RFC 6750): what a header can carry without being quoted.
TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to reach a master: `tls` trusts the public authorities, `tls_ca` those in a file (which is TLS as well).

    `tls_cert` and `tls_key` are this side's own certificate, for a master that asks for one. The token is given as
    such or in a file, which is read again for each new connection. Raises InvalidInput for what does not fit together.
    """

    tls: bool = False
    tls_ca: str | os.PathLike[str] | None = None
    tls_cert: str | os.PathLike[str] | None = None
    tls_key: str | os.PathLike[str] | None = None
    token: str = field(default="", repr=False)
    token_file: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise InvalidInput("--tls-cert and --tls-key belong together: give both, or neither")
        if self.tls_cert is not None and not self.encrypted:
            raise InvalidInput("--tls-cert is of use with TLS only: give --tls-ca FILE as well, or --tls")
        if self.token and self.token_file is not None:
            raise InvalidInput("a token and a file with a token are given: which of them? Leave one out")

    @property
    def encrypted(self) -> bool:
        """Whether connections are made with TLS."""
        return self.tls or self.tls_ca is not None

    @property
    def has_token(self) -> bool:
        """Whether a token is shown."""
        return bool(self.token) or self.token_file is not None

    def read_token(self) -> str:
        """The token, from its file if need be; empty where there is none. Raises InvalidInput, never with the token."""
        token, place = self.token, "the token"
        if self.token_file is not None:
            place = f"--token-file {os.fspath(self.token_file)}"
            try:
                token = Path(self.token_file).read_text(encoding="ascii").strip()
            except OSError as error:
                raise InvalidInput(f"{place}: cannot be read: {error.strerror or error}") from error
            except ValueError as error:
                raise InvalidInput(f"{place}: holds more than a token, which is one line of ASCII") from error
        if self.has_token and not TOKEN.fullmatch(token):
            raise InvalidInput(f"{place}: is no token: one line of letters, digits and - . _ ~ + / is wanted")
        return token


#: A plaintext connection, and no token.
NO_CREDENTIALS = Credentials()

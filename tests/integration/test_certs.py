"""`rungmaster certs` and `rungmaster token` make all that a master, workers and people need under TLS."""

from __future__ import annotations

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from e2e.cluster import Cluster

from rungmaster.client import Client
from rungmaster.client.cli.main import execute
from rungmaster.shared.errors import TlsError, Unauthenticated
from rungmaster.shared.net.certificates import read_authorities, read_pair
from rungmaster.shared.net.credentials import Credentials


def make(folder: Path, *arguments: str) -> int:
    return execute(["certs", "make", "--out", str(folder), *arguments])


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_a_call_makes_what_everybody_needs_and_tells_whom_to_give_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new" / "certs"
    assert make(folder, "--host", "head", "--host", "10.0.0.5", "--client", "alice") == 0
    private = dict.fromkeys(("ca.pem", "ca.key", "head.pem", "head.key", "alice.pem", "alice.key"), 0o600)
    assert modes(folder) == private
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    read_authorities("--tls-ca", folder / "ca.pem")
    for name in ("head", "alice"):
        read_pair(folder / f"{name}.pem", folder / f"{name}.key")
    names = certificate(folder / "head.pem").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["head", "localhost"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.5", "127.0.0.1", "::1"]
    told = capsys.readouterr().out
    year = datetime.now(UTC) + timedelta(days=365)
    assert f"for head, 10.0.0.5 (until {year:%Y-%m-%d}" in told
    for option in ("--tls-ca", "--tls-client-ca", f"--tls-cert {folder}/head.pem --tls-key {folder}/head.key"):
        assert option in told


def test_another_call_has_the_same_authority_sign_more(tmp_path: Path) -> None:
    assert make(tmp_path, "--host", "head") == 0
    authority = (tmp_path / "ca.pem").read_bytes()
    assert make(tmp_path, "--host", "spare", "--client", "alice", "--days", "7") == 0
    assert (tmp_path / "ca.pem").read_bytes() == authority
    for name in ("head", "spare", "alice"):
        certificate(tmp_path / f"{name}.pem").verify_directly_issued_by(certificate(tmp_path / "ca.pem"))
    left = certificate(tmp_path / "spare.pem").not_valid_after_utc - datetime.now(UTC)
    assert timedelta(days=6) < left < timedelta(days=8)


def test_nothing_is_written_over_and_nothing_is_made_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert make(tmp_path, "--host", "head") == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert make(tmp_path, "--client", "new", "--host", "head") == 2
    assert f"{tmp_path / 'head.pem'} exists already, and nothing is written over" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "nothing to make: give --host for a master, or --client for a caller"),
        (("--host", "head:50051"), "--host head:50051: is neither a name nor an address of a host"),
        (("--host", "10.0.0.256"), "--host 10.0.0.256: is neither a name nor an address of a host"),
        (("--host", "a", "--host", "../b"), "--host ../b: is neither a name nor an address of a host"),
        (("--client", "../b"), "--client ../b: a name has 1 to 64 letters, digits"),
        (("--client", "ca"), "ca: would name the files of two certificates"),
        (("--host", "head", "--client", "head"), "head: would name the files of two certificates"),
    ],
)
def test_what_cannot_be_made_is_told_before_anything_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    assert make(tmp_path / "certs", *arguments) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "certs").exists()


def test_an_authority_that_is_not_whole_signs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make(tmp_path, "--host", "head") == 0
    key = tmp_path / "ca.key"
    key.chmod(0o640)
    assert make(tmp_path, "--host", "spare") == 2
    assert f"{key}: others may read or write it (mode 640): chmod 600" in capsys.readouterr().err
    content = key.read_bytes()
    key.chmod(0o600)
    key.write_bytes((tmp_path / "head.key").read_bytes())
    assert make(tmp_path, "--host", "spare") == 2
    assert "are not of the same pair" in capsys.readouterr().err
    key.unlink()
    assert make(tmp_path, "--host", "spare") == 2
    assert f"{key} is missing: only who has it can sign" in capsys.readouterr().err
    key.touch(0o600)
    key.write_bytes(content)
    assert make(tmp_path, "--host", "spare") == 0


def test_a_master_and_its_callers_use_what_was_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Real gRPC over TLS: certificates at both ends, a token that counts, one that was revoked, a stranger."""
    certs, tokens = tmp_path / "certs", tmp_path / "tokens.yaml"
    assert make(certs, "--host", "127.0.0.1", "--client", "alice") == 0
    assert make(tmp_path / "others", "--client", "mallory") == 0
    for name, role in (("alice", "admin"), ("wall", "viewer")):
        created = ["token", "create", name, "--role", role, "--tokens", str(tokens)]
        assert execute([*created, "--out", str(tmp_path / f"{name}.token")]) == 0
    cluster = Cluster(tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}")
    try:
        master = cluster.start(
            "master",
            *("master", "--listen", cluster.address, "--db", cluster.database, "--tokens", str(tokens)),
            *("--tls-cert", str(certs / "127.0.0.1.pem"), "--tls-key", str(certs / "127.0.0.1.key")),
            *("--tls-client-ca", str(certs / "ca.pem")),
        )
        master.wait_for_line("ready on")

        def calls_as(name: str, folder: Path = certs, person: str = "alice") -> None:
            own = folder / f"{person}.pem", folder / f"{person}.key"
            credentials = Credentials(False, certs / "ca.pem", *own, "", tmp_path / f"{name}.token")
            with Client(cluster.address, credentials=credentials, timeout=10) as client:
                assert client.workers() == ()

        calls_as("alice")
        calls_as("wall")
        with pytest.raises(TlsError):
            calls_as("alice", tmp_path / "others", "mallory")
        assert execute(["token", "revoke", "wall", "--tokens", str(tokens)]) == 0
        master.wait_for_line("tokens were read again: 1")
        with pytest.raises(Unauthenticated, match="was it revoked"):
            calls_as("wall")
        assert master.terminate() == 0
    finally:
        cluster.close()


def test_a_master_has_no_use_for_a_callers_certificate(tmp_path: Path) -> None:
    """What a caller has must not do to pass for the master."""
    assert make(tmp_path, "--host", "localhost", "--client", "alice") == 0
    purposes = [
        certificate(tmp_path / f"{name}.pem").extensions.get_extension_for_class(x509.ExtendedKeyUsage).value[0]
        for name in ("localhost", "alice")
    ]
    assert purposes == [x509.OID_SERVER_AUTH, x509.OID_CLIENT_AUTH]
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=tmp_path / "ca.pem")
    server.load_cert_chain(tmp_path / "alice.pem", tmp_path / "alice.key")
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for end in (ours, theirs):
        with pytest.raises(ssl.SSLWantReadError):
            end.do_handshake()
    with pytest.raises(ssl.SSLCertVerificationError, match="unsuitable certificate purpose"):
        ours.do_handshake()

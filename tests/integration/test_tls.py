"""TLS that is set up differently at the two ends fails at once and says what is wrong; the server serves on."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e.cluster import Cluster, Process, wait_for

from rungmaster.client import Client
from rungmaster.shared.errors import TlsError
from rungmaster.shared.net.credentials import NO_CREDENTIALS, Credentials
from rungmaster.shared.net.diagnosis import diagnose
from rungmaster.worker.agent import Agent
from rungmaster.worker.settings import WorkerSettings

from .certificates import Authority, Pair
from .raw_session import Refused, raw_session

#: Seconds for which callers would try, if they tried again: more than a test may take.
FOR_EVER = 600.0


@dataclass
class Site:
    """The masters of the tests, one of each kind, and the files of whoever calls them."""

    folder: Path
    authority: Authority
    stranger: Authority
    namesake: Authority
    own: Pair
    strange: Pair
    old: Pair
    masters: dict[str, tuple[str, Process]]

    def address(self, kind: str) -> str:
        return self.masters[kind][0]

    def credentials(self, authority: Authority | None = None, own: Pair | None = None) -> Credentials:
        ca = (authority or self.authority).path
        return Credentials(tls_ca=ca, tls_cert=own and own.certificate, tls_key=own and own.key)


def start(folder: Path, name: str, pair: Pair | None, *options: str) -> tuple[Cluster, Process]:
    cluster = Cluster(folder, f"sqlite:///{folder / name}.db")
    encrypted = () if pair is None else ("--tls-cert", str(pair.certificate), "--tls-key", str(pair.key))
    listen = ("--listen", cluster.address, "--db", cluster.database)
    return cluster, cluster.start(name, "master", *listen, *encrypted, *options)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("tls")
    authority, stranger = Authority(folder, "authority"), Authority(folder, "stranger")
    (folder / "namesake").mkdir()
    namesake = Authority(folder / "namesake", "authority")
    started = {
        "plain": start(folder, "plain", None),
        "tls": start(folder, "tls", authority.issue("good")),
        "expired": start(folder, "expired", authority.issue("expired", expired=True)),
        "elsewhere": start(folder, "elsewhere", authority.issue("elsewhere", ("elsewhere.example",))),
        "mutual": start(folder, "mutual", authority.issue("mutual"), "--tls-client-ca", str(authority.path)),
    }
    for _, process in started.values():
        process.wait_for_line("ready on")
    own, strange, old = authority.issue("own"), stranger.issue("strange"), authority.issue("old", expired=True)
    masters = {name: (cluster.address, process) for name, (cluster, process) in started.items()}
    yield Site(folder, authority, stranger, namesake, own, strange, old, masters)
    for cluster, process in started.values():
        assert process.popen.poll() is None, "a master did not live on"
        cluster.close()


#: The kind of master, what its caller was told, and what the caller has to be told then.
FAULTS: dict[str, tuple[str, Callable[[Site], Credentials], str]] = {
    "plaintext to TLS": ("tls", lambda site: NO_CREDENTIALS, "speaks TLS: give --tls-ca"),
    "plaintext to mutual TLS": ("mutual", lambda site: NO_CREDENTIALS, "speaks TLS: give --tls-ca"),
    "a token in plaintext to TLS": ("tls", lambda site: Credentials(token="t" * 32), "speaks TLS: give --tls-ca"),
    "TLS to plaintext": ("plain", lambda site: site.credentials(), "does not speak TLS: start it with --tls-cert"),
    "another authority": ("tls", lambda site: site.credentials(site.stranger), "signed by none of the authorities in"),
    "another authority of the same name": (
        "tls",
        lambda site: site.credentials(site.namesake),
        "signed by none of the authorities in",
    ),
    "public authorities": ("tls", lambda site: Credentials(tls=True), "signed by none of the public authorities"),
    "expired": ("expired", lambda site: site.credentials(), "has expired: renew it"),
    "another host": ("elsewhere", lambda site: site.credentials(), "is for another host: 127.0.0.1 has to be one"),
    "no certificate": ("mutual", lambda site: site.credentials(), "asks for a certificate: give one by --tls-cert"),
    "a stranger's certificate": (
        "mutual",
        lambda site: site.credentials(own=site.strange),
        "does not accept the certificate",
    ),
    "an expired certificate": (
        "mutual",
        lambda site: site.credentials(own=site.old),
        "does not accept the certificate",
    ),
}


def good_credentials(site: Site, kind: str) -> Credentials:
    return NO_CREDENTIALS if kind == "plain" else site.credentials(own=site.own if kind == "mutual" else None)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_client_learns_at_once_what_is_wrong_with_tls(site: Site, fault: str) -> None:
    kind, credentials, words = FAULTS[fault]
    with Client(site.address(kind), timeout=FOR_EVER, credentials=credentials(site)) as client:
        with pytest.raises(TlsError, match=words) as caught:
            client.master_info()
        assert "\n" not in str(caught.value)
        assert site.address(kind) in str(caught.value)
    if kind in ("plain", "tls", "mutual"):
        with Client(site.address(kind), credentials=good_credentials(site, kind)) as client:
            assert client.master_info().term == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_a_worker_learns_at_once_what_is_wrong_with_tls(site: Site, fault: str) -> None:
    kind, credentials, words = FAULTS[fault]
    settings = WorkerSettings(
        addresses=(site.address(kind),),
        directory=site.folder,
        logs=site.folder / "logs",
        connect_timeout_s=FOR_EVER,
        credentials=credentials(site),
    )
    with pytest.raises(TlsError, match=words):
        asyncio.run(Agent(settings).run())


@pytest.mark.parametrize("kind", ["plain", "tls", "mutual"])
def test_where_nothing_is_wrong_nothing_is_found(site: Site, kind: str) -> None:
    assert diagnose(site.address(kind), good_credentials(site, kind)) is None


def test_a_master_that_is_away_is_not_taken_for_one_with_other_tls(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        for credentials in (NO_CREDENTIALS, site.credentials(), Credentials(tls=True)):
            assert diagnose(address, credentials, patience_s=0.1) is None
    for credentials in (NO_CREDENTIALS, site.credentials()):
        assert diagnose(address, credentials) is None


def test_one_command_is_one_line_and_exit_code_1(site: Site) -> None:
    cluster = Cluster(site.folder, "")
    try:
        client = cluster.start("list", "list", "--master", site.address("tls"))
        worker = cluster.start("worker", "worker", "--master", site.address("tls"))
        for process in (client, worker):
            assert process.popen.wait(60) == 1
            wait_for("its error", lambda process=process: process.lines)
            assert len(process.lines) == 1
            assert process.lines[0].startswith(f"Error: the master at {site.address('tls')} speaks TLS")
    finally:
        cluster.close()


def test_a_renewed_certificate_is_shown_to_whoever_connects_next(site: Site, tmp_path: Path) -> None:
    pair = Authority(tmp_path, "authority").issue("head")
    cluster, master = start(tmp_path, "renewed", pair)
    try:
        master.wait_for_line("ready on")
        with pytest.raises(TlsError, match="signed by none"):
            serve_number(cluster.address, site.credentials())
        for broken in ("junk", site.own.certificate.read_text()):
            pair.certificate.write_text(broken)
            with pytest.raises(TlsError, match="signed by none"):
                serve_number(cluster.address, site.credentials())
        master.wait_for_line("the certificate is still the one from before: --tls-cert")
        pair.key.write_bytes(site.own.key.read_bytes())
        assert serve_number(cluster.address, site.credentials()) == 1
    finally:
        cluster.close()


def serve_number(address: str, credentials: Credentials) -> int:
    with Client(address, timeout=FOR_EVER, credentials=credentials) as client:
        return client.master_info().term


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--tls-cert", "own.pem"), "belong together"),
        (("--tls-client-ca", "authority.pem"), "of use with TLS only"),
        (("--tls-cert", "own.pem", "--tls-key", "strange.key"), "are not of the same pair"),
        (("--tls-cert", "own.key", "--tls-key", "own.key"), "are no certificate and unencrypted private key"),
        (("--tls-cert", "own.pem", "--tls-key", "own.key", "--tls-client-ca", "own.key"), "holds no certificates"),
        (("--tls-cert", "own.pem", "--tls-key", "nothing.key"), "does not exist"),
        (("--tokens", "own.pem"), "own.pem"),
        (("--listen", "0.0.0.0:0"), "without --tls-cert and --tls-key (nothing is encrypted) and without --tokens"),
        (("--listen", "[::]:0", "--tls-cert", "own.pem", "--tls-key", "own.key"), "reach it without --tokens"),
    ],
)
def test_a_master_that_would_not_be_safe_does_not_start(site: Site, options: tuple[str, ...], words: str) -> None:
    cluster = Cluster(site.folder, "")
    try:
        master = cluster.start("unsafe", "master", "--listen", "127.0.0.1:0", "--db", "unsafe.db", *options)
        assert master.popen.wait(60) == 2
        wait_for("its error", lambda: master.lines)
        assert words in master.lines[0]
        assert not (site.folder / "unsafe.db").exists()
    finally:
        cluster.close()


def test_other_machines_are_let_in_where_that_is_wanted(tmp_path: Path) -> None:
    cluster, master = start(tmp_path, "open", None, "--listen", "0.0.0.0:0", "--insecure")
    try:
        master.wait_for_line("ready on 0.0.0.0:")
        assert "warning: 0.0.0.0:0 can be reached from other machines, without --tls-cert" in master.lines[0]
    finally:
        cluster.close()


def test_a_worker_is_known_by_its_certificate_where_no_token_is_asked_for(site: Site) -> None:
    async def story() -> None:
        own, another = site.credentials(own=site.own), site.credentials(own=site.authority.issue("another"))
        async with raw_session(site.address("mutual"), "certified", credentials=own) as opened:
            await opened.hello(worker="calls itself alice")
            with Client(site.address("mutual"), credentials=own) as client:
                (shown,) = [each for each in client.workers() if each.session_id == "certified"]
                assert (shown.worker, shown.identity) == ("calls itself alice", "own")
            async with raw_session(site.address("mutual"), "certified", credentials=another) as thief:
                with pytest.raises(Refused, match="was opened with another token or certificate"):
                    await thief.hello()

    asyncio.run(story())

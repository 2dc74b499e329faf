"""Two tokens with the same keys: one is killed, locked, hangs or comes back, and nobody notices."""

import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TypeVar

import pkcs11
import pytest
from pkcs11 import Attribute, ObjectClass

from hsm.backup import back_up, restore
from hsm.failover import FailoverSessions, Member
from hsm.generation import Export
from hsm.pool import REPLICATION, TokenPool
from hsm.secret_keys import SecretUse
from hsm.sessions import PooledSession, Sessions
from hsm.token import Token
from hsm.token_key import TokenKey
from kernel.algorithms import ECDSA_P256_SHA256
from kernel.clock import SystemClock
from kernel.refusals import Conflict, Unavailable, Unprocessable
from tests.servers.token_server import TokenServer, Told, two_servers
from tests.token import TokenBench

T = TypeVar("T")


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules are initialised anew, and tokens tried, without a long pause between two tries."""
    monkeypatch.setattr("hsm.module._RELOAD_PAUSE_SECONDS", 0.1)
    monkeypatch.setattr("hsm.failover._LONGEST_PAUSE", 0.4)


@pytest.fixture(scope="module")
def token_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[TokenServer]]:
    with two_servers(tmp_path_factory.mktemp("served")) as servers:
        yield servers


@pytest.fixture(scope="module")
def told() -> Told:
    return Told()


@pytest.fixture(scope="module")
def pool(token_servers: list[TokenServer], told: Told) -> Iterator[TokenPool]:
    first, second = (server.open() for server in token_servers)
    made = TokenPool([first, second], told)
    yield made
    made.close()


class Load:
    """Requests from several threads for as long as the block lasts; none may fail."""

    def __init__(self, pool: TokenPool) -> None:
        self._key = pool.key("issuing")
        self._index = pool.secret_key("index")
        self._known = self._index.mac(b"known")
        self._stop = threading.Event()
        self.done = 0
        self.failures: list[str] = []

    def __enter__(self) -> "Load":
        self._threads = ThreadPoolExecutor(4)
        self._running = [self._threads.submit(self._work) for _ in range(4)]
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._threads.shutdown()
        for one in self._running:
            one.result()

    def _work(self) -> None:
        while not self._stop.is_set():
            message = secrets.token_bytes(8)
            try:
                assert self._key.public_key.verify(
                    self._key.suite, self._key.sign(message), message
                )
                assert self._index.mac(b"known") == self._known
            except Unavailable as refusal:
                self.failures.append(str(refusal))
            self.done += 1

    def goes_on(self, requests: int = 100) -> None:
        """Wait until so many more were served."""
        wanted, deadline = self.done + requests, time.monotonic() + 30
        while self.done < wanted:
            assert time.monotonic() < deadline
            time.sleep(0.005)


def test_a_token_is_killed_and_returns_under_load_and_no_request_fails(
    pool: TokenPool, token_servers: list[TokenServer], told: Told
) -> None:
    begun = len(told)
    with Load(pool) as load:
        load.goes_on()
        for server in token_servers:
            before = len(told)
            server.kill()
            told.await_(lambda so_far, n=before: len(so_far) > n)  # type: ignore[misc]
            load.goes_on()
            assert list(pool.left_out) == [server.label]
            server.start()
            told.await_(lambda so_far: so_far[-1][1] is None)
            assert pool.left_out == {}
            load.goes_on()
    assert load.failures == []
    assert [token for token, _ in told[begun:]] == ["one", "one", "two", "two"]


def test_a_returned_token_serves_alone(
    pool: TokenPool, token_servers: list[TokenServer], told: Told
) -> None:
    """It came back with its keys in use, not only in name."""
    first, second = token_servers
    first.kill()
    message = b"alone"
    key = pool.key("issuing")
    assert all(key.public_key.verify(key.suite, key.sign(message), message) for _ in range(4))
    first.start()
    told.await_(lambda so_far: so_far[-1] == ("one", None))
    second.kill()
    assert all(key.public_key.verify(key.suite, key.sign(message), message) for _ in range(4))
    second.start()
    told.await_(lambda so_far: so_far[-1] == ("two", None))


class Pulled:
    """A token's sessions with a switch."""

    told_of_signature: Callable[[str], None] | None = None

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self.is_away = False

    def run(self, work: Callable[[PooledSession], T]) -> T:
        if self.is_away:
            raise Unavailable("token.missing", "pulled")
        return self._sessions.run(work)

    def write(self) -> AbstractContextManager[pkcs11.Session]:
        if self.is_away:
            raise Unavailable("token.missing", "pulled")
        return self._sessions.write()

    def writing(self, work: Callable[[], T]) -> T:
        return self._sessions.writing(work)

    def close(self) -> None:
        self._sessions.close()


def test_what_is_made_while_a_token_is_away_is_there_when_it_returns(
    token_bench: TokenBench,
) -> None:
    one, two = token_bench.new_token("left"), token_bench.new_token("right")
    one.generate_secret(REPLICATION, SecretUse.WRAP, export=Export.WRAPPED)
    key = secrets.token_bytes(32)
    restore(two, back_up(one, key, SystemClock().now())[0], key)
    switches = [Pulled(one._pool), Pulled(two._pool)]
    one._pool, two._pool = switches
    told = Told()
    copied: list[tuple[str, str, str]] = []
    pool = TokenPool([one, two], told, lambda *copy: copied.append(copy))
    both = pool.generate_shared("seal-1", ECDSA_P256_SHA256)
    assert one.key("seal-1").public_key == two.key("seal-1").public_key == both.public_key
    assert copied == [("seal-1", "left", "right")]
    wrapping = pool.generate_secret("escrow-2", SecretUse.WRAP, export=Export.WRAPPED)
    assert one.secret_key("escrow-2").is_same_as(two.secret_key("escrow-2"))
    assert wrapping.use is SecretUse.WRAP
    assert copied.pop() == ("escrow-2", "left", "right")
    pool.generate_secret("stays", SecretUse.MAC)
    switches[1].is_away = True
    while not pool.left_out:
        pool.key_labels()
    made = pool.generate_shared("seal-2", ECDSA_P256_SHA256)
    pool.generate_secret("escrow-3", SecretUse.WRAP, export=Export.WRAPPED)
    with pytest.raises(Conflict, match=r"pool\.token-away"):
        pool.destroy("seal-2")
    switches[1].is_away = False
    told.await_(lambda so_far: so_far[-1] == ("right", None))
    assert copied[1:] == [("seal-2", "left", "right"), ("escrow-3", "left", "right")]
    assert one.secret_key("escrow-3").is_same_as(two.secret_key("escrow-3"))
    assert "stays" not in two.secret_labels()
    switches[0].is_away = True
    assert made.public_key.verify(made.suite, made.sign(b"right"), b"right")
    switches[0].is_away = False
    told.await_(lambda so_far: so_far[-1] == ("left", None))
    assert pool.destroy("seal-2") == made.public_key.fingerprint
    assert pool.key_labels() == ["seal-1"]
    pool.close()


def test_what_never_leaves_stays_on_one_token_and_what_is_shared_says_so(
    token_bench: TokenBench,
) -> None:
    one, two = token_bench.new_token("never-one"), token_bench.new_token("never-two")
    one.generate_secret(REPLICATION, SecretUse.WRAP, export=Export.WRAPPED)
    key = secrets.token_bytes(32)
    restore(two, back_up(one, key, SystemClock().now())[0], key)
    pool = TokenPool([one, two])
    for label, export in (("stays", Export.NEVER), ("leaves", Export.WRAPPED)):
        pool.generate(label, ECDSA_P256_SHA256, export=export)
        assert one.export_of(label) is export
    pool.generate("by-default", ECDSA_P256_SHA256)
    assert one.export_of("by-default") is Export.NEVER
    pool.generate_shared("service", ECDSA_P256_SHA256)
    assert one.export_of("service") is two.export_of("service") is Export.WRAPPED
    assert sorted(two.key_labels()) == ["leaves", "service"]
    with pytest.raises(Unavailable):
        one.secret_key(REPLICATION).wrap("stays")
    pool.close()


def test_a_key_on_one_token_alone_is_among_the_pool_s_whoever_is_asked(
    token_bench: TokenBench,
) -> None:
    one, two = token_bench.new_token("alone-one"), token_bench.new_token("alone-two")
    pool = TokenPool([one, two])
    pool.generate("stays", ECDSA_P256_SHA256)
    for _ in range(4):
        assert pool.key_labels() == ["stays"]
        with pytest.raises(Conflict, match=r"key\.exists"):
            pool.generate("stays", ECDSA_P256_SHA256)
    pool.close()


def test_tokens_without_a_replication_key_share_nothing(token_bench: TokenBench) -> None:
    one, two = token_bench.new_token("apart-one"), token_bench.new_token("apart-two")
    pool = TokenPool([one, two])
    made = pool.generate_shared("service", ECDSA_P256_SHA256)
    assert one.export_of("service") is Export.NEVER
    assert two.key_labels() == []
    assert made.public_key.verify(made.suite, made.sign(b"x"), b"x")
    pool.close()


@pytest.fixture
def limited(token_servers: list[TokenServer]) -> Iterator[tuple[TokenPool, Told]]:
    told = Told()
    pool = TokenPool([server.open(limit_seconds=1.0) for server in token_servers], told)
    pool.login()
    yield pool, told
    pool.close()


def test_a_request_inside_a_token_that_hangs_is_served_by_the_other(
    limited: tuple[TokenPool, Told], token_servers: list[TokenServer]
) -> None:
    """The process is stopped, not killed: its calls neither end nor fail."""
    pool, told = limited
    key = pool.key("issuing")
    token_servers[0].signal(signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(key.sign, [b"x"] * 40))
        assert told.await_left_out("one") == "token.timeout"
        begun = time.monotonic()
        assert all(key.sign(b"x") for _ in range(20))  # nobody waits for it any more
        assert time.monotonic() - begun < 10.0  # the limit is one second for each that waits
    finally:
        token_servers[0].signal(signal.SIGCONT)
    told.await_return("one")
    assert pool.left_out == {}


def test_a_token_that_hangs_holds_no_more_threads_than_it_serves_calls(
    limited: tuple[TokenPool, Told], token_servers: list[TokenServer]
) -> None:
    pool, _ = limited
    pool.key("issuing").sign(b"x")
    before = threading.active_count()
    for server in token_servers:
        server.signal(signal.SIGSTOP)
    try:
        for _ in range(2):
            with pytest.raises(Unavailable, match=r"token\.timeout"):
                pool.key("issuing")
        assert min(_seconds_to_refusal(pool) for _ in range(3)) < 0.5  # every thread is inside
        returning = [t for t in threading.enumerate() if t.name.endswith("returns")]
        assert threading.active_count() - len(returning) <= before
    finally:
        for server in token_servers:
            server.signal(signal.SIGCONT)


def _seconds_to_refusal(pool: TokenPool) -> float:
    """Whoever waits waits for the limit, a second."""
    begun = time.monotonic()
    with pytest.raises(Unavailable, match=r"token\.timeout"):
        pool.key("issuing")
    return time.monotonic() - begun


def test_when_every_token_is_away_it_is_told_and_ends_with_the_first_return(
    pool: TokenPool, token_servers: list[TokenServer], told: Told
) -> None:
    for server in token_servers:
        server.kill()
    key = pool.key  # looked up anew: nothing is remembered
    with pytest.raises(Unavailable, match=r"token\.(failed|missing)"):
        key("issuing").sign(b"x")
    for server in token_servers:
        server.start()
    told.await_(lambda so_far: {token for token, code in so_far[-2:] if code is None}
                == {"one", "two"})  # fmt: skip
    assert key("issuing").sign(b"x")


def test_a_request_that_a_token_fails_after_the_other_returned_goes_to_that(
    token_bench: TokenBench,
) -> None:
    """The other was away when the request came, and is not any more."""
    one, two = token_bench.new_token("while-one"), token_bench.new_token("while-two")
    switch = Pulled(one._pool)
    members = [Member("one", switch), Member("two", two._pool)]
    told = Told()
    sessions = FailoverSessions(members, lambda member, failure: told(member.name, failure))
    switch.is_away = True
    while members[0].failure is None:
        sessions.run(lambda session: None)

    def work(session: PooledSession) -> str:
        if not switch.is_away:
            return "done"
        switch.is_away = False
        told.await_return("one")
        raise Unavailable("token.missing", "pulled in this moment")

    assert sessions.run(work) == "done"
    sessions.close()


def test_a_bad_request_leaves_no_token_out(token_bench: TokenBench) -> None:
    one, two = token_bench.new_token("bad-one"), token_bench.new_token("bad-two")
    for token in (one, two):
        token.generate_secret("data")
    pool = TokenPool([one, two])
    made = one.secret_key("data").encrypt(b"value", b"here")
    for _ in range(4):
        with pytest.raises(Unprocessable, match=r"secret\.not-authentic"):
            pool.secret_key("data").decrypt(made, b"elsewhere")
        with pytest.raises(Unavailable, match=r"token\.no-key"):
            pool.key("absent")
    assert pool.left_out == {}
    assert pool.secret_key("data").decrypt(made, b"here") == b"value"  # by the one that can


def signs_always(pool: TokenPool, key: TokenKey) -> bool:
    """Each token had several turns."""
    return all(key.public_key.verify(key.suite, key.sign(b"x"), b"x") for _ in range(6))


def test_a_token_with_another_key_of_the_same_name_is_left_out_when_the_pool_opens(
    token_bench: TokenBench,
) -> None:
    one, two = token_bench.new_token("odd-one"), token_bench.new_token("odd-two")
    for token in (one, two):
        token.generate("issuing", ECDSA_P256_SHA256)
    told = Told()
    pool = TokenPool([one, two], told)
    pool.login()
    assert pool.left_out == {"odd-two": "token.other-key"}
    assert told == [("odd-two", "token.other-key")]
    key = pool.key("issuing")
    assert key.public_key == one.key("issuing").public_key
    assert signs_always(pool, key)
    two.destroy("issuing")  # somebody puts it right
    told.await_(lambda so_far: so_far[-1] == ("odd-two", None))
    assert signs_always(pool, key)
    pool.close()


def test_a_token_with_another_key_is_not_asked_even_while_the_right_one_is_away(
    token_bench: TokenBench,
) -> None:
    one, two = token_bench.new_token("sole-one"), token_bench.new_token("sole-two")
    for token in (one, two):
        token.generate("issuing", ECDSA_P256_SHA256)
    switch = Pulled(one._pool)
    one._pool = switch
    told = Told()
    pool = TokenPool([one, two], told)
    pool.login()
    key = pool.key("issuing")
    switch.is_away = True
    for _ in range(4):
        with pytest.raises(Unavailable, match=r"token\.missing"):
            key.sign(b"x")
    switch.is_away = False
    told.await_return("sole-one")
    assert pool.left_out == {"sole-two": "token.other-key"}
    assert signs_always(pool, key)
    pool.close()


def made_there(token: Token) -> bool:
    """Another key under the same name. The pool looks for what is away by initialising the module
    anew, and SoftHSM2 has been seen to refuse a key that is made in that moment."""
    try:
        token.generate("issuing", ECDSA_P256_SHA256)
    except Unavailable as refusal:
        if refusal.code != "token.failed":
            raise
        return False
    return True


def test_a_token_that_returns_with_another_key_of_the_same_name_stays_out(
    token_bench: TokenBench,
) -> None:
    one, two = token_bench.new_token("back-one"), token_bench.new_token("back-two")
    first = one.generate("issuing", ECDSA_P256_SHA256)
    really, switch = two._pool, Pulled(two._pool)
    two._pool = switch
    told = Told()
    pool = TokenPool([one, two], told)
    pool.login()
    assert pool.left_out == {}
    switch.is_away = True
    while not pool.left_out:
        pool.key_labels()
    two._pool = really
    assert any(made_there(two) for _ in range(20)), "refused again and again"
    two._pool = switch
    switch.is_away = False
    told.await_(lambda so_far: so_far[-1] == ("back-two", "token.other-key"))
    assert pool.left_out == {"back-two": "token.other-key"}
    assert signs_always(pool, pool.key("issuing"))
    assert pool.key("issuing").public_key == first.public_key
    pool.close()


def test_a_token_that_signs_with_another_key_than_it_shows_is_left_out(
    token_bench: TokenBench,
) -> None:
    one, two = token_bench.new_token("shows-one"), token_bench.new_token("shows-two")
    for label in ("issuing", "other"):
        two.generate(label, ECDSA_P256_SHA256)
    with two.pool.write() as session:
        for label, new in (("issuing", "aside"), ("other", "issuing"), ("aside", "other")):
            wanted = {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.LABEL: label}
            (public,) = list(session.get_objects(wanted))
            public[Attribute.LABEL] = new
    pool = TokenPool([one, two])
    pool.login()
    assert pool.left_out == {"shows-two": "token.wrong-key"}
    pool.close()


def test_tokens_of_one_label_are_no_pool(token_bench: TokenBench) -> None:
    token: Token = token_bench.new_token("same")
    with pytest.raises(ValueError, match="different labels"):
        TokenPool([token, token])

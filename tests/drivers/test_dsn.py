from __future__ import annotations

import logging
from pathlib import Path

import pytest

from graphile_worker.drivers.dsn import Surroundings, resolve
from graphile_worker.drivers.target import Endpoint, Keepalive, Target
from graphile_worker.errors import ConfigurationError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def target(url: str, home: Path = Path("/nowhere"), **environ: str) -> Target:
    return resolve(url, Surroundings(environ=environ, home=home))


def places(url: str, **environ: str) -> list[str]:
    return [str(endpoint) for endpoint in target(url, **environ).endpoints]


@pytest.mark.parametrize(
    ("url", "endpoints"),
    [
        ("postgres://u@h/d", ["h:5432"]),
        ("postgres://u@h1:1,h2/d", ["h1:1", "h2:5432"]),
        ("postgres://u@h1,h2/d?port=7", ["h1:7", "h2:7"]),
        ("postgres://u@[::1]:2/d", ["[::1]:2"]),
        ("postgres://u@/d?host=/tmp/x&port=9", ["/tmp/x/.s.PGSQL.9"]),
        ("postgres://u@h/d?hostaddr=10.0.0.1", ["10.0.0.1:5432"]),
        (
            "postgres://u@/d",
            ["/run/postgresql/.s.PGSQL.5432", "/tmp/.s.PGSQL.5432", "localhost:5432"],
        ),
    ],
)
def test_hosts_and_ports_become_endpoints(url, endpoints):
    assert places(url) == endpoints


def test_the_database_is_called_like_the_user_unless_it_is_named():
    assert target("postgres://joe@h").database == "joe"
    assert target("postgres://joe@h/d").database == "d"
    assert target("postgres://h/d", PGUSER="ann").user == "ann"
    assert target("postgres://h/d").user  # the operating system's


def test_a_string_goes_over_the_environment():
    environ = {
        "PGHOST": "eh",
        "PGPORT": "1234",
        "PGUSER": "eu",
        "PGPASSWORD": "ep",
        "PGDATABASE": "ed",
        "PGSSLMODE": "require",
        "PGAPPNAME": "ea",
        "PGOPTIONS": "-c geqo=off",
        "PGCONNECT_TIMEOUT": "3",
        "PGTARGETSESSIONATTRS": "primary",
    }
    full = target("postgres://", **environ)
    assert full.endpoints == (Endpoint("eh", 1234, "ep"),)
    assert (full.user, full.database, full.application_name) == ("eu", "ed", "ea")
    assert (full.options, full.connect_timeout_seconds) == ("-c geqo=off", 3)
    assert (full.tls["sslmode"], full.target_session_attrs) == ("require", "primary")
    over = target("postgres://u:p@h:1/d?sslmode=disable&application_name=a", **environ)
    assert over.endpoints == (Endpoint("h", 1, "p"),)
    assert (over.user, over.database, over.application_name) == ("u", "d", "a")
    assert over.tls["sslmode"] == "disable"


def test_a_service_goes_over_the_environment_and_under_the_string(home):
    (home / ".pg_service.conf").write_text("[prod]\nhost=sh\nport=7\nuser=su\ndbname=sd\n")
    got = target("postgres://ou@/?service=prod", home, PGHOST="eh", PGPORT="1")
    assert got.endpoints == (Endpoint("sh", 7),)
    assert (got.user, got.database) == ("ou", "sd")
    assert target("postgres://", home, PGSERVICE="prod").user == "su"


def test_a_service_file_may_be_elsewhere(home):
    (home / "services").write_text("[a]\nhost=sa\n")
    (home / "pg_service.conf").write_text("[b]\nhost=sb\n")
    file = str(home / "services")
    assert target("service=a user=u", PGSERVICEFILE=file).endpoints[0].host == "sa"
    assert target(f"service=a user=u servicefile={file}").endpoints[0].host == "sa"
    elsewhere = target("service=b user=u", PGSYSCONFDIR=str(home))
    assert elsewhere.endpoints[0].host == "sb"


def test_a_service_that_is_not_defined_is_refused_with_the_places_looked_at(home):
    with pytest.raises(ConfigurationError, match=r"'nope' is not defined in .*\.pg_service\.conf"):
        target("postgres://?service=nope", home)


def test_the_pass_file_has_a_password_for_each_host(home):
    passfile = home / ".pgpass"
    passfile.write_text("h1:*:d:u:one\nh2:*:d:u:two\n")
    passfile.chmod(0o600)
    got = target("postgres://u@h1,h2,h3/d", home)
    assert [endpoint.password for endpoint in got.endpoints] == ["one", "two", None]
    given = target("postgres://u:p@h1,h2/d", home)
    assert [endpoint.password for endpoint in given.endpoints] == ["p", "p"]
    moved = passfile.rename(home / "elsewhere")
    for got in (
        target(f"postgres://u@h1/d?passfile={moved}"),
        target("postgres://u@h1/d", PGPASSFILE=str(moved)),
    ):
        assert got.endpoints[0].password == "one"


def test_nothing_printed_of_a_target_holds_a_password():
    got = target("postgres://u:hunter2@h/d?sslpassword=hunter2")
    assert "hunter2" not in repr(got)
    assert "hunter2" not in str(got.endpoints[0])


def test_several_hosts_mean_the_one_that_takes_writes():
    assert target("postgres://u@h1,h2/d").target_session_attrs == "read-write"
    assert target("postgres://u@h1,h2/d?target_session_attrs=any").target_session_attrs == "any"
    assert target("postgres://u@h1/d").target_session_attrs == "any"
    assert target("postgres://u@/d").target_session_attrs == "any"


def test_links_are_watched_unless_that_is_turned_off():
    assert target("postgres://u@h").keepalive == Keepalive()
    assert target("postgres://u@h?keepalives=0").keepalive is None
    url = "postgres://u@h?keepalives_idle=1&keepalives_interval=2&keepalives_count=3&tcp_user_timeout=4"
    assert target(url).keepalive == Keepalive(1, 2, 3, 4)


@pytest.mark.parametrize("timeout", ["0", "-1"])
def test_no_connection_attempt_lasts_for_ever(timeout):
    assert target(f"postgres://u@h?connect_timeout={timeout}").connect_timeout_seconds is None


def test_tls_is_preferred_and_the_systems_certificates_are_a_full_check():
    assert target("postgres://u@h").tls == {"sslmode": "prefer"}
    system = target("postgres://u@h?sslrootcert=system").tls
    assert system == {"sslmode": "verify-full", "sslrootcert": "system"}
    assert target("postgres://u@h?sslmode=require&sslnegotiation=direct").direct_tls


@pytest.mark.parametrize(
    "query",
    [
        *("channel_binding=prefer", "keepalives=1", "client_encoding=LATIN1", "gssencmode=disable"),
        *("sslsni=1", "sslcompression=0", "min_protocol_version=3.0", "sslcertmode=allow"),
    ],
)
def test_keys_that_change_nothing_here_are_understood(query, caplog):
    target(f"postgres://u@h?{query}")
    assert not caplog.records


@pytest.mark.parametrize("query", ["channel_binding=require", "require_auth=scram-sha-256"])
def test_a_demand_that_cannot_be_made_is_a_warning(query, caplog):
    with caplog.at_level(logging.WARNING):
        target(f"postgres://u@h?{query}")
    assert [record.key for record in caplog.records] == [query.partition("=")[0]]


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("sslmode=on", "sslmode must be one of disable, .*got 'on'"),
        ("target_session_attrs=master", "target_session_attrs must be one of"),
        ("load_balance_hosts=yes", "load_balance_hosts must be one of"),
        ("sslnegotiation=direct", "needs sslmode=require"),
        ("sslrootcert=system&sslmode=require", "needs sslmode=verify-full"),
        ("gssencmode=require", "gssencmode must be one of"),
        ("port=x", "port must be a number"),
        ("port=0", "port must be a number"),
        ("port=65536", "port must be a number"),
        ("port=1,2", "2 ports do not match 1 hosts"),
        ("connect_timeout=soon", "connect_timeout must be a whole number"),
        ("host=@abstract", "abstract"),
        ("hostaddr=1.1.1.1&sslmode=verify-full", "hostaddr"),
    ],
)
def test_values_that_make_no_sense_are_refused(query, why):
    with pytest.raises(ConfigurationError, match=why):
        target(f"postgres://u@h?{query}")

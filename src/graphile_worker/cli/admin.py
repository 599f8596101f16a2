"""`graphile-worker admin`."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from graphile_worker.cli.crontab_file import read_crontab
from graphile_worker.cli.examples import examples
from graphile_worker.cli.logs import LEVELS, log_to_stderr
from graphile_worker.cli.output import print_json
from graphile_worker.cli.settings import Command, Settings
from graphile_worker.cli.texts import filled
from graphile_worker.errors import MissingDependencyError
from graphile_worker.worker.listen_address import ListenAddress, is_loopback

if TYPE_CHECKING:
    from graphile_worker.admin.web.authentication import Authenticator

_MODES: Final = ("basic", "bearer", "header", "proxy-header", "none")
_DEFAULT: Final = "127.0.0.1:5678"
_ENV: Final = "GRAPHILE_WORKER_ADMIN_"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Access:
    """How people come in.

    Attributes:
        auth: tells who asks.
        lines: what to say about it; name and value.
        generated: whether a secret was made up, which is then in the lines.
    """

    auth: Authenticator
    lines: tuple[tuple[str, str], ...]
    generated: bool


@click.command("admin", cls=Command, epilog=examples("admin", "admin --read-only"))
@click.option(
    "--listen", metavar="HOST:PORT", default=_DEFAULT, show_default=True, help="Where to serve."
)
@click.option(
    "--auth", type=click.Choice(_MODES), default="basic", show_default=True, help="Who may come in."
)
@click.option(
    "--username", metavar="NAME", default="admin", show_default=True, help="For --auth basic."
)
@click.option(
    "--password",
    metavar="SECRET",
    envvar=f"{_ENV}PASSWORD",
    help=f"For --auth basic; made up and printed by default. [env: {_ENV}PASSWORD]",
)
@click.option(
    "--bearer-token",
    metavar="SECRET",
    envvar=f"{_ENV}BEARER_TOKEN",
    help=f"For --auth bearer; made up and printed by default. [env: {_ENV}BEARER_TOKEN]",
)
@click.option(
    "--header-name",
    metavar="NAME",
    default="x-graphile-worker-admin-token",
    show_default=True,
    help="For --auth header.",
)
@click.option(
    "--header-token",
    metavar="SECRET",
    envvar=f"{_ENV}HEADER_TOKEN",
    help=f"For --auth header; made up and printed by default. [env: {_ENV}HEADER_TOKEN]",
)
@click.option(
    "--trusted-proxy",
    "trusted_proxies",
    metavar="CIDR",
    multiple=True,
    envvar=f"{_ENV}TRUSTED_PROXY",
    help="For --auth proxy-header: where the proxy is; may be given again. "
    f"[env: {_ENV}TRUSTED_PROXY]",
)
@click.option(
    "--proxy-user-header",
    metavar="NAME",
    default="x-forwarded-user",
    show_default=True,
    envvar=f"{_ENV}PROXY_USER_HEADER",
    help=f"For --auth proxy-header: says who asks. [env: {_ENV}PROXY_USER_HEADER]",
)
@click.option(
    "--proxy-role-header",
    metavar="NAME",
    envvar=f"{_ENV}PROXY_ROLE_HEADER",
    help=f"For --auth proxy-header: says their roles or groups. [env: {_ENV}PROXY_ROLE_HEADER]",
)
@click.option(
    "--proxy-role",
    "proxy_roles",
    metavar="[GROUP=]ROLE",
    multiple=True,
    envvar=f"{_ENV}PROXY_ROLE",
    help="For --auth proxy-header: the role of everybody [default: viewer], or of a group; may be "
    f"given again. [env: {_ENV}PROXY_ROLE]",
)
@click.option(
    "--more-schema",
    "more_schemas",
    metavar="NAME",
    multiple=True,
    help="Another schema of the database, with a switch to it; may be given again.",
)
@click.option("--read-only", is_flag=True, help="Nobody may change anything.")
@click.option("--environment", metavar="NAME", default="", help="Shown in the page.")
@click.option("--crontab", metavar="FILE", type=filled, help="Entries to show, and to run by hand.")
@click.option("--keep-audit", is_flag=True, help="Keep who did what in the database.")
@click.option(
    "--origin", metavar="URL", help="Scheme and host that browsers see, where a proxy hides them."
)
@click.option("--log-level", type=click.Choice(LEVELS), help="On stderr. [default: info]")
@click.pass_context
def command(context: click.Context, /, **options: Any) -> None:
    """Serve the admin page and its API.

    On this machine alone, unless --listen says otherwise. Secrets are better given by their
    variables than as options, which other users of the machine can see.
    """
    settings = Settings.of(context)
    try:
        address = ListenAddress.parse(options["listen"], beyond_loopback=True)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--listen") from None
    if options["auth"] == "none" and not is_loopback(address.host):
        raise click.UsageError("--auth none is only allowed when --listen uses a loopback address")
    if (options["auth"] == "proxy-header") != bool(options["trusted_proxies"]):
        raise click.UsageError("--auth proxy-header and --trusted-proxy go together")
    if any("=" in role for role in options["proxy_roles"]) and not options["proxy_role_header"]:
        raise click.UsageError("--proxy-role GROUP=ROLE needs --proxy-role-header")
    log_to_stderr(options["log_level"], None)
    asyncio.run(_serve(settings, address, options))


async def _serve(settings: Settings, address: ListenAddress, options: dict[str, Any]) -> None:
    try:
        from graphile_worker.admin.server import listen, serve  # noqa: PLC0415 (an extra)
        from graphile_worker.admin.standalone import standalone_app  # noqa: PLC0415
        from graphile_worker.admin.web.sign_in import SignIn  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingDependencyError("the admin page", "admin") from error

    access = _access(options)
    # Where a proxy asks people who they are, nobody comes in beside it.
    has_link = options["auth"] not in {"none", "proxy-header"}
    sign_in = SignIn.admin(access.auth) if has_link else None
    app = standalone_app(
        settings.database_url or "",
        access.auth,
        sign_in,
        schema=settings.schema,
        more_schemas=options["more_schemas"],
        read_only=options["read_only"],
        environment=options["environment"],
        crons=read_crontab(options["crontab"]) if options["crontab"] else (),
        max_pg_conn=settings.max_connections,
        secret_was_generated=access.generated,
        keep_audit=options["keep_audit"],
        origin=options["origin"],
    )
    await app.ready()
    listening = listen(address)
    link = None if sign_in is None else sign_in.link(listening.url)
    _print(listening.url, access, link, settings, read_only=options["read_only"])
    await serve(app, listening)


def _access(options: dict[str, Any]) -> _Access:
    """The way in that the options name, with a secret that was given or is made up.

    Raises:
        ConfigurationError: a name or a secret is none.
    """
    from graphile_worker.admin.web import authentication  # noqa: PLC0415 (an extra)

    about: tuple[tuple[str, str], ...]
    match options["auth"]:
        case "basic":
            secret, line = _secret(options["password"], "password")
            auth = authentication.basic_auth(options["username"], secret)
            about = ("Auth", "HTTP Basic"), ("Username", options["username"])
            given = options["password"]
        case "bearer":
            secret, line = _secret(options["bearer_token"], "bearer token")
            auth = authentication.bearer_auth(secret)
            about, given = (("Auth", "bearer token"),), options["bearer_token"]
        case "header":
            secret, line = _secret(options["header_token"], "header token")
            auth = authentication.header_auth(options["header_name"], secret)
            about = ("Auth", "header token"), ("Header", options["header_name"])
            given = options["header_token"]
        case "proxy-header":
            return _behind_proxy(options)
        case _:
            everybody = authentication.allow_all()
            return _Access(
                auth=everybody, lines=(("Auth", "none (loopback only)"),), generated=False
            )
    return _Access(auth=auth, lines=(*about, line), generated=given is None)


def _behind_proxy(options: dict[str, Any]) -> _Access:
    """The way in by a proxy that says who asks."""
    from graphile_worker.admin.web.proxy_header import proxy_header_auth  # noqa: PLC0415 (an extra)

    split = [one.rpartition("=") for one in options["proxy_roles"]]
    everybody = [role for group, _, role in split if not group]
    groups = {group: role for group, _, role in split if group}
    auth = proxy_header_auth(
        options["trusted_proxies"],
        user_header=options["proxy_user_header"],
        role=everybody[-1] if everybody else "viewer",
        role_header=options["proxy_role_header"],
        roles=groups or None,
    )
    lines = (
        ("Auth", "header of a proxy"),
        ("Header", options["proxy_user_header"]),
        ("Trusted proxies", ", ".join(options["trusted_proxies"])),
    )
    return _Access(auth=auth, lines=lines, generated=False)


def _secret(given: str | None, name: str) -> tuple[str, tuple[str, str]]:
    """A secret, and the line about it: one that was given is never printed."""
    if given is not None:
        return given, (name.capitalize(), "configured")
    made = secrets.token_hex(24)
    return made, (f"Generated {name}", made)


def _print(
    url: str, access: _Access, link: str | None, settings: Settings, *, read_only: bool
) -> None:
    lines = [
        ("Graphile Worker admin UI", url),
        ("Read-only mode", "on" if read_only else "off"),
        *access.lines,
        *([] if link is None else [("One-time link", link)]),
    ]
    if settings.json:
        print_json({name.lower().replace(" ", "_").replace("-", "_"): of for name, of in lines})
    else:
        click.echo("\n".join(f"{name}: {value}" for name, value in lines))

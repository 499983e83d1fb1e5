# Copyright: (c) 2026, ibops.gateway contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validate the variables of hosts: the one entry point to the rules of all roles and playbooks.

In this order: names, types by the roles' argument specifications, values, and pairs of gateways. For a variable of a
wrong type, only that problem is reported.
"""

from __future__ import annotations

import collections.abc as c
import contextlib
import re
import typing as t

from ..agent import bounds
from ..agent.problem import Problem, table
from ..agent.session import plan, windows
from ..deploy import container
from ..host import systems
from . import access, client_portal, gateway, gcp_vm, hardening, names, observability, sign_in, types

Options = c.Mapping[str, types.Option]
_problem = table(
    {
        "not-rendered": ("its template fails: {fault}", "correct the template, or define what it needs"),
        "serial-invalid": (
            "not a number of gateways",
            "write a whole number from 1 on, a percentage such as 20%, or a list of these",
        ),
        "machine-settings-differ": (
            "{other} is the same machine and has {theirs}, and a machine is prepared once for all its gateways",
            "set it once for both, in group_vars/gateways.yml for example, or give them machines of their own",
        ),
        "system-unknown": ("{fault}", "give the gateway a VM with {proven}"),
        "system-unproven": (
            "this host runs {system}, on which nothing of this collection was ever tried. Of Debian differ: {differs}",
            "give the gateway a VM with {proven}, or, where the host may break, accept that with -e {variable}=true",
        ),
        "service-account-shared": (
            "{other} has the same service account, so each VM could read the other's password in Secret Manager",
            "give each gateway an account of its own, with the role secretmanager.secretAccessor on its own secret, or "
            "accept that with gcp_vm_share_service_account: true",
        ),
    }
)
# In addition to no_log options: ids of users and accounts, and texts that may contain a secret.
_HIDDEN = frozenset(
    {
        "gateway_user",
        "gateway_password",
        "gateway_accounts",
        "gateway_environment",
        "client_portal_environment",
        "docker_engine_settings",
    }
)
# The variables by which gateways are compared. No other variable of a host outside the run is read, since it may be a
# secret.
COMPARED = (
    *("gateway_name", "gateway_mode", "gateway_stack", "gateway_user", "gateway_port", "gateway_access"),
    *("access_docker_network_name", "access_ssh_tunnel_bastion", "access_ssh_tunnel_port"),
    *(f"access_{name}_{part}" for name in access.LISTENING for part in ("addresses", "port")),
    *("access_wireguard_udp_port", "access_wireguard_interface"),
    *("session_http_port", "session_http_address"),
    *("gcp_vm_service_account", "gcp_vm_share_service_account", "gateway_password_secret"),
    *observability.READ,
)


class RenderError(Exception):
    """A variable's template fails; the message is a short reason.

    ``missing`` is the name of the variable that is not set, where that is the reason and the name stands in a template.
    """

    def __init__(self, message: str, missing: str = "") -> None:
        super().__init__(message)
        self.missing = missing


class Variables(t.Protocol):
    """The variables of one host, rendered when they are read."""

    def __getitem__(self, name: str) -> object:
        """The value; KeyError for a variable that is not set, RenderError for one whose template fails."""

    def names(self) -> c.Iterable[str]:
        """The names that the inventory, ``-e`` and the run have set."""


class Specification(t.NamedTuple):
    """Options by role (``access``, and ``access:bastion`` for another entry point) and by playbook."""

    roles: c.Mapping[str, Options]
    playbooks: c.Mapping[str, Options]
    defaults: c.Mapping[str, object] = {}
    """The options that have a default, in the specification or only among the role's defaults, with its template."""

    def known(self) -> frozenset[str]:
        """Every name that a role or a playbook reads."""
        return frozenset(name for options in (*self.roles.values(), *self.playbooks.values()) for name in options)

    def of_roles(self) -> dict[str, types.Option]:
        """The options of all roles by name."""
        return {name: each for options in self.roles.values() for name, each in options.items()}

    def prefixes(self) -> tuple[str, ...]:
        """The prefixes reserved for the collection."""
        roles = {f"{role.partition(':')[0]}_" for role in self.roles}
        words = {re.match(r"[a-z]+_", name) for options in self.playbooks.values() for name in options}
        return (*sorted(roles | {word[0] for word in words if word} - {"gcp_"}),)


class Context(t.NamedTuple):
    """Facts for the rules beside a host's variables."""

    specification: Specification
    hosts: c.Collection[str] = ()
    """The names of the inventory's hosts."""
    facts: hardening.Host = hardening.UNSEEN
    """The result of module ``machine_info``, once the host has been contacted."""
    controls: c.Collection[str] = hardening.CONTROLS
    """The switches of the hardening that this run acts on."""


# Values by name and identity in which no type is wrong: most hosts have the defaults' own.
Sound = dict[tuple[str, int], object]


class _Settings(c.Mapping[str, t.Any]):
    """The rules' view of a host: rendered values, and the specification's default for faulty or unset ones."""

    def __init__(self, variables: Variables, specification: Specification, faulty: c.Collection[str]) -> None:
        self._variables, self._faulty = variables, faulty
        self._options = specification.of_roles()

    def __getitem__(self, name: str) -> t.Any:
        if name not in self._faulty:
            with contextlib.suppress(KeyError, RenderError):
                return self._variables[name]
        default = self._options[name].get("default")
        return None if "{{" in str(default) else default

    def __iter__(self) -> c.Iterator[str]:
        return iter(self._options)

    def __len__(self) -> int:
        return len(self._options)


# Many defaults depend on these.
_LEADING = frozenset({"gateway_mode", "gateway_stack", "gateway_program"})
# Roles for an existing gateway, perhaps made in another play: they depend on its mode.
_OF_A_GATEWAY = frozenset({"session", "access", "client_portal"})


def host(variables: Variables, roles: c.Sequence[str], context: Context, sound: Sound | None = None) -> list[Problem]:
    """Return every problem of one host's variables, within *roles* and the playbooks' own options.

    *sound* is kept from host to host of one specification.
    """
    sound = {} if sound is None else sound
    specification = context.specification
    found = list(names.problems(variables.names(), specification.known(), specification.prefixes()))
    options = {name: each for role in roles for name, each in specification.roles[role].items()}
    if _OF_A_GATEWAY & {*roles}:
        options["gateway_mode"] = specification.roles["gateway"]["gateway_mode"]
    set_here = {*variables.names()}
    for part in specification.playbooks.values():
        options |= {name: each for name, each in part.items() if name in set_here}
    faulty: set[str] = set()
    unrendered: list[Problem] = []
    for name, option in options.items():
        wrong = list(_types(variables, name, option, name in specification.defaults, sound))
        # Three lines about one variable are enough.
        told = name in set_here or not wrong or wrong[0].id != "not-rendered"
        (found if told else unrendered).extend(wrong[:3])
        faulty |= {name} if wrong else set()
    # A default that depends on a faulty value is not rendered; that problem is already reported.
    found = found or unrendered
    unset = {*options} - set_here
    # With a faulty mode or stack, problems of defaults that depend on it are not the user's.
    hidden = set() if _LEADING.isdisjoint(faulty) else unset
    found += [each for each in values(variables, roles, context, faulty) if _variable(each) not in hidden]
    found += _serial(variables) if "gateway_serial" in set_here - faulty else ()
    # Nor are those of a default that is a template with a faulty value.
    culprits = {_variable(each) for each in found}
    derived = {name for name in unset if not culprits.isdisjoint(_read_by(specification.defaults.get(name)))}
    return list(dict.fromkeys(each for each in found if _variable(each) not in derived))


def _serial(variables: Variables) -> c.Iterator[Problem]:
    value = variables["gateway_serial"]
    batches = value if isinstance(value, list) else [value]
    if not all(re.fullmatch(r"0*[1-9][0-9]*%?", str(each)) for each in batches):
        yield _problem("serial-invalid", "gateway_serial", value)


def _read_by(template: object) -> list[str]:
    """The names in a default's template; empty for one that is a plain value."""
    return re.findall(r"\w+", template) if isinstance(template, str) and "{{" in template else []


def values(
    variables: Variables, roles: c.Sequence[str], context: Context, faulty: c.Collection[str] = ()
) -> c.Iterator[Problem]:
    """Yield the problems of values, but for variables that are *faulty* already."""
    settings = _Settings(variables, context.specification, faulty)
    for role in roles:
        try:
            found = list(_values(role, settings, variables, context))
        except (AttributeError, KeyError, TypeError, ValueError):
            # A rule may fail on the default that replaces a faulty value.
            if not faulty:
                raise
            continue
        yield from (each for each in found if _variable(each) not in faulty)


def _variable(problem: Problem) -> str:
    """The variable in which a problem is, without the place in its value."""
    return re.split(r"[.\[]", problem.variable)[0]


def _types(
    variables: Variables, name: str, option: types.Option, has_default: bool, sound: Sound
) -> c.Iterator[Problem]:
    hidden = option.get("no_log") or name in _HIDDEN
    try:
        value = variables[name]
    except KeyError:
        if option.get("required"):
            yield types.required(name)
        return
    except RenderError as error:
        # The name of a variable may be told.
        fault = f"'{error.missing}' is not set" if error.missing else "its error is not shown, for it may hold a secret"
        yield _problem("not-rendered", name, fault=fault if hidden else error)
        return
    if value is None or value == "":
        if option.get("required"):
            yield types.required(name)
        elif value is None and has_default:
            yield types.null(name)
        # In Jinja and -e, an empty text leaves an option without a default unset.
        if value is None or option.get("default") is None:
            return
    if (name, id(value)) in sound:
        return
    found = list(types.problems(name, {**option, "no_log": True} if hidden else option, value))
    yield from found
    if not found:
        sound[name, id(value)] = value


def _values(role: str, settings: _Settings, variables: Variables, context: Context) -> c.Iterator[Problem]:
    if role == "gateway":
        yield from gateway.problems(settings)
        yield from windows.problems(settings["gateway_paper_sessions"])
        limits = ("memory", "cpus", "pids_limit", "nofile", "stop_grace", "log_max_size", "log_max_files", "port")
        wanted = {name: settings[f"gateway_{name}"] for name in limits}
        # gateway.problems has checked the environment.
        yield from container.problems(
            {**wanted, "heap_mb": settings["gateway_java_heap_mb"], "environment": {}}, cpus=None
        )
    elif role == "session":
        others = [bounds.whole(settings[name]) for name in ("gateway_client_id", "gateway_check_client_id")]
        yield from plan.problems(settings, others)
        yield from sign_in.problems(settings)
    elif role == "client_portal":
        own = t.cast("c.Mapping[str, str]", variables["__client_portal_environment"])
        yield from client_portal.problems(settings, own)
        own_limits = ("memory", "pids_limit", "shm_size", "stop_grace", "environment")
        wanted = {name: settings[f"client_portal_{name}"] for name in own_limits}
        shared = {name: settings[f"gateway_{name}"] for name in ("log_max_size", "log_max_files", "port")}
        yield from container.problems({**wanted, **shared, "cpus": 0}, None, "client_portal_")
    elif role == "access":
        yield from access.problems(settings, context.hosts)
    elif role == "hardening":
        on = [each for each in context.controls if gateway.flag(settings[each])]
        yield from hardening.problems(settings, context.facts, on)
    elif role == "gcp_vm":
        yield from gcp_vm.problems(settings, t.cast("c.Mapping[str, t.Any]", variables["__gcp_vm_options"]))
    elif role == "observability":
        yield from observability.problems(settings)
    elif role == "observability:prometheus":
        rules = t.cast("list[c.Mapping[str, t.Any]]", variables["__observability_rules"])
        yield from observability.prometheus(settings, [each["alert"] for each in rules])
    elif role == "observability:google_cloud":
        rules = t.cast("list[c.Mapping[str, t.Any]]", variables["__observability_rules"])
        records = t.cast("list[c.Mapping[str, t.Any]]", variables["__observability_records"])
        yield from observability.google_cloud(settings, rules, [each["record"] for each in records])


def pairs(
    inventory: c.Mapping[str, Variables], roles: c.Collection[str], specification: Specification
) -> list[Problem]:
    """Return conflicts between any two gateways of the *inventory*, by host, within *roles*.

    A problem is the later host's.
    """
    options = specification.of_roles()
    compared = [_compared(name, variables, options) for name, variables in inventory.items()]
    return [problem for role, check in PAIRS.items() if role in roles for problem in check(compared)]


def _service_accounts(compared: c.Iterable[c.Mapping[str, t.Any]]) -> c.Iterator[Problem]:
    accounts: dict[object, c.Mapping[str, t.Any]] = {}
    for one in compared:
        account = one.get("gcp_vm_service_account")
        if not account:
            continue
        other = accounts.setdefault(account, one)
        # If either has a secret, the other can read it.
        fetches = one.get("gateway_password_secret") or other.get("gateway_password_secret")
        shared = gateway.flag(one.get("gcp_vm_share_service_account"))
        if other is not one and fetches and not shared:
            problem = _problem("service-account-shared", "gcp_vm_service_account", account, other=other["host"])
            yield problem._replace(host=one["host"])


# The rules for pairs of gateways, by role.
PAIRS: dict[str, c.Callable[[list[dict[str, t.Any]]], c.Iterable[Problem]]] = {
    "gateway": gateway.pairs,
    "access": access.pairs,
    "gcp_vm": _service_accounts,
    "observability:prometheus": observability.pairs,
}


# The roles that prepare a machine, once for all its gateways.
_OF_MACHINE = ("hardening", "docker_engine", "observability")


def machines(
    inventory: c.Mapping[str, Variables],
    seen: c.Mapping[str, str],
    roles: c.Collection[str],
    specification: Specification,
) -> list[Problem]:
    """Return conflicts between hosts of one machine, and the machine's settings in which they differ.

    *seen* is the machine of each host. A problem is reported for the later host.
    """
    options = specification.of_roles()
    compared = [_compared(name, each, options) | {"address": seen[name]} for name, each in inventory.items()]
    found = [problem for role, check in PAIRS.items() if role in roles for problem in check(compared)]
    first: dict[str, str] = {}
    for host, variables in inventory.items():
        other = first.setdefault(seen[host], host)
        if other != host:
            found += _differences(host, variables, other, inventory[other], specification)
    return found


def _differences(
    host: str, variables: Variables, other: str, others: Variables, specification: Specification
) -> c.Iterator[Problem]:
    for name, option in ((name, each) for role in _OF_MACHINE for name, each in specification.roles[role].items()):
        with contextlib.suppress(KeyError, RenderError):
            mine, theirs = variables[name], others[name]
            if mine != theirs:
                hidden = option.get("no_log") or name in _HIDDEN
                shown = () if hidden else (mine,)
                wrong = _problem(
                    "machine-settings-differ", name, *shown, other=other, theirs="another value" if hidden else theirs
                )
                yield wrong._replace(host=host)


CONSENT = "gateway_unproven_system"


def system(variables: Variables, seen: c.Mapping[str, str]) -> c.Iterator[Problem]:
    """Yield the problem of a host's system, *seen* as id and version: not known, or never tried and not accepted."""
    proven = " or ".join(systems.PROVEN)
    try:
        found = systems.find(seen["id"], seen["version"])
    except ValueError as fault:
        yield _problem("system-unknown", "ansible_host", fault=fault, proven=proven)
        return
    try:
        accepted = gateway.flag(variables[CONSENT])
    except KeyError:
        accepted = False
    if found.differs and not accepted:
        name, differs = f"{found.distribution} {found.version}", "; ".join(found.differs)
        yield _problem("system-unproven", CONSENT, system=name, differs=differs, proven=proven, variable=CONSENT)


# The variables that decide where a connection leads: hosts that share all of them are one machine. Others may be too,
# by another name or route, which only the machine itself can tell.
_ENDPOINT = (
    *("ansible_connection", "ansible_host", "ansible_port"),
    *("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args"),
)


def _compared(name: str, variables: Variables, options: Options) -> dict[str, t.Any]:
    """The values of a host to compare with others', but for those of a wrong type, which are its own problem."""
    found: dict[str, t.Any] = {"host": name}
    end: dict[str, str] = {"ansible_host": name, "ansible_port": "22"}
    for each in (*_ENDPOINT, *COMPARED):
        with contextlib.suppress(KeyError, RenderError):
            if each in _ENDPOINT:
                end[each] = str(variables[each])
            elif not any(types.problems(each, options[each], variables[each])):
                found[each] = variables[each]
    return found | {"address": tuple(sorted(end.items()))}

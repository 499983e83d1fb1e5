"""Judge: OpenSCAP, Debian's package, with the newest SCAP Security Guide that Debian packages.

Percentages are those of the applicable rules: pass / (pass + fail). A rule's result counts for each profile that
selects it, and is the same for profiles that pass the same values to its check; so each rule is evaluated once per set
of values.
"""

from __future__ import annotations

from collections import Counter

from audit.content import fetch
from audit.datastream import PREFIX, DataStream
from audit.machine import AuditError, Machine, say
from audit.report import Finding, Verdict

PROFILES = {
    "trixie": ("cis_level2_server", "cis_level1_server", "anssi_bp28_enhanced"),
    "bookworm": ("anssi_bp28_enhanced",),
}
PLACE = "/run/ibgw-audit-ssg.xml"
# A container stands in for a machine and is judged as one: the content takes /.dockerenv for a container and linux-base
# for a kernel, and hardly any rule applies to a container without a kernel. oscap exits with 2 if a rule failed.
COMMAND = """
sign=/.dockerenv; hidden=/run/ibgw-audit.dockerenv; umask 077; cd /
test ! -e $sign || {{ mv $sign $hidden; trap 'mv $hidden $sign' EXIT; }}
oscap xccdf eval --progress --profile {profile} {skip} {place} </dev/null || test $? -eq 2
"""


PACKAGES = ("openscap-scanner", "linux-base")


def judge(machine: Machine) -> Verdict:
    version, path = fetch(machine)
    stream = DataStream(path)
    profiles = PROFILES[machine.codename]
    machine.run(f"umask 077; cat >{PLACE}", stdin=path.read_bytes())
    results: dict[str, dict[str, str]] = {}
    for profile, wanted in stream.passes(profiles).items():
        say(f"{machine.host}: OpenSCAP, {len(wanted)} rules of {profile}")
        results[profile] = evaluate(machine, stream, profile, wanted)
    machine.run(f"rm {PLACE}")
    made_with = {"openscap": machine.version("openscap-scanner"), "ssg": version}
    return verdict(stream, profiles, results, made_with)


def evaluate(machine: Machine, stream: DataStream, profile: str, wanted: set[str]) -> dict[str, str]:
    """{rule: result} of the wanted rules of a profile."""
    skipped = sorted(stream.rules(profile) - wanted - stream.required)
    skip = " ".join(f"--skip-rule {PREFIX}rule_{rule}" for rule in skipped)
    output = machine.run(COMMAND.format(profile=f"{PREFIX}profile_{profile}", skip=skip, place=PLACE))
    pairs = (
        line.removeprefix(f"{PREFIX}rule_").rpartition(":") for line in output.splitlines() if line.startswith(PREFIX)
    )
    results = {rule: result for rule, _colon, result in pairs if rule in wanted}
    if missing := wanted - results.keys():
        raise AuditError(f"oscap said nothing of {len(missing)} rules of {profile}: {', '.join(sorted(missing)[:5])}")
    return results


def verdict(
    stream: DataStream, profiles: tuple[str, ...], results: dict[str, dict[str, str]], made_with: dict[str, str]
) -> Verdict:
    """Percentages by profile, and every failed rule once, with the profiles in which it fails."""
    figures: dict[str, float] = {}
    failed: dict[str, list[str]] = {}
    unclear: dict[str, list[str]] = {}
    for profile in sorted(profiles):
        found = {rule: results[stream.pass_of(profile, rule, profiles)][rule] for rule in stream.rules(profile)}
        counts = Counter(found.values())
        judged = counts["pass"] + counts["fail"]
        # Truncated, so that nothing is rounded up to a floor.
        figures[profile] = int(10000 * counts["pass"] / judged) / 100 if judged else 0.0
        made_with[profile] = ", ".join(f"{count} {result}" for result, count in sorted(counts.items()))
        for rule in sorted(found):
            if found[rule] == "fail":
                failed.setdefault(rule, []).append(profile)
            elif found[rule] in {"error", "unknown"}:
                unclear.setdefault(f"{rule}: {found[rule]}", []).append(profile)
    findings = [Finding(rule, f"{stream.title(rule)} ({', '.join(where)})") for rule, where in sorted(failed.items())]
    notes = [f"{what} ({', '.join(where)})" for what, where in sorted(unclear.items())]
    return Verdict(figures, findings, notes, made_with)

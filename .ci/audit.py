"""Known vulnerabilities of what constraints.txt pins: `python .ci/audit.py [options of pip-audit]`.

Each pin is looked up at osv.dev. Exit code 1 where a vulnerability is found, 2 where the pins cannot be read; a
service that does not answer is said in one line and fails nothing, since a machine without a network has to be
able to check as well.
"""

import json
import subprocess
import sys
from pathlib import Path

CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"


def main(pins: Path, options: list[str]) -> int:
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(pins), "--no-deps", "--disable-pip"]
    command += ["--format", "json", "--progress-spinner", "off", "--vulnerability-service", "osv"]
    readable = subprocess.run([*command, "--dry-run"], capture_output=True, text=True, check=False)
    if readable.returncode:
        print(f"audit: {pins} cannot be read: {_last(readable.stderr)}")
        return 2
    asked = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    try:
        packages = json.loads(asked.stdout)["dependencies"]
    except (ValueError, KeyError):
        print(f"audit: not made, the vulnerability service did not answer: {_last(asked.stderr)}")
        return 0
    found = [(package, flaw) for package in packages for flaw in package.get("vulns", [])]
    for package, flaw in found:
        mended = ", ".join(flaw["fix_versions"]) or "no version yet"
        print(f"audit: {package['name']} {package['version']} has {flaw['id']}, mended in {mended}")
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    print(f"audit: {len(packages) - len(skipped)} packages asked about, {len(found)} vulnerabilities")
    if skipped:
        print(f"audit: unknown to the service: {', '.join(skipped)}")
    return 1 if found else 0


def _last(text: str) -> str:
    """The last line of a message, which says what happened."""
    return (text.strip().splitlines() or ["no message"])[-1][:160]


if __name__ == "__main__":
    sys.exit(main(CONSTRAINTS, sys.argv[1:]))

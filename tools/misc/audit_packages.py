"""Ask pip-audit for known weaknesses of the installed packages; skipped where it has no network.

python tools/misc/audit_packages.py
"""

import json
import subprocess
import sys

from xaicovid_mm.cli.parser import CommandParser
from xaicovid_mm.utils.terminal import Console

COMMAND = [sys.executable, '-m', 'pip_audit', '--format', 'json', '--timeout', '10']
COMMAND += ['--progress-spinner', 'off', '--skip-editable']
LONGEST_S = 300


def main() -> None:
    console = Console(soft_wrap=True)
    try:
        done = subprocess.run(COMMAND, capture_output=True, text=True, timeout=LONGEST_S)
        packages = json.loads(done.stdout)['dependencies']
    except subprocess.TimeoutExpired:
        console.print(f'pip-audit: skipped, no answer in {LONGEST_S} s')
        return
    except ValueError:  # it gives no list where it cannot ask
        console.print(f'pip-audit: skipped, it cannot ask: {done.stderr.strip()[-300:]}')
        return
    weak = [package for package in packages if package.get('vulns')]
    unknown = [package['name'] for package in packages if 'skip_reason' in package]
    for package in weak:
        for fault in package['vulns']:
            fixed = ', '.join(fault['fix_versions']) or 'nothing yet'
            console.print(
                f'{package["name"]} {package["version"]}: {fault["id"]}, mended in {fixed}'
            )
    console.print(
        f'pip-audit: {len(packages) - len(unknown)} packages asked for, {len(weak)} weak; '
        f'{len(unknown)} skipped: {", ".join(unknown) or "none"}'
    )
    raise SystemExit(bool(weak))


if __name__ == '__main__':
    CommandParser(__doc__, 'tools/misc/audit_packages.py').parse_args()
    main()

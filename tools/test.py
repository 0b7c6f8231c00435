"""Test a checkpoint: the command ``xaicovid test``."""

from xaicovid_mm.cli.test import main

if __name__ == '__main__':
    main()

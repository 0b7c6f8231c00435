"""``python -m xaicovid_mm``: the same as the command ``xaicovid``."""

from .cli.console import main

if __name__ == '__main__':
    main(prog='python -m xaicovid_mm')

"""Report on scans: the command ``xaicovid infer``."""

from xaicovid_mm.cli.infer import main

if __name__ == '__main__':
    main()

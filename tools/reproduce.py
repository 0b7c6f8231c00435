"""Train, test and table the systems of the paper: the command ``xaicovid reproduce``."""

from xaicovid_mm.cli.reproduce import main

if __name__ == '__main__':
    main()

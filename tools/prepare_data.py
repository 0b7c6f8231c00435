"""Prepare data for training: the command ``xaicovid prepare``."""

from xaicovid_mm.cli.prepare_data import main

if __name__ == '__main__':
    main()

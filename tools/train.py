"""Train a model from a config: the command ``xaicovid train``."""

from xaicovid_mm.cli.train import main

if __name__ == '__main__':
    main()

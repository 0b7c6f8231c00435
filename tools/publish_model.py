"""Make a model folder to share: the command ``xaicovid publish``."""

from xaicovid_mm.cli.publish_model import main

if __name__ == '__main__':
    main()

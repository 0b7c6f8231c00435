import sys

import pytest

from xaicovid_mm.utils.extras import MissingExtraError, need_extra


def test_what_is_installed_may_be_used():
    need_extra('json', 'tensorboard', 'x')


def test_what_is_missing_is_named_with_the_line_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, 'wandb', None)
    with pytest.raises(MissingExtraError, match=r"--x needs the package wandb.*'\.\[wandb\]'"):
        need_extra('wandb', 'wandb', '--x')
